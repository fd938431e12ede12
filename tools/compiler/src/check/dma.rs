//! Devices that master the bus: who may own them, and where their owner's memory must lie.
//!
//! EL2 programs no SMMU, so that a board has one changes nothing (docs/decisions/0014-smmu.md). Such a device reads and writes
//! physical addresses, and its driver hands it those that the partition sees. So whatever
//! a partition with a bus master sees must lie where it sees it: else an honest driver writes into its neighbour.

use super::draft::{Draft, Given, Index, Memory, Pages, Payload};
use super::payload::Fetched;
use super::reserve::Placed;
use super::room;
use crate::board::{Board, PaSpan};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;
use crate::source::Span;

/// The devices of `draft` that reach memory past Stage-2.
fn masters<'a>(draft: &Draft<'a>) -> Vec<Given<'a>> {
    draft.devices.iter().filter(|given| given.device.bus_master).copied().collect()
}

/// The partition that is trusted with the board's bus masters; where none is, the first that is given some.
pub(super) fn owner<'a, 'b>(drafts: &'b [Draft<'a>]) -> Option<&'b Draft<'a>> {
    let mut owners = drafts.iter().filter(|draft| !masters(draft).is_empty());
    owners.clone().find(|draft| draft.raw.dma.is_some()).or_else(|| owners.next())
}

/// Reports bus masters whose partition is not trusted with them, and all but the first partition that is.
pub(super) fn check_owners(drafts: &[Draft<'_>], board: &Board, el2: Option<PaSpan>, problems: &mut Problems) {
    let Some(owner) = owner(drafts) else { return };
    for (index, draft) in drafts.iter().enumerate() {
        let own = masters(draft);
        if draft.raw.refused.contains(&Partition::DMA.name()) {
            continue;
        }
        if draft.raw.dma.is_none() {
            let help = match owner.name() == draft.name() {
                true => format!(
                    "if `{}` may read and write all memory of the board through it, say so: {}",
                    draft.name(),
                    trust(drafts, index, board, el2)
                ),
                false => format!("give it to `{}`: only one partition may be trusted with bus masters", owner.name()),
            };
            own.iter().for_each(|given| problems.add(untrusted(draft, *given, board).help(help.clone())));
        } else if owner.name() != draft.name() {
            let pair = own.first().zip(masters(owner).first().copied());
            pair.into_iter().for_each(|(given, first)| problems.add(two_trusted(draft, *given, owner, first)));
        }
    }
}

/// What the partition at `index` must say so that it may have bus masters.
pub(super) fn trust(drafts: &[Draft<'_>], index: usize, board: &Board, el2: Option<PaSpan>) -> String {
    let draft = &drafts[index];
    let mut cures: Vec<(&str, Vec<String>)> = Vec::new();
    let mut add = |cure, name: &str| match cures.iter_mut().find(|(same, _)| *same == cure) {
        Some((_, names)) => names.push(name.to_owned()),
        None => cures.push((cure, vec![name.to_owned()])),
    };
    for (at, memory) in draft.memory.iter().enumerate().filter(|(_, memory)| !is_identity(memory)) {
        let may = may_lie_where_seen(drafts, (index, at), board, el2);
        let stays = linked(draft, memory).is_some() || beyond_reach(draft, memory).is_none();
        let cure = match (may && stays, memory.pa) {
            (true, None) => "`identity = true` in memory",
            (true, Some(_)) => "`identity = true` in place of `pa` in memory",
            (false, _) => "`identity = true` in place of `ipa` in memory",
        };
        add(cure, &memory.raw.name.value);
    }
    moved(draft).for_each(|pages| add("no `ipa` for device", &pages.name()));
    let cures = cures.into_iter().map(|(cure, names)| format!("{cure} {}", show::list(&names)));
    let dma = draft.raw.dma.is_none().then(|| "dma = \"trusted\"".to_owned());
    show::all_of(&dma.into_iter().chain(cures).collect::<Vec<_>>())
}

/// Why nothing stands between a bus master and memory.
fn unguarded(board: &Board) -> String {
    match board.smmu {
        true => format!("EL2 does not program the SMMU of board `{}`", board.name),
        false => format!("board `{}` has no SMMU", board.name),
    }
}

fn untrusted(draft: &Draft<'_>, given: Given<'_>, board: &Board) -> Problem {
    let message = format!("device `{}` masters the bus, and {}", given.device.name, unguarded(board));
    let here = format!("gives `{}` a way around Stage-2", draft.name());
    Problem::new(Code::BusMaster, given.raw.name.span, message).here(here)
}

fn two_trusted(draft: &Draft<'_>, given: Given<'_>, owner: &Draft<'_>, device: Given<'_>) -> Problem {
    let message = format!("partitions `{}` and `{}` both own bus masters", owner.name(), draft.name());
    let problem = Problem::new(Code::TwoTrusted, given.raw.name.span, message);
    let problem = problem.here(format!("`{}` masters the bus", given.device.name));
    let problem = problem.label(device.raw.name.span, format!("`{}` masters the bus", device.device.name));
    problem.help("each could rewrite the other's memory through them: give all bus masters to one partition")
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
    for (index, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.raw.dma.is_some()) {
        let Some(master) = masters(draft).first().copied() else { continue };
        let found = Seen { draft, master };
        for (at, memory) in draft.memory.iter().enumerate().filter(|(_, memory)| !is_identity(memory)) {
            let place = known.placed.and_then(|placed| placed.memory.get(index)?.get(at).copied());
            let may = may_lie_where_seen(drafts, (index, at), board, known.el2);
            found.memory(memory, memory.pa.or(place), may, problems);
        }
        moved(draft).for_each(|pages| found.registers(pages, problems));
    }
}

/// Devices that `draft` sees elsewhere than they lie. GICV is seen in GICC's place; no device is told to write there.
fn moved<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = &'a Pages> {
    draft.pages.iter().filter(|pages| pages.ipa != pages.pa && !pages.is_gic())
}

/// Whether RAM is free where the memory at `index` is seen.
fn may_lie_where_seen(drafts: &[Draft<'_>], index: Index, board: &Board, el2: Option<PaSpan>) -> bool {
    let memory = &drafts[index.0].memory[index.1];
    let el2 = el2.unwrap_or(PaSpan { start: board.load, size: 1 });
    let Some((start, end)) = memory.ipa.map(|ipa| (ipa, ipa.saturating_add(memory.size))) else { return true };
    room::free(drafts, board, el2, &[index]).iter().any(|gap| gap.start <= start && end <= gap.end)
}

/// A bus master of `draft` that does not reach `memory` where the partition sees it, and what it reaches.
fn beyond_reach<'a>(draft: &Draft<'a>, memory: &Memory<'_>) -> Option<(&'a str, PaSpan)> {
    let ipa = memory.ipa?;
    let limited =
        masters(draft).into_iter().filter_map(|given| Some((given.device.name.as_str(), given.device.dma_reach?)));
    limited.into_iter().find(|(_, reach)| !is_within(*reach, ipa, memory.size))
}

/// The lowest address in `memory` that the program of `draft` is linked to, where it cannot run elsewhere.
fn linked(draft: &Draft<'_>, memory: &Memory<'_>) -> Option<u64> {
    let starts: Vec<u64> = match draft.payload.as_ref()? {
        Payload::Fitted(fitted) if fitted.elf.is_some() || draft.raw.entry.is_some() => {
            fitted.segments.iter().map(|segment| segment.ipa.get()).collect()
        }
        Payload::Fetched(Fetched { payload: crate::payload::Payload::Elf(elf), .. }) => {
            elf.segments.iter().map(|segment| segment.address).collect()
        }
        _ => return None,
    };
    let ipa = memory.ipa?;
    starts.into_iter().filter(|start| start.checked_sub(ipa).is_some_and(|offset| offset < memory.size)).min()
}

/// Says which memory, at `places`, a bus master of its partition does not reach: a driver that knows that keeps its
/// buffers elsewhere, and one that does not loses what it hands over.
pub(super) fn remarks(drafts: &[Draft<'_>], places: &[Vec<u64>], problems: &mut Problems) {
    for (draft, places) in drafts.iter().zip(places) {
        let limited = masters(draft).into_iter().filter_map(|given| Some((given, given.device.dma_reach?)));
        limited
            .filter_map(|(given, reach)| out_of_reach(draft, places, given, reach))
            .for_each(|note| problems.add(note));
    }
}

fn out_of_reach(draft: &Draft<'_>, places: &[u64], given: Given<'_>, reach: PaSpan) -> Option<Problem> {
    let placed = draft.memory.iter().zip(places);
    let beyond: Vec<_> = placed.filter(|(memory, pa)| !is_within(reach, **pa, memory.size)).collect();
    let range = |(memory, pa): &(&Memory<'_>, &u64)| show::range(**pa, memory.size);
    let named = beyond.iter().map(|beyond| format!("`{}` {}", beyond.0.raw.name.value, range(beyond)));
    let (device, reach) = (&given.device.name, show::range(reach.start.get(), reach.size));
    let message = format!(
        "bus master `{device}` of partition `{}` reaches only {reach} of memory, and not all of {}: its driver must keep \
         buffers within that",
        draft.name(),
        named.collect::<Vec<_>>().join(", ")
    );
    beyond.first()?;
    let note = Problem::new(Code::MasterReach, given.raw.name.span, message).here(format!("reaches {reach}"));
    let label = |note: Problem, beyond: &(&Memory<'_>, &u64)| note.label(beyond.0.raw.name.span, range(beyond));
    Some(beyond.iter().fold(note, label))
}

/// Whether `size` bytes from `start` on lie in `reach`.
fn is_within(reach: PaSpan, start: u64, size: u64) -> bool {
    reach.start.get() <= start && start.saturating_add(size) <= reach.end()
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

    fn memory(&self, memory: &Memory<'_>, pa: Option<u64>, may_lie_where_seen: bool, problems: &mut Problems) {
        let Some(ipa) = memory.ipa.filter(|ipa| pa != Some(*ipa)) else { return };
        let instead = if memory.pa.is_some() { "replace `pa` by `identity = true`" } else { "add `identity = true`" };
        let beyond = beyond_reach(self.draft, memory).map(|(device, reach)| {
            (format!("`{device}` reaches only {}", show::range(reach.start.get(), reach.size)), reach)
        });
        let help = match (may_lie_where_seen, beyond, linked(self.draft, memory)) {
            (true, None, _) => format!("{instead}: it then lies at {}", show::address(ipa)),
            (_, Some((reaches, reach)), Some(start)) => format!(
                "{reaches}, and the program is linked to {}: link it to an address in {}, give that as `ipa`, and \
                 {instead}",
                show::address(start),
                show::range(reach.start.get(), reach.size)
            ),
            (false, None, Some(start)) => format!(
                "the program is linked to {}, where its memory cannot lie: link it to an address where RAM is free, give \
                 that as `ipa`, and {instead}",
                show::address(start)
            ),
            (_, Some((reaches, _)), None) => {
                format!("{instead} and leave `ipa` out: it is then seen where it lies, and {reaches}")
            }
            (false, None, None) => format!("{instead} and leave `ipa` out: it is then seen where it lies"),
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
