//! What one partition sees: no two things at one intermediate address.

use std::ops::Range;

use septum_plan::EmulatedKind;

use super::draft::Draft;
use super::sweep::{Claim, overlaps};
use crate::board::Board;
use crate::place::{self, Gap, Request};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::source::Span;

/// Something at an intermediate address.
#[derive(Clone)]
struct Thing {
    name: String,
    start: u64,
    size: u64,
    /// Where the configuration asks for it; `None`: the emulated interrupt controller.
    span: Option<Span>,
    /// Memory that is seen where it lies: whether it may lie there is a question of physical addresses.
    identity: bool,
}

impl Thing {
    fn gap(&self) -> Gap {
        Gap { start: self.start, end: self.start.saturating_add(self.size) }
    }
}

/// Reports overlaps within each partition.
pub(super) fn check(drafts: &[Draft<'_>], board: &Board, problems: &mut Problems) {
    for draft in drafts {
        check_one(draft, board, problems);
    }
}

fn check_one(draft: &Draft<'_>, board: &Board, problems: &mut Problems) {
    let things = things(draft);
    let claims = things.iter().map(|thing| Claim {
        start: thing.start,
        end: thing.start.saturating_add(thing.size),
        who: thing,
    });
    let pairs = overlaps(claims.collect());
    // What is moved must keep clear of what stays, and of where what was moved before goes.
    let stays = |thing: &&Thing| !pairs.iter().any(|(_, high)| std::ptr::eq(high.who, *thing));
    let mut taken: Vec<_> = things.iter().filter(stays).map(Thing::gap).collect();
    let limit = 1_u64 << board.pa_range.bits();
    for (low, high) in &pairs {
        let place = free_place(draft, &taken, low.end..limit, high.who.size);
        taken.extend(place.map(|place| Gap { start: place, end: place + high.who.size }));
        report(draft, low.who, high.who, place, problems);
    }
}

/// The lowest address of `range` where `size` bytes keep clear of what is `taken`, else the lowest of all.
fn free_place(draft: &Draft<'_>, taken: &[Gap], range: Range<u64>, size: u64) -> Option<u64> {
    let mut forbidden = taken.to_vec();
    forbidden.sort_unstable();
    let request = [Request { ipa: None, size, granule: draft.granule.bytes(), forbidden }];
    let from = |start| place::place(&[Gap { start, end: range.end }], &request).ok();
    from(range.start).or_else(|| from(0))?.first().copied()
}

fn things(draft: &Draft<'_>) -> Vec<Thing> {
    let memories = draft.memory.iter().filter_map(|memory| {
        let name = format!("memory `{}`", memory.raw.name.value);
        Some(Thing {
            name,
            start: memory.ipa?,
            size: memory.size,
            span: Some(memory.ipa_span()),
            identity: memory.ipa == memory.pa,
        })
    });
    let pages = draft.pages.iter().map(|pages| {
        let is_gic = pages.is_gic();
        let name = if is_gic {
            "the interrupt controller's CPU interface".into()
        } else {
            format!("device `{}`", pages.name())
        };
        Thing { name, start: pages.ipa, size: pages.size, span: (!is_gic).then_some(pages.span), identity: false }
    });
    let emulated = draft.emulated.iter().map(|frame| {
        let (name, span) = match frame.kind {
            EmulatedKind::Gicd => ("the interrupt controller's distributor", None),
            EmulatedKind::Gicr => ("the interrupt controller's redistributors", None),
            EmulatedKind::Pl011 => ("the emulated console", draft.console.map(|console| console.span)),
        };
        Thing { name: name.into(), start: frame.ipa, size: frame.bytes, span, identity: false }
    });
    memories.chain(pages).chain(emulated).collect()
}

fn report(draft: &Draft<'_>, low: &Thing, high: &Thing, place: Option<u64>, problems: &mut Problems) {
    let title = |what: &Thing| show::range(what.start, what.size);
    let partition = draft.name();
    let problem = match (low.span, high.span) {
        (Some(low_span), Some(high_span)) => {
            let message = format!("{} overlaps {} in partition `{partition}`", high.name, low.name);
            let problem = Problem::new(Code::OverlapInPartition, high_span, message).here(title(high));
            let and = if high.identity { "leave `identity` out and " } else { "" };
            let help = place.map(|place| format!("{and}move it to {}", show::address(place)));
            problem.label(low_span, format!("{} is {}", low.name, title(low))).maybe_help(help)
        }
        (Some(span), None) if !low.identity => with_gic(partition, low, high, span),
        (None, Some(span)) if !high.identity => with_gic(partition, high, low, span),
        // Two frames of the board's own interrupt controller, which the board's check has, or memory outside RAM.
        _ => return,
    };
    problems.add(problem);
}

fn with_gic(partition: &str, thing: &Thing, frames: &Thing, span: Span) -> Problem {
    let message = format!("{} of partition `{partition}` overlaps {}", thing.name, frames.name);
    let at = show::range(frames.start, frames.size);
    let problem = Problem::new(Code::OverlapGic, span, message).here(show::range(thing.start, thing.size));
    problem.help(format!("the partition sees {} at {at}", frames.name))
}
