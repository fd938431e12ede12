//! Memory at fixed physical addresses lies in RAM; where it does not, what lies there instead.

use super::draft::{Draft, Memory};
use super::memory::joined;
use crate::board::{Board, Console, PaSpan};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};

/// Reports every fixed memory that is not wholly in RAM.
pub(super) fn check(drafts: &[Draft<'_>], board: &Board, console: Option<&Console>, problems: &mut Problems) {
    let banks = joined(&board.ram);
    for (draft, memory) in drafts.iter().flat_map(|draft| draft.memory.iter().map(move |memory| (draft, memory))) {
        let Some(wanted) = memory.pa_range() else { continue };
        let inside = |bank: &PaSpan| bank.start <= wanted.start && wanted.end() <= bank.end();
        if !banks.iter().any(inside) {
            problems.add(outside(draft, memory, wanted, &banks, board, console));
        }
    }
}

fn outside(
    draft: &Draft<'_>,
    memory: &Memory<'_>,
    wanted: PaSpan,
    banks: &[PaSpan],
    board: &Board,
    console: Option<&Console>,
) -> Problem {
    let title = format!("memory `{}` of partition `{}`", memory.raw.name.value, draft.name());
    let here = show::range(wanted.start.get(), wanted.size);
    let new = |code, message| Problem::new(code, memory.pa_span(), message).here(here.clone());
    if let Some((frames, at)) = board.gic.frames().into_iter().find(|(_, at)| at.overlaps(wanted)) {
        let at = show::range(at.start.get(), at.size);
        let problem = new(Code::OverlapGic, format!("{title} overlaps the interrupt controller's {frames}"));
        return problem.help(format!("{at} is EL2's; {}", ram(board, banks)));
    }
    let problem = new(Code::OutsideRam, format!("{title} is not in RAM"));
    match what_lies_there(wanted, board, console) {
        Some(what) => problem.help(format!("{what}; {}", ram(board, banks))),
        None => problem.help(ram(board, banks)),
    }
}

fn ram(board: &Board, banks: &[PaSpan]) -> String {
    let banks: Vec<_> = banks.iter().map(|bank| show::range(bank.start.get(), bank.size)).collect();
    format!("RAM of board `{}`: {}", board.name, banks.join(", "))
}

/// The first device or register block in `wanted`, and how to come by it.
fn what_lies_there(wanted: PaSpan, board: &Board, console: Option<&Console>) -> Option<String> {
    if board.power.registers.is_some_and(|registers| registers.overlaps(wanted)) {
        return Some("the power registers lie there, which are EL2's".into());
    }
    let overlaps = |registers: &[PaSpan]| registers.iter().any(|block| block.overlaps(wanted));
    let name = &board.devices.iter().find(|device| overlaps(&device.registers))?.name;
    let log = match console.is_some_and(|console| console.device == *name) {
        true => "choose another UART for the log with `log = \"..\"`, and ",
        false => "",
    };
    Some(format!("device `{name}` lies there: {log}use `devices = [\"{name}\"]`"))
}
