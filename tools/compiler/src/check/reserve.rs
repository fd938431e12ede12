//! EL2's memory and everybody's place: how much EL2 needs depends on the tables, and those depend on the places.
//!
//! So both are decided together: EL2's share is first reckoned as if every memory lay congruent to its IPA; after
//! placing it is reckoned anew, and where it grew, all is placed again. The share is an upper bound: the image takes
//! the front of it.

use septum_plan::space;
use septum_stage2::{Attributes, Geometry, Ipa, Mapping, Memory as Kind, Pa, builder};

use super::FILE_BYTES_MAX;
use super::draft::{Draft, Index};
use super::memory::joined;
use super::requests::requests;
use super::{physical, room};
use crate::board::{Board, PaSpan};
use crate::place;
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::{Config, Stage2};
use crate::source::Span;

const PAGE: u64 = 4096;
const BLOCK: u64 = 0x20_0000;
const GIB: u64 = 1 << 30;
/// EL2's share is a multiple of this many bytes, so that small changes of a configuration move nothing.
pub(super) const STEP: u64 = 0x20_0000;

/// Everybody's place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// EL2's share.
    pub el2: PaSpan,
    /// Per partition, per memory: its physical address.
    pub memory: Vec<Vec<u64>>,
}

/// EL2's share as it is before anything is placed; `None` where it does not fit, which has been reported.
pub(super) fn estimate(
    drafts: &[Draft<'_>],
    board: &Board,
    config: &Config,
    problems: &mut Problems,
) -> Option<PaSpan> {
    let wished =
        drafts.iter().map(|draft| draft.memory.iter().map(|memory| memory.pa.or(memory.ipa).unwrap_or(0)).collect());
    share(drafts, board, &wished.collect::<Vec<_>>(), config, problems)
}

/// Places every memory that is not fixed. `None` has been reported.
pub(super) fn place(
    drafts: &[Draft<'_>],
    board: &Board,
    config: &Config,
    mut el2: PaSpan,
    problems: &mut Problems,
) -> Option<Placed> {
    loop {
        let memory = place_around(drafts, board, el2, problems)?;
        let needed = share(drafts, board, &memory, config, problems)?;
        if needed.size <= el2.size {
            return Some(Placed { el2, memory });
        }
        el2 = needed;
        physical::check(drafts, board, el2, problems);
        if !problems.is_empty() {
            return None;
        }
    }
}

fn place_around(drafts: &[Draft<'_>], board: &Board, el2: PaSpan, problems: &mut Problems) -> Option<Vec<Vec<u64>>> {
    let (wanted, requests) = requests(drafts);
    match place::place(&room::free(drafts, board, el2, &[]), &requests) {
        Ok(places) => Some(filled(drafts, &wanted, &places)),
        Err(lack) => {
            let failed: Vec<_> = lack.failed.iter().map(|index| wanted[*index]).collect();
            let room = room::Taken { drafts, board, el2, failed: &failed, left: &lack.left };
            failed.iter().for_each(|index| problems.add(room.problem(*index)));
            None
        }
    }
}

fn filled(drafts: &[Draft<'_>], wanted: &[Index], places: &[u64]) -> Vec<Vec<u64>> {
    let fixed = |draft: &Draft<'_>| draft.memory.iter().map(|memory| memory.pa.unwrap_or(0)).collect();
    let mut memory: Vec<Vec<u64>> = drafts.iter().map(fixed).collect();
    for ((partition, index), place) in wanted.iter().zip(places) {
        memory[*partition][*index] = *place;
    }
    memory
}

/// What EL2 needs with memory at `places`, from the load address on.
fn share(
    drafts: &[Draft<'_>],
    board: &Board,
    places: &[Vec<u64>],
    config: &Config,
    problems: &mut Problems,
) -> Option<PaSpan> {
    let pairs = || drafts.iter().zip(places);
    let stage2: u64 = pairs().map(|(draft, places)| stage2_bytes(draft, board, places)).sum();
    let sealed = plan_bytes(drafts, board) + stage2 + stage1_bytes(drafts, board, stage2);
    let payload: u64 = drafts.iter().map(payload_bytes).sum();
    let cores = board.cores.len() as u64 * space::CORE_MEMORY_BYTES;
    let bytes = (space::IMAGE_BYTES_MAX + sealed + payload + cores).next_multiple_of(STEP);
    let span = PaSpan { start: board.load, size: bytes };
    let place = config.board.as_ref()?.span;
    if bytes > FILE_BYTES_MAX {
        let message = format!("the image takes {}", show::size(bytes));
        let here = format!("an image has at most {}", show::size(FILE_BYTES_MAX));
        problems.add(Problem::new(Code::TableSpace, place, message).here(here));
        return None;
    }
    if sealed > space::PLAN_BYTES_MAX {
        problems.add(too_large(sealed, place));
        return None;
    }
    check_fits(span, board, place, problems)
}

fn too_large(bytes: u64, place: Span) -> Problem {
    let message = format!("plan and translation tables take {}", show::size(bytes));
    let most = show::size(space::PLAN_BYTES_MAX);
    let problem = Problem::new(Code::TableSpace, place, message).here(format!("EL2 has room for {most}"));
    problem.help("addresses and sizes that are multiples of 2 MiB need far fewer tables; so does stage2 = \"compact\"")
}

fn check_fits(span: PaSpan, board: &Board, place: Span, problems: &mut Problems) -> Option<PaSpan> {
    let kept = board.carve_outs.iter().find(|kept| kept.span.overlaps(span)).map(|kept| kept.span.start.get());
    let bank = joined(&board.ram).into_iter().find(|bank| bank.overlaps(span));
    let end = bank.map_or(span.start.get(), PaSpan::end).min(kept.unwrap_or(u64::MAX));
    if span.end() <= end {
        return Some(span);
    }
    let message = format!("EL2 with tables and payloads does not fit the RAM of board `{}`", board.name);
    let here = format!("needs {} from {}", show::size(span.size), show::address(span.start.get()));
    let problem = Problem::new(Code::TableSpace, place, message).here(here);
    problems.add(problem.help(format!("RAM there ends at {}", show::address(end))));
    None
}

fn payload_bytes(draft: &Draft<'_>) -> u64 {
    let args = draft.raw.args.as_ref().map_or(0, |args| args.value.len() as u64);
    let bootargs = draft.raw.linux.as_ref().and_then(|linux| linux.value.bootargs.as_ref());
    let bootargs = bootargs.map_or(0, |bootargs| bootargs.value.len() as u64);
    // Each segment is on pages of its own; a generated device tree takes at most a few pages besides the bootargs.
    draft.payload_bytes.next_multiple_of(PAGE) + (args + bootargs).next_multiple_of(PAGE) + 64 * PAGE
}

/// The plan's records and strings, generously.
fn plan_bytes(drafts: &[Draft<'_>], board: &Board) -> u64 {
    let regions: usize = drafts.iter().map(|draft| draft.memory.len() + draft.pages.len() + 1).sum();
    let others = board.carve_outs.len() + board.devices.iter().map(|device| device.registers.len()).sum::<usize>();
    let records = 128 * (regions + others) + 1024 * drafts.len() + 64 * board.cores.len() + board.ram.len() * 64;
    (records as u64 + PAGE).next_multiple_of(PAGE)
}

/// EL2's own tables, at most: what a 39-bit table of pages and 2 MiB blocks takes for each window.
fn stage1_bytes(drafts: &[Draft<'_>], board: &Board, stage2: u64) -> u64 {
    let cores = board.cores.len() as u64;
    // Text and data, the cores' areas, the devices with their guards, plan and tables, the boot page: last-level tables.
    let run = 4 + 8 + (cores * space::CORE_STRIDE) / BLOCK + cores + 64 + stage2 / BLOCK;
    let holes = board.carve_outs.len() as u64 + cores;
    let boot: u64 = 2 + board.ram.iter().map(|bank| bank.size / GIB + 4 + 2 * holes).sum::<u64>();
    let loaders: u64 = drafts.iter().map(loader_tables).sum();
    (run + boot + loaders) * PAGE
}

fn loader_tables(draft: &Draft<'_>) -> u64 {
    let memory: u64 = draft.memory.iter().map(|memory| memory.size / GIB + 6).sum();
    4 + memory + payload_bytes(draft) / BLOCK
}

/// A partition's Stage-2 tables with its memory at `places`, and what aligning their root may cost.
fn stage2_bytes(draft: &Draft<'_>, board: &Board, places: &[u64]) -> u64 {
    let geometry = geometry(draft, board, places);
    let mappings = mappings(draft, places);
    // Mappings that overlap have been reported already: then the count does not matter.
    let count = builder::tables_bytes(geometry, &mappings).map_or(geometry.root_bytes(), |count| count.total_bytes);
    count.next_multiple_of(PAGE) + geometry.root_alignment()
}

fn mappings(draft: &Draft<'_>, places: &[u64]) -> Vec<Mapping> {
    let mapping = |ipa, pa, size, access, memory| {
        let attributes = Attributes { access, memory };
        Mapping { ipa: Ipa::new(ipa), pa: Pa::new(pa), size, attributes }
    };
    let memory = draft.memory.iter().zip(places);
    let memory = memory
        .map(|(memory, pa)| mapping(memory.ipa.unwrap_or(*pa), *pa, memory.size, memory.raw.access, Kind::Normal));
    let pages = draft.pages.iter().map(|pages| mapping(pages.ipa, pages.pa, pages.size, pages.access, Kind::Device));
    let mut mappings: Vec<_> = memory.chain(pages).collect();
    mappings.sort_by_key(|mapping| mapping.ipa);
    mappings
}

/// The shape of a partition's table: the board's whole PARange, or just what it sees.
pub(super) fn geometry(draft: &Draft<'_>, board: &Board, places: &[u64]) -> Geometry {
    let whole = Geometry::whole(draft.granule, board.pa_range);
    if draft.raw.stage2 == Stage2::Full {
        return whole;
    }
    let memory = draft.memory.iter().zip(places).map(|(memory, pa)| memory.ipa.unwrap_or(*pa) + memory.size);
    let pages = draft.pages.iter().map(|pages| pages.ipa.saturating_add(pages.size));
    let emulated = draft.emulated.iter().map(|frame| frame.end());
    let end = memory.chain(pages).chain(emulated).max().unwrap_or(1);
    let bits = (u64::BITS - (end - 1).leading_zeros()).max(septum_stage2::geometry::IPA_BITS_MIN);
    Geometry::new(draft.granule, board.pa_range, bits.min(board.pa_range.bits())).unwrap_or(whole)
}
