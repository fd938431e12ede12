//! The emulated console: where the partition sees it.

use septum_plan::EmulatedKind;
use septum_plan::frames::PL011_BYTES;

use crate::board::Board;
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;
use crate::source::Spanned;
use crate::system;

/// Gives each console an interrupt number that no partition has, physically or for its own console.
pub(super) fn number(partitions: &mut [system::Partition]) {
    let mut taken: Vec<u32> = partitions.iter().flat_map(|partition| partition.interrupts.iter().copied()).collect();
    let frames = partitions.iter_mut().flat_map(|partition| &mut partition.emulated);
    for console in frames.filter(|frame| frame.kind == EmulatedKind::Pl011) {
        *console = system::console(console.ipa, &taken);
        taken.push(console.intid);
    }
}

/// The IPA of `raw`'s console, if it has one; a wrong one is reported and left out.
pub(super) fn resolve(raw: &Partition, board: &Board, problems: &mut Problems) -> Option<Spanned<u64>> {
    let console = raw.console?;
    let ipa = console.value.ipa.unwrap_or(Spanned::new(system::CONSOLE_IPA, console.span));
    let message = format!("the emulated console of partition `{}` cannot be seen there", raw.name.value);
    let problem = Problem::new(Code::ConsoleAddress, ipa.span, message).here(show::address(ipa.value));
    if !ipa.value.is_multiple_of(PL011_BYTES) {
        problems.add(problem.help(format!("use a multiple of {}", show::address(PL011_BYTES))));
        return None;
    }
    let limit = 1_u64 << board.pa_range.bits();
    if ipa.value.saturating_add(PL011_BYTES) > limit {
        problems.add(problem.help(format!("it must end by {}", show::address(limit))));
        return None;
    }
    Some(ipa)
}
