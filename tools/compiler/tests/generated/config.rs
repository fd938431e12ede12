//! Configurations for a generated board: partitions that fit it, more or less.

use std::fmt::Write as _;

use super::board::Known;
use super::dice::Dice;

const SIZES: [u64; 12] = [
    2 << 20,
    16 << 20,
    0x20_1000,
    64 << 20,
    0x1000,
    0x1_0000,
    512 << 20,
    1 << 30,
    (1 << 30) + 0x1000,
    1 << 34,
    0x4000,
    1 << 38,
];

/// A configuration's text.
pub fn config(dice: &mut Dice<'_>, board: &Known) -> String {
    let mut text = "board = \"generated\"\n".to_owned();
    let count = match dice.once_in(12) {
        false => 1 + dice.below(board.cores.min(3)),
        true => dice.pick(&[board.cores.min(40), 8, 1, board.cores.min(254), board.cores]),
    };
    let mut next_core = 0;
    let mut devices = board.devices.iter().skip(1);
    for index in 0..count {
        let most = (board.cores.saturating_sub(next_core)).saturating_sub(count - index - 1).max(1);
        let cores = 1 + dice.below(most);
        let cpus: Vec<_> = (next_core..next_core + cores).map(|core| core.to_string()).collect();
        next_core += cores;
        let _ = writeln!(text, "\n[partition.p{index}]\ncpus = [{}]", cpus.join(", "));
        let first = memories(dice, board, &mut text);
        program(dice, first, &mut text);
        tree(dice, first, &mut text);
        options(dice, board, &mut text);
        let given: Vec<_> =
            (0..dice.below(3)).filter_map(|_| devices.next()).map(|name| device(dice, board, name)).collect();
        if !given.is_empty() {
            let _ = writeln!(text, "devices = [{}]\ndma = \"trusted\"", given.join(", "));
        }
    }
    text
}

/// Adds memories; where the first is seen, and how much it is.
fn memories(dice: &mut Dice<'_>, board: &Known, text: &mut String) -> (u64, u64) {
    let top = 1_u64 << board.pa_bits.min(48);
    let first = dice.mostly(0x4000_0000, 3, &[0, 0x8000_0000, top / 2, 0x1_0000_0000, 0x1000, board.ram[0].0]);
    let mut at = if first < top { first } else { 0 };
    let few = 1 + dice.below(3);
    let count = if dice.once_in(20) { dice.pick(&[40, 120]) } else { few };
    let mut result = None;
    for index in 0..count {
        let size = if dice.oddly(2) { dice.pick(&SIZES) } else { dice.pick(&SIZES[..4]) };
        if dice.oddly(12) {
            at = dice.pick(&[top - size.min(top), board.uarts[0], board.gic[0], top - 0x1000]);
        }
        let pa = match dice.once_in(8) {
            false => String::new(),
            true => {
                let bank = board.ram[dice.below(board.ram.len() as u64) as usize];
                let base = bank.0.wrapping_add(dice.pick(&[bank.1 / 2, 0, bank.1.wrapping_sub(size), bank.1]));
                let pa = if dice.oddly(8) { dice.near(base) } else { base & !0xffff };
                format!(", pa = {pa:#x}")
            }
        };
        let access = dice.mostly("rwx", 5, &["rw", "r", "rx"]);
        let place = match dice.once_in(12) {
            false => format!("ipa = {at:#x}{pa}"),
            true => dice.pick(&["identity = true", "identity = true, keep = true"]).to_owned(),
        };
        let _ = writeln!(text, "memory.m{index} = {{ {place}, size = {size:#x}, access = \"{access}\" }}");
        result.get_or_insert((at, size));
        at = at.wrapping_add(size).wrapping_add(dice.pick(&[0, 0x1000, 0x20_0000, 0x4000_0000]));
    }
    result.unwrap_or((at, 0))
}

fn program(dice: &mut Dice<'_>, (ipa, size): (u64, u64), text: &mut String) {
    let bytes = dice.pick(&[4, 1, 3, 0x1000, 0x1001, 0x12345, 0x10_0001]);
    match dice.below(5) {
        0 if ipa == 0x4000_0000 => text.push_str("image = \"hello\"\n"),
        1 => {
            let memory = dice.pick(&[0x10_0000, 0, 0x1000, 1, 0x220_0000, u64::MAX]);
            let _ = write!(text, "linux = {{ kernel = \"./kernel-{}-{memory}.img\"", bytes + 64);
            if dice.once_in(2) {
                let _ = write!(text, ", initrd = \"./raw-{}.bin\"", dice.pick(&[1, 0x1000, 0x12_3457]));
            }
            if dice.once_in(3) {
                let _ = write!(text, ", bootargs = \"{}\"", "a".repeat(dice.pick(&[0, 1, 2047, 2048])));
            }
            text.push_str(" }\n");
        }
        2 => {
            let load =
                dice.pick(&[ipa, ipa.wrapping_add(size).wrapping_sub(bytes), ipa + 4, ipa + 1, ipa.wrapping_sub(1)]);
            let entry = dice.mostly(load, 4, &[load.wrapping_add(4), load & !3, ipa, ipa.wrapping_add(size)]);
            let _ = writeln!(text, "image = \"./raw-{bytes}.bin\"\nentry = {entry:#x}\nload = {load:#x}");
            args(dice, text);
        }
        3 => {
            let memory = dice.pick(&[bytes, bytes + 0x3000, 0x1f_0000, bytes + 1, 1 << 40, 0]);
            let start = dice.pick(&[ipa, ipa + 0x800, ipa.wrapping_add(size).wrapping_sub(bytes)]);
            let _ = writeln!(text, "image = \"./elf-{start}-{bytes}-{memory}.elf\"");
            args(dice, text);
        }
        _ => {
            let _ = writeln!(text, "image = \"./kernel-{}-{}.img\"", bytes + 64, dice.pick(&[0x10_0000, 0, 1, 0x1234]));
            args(dice, text);
        }
    }
}

/// A tree of the user's own, where it may be.
fn tree(dice: &mut Dice<'_>, (ipa, size): (u64, u64), text: &mut String) {
    if dice.once_in(4) && !text.ends_with("device-tree = true\n") {
        let bytes = dice.pick(&[size, size, size / 2, 0x1000, size.wrapping_add(1)]);
        let more = dice.pick(&[0, 4, 0xffc, 0x1000, 0x1f_0000, 0x20_0000]);
        let _ = writeln!(text, "dtb = \"./tree-{ipa}-{bytes}-{more}.dtb\"");
    }
}

fn args(dice: &mut Dice<'_>, text: &mut String) {
    if dice.once_in(3) {
        let _ = writeln!(text, "args = \"{}\"", "x".repeat(dice.pick(&[1, 0, 4096, 100_001])));
    }
    if dice.once_in(3) {
        text.push_str("device-tree = true\n");
    }
}

fn options(dice: &mut Dice<'_>, board: &Known, text: &mut String) {
    if dice.once_in(3) {
        let _ = writeln!(text, "granule = \"{}\"", dice.mostly("4k", 2, &["64k", "16k"]));
    }
    if dice.once_in(3) {
        text.push_str("stage2 = \"compact\"\n");
    }
    if dice.once_in(4) {
        let top = 1_u64 << board.pa_bits.min(48);
        let ipa = dice.mostly(
            0x900_0000,
            1,
            &[top - 0x1000, 0x4000_0000, board.gic[0], board.gic[0].wrapping_add(0x1000), board.uarts[0]],
        );
        let _ = writeln!(text, "console = {{ ipa = {ipa:#x} }}");
    }
    if dice.once_in(6) {
        text.push_str("physical-timer = \"trapped\"\n");
    }
}

fn device(dice: &mut Dice<'_>, board: &Known, name: &str) -> String {
    if !dice.once_in(4) {
        return format!("\"{name}\"");
    }
    let top = 1_u64 << board.pa_bits.min(48);
    let ipa = dice.pick(&[0x1_0000, top - 0x1000, top - 0x1_0000, 0, board.gic[0], 0x4000_0000]);
    let access = dice.pick(&["rw", "r", "rwx"]);
    format!("{{ name = \"{name}\", ipa = {ipa:#x}, access = \"{access}\" }}")
}
