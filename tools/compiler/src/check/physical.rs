//! Memory at fixed physical addresses: clear of each other, of EL2 and of firmware.

use super::draft::{Draft, Memory};
use super::sweep::{Claim, overlaps};
use crate::board::{Board, CarveOut, PaSpan};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};

/// Who wants a piece of RAM.
#[derive(Clone, Copy)]
enum Party<'a> {
    Memory(&'a Draft<'a>, &'a Memory<'a>),
    El2(PaSpan),
    CarveOut(&'a CarveOut),
}

/// Reports overlaps of fixed memory with anything that has a place already; `el2` is what EL2 needs.
pub(super) fn check(drafts: &[Draft<'_>], board: &Board, el2: PaSpan, problems: &mut Problems) {
    let mut claims = Vec::new();
    for (draft, memory) in drafts.iter().flat_map(|draft| draft.memory.iter().map(move |memory| (draft, memory))) {
        let Some(start) = memory.pa else { continue };
        claims.push(Claim { start, end: start + memory.size, who: Party::Memory(draft, memory) });
    }
    claims.push(Claim { start: el2.start.get(), end: el2.end(), who: Party::El2(el2) });
    claims.extend(board.carve_outs.iter().map(|carve_out| {
        let span = carve_out.span;
        Claim { start: span.start.get(), end: span.end(), who: Party::CarveOut(carve_out) }
    }));
    for (low, high) in overlaps(claims) {
        report(low.who, high.who, board, problems);
    }
}

fn report(low: Party<'_>, high: Party<'_>, board: &Board, problems: &mut Problems) {
    problems.add(match (low, high) {
        (Party::Memory(one, first), Party::Memory(other, second)) => between(one, first, other, second),
        (Party::Memory(draft, memory), Party::El2(el2)) | (Party::El2(el2), Party::Memory(draft, memory)) => {
            let what = format!("EL2's {}", show::range(el2.start.get(), el2.size));
            let help = format!(
                "board `{}` loads EL2 at {}: use another `pa`, or none",
                board.name,
                show::address(el2.start.get())
            );
            with(draft, memory, Code::OverlapEl2, &what).help(help)
        }
        (Party::Memory(draft, memory), Party::CarveOut(kept))
        | (Party::CarveOut(kept), Party::Memory(draft, memory)) => {
            let range = show::range(kept.span.start.get(), kept.span.size);
            let what = format!("{range}, which `{}` of board `{}` keeps", kept.name, board.name);
            with(draft, memory, Code::OverlapCarveOut, &what).help("use another `pa`, or none")
        }
        // EL2 and carve-outs: the reservation has been checked against them.
        _ => return,
    });
}

fn title(draft: &Draft<'_>, memory: &Memory<'_>) -> String {
    format!("memory `{}` of partition `{}`", memory.raw.name.value, draft.name())
}

fn place(memory: &Memory<'_>) -> String {
    show::range(memory.pa.unwrap_or(0), memory.size)
}

fn between(one: &Draft<'_>, first: &Memory<'_>, other: &Draft<'_>, second: &Memory<'_>) -> Problem {
    let message = format!("{} overlaps {}", title(other, second), title(one, first));
    let problem = Problem::new(Code::OverlapBetween, second.pa_span(), message).here(place(second));
    let problem = problem.label(first.pa_span(), format!("`{}` has {}", one.name(), place(first)));
    let end = first.pa.unwrap_or(0).saturating_add(first.size);
    problem.help(format!("use {} or higher, or leave `pa` out", show::address(end)))
}

fn with(draft: &Draft<'_>, memory: &Memory<'_>, code: Code, what: &str) -> Problem {
    let message = format!("{} overlaps {what}", title(draft, memory));
    Problem::new(code, memory.pa_span(), message).here(place(memory))
}
