//! Boards of every shape: plausible ones, with here and there a number at the edge of something.

use std::fmt::Write as _;

use super::dice::Dice;

/// Where something ends or begins: EL2's windows, RAM of real boards, address sizes.
const EDGES: [u64; 14] = [
    0,
    0x4000_0000,
    0x8000_0000,
    0xc000_0000,
    0xc800_0000,
    0xe000_0000,
    1 << 32,
    1 << 36,
    0x30_0000_0000,
    0x40_0000_0000,
    1 << 40,
    1 << 42,
    1 << 44,
    1 << 48,
];
const SIZES: [u64; 12] = [
    1 << 30,
    1 << 29,
    1 << 31,
    3 << 30,
    1 << 33,
    1 << 26,
    1 << 38,
    1 << 21,
    0x1000,
    (1 << 30) + 0x1000,
    0x3b40_0000,
    (1 << 28) + 1,
];

/// What a configuration must know of its board.
pub struct Known {
    pub text: String,
    pub cores: u64,
    pub pa_bits: u64,
    pub ram: Vec<(u64, u64)>,
    pub devices: Vec<String>,
    pub uarts: Vec<u64>,
    pub gic: Vec<u64>,
}

/// A board's file.
pub fn board(dice: &mut Dice<'_>) -> Known {
    let pa_bits = dice.pick(&[40, 44, 48, 36, 32, 42, 52]);
    let cores = match dice.once_in(8) {
        false => dice.pick(&[4, 1, 2, 8]),
        true => dice.pick(&[9, 16, 17, 20, 33, 64, 300, 250]),
    };
    let v3 = cores > 8 && !dice.oddly(3) || !dice.once_in(3);
    let ram = ram(dice, pa_bits);
    let registers = registers(dice, pa_bits, &ram);
    let mut text = String::new();
    let granules =
        dice.mostly("\"4k\", \"64k\"", 12, &["\"4k\"", "\"4k\", \"16k\", \"64k\"", "\"64k\"", "", "\"16k\""]);
    let load = load(dice, &ram);
    let power = power(dice, registers);
    let _ =
        writeln!(text, "pa-bits = {pa_bits}\ngranules = [{granules}]\nload = {load:#x}\nsmmu = {}", dice.once_in(4));
    let _ = writeln!(text, "cores = [{}]\npower = {power}", mpidrs(dice, cores));
    let _ = writeln!(text, "core-start = {}", start(dice, cores, ram[0]));
    let counter = dice.mostly("", 6, &["counter-hz = 0\n", "counter-hz = 1\n", "counter-hz = 0xffff_ffff\n"]);
    let banks: Vec<_> = ram.iter().map(|(at, size)| range(*at, *size)).collect();
    let _ = writeln!(text, "{counter}consoles = [\"uart0\"]\nram = [{}]", banks.join(", "));
    let spis = dice.mostly(96, 12, &[0, 1, 31, 33, 960, 987, 988, 989]);
    let mut known = Known { text, cores, pa_bits, ram, devices: Vec::new(), uarts: Vec::new(), gic: Vec::new() };
    carve_outs(dice, &mut known);
    gic(dice, &mut known, registers, v3, spis);
    devices(dice, &mut known, registers + 0x400_0000);
    known
}

fn range(at: u64, size: u64) -> String {
    format!("{{ at = {at:#x}, size = {size:#x} }}")
}

fn ram(dice: &mut Dice<'_>, pa_bits: u64) -> Vec<(u64, u64)> {
    let mut banks = Vec::new();
    let top = 1_u64 << pa_bits.min(48);
    let few = 1 + dice.below(3);
    let count = if dice.once_in(8) { dice.pick(&[8, 60, 150]) } else { few };
    let mut at = if dice.once_in(2) { dice.pick(&EDGES) } else { 0x4000_0000 };
    if dice.oddly(16) {
        at = dice.near(at) % (1 << 49);
    }
    if at >= top && !dice.oddly(20) {
        at = dice.pick(&[0x8000_0000, 0, 0x4000_0000]);
    }
    if at >= 1 << 36 && !dice.oddly(2) {
        // Somewhere the image must be loaded.
        banks.push((0x4000_0000, 1 << 30));
    }
    for _ in 0..count {
        let size = if dice.oddly(2) { dice.pick(&SIZES) } else { dice.pick(&SIZES[..3]) };
        if !banks.is_empty() && at.saturating_add(size) > top && !dice.oddly(20) {
            break;
        }
        banks.push((at, size));
        at = at.wrapping_add(size).wrapping_add(dice.pick(&[0, 0x1000, 0x4000_0000, 0x20_0000, 1 << 34]));
    }
    banks
}

/// Where the registers are, 256 MiB of them: clear of RAM, if there is such a place.
fn registers(dice: &mut Dice<'_>, pa_bits: u64, ram: &[(u64, u64)]) -> u64 {
    let end = (1_u64 << pa_bits.min(48)) - 0x1000_0000;
    let mut places = [0x0800_0000, 0xe000_0000, 0x1_0000_0000, 0x3000_0000, end, end / 2, 0x1000_0000];
    let first = dice.below(places.len() as u64) as usize;
    places.rotate_left(first);
    let is_free =
        |place: &&u64| ram.iter().all(|(at, size)| **place + 0x1000_0000 <= *at || at.saturating_add(*size) <= **place);
    places.iter().find(is_free).copied().unwrap_or(places[0])
}

fn load(dice: &mut Dice<'_>, ram: &[(u64, u64)]) -> u64 {
    let (at, size) = ram[0];
    // EL2's own virtual addresses are [0xc000_0000..0xe000_0000) and above 64 GiB.
    let fits = |load: &u64| *load < 0x10_0000_0000 && !(0xc000_0000..0xe000_0000).contains(load);
    let first = ram.iter().map(|(at, _)| at.next_multiple_of(0x20_0000)).find(fits).unwrap_or(at);
    let step = dice.pick(&[0x20_0000, 0, 0x400_0000]);
    let odd = [at, 0x1000_0000_0000, 0xc000_0000, 0xd000_0000, 0xf_ffe0_0000, (at + size) & !0x1f_ffff, size];
    dice.mostly(first + step, 10, &odd)
}

fn power(dice: &mut Dice<'_>, registers: u64) -> String {
    let method = dice.pick(&["psci-smc", "none", "bcm2835-pm"]);
    if (method == "bcm2835-pm") == dice.oddly(12) {
        return format!("{{ method = \"{method}\" }}");
    }
    let at = registers + dice.mostly(0x700_0000, 6, &[0x700_0004, 0x700_0ff0, 0x700_0001, 0x600_0000]);
    let size = dice.mostly(0x1000, 6, &[0x28, 0x27, 0x1_0000, 0x80_0000, 0x80_1000]);
    format!("{{ method = \"{method}\", registers = {} }}", range(at, size))
}

fn mpidrs(dice: &mut Dice<'_>, cores: u64) -> String {
    let shift = dice.pick(&[0, 8, 16]);
    let mpidr = |core: u64| match shift {
        0 => (core & 0xf) | core >> 4 << 8,
        shift => (core & 0xff) << shift | core >> 8 << 32,
    };
    (0..cores).map(|core| format!("{:#x}", mpidr(core))).collect::<Vec<_>>().join(", ")
}

fn start(dice: &mut Dice<'_>, cores: u64, (at, size): (u64, u64)) -> String {
    let method = dice.pick(&["psci-smc", "spin-table", "none"]);
    if method != "spin-table" {
        return format!("{{ method = \"{method}\" }}");
    }
    let first =
        dice.mostly(at + 0xd8, 3, &[at + size, at + size - 8, at + 0x20_0000, 0, u64::MAX - 7, 0x5000_0ff8, 1 << 47]);
    let step = dice.pick(&[8, 8, 0x1000, 0x20_0000]);
    let releases = (0..cores).map(|core| format!("{:#x}", first.wrapping_add(core * step)));
    format!("{{ method = \"spin-table\", release = [{}] }}", releases.collect::<Vec<_>>().join(", "))
}

fn carve_outs(dice: &mut Dice<'_>, known: &mut Known) {
    let (at, size) = known.ram[0];
    let few = dice.below(3);
    let count = dice.mostly(few, 20, &[40, 300]);
    if count != 0 {
        known.text.push_str("\n[carve-out]\n");
    }
    for index in 0..count {
        let base = dice.mostly(at + size / 2, 6, &[at, at + size, at + size - 0x1000, 1 << 35, 0]);
        let start = if dice.oddly(6) { dice.near(base) } else { base.wrapping_add(index * 0x3000) };
        let bytes = if dice.oddly(20) { dice.pick(&[0, 1 << 40]) } else { dice.pick(&[0x1000, 1, 0x10_0000, 0x1234]) };
        let _ = writeln!(known.text, "kept{index} = {}", range(start, bytes));
    }
}

fn gic(dice: &mut Dice<'_>, known: &mut Known, registers: u64, v3: bool, spis: u64) {
    let mut frame = |dice: &mut Dice<'_>, at: u64, size: u64| {
        let at = if dice.oddly(40) { dice.near(registers + at) } else { registers + at };
        known.gic.push(at);
        let size = dice.mostly(size, 30, &[size / 2, size + 1, size * 16, 0x1000, 0x80_0000, 0x80_1000]);
        range(at, size)
    };
    let mut lines = vec![format!("version = \"{}\"", if v3 { "v3" } else { "v2" }), format!("spis = {spis}")];
    let distributor = frame(dice, 0, if v3 { 0x1_0000 } else { 0x1000 });
    lines.push(format!("distributor = {distributor}"));
    if v3 {
        let spare = dice.pick(&[0, 1, 4, 100]);
        let all = frame(dice, 0xa_0000, (known.cores + spare) * 0x2_0000);
        lines.push(format!("redistributors = {all}"));
    } else {
        let stride = dice.pick(&[0x2000, 0x1_0000, 0x2_0000]);
        lines.push(format!("cpu-interface = {}", frame(dice, stride, 0x2000)));
        lines.push(format!("virtual-control = {}", frame(dice, 2 * stride, 0x1000)));
        lines.push(format!("virtual-cpu = {}", frame(dice, 3 * stride, 0x2000)));
    }
    let _ = writeln!(known.text, "\n[gic]\n{}", lines.join("\n"));
}

fn devices(dice: &mut Dice<'_>, known: &mut Known, registers: u64) {
    let few = 2 + dice.below(5);
    let count = dice.mostly(few, 12, &[40, 200]);
    let stride = dice.pick(&[0x1_0000, 0x1000, 0x200, 0x2_0000]);
    for index in 0..count {
        let at = if dice.oddly(40) { dice.near(registers) } else { registers + index * stride };
        let size = dice.mostly(stride, 20, &[0x200, 1, 0x1_0001, 0x20_0000, 0x4000_0000, 0x80_1000, 0]);
        let mut blocks = vec![range(at, size)];
        if dice.oddly(8) {
            blocks.push(range(at.wrapping_add(0x400_0000), dice.pick(&[0x1000, 0x1_0000, 3])));
        }
        let kind = dice.pick(&["pl011", "imx", "bcm2835-aux"]);
        let offset = if index == 0 && kind == "bcm2835-aux" { "0x40" } else { "" };
        let name = if index < 2 { format!("uart{index}") } else { format!("device{index}") };
        if !offset.is_empty() {
            blocks[0] = range(at.wrapping_add(0x40), size.saturating_sub(0x40));
        }
        let _ = writeln!(known.text, "\n[device.{name}]\nregisters = [{}]", blocks.join(", "));
        let interrupt = dice.mostly(33 + index % 60, 30, &[32, 127, 128, 992, 1018, 1019]);
        let _ = writeln!(known.text, "interrupts = [{interrupt}]\nbus-master = {}", dice.once_in(5));
        let _ = writeln!(known.text, "compatible = [\"{}\"]", dice.pick(&["arm,pl011", "", "x"]));
        if index < 2 {
            let clock = dice.mostly("", 4, &[", clock-hz = 0, baud = 0", ", clock-hz = 1, baud = 0xffff_ffff"]);
            let _ = writeln!(known.text, "uart = {{ kind = \"{kind}\"{clock} }}");
        }
        known.uarts.push(at);
        known.devices.push(name);
    }
}
