//! Devices that master the bus where no SMMU stands between: who may own them, and where their owner's memory must lie.
//!
//! Such a device reads and writes physical addresses, and its driver hands it those that the partition sees. So whatever
//! a partition with a bus master sees must lie where it sees it: else an honest driver writes into its neighbour.

use super::draft::{Draft, Given, Memory, Pages};
use super::memory::joined;
use super::reserve::Placed;
use crate::board::{Board, PaSpan};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::source::Span;

/// The devices of `draft` that reach memory past Stage-2.
fn masters<'a>(draft: &Draft<'a>) -> Vec<Given<'a>> {
    draft.devices.iter().filter(|given| given.device.bus_master).copied().collect()
}

/// Reports bus masters whose partition is not trusted with them, and all but the first partition that is.
pub(super) fn check_owners(drafts: &[Draft<'_>], board: &Board, problems: &mut Problems) {
    if board.smmu {
        return;
    }
    let mut trusted: Option<(&Draft<'_>, Given<'_>)> = None;
    for draft in drafts.iter().filter(|draft| draft.raw.dma.is_some()) {
        let Some(first) = masters(draft).first().copied() else { continue };
        match trusted {
            Some((owner, device)) => problems.add(two_trusted(draft, first, owner, device)),
            None => trusted = Some((draft, first)),
        }
    }
    for draft in drafts.iter().filter(|draft| draft.raw.dma.is_none()) {
        let owner = trusted.map(|(owner, _)| owner.name());
        masters(draft).into_iter().for_each(|given| problems.add(untrusted(draft, given, board, owner)));
    }
}

fn untrusted(draft: &Draft<'_>, given: Given<'_>, board: &Board, owner: Option<&str>) -> Problem {
    let (device, name) = (&given.device.name, draft.name());
    let message = format!("device `{device}` masters the bus, and board `{}` has no SMMU", board.name);
    let places = match draft.memory.iter().all(is_identity) {
        true => "",
        false => ", and `identity = true` in each of its memories",
    };
    let help = match owner {
        Some(owner) => format!("give it to `{owner}`, the one partition that is trusted with bus masters"),
        None => format!(
            "if `{name}` may read and write all memory of the board through it, say so: dma = \"trusted\"{places}"
        ),
    };
    let here = format!("gives `{name}` a way around Stage-2");
    Problem::new(Code::BusMaster, given.raw.name.span, message).here(here).help(help)
}

fn two_trusted(draft: &Draft<'_>, given: Given<'_>, owner: &Draft<'_>, device: Given<'_>) -> Problem {
    let message = format!("partitions `{}` and `{}` both own bus masters", owner.name(), draft.name());
    let problem = Problem::new(Code::TwoTrusted, given.raw.name.span, message);
    let problem = problem.here(format!("`{}` masters the bus", given.device.name));
    let problem = problem.label(device.raw.name.span, format!("`{}` masters the bus", device.device.name));
    problem.help("without an SMMU each could rewrite the other's memory: give all bus masters to one partition")
}

/// What is known of places when [`check_places`] looks.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// Where every memory lies, if all of them could be placed.
    pub placed: Option<&'a Placed>,
    /// What EL2 needs.
    pub el2: Option<PaSpan>,
}

/// Reports what a trusted partition with a bus master sees elsewhere than it lies.
pub(super) fn check_places(drafts: &[Draft<'_>], board: &Board, known: Known<'_>, problems: &mut Problems) {
    if board.smmu {
        return;
    }
    for (index, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.raw.dma.is_some()) {
        let Some(master) = masters(draft).first().copied() else { continue };
        let found = Seen { draft, master };
        for (at, memory) in draft.memory.iter().enumerate().filter(|(_, memory)| !is_identity(memory)) {
            let place = known.placed.and_then(|placed| placed.memory.get(index)?.get(at).copied());
            found.memory(memory, memory.pa.or(place), board, known.el2, problems);
        }
        // GICV is seen in GICC's place; no device is told to write there.
        let moved = draft.pages.iter().filter(|pages| pages.ipa != pages.pa && !pages.is_gic());
        moved.for_each(|pages| found.registers(pages, problems));
    }
}

/// Whether the configuration says that the partition sees `memory` where it lies.
fn is_identity(memory: &Memory<'_>) -> bool {
    memory.ipa == memory.pa
}

struct Seen<'a> {
    draft: &'a Draft<'a>,
    master: Given<'a>,
}

impl Seen<'_> {
    fn problem(&self, what: &str, span: Span, ipa: u64, pa: Option<u64>) -> Problem {
        let device = &self.master.device.name;
        let message = format!(
            "`{device}` of partition `{}` masters the bus, but {what} is not where the partition sees it",
            self.draft.name()
        );
        let lies =
            pa.map_or_else(|| "lies wherever there is room".to_owned(), |pa| format!("lies at {}", show::address(pa)));
        let problem = Problem::new(Code::BusMasterPlace, span, message);
        let problem = problem.here(format!("seen at {}, {lies}", show::address(ipa)));
        problem.label(self.master.raw.name.span, format!("`{device}` uses physical addresses"))
    }

    fn memory(
        &self,
        memory: &Memory<'_>,
        pa: Option<u64>,
        board: &Board,
        el2: Option<PaSpan>,
        problems: &mut Problems,
    ) {
        let Some(ipa) = memory.ipa.filter(|ipa| pa != Some(*ipa)) else { return };
        let wanted = PaSpan { start: septum_stage2::Pa::new(ipa), size: memory.size };
        let kept =
            board.carve_outs.iter().map(|kept| kept.span).chain(el2).chain([PaSpan { start: board.load, size: 1 }]);
        let in_ram = joined(&board.ram).iter().any(|bank| bank.start <= wanted.start && wanted.end() <= bank.end());
        let instead = if memory.pa.is_some() { "replace `pa` by `identity = true`" } else { "add `identity = true`" };
        let help = match in_ram && !kept.into_iter().any(|kept| kept.overlaps(wanted)) {
            true => format!("{instead}: it then lies at {}", show::address(ipa)),
            false => format!("{instead} and leave `ipa` out: it is then seen where it lies"),
        };
        let what = format!("memory `{}`", memory.raw.name.value);
        problems.add(self.problem(&what, memory.ipa_span(), ipa, pa).help(help));
    }

    fn registers(&self, pages: &Pages, problems: &mut Problems) {
        let what = format!("device `{}`", pages.name());
        let problem = self.problem(&what, pages.span, pages.ipa, Some(pages.pa));
        problems.add(problem.help("leave `ipa` of this device out"));
    }
}
