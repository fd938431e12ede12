//! Memory at fixed physical addresses: clear of each other, of EL2 and of firmware.

use std::collections::BTreeMap;

use super::draft::{Draft, Index, Memory};
use super::room::Instead;
use super::sweep::{Claim, overlaps};
use crate::board::{Board, CarveOut, PaSpan};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};

/// Who wants a piece of RAM.
#[derive(Clone, Copy)]
enum Party<'a> {
    Memory(Index),
    El2,
    CarveOut(&'a CarveOut),
}

/// Reports overlaps of fixed memory with anything that has a place already; `el2` is what EL2 needs.
pub(super) fn check(drafts: &[Draft<'_>], board: &Board, el2: PaSpan, problems: &mut Problems) {
    let claim = |span: PaSpan, who| Claim { start: span.start.get(), end: span.end(), who };
    let memories = drafts.iter().enumerate().flat_map(|(partition, draft)| {
        let memories = draft.memory.iter().enumerate();
        memories.filter_map(move |(index, memory)| Some((memory.pa_range()?, Party::Memory((partition, index)))))
    });
    let claims = memories.map(|(span, who)| claim(span, who)).chain([claim(el2, Party::El2)]);
    let kept = board.carve_outs.iter().map(|kept| claim(kept.span, Party::CarveOut(kept)));
    let pairs: Vec<_> = overlaps(claims.chain(kept).collect()).iter().map(|(low, high)| (low.who, high.who)).collect();
    if pairs.is_empty() {
        return;
    }
    let mut movers: BTreeMap<Index, u64> = BTreeMap::new();
    for (index, end) in pairs.iter().filter_map(|pair| mover(*pair, drafts, el2)) {
        movers.entry(index).and_modify(|after| *after = end.max(*after)).or_insert(end);
    }
    let check = Check { drafts, board, el2, instead: Instead::new(drafts, board, el2, &movers) };
    pairs.iter().filter_map(|pair| check.problem(*pair)).for_each(|problem| problems.add(problem));
}

/// The memory of two parties that has to move, and the end of the other.
fn mover(pair: (Party<'_>, Party<'_>), drafts: &[Draft<'_>], el2: PaSpan) -> Option<(Index, u64)> {
    let end = |(partition, index): Index| drafts[partition].memory[index].pa_range().map_or(0, PaSpan::end);
    match pair {
        (Party::Memory(first), Party::Memory(second)) => Some((second, end(first))),
        (Party::Memory(index), Party::El2) | (Party::El2, Party::Memory(index)) => Some((index, el2.end())),
        (Party::Memory(index), Party::CarveOut(kept)) | (Party::CarveOut(kept), Party::Memory(index)) => {
            Some((index, kept.span.end()))
        }
        // EL2 and carve-outs: the reservation has been checked against them.
        _ => None,
    }
}

struct Check<'a> {
    drafts: &'a [Draft<'a>],
    board: &'a Board,
    el2: PaSpan,
    instead: Instead<'a>,
}

impl<'a> Check<'a> {
    fn problem(&self, pair: (Party<'_>, Party<'_>)) -> Option<Problem> {
        Some(match pair {
            (Party::Memory(first), Party::Memory(second)) => self.between(first, second),
            (Party::Memory(index), Party::El2) | (Party::El2, Party::Memory(index)) => {
                let range = show::range(self.el2.start.get(), self.el2.size);
                let what = format!("{range}, where board `{}` loads EL2", self.board.name);
                self.with(index, Code::OverlapEl2, &what)
            }
            (Party::Memory(index), Party::CarveOut(kept)) | (Party::CarveOut(kept), Party::Memory(index)) => {
                let range = show::range(kept.span.start.get(), kept.span.size);
                let what = format!("{range}, which `{}` of board `{}` keeps", kept.name, self.board.name);
                self.with(index, Code::OverlapCarveOut, &what)
            }
            _ => return None,
        })
    }

    fn memory(&self, (partition, index): Index) -> (&'a Draft<'a>, &'a Memory<'a>) {
        let draft = &self.drafts[partition];
        (draft, &draft.memory[index])
    }

    fn title(&self, index: Index) -> String {
        let (draft, memory) = self.memory(index);
        format!("memory `{}` of partition `{}`", memory.raw.name.value, draft.name())
    }

    fn between(&self, first: Index, second: Index) -> Problem {
        let (owner, memory) = self.memory(first);
        let has = format!("`{}` has {}", owner.name(), place(memory));
        self.with(second, Code::OverlapBetween, &self.title(first)).label(memory.pa_span(), has)
    }

    fn with(&self, index: Index, code: Code, what: &str) -> Problem {
        let (_, memory) = self.memory(index);
        let message = format!("{} overlaps {what}", self.title(index));
        let problem = Problem::new(code, memory.pa_span(), message).here(place(memory));
        problem.help(self.instead.help(index))
    }
}

fn place(memory: &Memory<'_>) -> String {
    show::range(memory.pa.unwrap_or(0), memory.size)
}
