//! The emulated console: where the partition sees it.

use crate::board::Board;
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;
use crate::source::Spanned;
use crate::system::{self, GuestConsole};

/// Gives each console an interrupt number that no partition has, physically or for its own console.
pub(super) fn number(partitions: &mut [system::Partition]) {
    let mut taken: Vec<u32> = partitions.iter().flat_map(|partition| partition.interrupts.iter().copied()).collect();
    for console in partitions.iter_mut().filter_map(|partition| partition.console.as_mut()) {
        *console = GuestConsole::new(console.ipa, &taken);
        taken.push(console.intid);
    }
}

/// The IPA of `raw`'s console, if it has one; a wrong one is reported and left out.
pub(super) fn resolve(raw: &Partition, board: &Board, problems: &mut Problems) -> Option<Spanned<u64>> {
    let console = raw.console?;
    let ipa = console.value.ipa.unwrap_or(Spanned::new(GuestConsole::IPA, console.span));
    let message = format!("the emulated console of partition `{}` cannot be seen there", raw.name.value);
    let problem = Problem::new(Code::ConsoleAddress, ipa.span, message).here(show::address(ipa.value));
    if !ipa.value.is_multiple_of(GuestConsole::BYTES) {
        problems.add(problem.help(format!("use a multiple of {}", show::address(GuestConsole::BYTES))));
        return None;
    }
    let limit = 1_u64 << board.pa_range.bits();
    if ipa.value.saturating_add(GuestConsole::BYTES) > limit {
        problems.add(problem.help(format!("it must end by {}", show::address(limit))));
        return None;
    }
    Some(ipa)
}
