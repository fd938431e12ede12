//! Whether a board's file makes sense: what it says of itself must not contradict itself.

use std::collections::BTreeMap;

use septum_plan::affinity::AFFINITY;
use septum_plan::frames::V2_CORES_MAX;
use septum_plan::{CoreStart, GicVersion, space};
use septum_stage2::{Granule, PaRange};

use super::raw::{Raw, RawDevice};
use super::{registers, room};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::{Range, suggest};
use crate::source::{Span, Spanned};

/// First INTID of a shared peripheral interrupt (GIC architecture, table 2-1).
const FIRST_SPI: u32 = 32;
/// Most SPIs that a GIC has (GICv2 4.3.2, GICv3 12.9.38: ITLinesNumber).
const SPIS_MAX: u32 = 988;
/// Most cores: EL2's address space has an area for each.
const CORES_MAX: usize = space::CORES_MAX as usize;
/// Bytes of a release address.
const RELEASE_BYTES: u64 = 8;
/// Bytes of the pages in which EL2 maps memory and devices.
const PAGE: u64 = 0x1000;

/// Reports every contradiction; the PARange where nothing is wrong.
pub(super) fn check(raw: &Raw, problems: &mut Problems) -> Option<PaRange> {
    let before = problems.len();
    let pa_range = check_pa_bits(raw, problems);
    check_ranges(raw, pa_range, problems);
    room::check(raw, problems);
    check_granules(raw, problems);
    check_cores(raw, problems);
    check_release_places(raw, pa_range, problems);
    registers::check(raw, problems);
    check_spis(raw, problems);
    check_interrupts(raw, problems);
    check_consoles(raw, problems);
    (problems.len() == before).then_some(pa_range?)
}

fn check_pa_bits(raw: &Raw, problems: &mut Problems) -> Option<PaRange> {
    let pa_range = PaRange::from_bits(raw.pa_bits.value);
    if pa_range.is_none() {
        let message = format!("no Arm core has {} physical address bits", raw.pa_bits.value);
        let problem = Problem::new(Code::BoardRange, raw.pa_bits.span, message);
        problems.add(problem.help("ID_AA64MMFR0_EL1.PARange says 32, 36, 40, 42, 44, 48 or 52; use the lowest core's"));
    }
    pa_range
}

/// A range of the board's with what messages call it.
struct Piece {
    name: String,
    range: Spanned<Range>,
}

impl Piece {
    fn new(name: impl Into<String>, range: Spanned<Range>) -> Self {
        Self { name: name.into(), range }
    }

    /// One past the last byte, where the range does not wrap.
    fn end(&self) -> Option<u64> {
        self.range.value.at.checked_add(self.range.value.size)
    }
}

/// What bus masters reach; nobody else reaches any.
fn check_reaches(raw: &Raw, pa_range: Option<PaRange>, problems: &mut Problems) {
    for device in &raw.devices {
        let (Some(reach), name) = (device.dma_reach, &device.name.value) else { continue };
        check_range(&Piece::new(format!("what device `{name}` reaches"), reach), pa_range, problems);
        if !device.bus_master {
            let message = format!("device `{name}` does not master the bus, and reaches no memory");
            let problem = Problem::new(Code::BoardRange, reach.span, message);
            problems.add(problem.help("add `bus-master = true`, or leave `dma-reach` out"));
        }
    }
}

/// Firmware's memory is not where registers are: whoever has a device would have it, too.
fn check_carve_outs(carve_outs: &[Piece], registers: &[Piece], problems: &mut Problems) {
    for kept in carve_outs {
        let overlaps = |other: &&Piece| {
            let first = kept.range.value.at.max(other.range.value.at);
            kept.end().is_some_and(|end| first < end) && other.end().is_some_and(|end| first < end)
        };
        if let Some(other) = registers.iter().find(overlaps) {
            let message = format!("{} overlaps {}", kept.name, other.name);
            let problem = Problem::new(Code::BoardOverlap, kept.range.span, message).here(kept.name.clone());
            problems.add(problem.label(other.range.span, other.name.clone()));
        }
    }
}

fn check_ranges(raw: &Raw, pa_range: Option<PaRange>, problems: &mut Problems) {
    let ram = raw.ram.iter().map(|range| Piece::new("RAM", *range)).collect::<Vec<_>>();
    let registers = register_pieces(raw);
    let carve_outs =
        raw.carve_outs.iter().map(|named| Piece::new(format!("carve-out `{}`", named.name.value), named.range));
    let carve_outs = carve_outs.collect::<Vec<_>>();
    for piece in ram.iter().chain(&registers).chain(&carve_outs) {
        check_range(piece, pa_range, problems);
    }
    check_carve_outs(&carve_outs, &registers, problems);
    check_reaches(raw, pa_range, problems);
    let mut pieces: Vec<_> = ram.into_iter().chain(registers).collect();
    pieces.sort_by_key(|piece| piece.range.value.at);
    for pair in pieces.windows(2) {
        let [low, high] = pair else { continue };
        if low.end().is_some_and(|end| end > high.range.value.at) {
            let message = format!("{} overlaps {}", high.name, low.name);
            let problem = Problem::new(Code::BoardOverlap, high.range.span, message).here(high.name.clone());
            problems.add(problem.label(low.range.span, low.name.clone()));
        }
    }
}

/// Everything but RAM: the interrupt controller's frames, the devices, the power registers.
fn register_pieces(raw: &Raw) -> Vec<Piece> {
    let gic = &raw.gic;
    let frames = [
        ("the distributor", Some(gic.distributor)),
        ("the redistributors", gic.redistributors),
        ("the CPU interface", gic.cpu_interface),
        ("the virtual interface control", gic.virtual_control),
        ("the virtual CPU interface", gic.virtual_cpu),
        ("the power registers", raw.power.registers),
    ];
    let frames = frames.into_iter().filter_map(|(name, range)| Some(Piece::new(name, range?)));
    let blocks = raw.devices.iter().flat_map(|device| {
        device.registers.iter().map(|range| Piece::new(format!("device `{}`", device.name.value), *range))
    });
    frames.chain(blocks).collect()
}

fn check_range(piece: &Piece, pa_range: Option<PaRange>, problems: &mut Problems) {
    let limit = pa_range.map_or(u64::MAX, |range| 1 << range.bits());
    let fits = piece.range.value.size > 0 && piece.end().is_some_and(|end| end <= limit);
    if !fits {
        let message = format!("{} is empty or reaches past the physical address size", piece.name);
        problems.add(
            Problem::new(Code::BoardRange, piece.range.span, message)
                .here(format!("must end by {}", show::address(limit))),
        );
    }
}

fn check_granules(raw: &Raw, problems: &mut Problems) {
    if !raw.granules.value.iter().any(|granule| granule.value == Granule::K4) {
        let problem = Problem::new(Code::BoardGranules, raw.granules.span, "the cores have no 4 KiB pages");
        problems.add(problem.here("EL2's own tables use them").help("`granules` lists what every core has"));
    }
}

fn check_cores(raw: &Raw, problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for core in &raw.cores.value {
        if core.value & !AFFINITY != 0 {
            let message = format!("MPIDR {:#x} has bits that are no affinity's", core.value);
            let problem = Problem::new(Code::BoardCores, core.span, message).here("only Aff3 to Aff0 name a core");
            problems.add(problem.help(format!("write {:#x}", core.value & AFFINITY)));
        }
        if let Some(first) = seen.insert(core.value, core.span) {
            let problem = Problem::new(Code::BoardCores, core.span, format!("two cores have MPIDR {:#x}", core.value));
            problems.add(problem.label(first, "the other one"));
        }
    }
    if !(1..=CORES_MAX).contains(&raw.cores.value.len()) {
        let message = format!("a board has 1 to {CORES_MAX} cores, not {}", raw.cores.value.len());
        problems.add(Problem::new(Code::BoardCores, raw.cores.span, message));
    }
    let version = raw.gic.version;
    if version.value == GicVersion::V2 && (V2_CORES_MAX + 1..=CORES_MAX).contains(&raw.cores.value.len()) {
        let message =
            format!("a GICv2 has {V2_CORES_MAX} CPU interfaces, and the board has {} cores", raw.cores.value.len());
        problems.add(Problem::new(Code::BoardCores, raw.cores.span, message).label(version.span, "has no more"));
    }
    check_releases(raw, problems);
}

/// Where cores wait in a spin table, each has a word of its own there (Linux, Documentation/arch/arm64/booting.rst: a
/// naturally aligned one of 64 bits); elsewhere none has.
fn check_releases(raw: &Raw, problems: &mut Problems) {
    let releases = raw.start.release.as_ref().map_or(&[][..], |release| &release.value);
    let (cores, released) = (raw.cores.value.len(), releases.len());
    let spins = raw.start.method.value == CoreStart::SpinTable;
    if spins && released != cores {
        let message = format!("{cores} cores and {released} release addresses");
        let problem = Problem::new(Code::BoardCores, raw.start.method.span, message);
        problems.add(problem.help("`release` gives each core's spin-table address, the first core's too"));
    }
    if let Some(release) = raw.start.release.as_ref().filter(|_| !spins) {
        let problem = Problem::new(Code::BoardCores, release.span, "no core waits at a release address");
        problems.add(problem.label(raw.start.method.span, "by this method"));
    }
    let mut seen = BTreeMap::new();
    for release in releases {
        let address = show::address(release.value);
        if !release.value.is_multiple_of(RELEASE_BYTES) {
            let problem = Problem::new(Code::BoardCores, release.span, format!("{address} is no release address"));
            problems.add(problem.here("must be a multiple of 8"));
        }
        if let Some(first) = seen.insert(release.value, release.span) {
            let message = format!("two cores have the release address {address}");
            problems.add(Problem::new(Code::BoardCores, release.span, message).label(first, "the other one"));
        }
    }
}

/// EL2 writes release addresses: memory, if not RAM.
fn check_release_places(raw: &Raw, pa_range: Option<PaRange>, problems: &mut Problems) {
    let registers = register_pieces(raw);
    for release in raw.start.release.iter().flat_map(|release| &release.value) {
        let range = Range { at: release.value, size: RELEASE_BYTES };
        let word = Piece::new("the release address", Spanned::new(range, release.span));
        check_range(&word, pa_range, problems);
        let page = release.value / PAGE * PAGE;
        let shares = |piece: &&Piece| {
            let first = piece.range.value.at / PAGE * PAGE;
            first < page.saturating_add(PAGE) && piece.end().is_some_and(|end| page < end)
        };
        if let Some(piece) = registers.iter().find(shares) {
            let message =
                format!("the release address {} shares a page with {}", show::address(release.value), piece.name);
            let problem = Problem::new(Code::BoardOverlap, release.span, message).here("must lie in memory");
            problems.add(problem.label(piece.range.span, piece.name.clone()));
        }
    }
}

fn check_spis(raw: &Raw, problems: &mut Problems) {
    if raw.gic.spis.value > SPIS_MAX {
        let message = format!("no GIC has {} SPIs", raw.gic.spis.value);
        problems.add(Problem::new(Code::BoardGic, raw.gic.spis.span, message).here(format!("at most {SPIS_MAX}")));
    }
}

fn check_interrupts(raw: &Raw, problems: &mut Problems) {
    let end = FIRST_SPI + raw.gic.spis.value.min(SPIS_MAX);
    for device in &raw.devices {
        for interrupt in device.interrupts.iter().filter(|id| !(FIRST_SPI..end).contains(&id.value)) {
            let message = format!("device `{}` has no interrupt {}", device.name.value, interrupt.value);
            let problem = Problem::new(Code::BoardInterrupt, interrupt.span, message);
            problems.add(problem.here(format!("the board's SPIs are INTIDs {FIRST_SPI} to {}", end - 1)));
        }
    }
}

fn check_consoles(raw: &Raw, problems: &mut Problems) {
    let is_uart = |device: &&RawDevice| device.uart.is_some();
    let uarts: Vec<_> = raw.devices.iter().filter(is_uart).map(|device| device.name.value.as_str()).collect();
    for name in raw.consoles.iter().filter(|name| !uarts.contains(&name.value.as_str())) {
        no_such_uart(name.value.as_str(), name.span, &uarts, problems);
    }
    let serials = raw.twin.iter().flat_map(|twin| &twin.serials);
    let names: Vec<_> = raw.devices.iter().map(|device| device.name.value.as_str()).collect();
    for name in serials.filter(|name| !names.contains(&name.value.as_str())) {
        no_such_uart(name.value.as_str(), name.span, &names, problems);
    }
}

fn no_such_uart(name: &str, span: Span, known: &[&str], problems: &mut Problems) {
    let problem = Problem::new(Code::BoardConsole, span, format!("no device `{name}` with a `uart` table"));
    let near = suggest(name, known.iter().copied());
    problems.add(
        problem.help(near.map_or(format!("its UARTs: {}", known.join(", ")), |near| format!("did you mean `{near}`?"))),
    );
}
