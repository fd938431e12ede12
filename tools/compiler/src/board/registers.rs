//! Whether EL2 can drive the registers that a board gives it: the interrupt controller's, the UARTs', the power control's.

use septum_plan::{GicVersion, frames, space};

use super::raw::{Raw, RawDevice};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::Range;
use crate::source::Spanned;

/// Bytes of a redistributor without virtual LPIs.
pub const REDISTRIBUTOR_BYTES: u64 = frames::GICR_BYTES;
/// Bytes of one half of EL2's devices' window.
const HALF: u64 = (space::DEVICES_VA_END - space::DEVICES_VA) / 2;
/// Most bytes of all redistributors: EL2 maps all, in at most half of its devices' window, to look for each core's.
const REDISTRIBUTORS_BYTES_MAX: u64 = HALF / space::GICR_STRIDE * REDISTRIBUTOR_BYTES;
/// Most bytes of anything else that EL2 maps there, each with two pages besides: a UART, power registers and at most
/// three frames share the other half.
const BLOCK_BYTES_MAX: u64 = HALF / 8;
/// Alignment of registers that are read and written as words, in bytes.
const WORD: u64 = 4;
/// Bytes of the pages in which EL2 maps its devices.
const PAGE: u64 = 0x1000;

/// Reports every register block that EL2 could not drive.
pub(super) fn check(raw: &Raw, problems: &mut Problems) {
    check_presence(raw, problems);
    check_redistributors(raw, problems);
    check_frames(raw, problems);
    check_power(raw, problems);
    for name in &raw.consoles {
        let uart = raw.devices.iter().find(|device| device.name.value == name.value && device.uart.is_some());
        uart.into_iter().for_each(|uart| check_uart(uart, problems));
    }
}

/// A frame that the interrupt controller may have: its key, its range, its bytes.
type Frame = (&'static str, Option<Spanned<Range>>, u64);

fn frames_of_v2(raw: &Raw) -> [Frame; 3] {
    [
        ("cpu-interface", raw.gic.cpu_interface, frames::GICC_BYTES),
        ("virtual-control", raw.gic.virtual_control, frames::GICH_BYTES),
        ("virtual-cpu", raw.gic.virtual_cpu, frames::GICC_BYTES),
    ]
}

fn frames_of_v3(raw: &Raw) -> [Frame; 1] {
    [("redistributors", raw.gic.redistributors, REDISTRIBUTOR_BYTES * raw.cores.value.len() as u64)]
}

fn check_presence(raw: &Raw, problems: &mut Problems) {
    let (v2, v3) = (frames_of_v2(raw), frames_of_v3(raw));
    let (needed, foreign): (&[_], &[_]) = match raw.gic.version.value {
        GicVersion::V2 => (&v2, &v3),
        GicVersion::V3 => (&v3, &v2),
    };
    let version = raw.gic.version.span;
    for (key, ..) in needed.iter().filter(|(_, range, _)| range.is_none()) {
        let problem = Problem::new(Code::BoardGic, version, format!("the interrupt controller has no `{key}`"));
        problems.add(problem.here("this version has it"));
    }
    for (key, range, _) in foreign {
        let Some(range) = range else { continue };
        let problem = Problem::new(Code::BoardGic, range.span, format!("this interrupt controller has no `{key}`"));
        problems.add(problem.label(version, "as of its version"));
    }
}

fn check_redistributors(raw: &Raw, problems: &mut Problems) {
    for (_, range, bytes) in frames_of_v3(raw) {
        let Some(range) = range else { continue };
        if range.value.size < bytes {
            let problem = Problem::new(Code::BoardGic, range.span, "fewer redistributors than cores");
            problems.add(problem.here(format!("{} cores need {} bytes", raw.cores.value.len(), show::address(bytes))));
        }
        if range.value.size > REDISTRIBUTORS_BYTES_MAX {
            let problem = Problem::new(Code::BoardGic, range.span, "more redistributors than EL2 has room for");
            problems.add(problem.here(format!("at most {} bytes", show::address(REDISTRIBUTORS_BYTES_MAX))));
        }
        check_alignment("redistributors", range, frames::alignment(GicVersion::V3), problems);
    }
}

/// EL2 drives each frame to its end, and GICv2 guests use both pages of their CPU interface.
fn check_frames(raw: &Raw, problems: &mut Problems) {
    let version = raw.gic.version.value;
    let alignment = frames::alignment(version);
    let distributor = ("distributor", Some(raw.gic.distributor), frames::gicd_bytes(version));
    for (key, range, bytes) in frames_of_v2(raw).into_iter().chain([distributor]) {
        let Some(range) = range else { continue };
        let refuse = |what, right| {
            let message = format!("`{key}` of the interrupt controller is too {what}");
            Problem::new(Code::BoardGic, range.span, message).here(right)
        };
        if range.value.size < bytes {
            problems.add(refuse("short", format!("this version has {} bytes", show::address(bytes))));
        }
        if range.value.size > BLOCK_BYTES_MAX {
            problems.add(refuse("long", format!("EL2 has room for {} bytes", show::address(BLOCK_BYTES_MAX))));
        }
        if range.value.size > bytes && !range.value.size.is_multiple_of(PAGE) {
            let message = format!("`{key}` of the interrupt controller ends within a page");
            let problem = Problem::new(Code::BoardGic, range.span, message);
            problems.add(problem.here(format!("`size` must be a multiple of {}", show::size(PAGE))));
        }
        check_alignment(key, range, alignment, problems);
    }
    let (Some(seen), Some(behind)) = (raw.gic.cpu_interface, raw.gic.virtual_cpu) else { return };
    if behind.value.size > seen.value.size {
        let message = "`virtual-cpu` of the interrupt controller is longer than `cpu-interface`";
        let problem = Problem::new(Code::BoardGic, behind.span, message);
        problems.add(problem.here("partitions see it there").label(seen.span, "only this much is free"));
    }
}

fn check_alignment(key: &str, range: Spanned<Range>, alignment: u64, problems: &mut Problems) {
    if !range.value.at.is_multiple_of(alignment) {
        let message = format!("`{key}` of the interrupt controller cannot be at {}", show::address(range.value.at));
        let problem = Problem::new(Code::BoardGic, range.span, message);
        problems.add(problem.here(format!("must be at a multiple of {}", show::size(alignment))));
    }
}

fn check_power(raw: &Raw, problems: &mut Problems) {
    let power = &raw.power;
    let driven = power.method.value.bytes() != 0;
    match power.registers {
        None if driven => {
            let problem = Problem::new(Code::BoardRegisters, power.method.span, "the power control has no `registers`");
            problems.add(problem.here("this method has some"));
        }
        Some(registers) if !driven => {
            let problem = Problem::new(Code::BoardRegisters, registers.span, "this power control has no `registers`");
            problems.add(problem.label(power.method.span, "as of its method"));
        }
        Some(registers) => check_block("the power control", registers, power.method.value.bytes(), problems),
        None => {}
    }
}

fn check_uart(device: &RawDevice, problems: &mut Problems) {
    let title = format!("console `{}`", device.name.value);
    let Some(first) = device.registers.first() else {
        let problem = Problem::new(Code::BoardRegisters, device.name.span, format!("{title} has no registers"));
        problems.add(problem.here("`registers` is empty"));
        return;
    };
    let Some(facts) = device.uart.as_ref().map(|uart| uart.kind.facts()) else { return };
    check_block(&title, *first, facts.bytes, problems);
    if first.value.at % PAGE < facts.bytes_before {
        let message = format!("{title}'s registers begin where their page does");
        let before =
            format!("EL2 uses {} bytes in front of them, too, on the same page", show::address(facts.bytes_before));
        problems.add(Problem::new(Code::BoardRegisters, first.span, message).here(before));
    }
}

fn check_block(title: &str, range: Spanned<Range>, bytes: u64, problems: &mut Problems) {
    let refuse =
        |what, right| Problem::new(Code::BoardRegisters, range.span, format!("{title}'s registers {what}")).here(right);
    if !range.value.at.is_multiple_of(WORD) {
        problems.add(refuse("are no words", "must be at a multiple of 4".to_owned()));
    }
    if range.value.size < bytes {
        problems.add(refuse("are too short", format!("EL2 uses {} bytes", show::address(bytes))));
    }
    if range.value.size > BLOCK_BYTES_MAX {
        problems.add(refuse("are too long", format!("EL2 has room for {} bytes", show::address(BLOCK_BYTES_MAX))));
    }
}
