//! What the board file says about an address or an interrupt, and what EL2 emulates.

use crate::board::{Board, Device, PaSpan};
use crate::el2_elf::PAGE;
use crate::system::{Partition, System};

/// What lies at a physical address.
pub(super) fn what_is_at(board: &Board, address: u64) -> String {
    let within = |span: &PaSpan| holds(span.start.get(), span.size, address);
    let devices = board.devices.iter().filter(|device| device.registers.iter().any(within));
    let devices: Vec<_> = devices.map(|device| format!("device `{}`", device.name)).collect();
    let carve_out = board.carve_outs.iter().find(|carve_out| within(&carve_out.span));
    if !devices.is_empty() {
        devices.join(" and ")
    } else if let Some(frame) = interrupt_controller(board, address) {
        format!("the interrupt controller's {frame}")
    } else if board.power.registers.as_ref().is_some_and(within) {
        "the registers that switch the board off".to_owned()
    } else if let Some(carve_out) = carve_out {
        format!("RAM kept by `{}`", carve_out.name)
    } else if board.ram.iter().any(within) {
        "RAM".to_owned()
    } else {
        "nothing that the board file names".to_owned()
    }
}

fn interrupt_controller(board: &Board, address: u64) -> Option<&'static str> {
    let mut frames = board.gic.frames().into_iter();
    frames.find(|(_, span)| holds(span.start.get(), span.size, address)).map(|(name, _)| name)
}

/// What EL2 has an address for, if it is EL2's.
pub(super) fn use_of_el2(system: &System, address: u64) -> Option<&'static str> {
    let (board, within) = (&system.board, |span: &PaSpan| holds(span.start.get(), span.size, address));
    let log = board.devices.iter().find(|device| device.name == system.console.device);
    let page = address & !(PAGE - 1);
    let uses = [
        (within(&system.el2), "set apart for EL2"),
        (log.is_some_and(|device| device.registers.iter().any(within)), "EL2's, it carries the log"),
        (interrupt_controller(board, address).is_some(), "EL2's, which emulates one for each partition"),
        (board.power.registers.as_ref().is_some_and(within), "EL2's, it switches the board off there"),
        (is_release_page(board, page), "on the spin table's page, where EL2 starts the cores"),
    ];
    uses.into_iter().find(|(is_so, _)| *is_so).map(|(_, what)| what)
}

/// Whether a core's spin-table release address lies on the page at `page`.
fn is_release_page(board: &Board, page: u64) -> bool {
    board.cores.iter().filter_map(|core| core.release).any(|release| release.get() & !(PAGE - 1) == page)
}

/// Whether the UART that carries the log raises an interrupt.
pub(super) fn is_of_log(system: &System, intid: u32) -> bool {
    let log = |device: &&Device| device.name == system.console.device;
    system.board.devices.iter().filter(log).any(|device| device.interrupts.contains(&intid))
}

/// What raises an interrupt.
pub(super) fn source_of(board: &Board, intid: u32) -> Option<String> {
    let known = match intid {
        0..=15 => Some("a software-generated interrupt"),
        25 => Some("the interrupt controller's maintenance interrupt, EL2's"),
        26 => Some("EL2's timer"),
        27 => Some("the virtual timer, each partition's own on its own cores"),
        29 => Some("the Secure timer, firmware's"),
        30 => Some("the EL1 physical timer, each partition's own on its own cores unless it traps"),
        _ => None,
    };
    let devices = board.devices.iter().filter(|device| device.interrupts.contains(&intid));
    let devices: Vec<_> = devices.map(|device| format!("device `{}`", device.name)).collect();
    known.map(str::to_owned).or_else(|| (!devices.is_empty()).then(|| devices.join(" and ")))
}

/// Which of `partition`'s emulated registers lie at an intermediate address.
pub(super) fn emulated_at(partition: &Partition, ipa: u64) -> Option<&'static str> {
    partition.emulated.iter().find(|frame| frame.holds(ipa)).map(|frame| frame.kind.name())
}

/// Whether `address` is one of the `size` bytes from `start` on.
pub(super) fn holds(start: u64, size: u64, address: u64) -> bool {
    address.checked_sub(start).is_some_and(|offset| offset < size)
}
