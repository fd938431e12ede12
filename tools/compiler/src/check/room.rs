//! RAM that is short: what is free, who has the rest, and where a memory could lie instead.

use std::collections::BTreeMap;

use super::draft::{Draft, Index, Memory};
use super::memory::joined;
use super::requests;
use crate::board::{Board, PaSpan};
use crate::place::{self, Gap, Request};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};

/// Most memories of others that are named where one has no room.
const NAMED_MAX: usize = 4;
/// What EL2 has at its load address on every board: its share is a multiple of this.
const EL2_BYTES_MIN: u64 = super::reserve::STEP;

const fn gap(span: PaSpan) -> Gap {
    Gap { start: span.start.get(), end: span.end() }
}

fn bytes(gaps: &[Gap]) -> u64 {
    gaps.iter().map(|gap| gap.end - gap.start).sum()
}

fn ram(board: &Board) -> Vec<Gap> {
    joined(&board.ram).into_iter().map(gap).collect()
}

/// RAM that nobody has at a fixed place, as if the memories `but` had none.
pub(super) fn free(drafts: &[Draft<'_>], board: &Board, el2: PaSpan, but: &[Index]) -> Vec<Gap> {
    let mut taken: Vec<_> = [gap(el2)].into_iter().chain(board.carve_outs.iter().map(|kept| gap(kept.span))).collect();
    for (partition, draft) in drafts.iter().enumerate() {
        let others = draft.memory.iter().enumerate().filter(|(index, _)| !but.contains(&(partition, *index)));
        taken.extend(others.filter_map(|(_, memory)| memory.pa_range()).map(gap));
    }
    taken.sort_unstable();
    place::without(&ram(board), &merged(&taken))
}

/// Sorted gaps, with those that touch or overlap made one.
fn merged(gaps: &[Gap]) -> Vec<Gap> {
    let mut merged: Vec<Gap> = Vec::new();
    for next in gaps {
        match merged.last_mut().filter(|last| next.start <= last.end) {
            Some(last) => last.end = last.end.max(next.end),
            None => merged.push(*next),
        }
    }
    merged
}

/// Where memories whose own places will not do could lie instead, so that all find room.
pub(super) struct Instead<'a> {
    drafts: &'a [Draft<'a>],
    board: &'a Board,
    /// The memories that do not stay, with places for all of them, or who finds none.
    places: Result<Vec<(Index, u64)>, Lack>,
}

/// The memories that find no room, and what is left beside all others.
struct Lack {
    failed: Vec<Index>,
    left: Vec<Gap>,
}

impl<'a> Instead<'a> {
    /// Places for all `movers`, each beyond its number if all can.
    pub fn new(drafts: &'a [Draft<'a>], board: &'a Board, el2: PaSpan, movers: &BTreeMap<Index, u64>) -> Self {
        let indexes: Vec<_> = movers.keys().copied().collect();
        let free = free(drafts, board, el2, &indexes);
        let (wanted, others) = requests::requests(drafts);
        // What finds no room even alone is reported as that, and says nothing of where others can lie.
        let others: Vec<_> = wanted.into_iter().zip(others).filter(|(_, request)| fits_alone(board, request)).collect();
        let placed = |anywhere: bool| {
            let own = movers.iter().map(|(index, after)| request(drafts, *index, if anywhere { 0 } else { *after }));
            let requests: Vec<_> = own.chain(others.iter().map(|(_, request)| request.clone())).collect();
            place::place(&free, &requests)
        };
        let all: Vec<_> = indexes.iter().copied().chain(others.iter().map(|(index, _)| *index)).collect();
        let places = match placed(false).or_else(|_| placed(true)) {
            Ok(places) => Ok(indexes.into_iter().zip(places).collect()),
            Err(lack) => Err(Lack { failed: lack.failed.iter().map(|at| all[*at]).collect(), left: lack.left }),
        };
        Self { drafts, board, places }
    }

    /// What is to be done with the memory at `index`.
    pub fn help(&self, index: Index) -> String {
        let (draft, memory) = (&self.drafts[index.0], &self.drafts[index.0].memory[index.1]);
        let places = match &self.places {
            Ok(places) => places,
            Err(lack) => return self.nowhere(lack),
        };
        let place = places.iter().find(|(other, _)| *other == index).map_or(0, |(_, place)| *place);
        let place = show::address(place);
        match (memory.raw.identity, memory.raw.ipa, memory.raw.pa) {
            (Some(_), Some(_), None) if !needs_identity(draft) => {
                "leave `identity` out: the partition sees it here wherever it lies".into()
            }
            (Some(_), Some(_), Some(_)) => format!("use {place} as `ipa` and `pa`, or leave both out"),
            (_, _, Some(_)) => format!("use {place}, or leave `pa` out"),
            _ => format!("use {place}, or leave `ipa` out"),
        }
    }

    /// That not all find room, and who does not.
    fn nowhere(&self, lack: &Lack) -> String {
        let banks: Vec<_> = ram(self.board).iter().map(|bank| show::range(bank.start, bank.end - bank.start)).collect();
        let named = lack.failed.iter().take(NAMED_MAX).map(|index| {
            let (draft, memory) = (&self.drafts[index.0], &self.drafts[index.0].memory[index.1]);
            format!("`{}` of partition `{}` ({})", memory.raw.name.value, draft.name(), show::size(memory.size))
        });
        format!(
            "RAM of board `{}` is {}, and has no room for all: none is left for {}; the largest piece beside the others is \
             {}",
            self.board.name,
            banks.join(", "),
            show::all_of(&named.collect::<Vec<_>>()),
            largest(&lack.left)
        )
    }
}

/// RAM that neither firmware nor EL2 has, of which at least the front at its load address is EL2's.
fn open(board: &Board) -> Vec<Gap> {
    let el2 = PaSpan { start: board.load, size: EL2_BYTES_MIN };
    let mut taken: Vec<_> = board.carve_outs.iter().map(|kept| gap(kept.span)).chain([gap(el2)]).collect();
    taken.sort_unstable();
    place::without(&ram(board), &merged(&taken))
}

fn fits_alone(board: &Board, request: &Request) -> bool {
    place::place(&open(board), std::slice::from_ref(request)).is_ok()
}

/// Reports every memory that would find no room if it were alone on the board: whatever else has to change, that has.
pub(super) fn check_alone(drafts: &[Draft<'_>], board: &Board, problems: &mut Problems) {
    let (wanted, requests) = requests::requests(drafts);
    for (index, _) in wanted.into_iter().zip(requests).filter(|(_, request)| !fits_alone(board, request)) {
        let (draft, memory) = (&drafts[index.0], &drafts[index.0].memory[index.1]);
        let message = format!("no room for memory `{}` of partition `{}`", memory.raw.name.value, draft.name());
        let span = memory.raw.size.map_or(memory.raw.name.span, |size| size.span);
        let problem = Problem::new(Code::NoRoom, span, message).here(show::size(memory.size));
        problems.add(problem.help(format!(
            "even were nothing else on board `{}`: the largest piece of RAM that is neither firmware's nor EL2's is {}",
            board.name,
            largest(&open(board))
        )));
    }
}

/// Whether `draft` may not see its memory elsewhere than it lies.
fn needs_identity(draft: &Draft<'_>) -> bool {
    draft.raw.dma.is_some()
}

/// What the memory at `index` asks for if it must lie beyond `after`.
fn request(drafts: &[Draft<'_>], index: Index, after: u64) -> Request {
    let (draft, memory) = (&drafts[index.0], &drafts[index.0].memory[index.1]);
    let stays_seen = memory.raw.identity.is_none() || (memory.raw.pa.is_none() && !needs_identity(draft));
    let mut request = requests::request(draft, memory, memory.ipa.filter(|_| stays_seen));
    request.forbidden.insert(0, Gap { start: 0, end: after });
    request
}

fn largest(left: &[Gap]) -> String {
    let largest = left.iter().max_by_key(|gap| gap.end - gap.start);
    largest.map_or_else(|| "none".into(), |gap| show::range(gap.start, gap.end - gap.start))
}

/// Who has the room that some memories do not find.
pub(super) struct Taken<'a> {
    /// All partitions.
    pub drafts: &'a [Draft<'a>],
    /// Their board.
    pub board: &'a Board,
    /// What EL2 has.
    pub el2: PaSpan,
    /// The memories without a place.
    pub failed: &'a [Index],
    /// What is left beside all others.
    pub left: &'a [Gap],
}

impl Taken<'_> {
    /// That there is no room for the memory at `index`, one of those without a place.
    pub fn problem(&self, index: Index) -> Problem {
        let (draft, memory) = (&self.drafts[index.0], &self.drafts[index.0].memory[index.1]);
        let message = format!("no room for memory `{}` of partition `{}`", memory.raw.name.value, draft.name());
        let span = memory.raw.size.map_or(memory.raw.name.span, |size| size.span);
        let mut problem = Problem::new(Code::NoRoom, span, message).here(show::size(memory.size));
        for (draft, memory) in self.others().into_iter().take(NAMED_MAX) {
            let span = memory.raw.size.map_or(memory.raw.name.span, |size| size.span);
            problem = problem.label(span, format!("`{}` has {}", draft.name(), show::size(memory.size)));
        }
        problem.help(self.shares())
    }

    /// The memories that have a place, the largest first.
    fn others(&self) -> Vec<(&Draft<'_>, &Memory<'_>)> {
        let mut others = Vec::new();
        for (partition, draft) in self.drafts.iter().enumerate() {
            let placed =
                draft.memory.iter().enumerate().filter(|(index, _)| !self.failed.contains(&(partition, *index)));
            others.extend(placed.map(|(_, memory)| (draft, memory)));
        }
        others.sort_by_key(|(_, memory)| std::cmp::Reverse(memory.size));
        others
    }

    /// Who has how much of the board's RAM.
    fn shares(&self) -> String {
        let ram = ram(self.board);
        let mut kept: Vec<_> = self.board.carve_outs.iter().map(|kept| gap(kept.span)).collect();
        kept.sort_unstable();
        let kept = bytes(&ram) - bytes(&place::without(&ram, &merged(&kept)));
        let others: u64 = self.others().iter().map(|(_, memory)| memory.size).sum();
        let shares = [("EL2", self.el2.size), ("firmware", kept), ("other memories", others)];
        let shares = shares.into_iter().filter(|(_, size)| *size > 0);
        let shares: Vec<_> = shares.map(|(who, size)| format!("{who} {}", show::size(size))).collect();
        format!(
            "of {} of RAM on board `{}`: {}; {} are left, the largest piece being {}",
            show::size(bytes(&ram)),
            self.board.name,
            shares.join(", "),
            show::size(bytes(self.left)),
            largest(self.left)
        )
    }
}
