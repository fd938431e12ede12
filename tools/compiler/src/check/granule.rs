//! Partitions' granules: those that the board's cores have, and where one is lacking those that would do.

use septum_stage2::Granule;

use super::{devices, resolve, seen};
use crate::board::{Board, Console};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;

/// The granule of `raw`: what it asks for, or 4k where it does not or the board's cores do not have that.
pub(super) fn of(raw: &Partition, board: &Board) -> Granule {
    raw.granule.map(|granule| granule.value).filter(|wanted| board.granules.contains(wanted)).unwrap_or(Granule::K4)
}

/// Reports granules that the cores of `board` do not have, with those that would do for the partition.
pub(super) fn check(partitions: &[Partition], board: &Board, console: Option<&Console>, problems: &mut Problems) {
    for (index, raw) in partitions.iter().enumerate() {
        let Some(lacking) = raw.granule.filter(|granule| !board.granules.contains(&granule.value)) else { continue };
        let count = |granule| count(partitions, (index, granule), board, console);
        let least = count(Granule::K4);
        let fit = board.granules.iter().filter(|granule| count(**granule) <= least);
        let fit: Vec<_> = fit.map(ToString::to_string).collect();
        let message = format!("the cores of board `{}` have no {} granule", board.name, lacking.value);
        let problem = Problem::new(Code::GranuleLacking, lacking.span, message).here("not on every core");
        let fit = match fit.as_slice() {
            [only] => format!("only `{only}` fits `{}`", raw.name.value),
            several => format!("these fit `{}`: {}", raw.name.value, show::list(several)),
        };
        problems.add(problem.help(format!("of the granules of all cores, {fit}")));
    }
}

/// How many problems there are where one partition has the granule that `with` says.
fn count(partitions: &[Partition], with: (usize, Granule), board: &Board, console: Option<&Console>) -> usize {
    let mut problems = Problems::default();
    let granule = |index: usize, raw| if index == with.0 { with.1 } else { of(raw, board) };
    let drafts = partitions.iter().enumerate();
    let drafts: Vec<_> =
        drafts.map(|(index, raw)| resolve::partition(raw, granule(index, raw), board, &mut problems)).collect();
    seen::check(&drafts, board, &mut problems);
    devices::check(&drafts, board, console, None, &mut problems);
    problems.len()
}
