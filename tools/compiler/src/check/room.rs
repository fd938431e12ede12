//! RAM that is short: what is free, who has the rest, and where a memory could lie instead.

use std::collections::BTreeMap;

use super::draft::{Draft, Index, Memory};
use super::memory::joined;
use super::requests;
use crate::board::{Board, PaSpan};
use crate::place::{self, Gap, Request};
use crate::problem::show;
use crate::problem::{Code, Problem};

/// Most memories of others that are named where one has no room.
const NAMED_MAX: usize = 4;

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
    /// RAM that is left beside the memories that stay.
    free: Vec<Gap>,
    /// The memories that do not, with places for all of them.
    places: Option<Vec<(Index, u64)>>,
}

impl<'a> Instead<'a> {
    /// Places for all `movers`, each beyond its number if all can.
    pub fn new(drafts: &'a [Draft<'a>], board: &'a Board, el2: PaSpan, movers: &BTreeMap<Index, u64>) -> Self {
        let indexes: Vec<_> = movers.keys().copied().collect();
        let free = free(drafts, board, el2, &indexes);
        let (_, others) = requests::requests(drafts);
        let placed = |anywhere: bool| {
            let own = movers.iter().map(|(index, after)| request(drafts, *index, if anywhere { 0 } else { *after }));
            let requests: Vec<_> = own.chain(others.iter().cloned()).collect();
            Some(indexes.iter().copied().zip(place::place(&free, &requests).ok()?).collect())
        };
        let places = placed(false).or_else(|| placed(true));
        Self { drafts, board, free, places }
    }

    /// What is to be done with the memory at `index`.
    pub fn help(&self, index: Index) -> String {
        let (draft, memory) = (&self.drafts[index.0], &self.drafts[index.0].memory[index.1]);
        let place = self.places.iter().flatten().find(|(other, _)| *other == index);
        let Some(place) = place.map(|(_, place)| show::address(*place)) else {
            return nowhere(self.board, memory, &self.free);
        };
        match (memory.raw.identity, memory.raw.ipa, memory.raw.pa) {
            (Some(_), Some(_), None) if !needs_identity(draft) => {
                "leave `identity` out: the partition sees it here wherever it lies".into()
            }
            (Some(_), Some(_), Some(_)) => format!("use {place} as `ipa` and `pa`, or leave both out"),
            (_, _, Some(_)) => format!("use {place}, or leave `pa` out"),
            _ => format!("use {place}, or leave `ipa` out"),
        }
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

fn nowhere(board: &Board, memory: &Memory<'_>, free: &[Gap]) -> String {
    let banks: Vec<_> = ram(board).iter().map(|bank| show::range(bank.start, bank.end - bank.start)).collect();
    format!(
        "RAM of board `{}` is {}, and has no room for {} beside the others: the largest piece left is {}",
        board.name,
        banks.join(", "),
        show::size(memory.size),
        largest(free)
    )
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
