//! A partition resolved against its board: what it names is there, and its numbers are good one by one.

use septum_plan::EmulatedKind;
use septum_plan::frames::{Frame, emulated_bytes};
use septum_stage2::{Access, Granule, Ipa, Pa};

use super::draft::{Draft, Pages};
use super::{console, cores, devices, memory};
use crate::board::{Board, PaSpan};
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;
use crate::source::Spanned;
use crate::system;

/// Resolves `raw`, with `granule`, against `board`; every problem is reported.
pub(super) fn partition<'a>(
    raw: &'a Partition,
    granule: Granule,
    board: &'a Board,
    problems: &mut Problems,
) -> Draft<'a> {
    let cpus = cores::resolve(raw, board, problems);
    let given = devices::resolve(raw, board, problems);
    let mut pages = devices::pages(&given, granule, problems);
    pages.extend(cpu_interface(raw, board, granule, problems));
    let memory = memory::resolve(raw, granule, Some(board), problems);
    let console = console::resolve(raw, board, problems);
    let emulated = emulated(board, cpus.len(), console);
    Draft {
        raw,
        cpus,
        granule,
        memory,
        devices: given,
        pages,
        emulated,
        cpu_interface: board.gic.cpu_interface.map(|frames| Ipa::new(frames.start.get())),
        payload_bytes: 0,
        payload: None,
        console,
        own_tree: None,
    }
}

/// What EL2 emulates for a partition with `vcpus` cores and perhaps a console. It sees its interrupt controller where the
/// board has it: then the board's own device tree is right for it.
fn emulated(board: &Board, vcpus: usize, console: Option<Spanned<u64>>) -> Vec<Frame> {
    let frame = |kind, frames: PaSpan| {
        let bytes = emulated_bytes(kind, board.gic.version, vcpus);
        (frames.size >= bytes).then(|| Frame { kind, ipa: frames.start.get(), bytes, intid: 0 })
    };
    let redistributors = board.gic.redistributors.and_then(|frames| frame(EmulatedKind::Gicr, frames));
    // Its interrupt is chosen when all partitions' are known.
    let console = console.map(|console| system::console(console.value, &[]));
    let mut all: Vec<_> =
        [frame(EmulatedKind::Gicd, board.gic.distributor), redistributors, console].into_iter().flatten().collect();
    all.sort_by_key(|frame| frame.ipa);
    all
}

/// GICv2: the virtual CPU interface, seen where the physical one is.
fn cpu_interface(raw: &Partition, board: &Board, granule: Granule, problems: &mut Problems) -> Option<Pages> {
    let (physical, frames) = (board.gic.cpu_interface?, board.gic.virtual_cpu?);
    let (seen, pages) = (whole_pages(physical, granule), whole_pages(frames, granule));
    let offset = |block: PaSpan| block.start.get() % granule.bytes();
    if let Some(other) = beside_virtual_cpu(board, pages) {
        problems.add(no_granule(raw, granule, &format!("its page around the virtual CPU interface holds {other}")));
    } else if offset(physical) != offset(frames) {
        let why = "the virtual CPU interface is at another offset in its page than the physical one";
        problems.add(no_granule(raw, granule, why));
    } else if board.gic.distributor.overlaps(seen) {
        problems.add(no_granule(raw, granule, "its page around the CPU interface holds the distributor"));
    }
    Some(Pages {
        devices: Vec::new(),
        ipa: seen.start.get(),
        pa: pages.start.get(),
        size: pages.size,
        access: Access::RW,
        span: raw.name.span,
        bus_master: false,
    })
}

/// The granule pages around `block`.
fn whole_pages(block: PaSpan, granule: Granule) -> PaSpan {
    let start = block.start.get() / granule.bytes() * granule.bytes();
    PaSpan { start: Pa::new(start), size: block.end().next_multiple_of(granule.bytes()) - start }
}

/// What besides the virtual CPU interface lies in `pages`, its own.
fn beside_virtual_cpu(board: &Board, pages: PaSpan) -> Option<String> {
    let gic = &board.gic;
    let frames = [Some(gic.distributor), gic.cpu_interface, gic.virtual_control].into_iter().flatten();
    let frames = frames.map(|block| (block, "other frames of the interrupt controller".to_owned()));
    let power = board.power.registers.map(|block| (block, "the power registers".to_owned()));
    let devices = board
        .devices
        .iter()
        .flat_map(|device| device.registers.iter().map(|block| (*block, format!("device `{}`", device.name))));
    let kept = board.carve_outs.iter().map(|kept| (kept.span, format!("carve-out `{}`", kept.name)));
    let ram = board.ram.iter().map(|bank| (*bank, "RAM".to_owned()));
    let mut others = frames.chain(power).chain(devices).chain(kept).chain(ram);
    others.find(|(block, _)| block.overlaps(pages)).map(|(_, what)| what)
}

fn no_granule(raw: &Partition, granule: Granule, why: &str) -> Problem {
    let span = raw.granule.map_or(raw.name.span, |granule| granule.span);
    let message = format!("partition `{}` cannot use the {granule} granule: {why}", raw.name.value);
    Problem::new(Code::GicGranule, span, message).here("too coarse for this board").help("use granule = \"4k\"")
}
