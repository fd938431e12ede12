//! Devices: what is given, on which pages it lies, and who else would be reached through them.

use std::collections::BTreeMap;

use septum_stage2::{Access, Granule, Pa};

use super::dma;
use super::draft::{Draft, Given, Pages};
use super::sweep::{Claim, overlaps};
use crate::board::{Board, CarveOut, Console, Device, PaSpan};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::{DeviceUse, Partition};
use crate::raw::suggest;
use crate::source::Span;

/// The devices of `raw` that the board has; the others are reported, as are rights that no device gives.
pub(super) fn resolve<'a>(raw: &'a Partition, board: &'a Board, problems: &mut Problems) -> Vec<Given<'a>> {
    raw.devices.iter().filter_map(|wanted| resolve_one(raw, wanted, board, problems)).collect()
}

fn resolve_one<'a>(
    raw: &'a Partition,
    wanted: &'a DeviceUse,
    board: &'a Board,
    problems: &mut Problems,
) -> Option<Given<'a>> {
    let name = &wanted.name.value;
    if let Some(access) = wanted.access.filter(|access| access.value.execute) {
        let message = format!("device `{name}` of partition `{}` cannot be executed", raw.name.value);
        let problem = Problem::new(Code::DeviceExecutable, access.span, message).here("registers hold no code");
        problems.add(problem.help("use \"rw\" or \"r\""));
    }
    let device = board.devices.iter().find(|device| device.name == *name);
    if device.is_none() {
        let near = suggest(name, board.devices.iter().map(|device| device.name.as_str()));
        let message = format!("board `{}` has no device `{name}`", board.name);
        let problem = Problem::new(Code::UnknownDevice, wanted.name.span, message).here("not in the board's file");
        problems.add(problem.help(near.map_or_else(|| all_devices(board), |near| format!("did you mean `{near}`?"))));
    }
    Some(Given { device: device?, raw: wanted })
}

fn all_devices(board: &Board) -> String {
    let names: Vec<_> = board.devices.iter().map(|device| device.name.clone()).collect();
    format!("its devices: {}", show::list(&names))
}

/// The granule pages of all `given` registers, by rising IPA; those of several devices on one page are joined.
pub(super) fn pages(given: &[Given<'_>], granule: Granule, problems: &mut Problems) -> Vec<Pages> {
    let blocks = given.iter().flat_map(|given| given.device.registers.iter().map(move |block| (given, *block)));
    let mut pages: Vec<_> = blocks.filter_map(|(given, block)| page(given, block, granule, problems)).collect();
    pages.sort_by_key(|pages| (pages.ipa, pages.pa));
    let mut joined: Vec<Pages> = Vec::new();
    for next in pages {
        match joined.last_mut().filter(|last| continues(last, &next)) {
            Some(last) => join(last, &next),
            None => joined.push(next),
        }
    }
    joined
}

fn page(given: &Given<'_>, block: PaSpan, granule: Granule, problems: &mut Problems) -> Option<Pages> {
    let bytes = granule.bytes();
    let start = block.start.get() / bytes * bytes;
    let size = block.end().next_multiple_of(bytes) - start;
    let ipa = match given.raw.ipa {
        None => start,
        Some(ipa) => moved(given, block, bytes, ipa, problems)?,
    };
    Some(Pages {
        devices: vec![given.device.name.clone()],
        ipa,
        pa: start,
        size,
        access: given.raw.access.map_or(Access::RW, |access| Access { execute: false, ..access.value }),
        span: given.raw.name.span,
        bus_master: given.device.bus_master,
    })
}

/// Where the page of `block` is seen when the device's first block is to be seen at `ipa`.
fn moved(
    given: &Given<'_>,
    block: PaSpan,
    bytes: u64,
    ipa: crate::source::Spanned<u64>,
    problems: &mut Problems,
) -> Option<u64> {
    let first = given.device.registers.first()?.start.get();
    let name = &given.device.name;
    if ipa.value % bytes != first % bytes {
        let message = format!("device `{name}` cannot be seen at {}", show::address(ipa.value));
        let problem = Problem::new(Code::DeviceOffset, ipa.span, message);
        let right = (ipa.value / bytes * bytes).saturating_add(first % bytes);
        let why = format!("its registers are at offset {:#x} of their page", first % bytes);
        problems.add(problem.here(why).help(format!("use {}", show::address(right))));
        return None;
    }
    let offset = block.start.get().wrapping_sub(first);
    Some(ipa.value.wrapping_add(offset) / bytes * bytes)
}

fn continues(last: &Pages, next: &Pages) -> bool {
    let same_shift = last.ipa.wrapping_sub(last.pa) == next.ipa.wrapping_sub(next.pa);
    same_shift && last.access == next.access && next.ipa < last.ipa.saturating_add(last.size)
}

fn join(last: &mut Pages, next: &Pages) {
    for device in &next.devices {
        if !last.devices.contains(device) {
            last.devices.push(device.clone());
        }
    }
    last.bus_master |= next.bus_master;
    last.size = last.size.max(next.ipa + next.size - last.ipa);
}

/// Reports everything about devices that concerns more than one party; `el2` is what EL2 needs, where that is known.
pub(super) fn check(
    drafts: &[Draft<'_>],
    board: &Board,
    console: Option<&Console>,
    el2: Option<PaSpan>,
    problems: &mut Problems,
) {
    check_addresses(drafts, board, problems);
    let el2_blocks = el2_blocks(board, console);
    let log = LogPlace { board, drafts, blocks: &el2_blocks };
    check_owners(drafts, console, &log, problems);
    check_interrupts(drafts, &log, problems);
    check_pages(&log, el2, problems);
    dma::check_owners(drafts, board, el2, problems);
}

fn check_addresses(drafts: &[Draft<'_>], board: &Board, problems: &mut Problems) {
    let limit = 1_u64 << board.pa_range.bits();
    for (draft, pages) in drafts.iter().flat_map(|draft| draft.pages.iter().map(move |pages| (draft, pages))) {
        if pages.ipa.checked_add(pages.size).is_none_or(|end| end > limit) {
            let message =
                format!("device `{}` of partition `{}` is seen beyond its addresses", pages.name(), draft.name());
            let problem = Problem::new(Code::BeyondIpaSize, pages.span, message).here(show::address(pages.ipa));
            problems.add(problem.help(format!("it must end by {}", show::address(limit))));
        }
    }
}

fn given<'a, 'b>(drafts: &'b [Draft<'a>]) -> impl Iterator<Item = (&'b Draft<'a>, Given<'a>)> {
    drafts.iter().flat_map(|draft| draft.devices.iter().map(move |given| (draft, *given)))
}

fn check_owners(drafts: &[Draft<'_>], console: Option<&Console>, log: &LogPlace<'_>, problems: &mut Problems) {
    let mut owners: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
    for (draft, given) in given(drafts) {
        let (name, span) = (given.device.name.as_str(), given.raw.name.span);
        if console.is_some_and(|console| console.device == name) {
            let message = format!("device `{name}` of partition `{}` carries EL2's log", draft.name());
            let problem = Problem::new(Code::LogOwned, span, message).here("EL2's own");
            problems.add(problem.help(format!("{}, or leave this device out", log.other())));
        }
        if let Some((owner, first)) = owners.insert(name, (draft.name(), span)) {
            let message = match owner == draft.name() {
                true => format!("device `{name}` is given to partition `{owner}` twice"),
                false => format!("device `{name}` is given to partition `{owner}` and to partition `{}`", draft.name()),
            };
            let problem = Problem::new(Code::DeviceOwnedTwice, span, message).here("a device has one owner");
            problems.add(problem.label(first, format!("first given to `{owner}` here")));
        }
    }
}

fn check_interrupts(drafts: &[Draft<'_>], log: &LogPlace<'_>, problems: &mut Problems) {
    let mut owners: BTreeMap<u32, (&str, Given<'_>)> = BTreeMap::new();
    for (draft, given) in given(drafts) {
        for interrupt in &given.device.interrupts {
            let Some((owner, first)) = owners.insert(*interrupt, (draft.name(), given)) else { continue };
            let is_el2s =
                |given: &Given<'_>| given.device.registers.iter().any(|block| log.el2_beside(*block).is_some());
            if owner == draft.name() || first.device.name == given.device.name || is_el2s(&first) || is_el2s(&given) {
                // The same owner, or a device that no partition may have, which is reported.
                continue;
            }
            let (one, other) = (&first.device.name, &given.device.name);
            let message =
                format!("devices `{one}` and `{other}` share interrupt {interrupt} and have different owners");
            let problem = Problem::new(Code::InterruptOwnedTwice, given.raw.name.span, message);
            let problem = problem.here(format!("INTID {interrupt} for `{}`", draft.name()));
            let problem = problem.label(first.raw.name.span, format!("INTID {interrupt} for `{owner}`"));
            problems.add(problem.help(format!("give both to one partition, or neither to `{}`", draft.name())));
        }
    }
}

/// Who besides partitions lies on a page.
#[derive(Clone, Copy)]
enum Party<'a> {
    /// Something that EL2 uses.
    El2(&'a El2Block<'a>),
    /// A device that masters the bus and is given to nobody.
    Master(&'a Device),
    /// RAM.
    Ram,
    /// What firmware keeps.
    Kept(&'a CarveOut),
}

/// What EL2 uses itself, and where else its log could go.
struct LogPlace<'a> {
    board: &'a Board,
    drafts: &'a [Draft<'a>],
    blocks: &'a [El2Block<'a>],
}

impl<'a> LogPlace<'a> {
    /// What EL2 uses on the pages of `block`, with the coarsest granule of a partition.
    fn el2_beside(&self, block: PaSpan) -> Option<&'a El2Block<'a>> {
        let bytes = self.drafts.iter().map(|draft| draft.granule.bytes()).max().unwrap_or(Granule::K4.bytes());
        let whole = whole_pages(block, bytes);
        self.blocks.iter().find(|el2| el2.registers.overlaps(whole))
    }

    /// How to have the log on another UART: by name, where one would do.
    fn other(&self) -> String {
        let would_do = |console: &&Console| {
            let device = self.board.devices.iter().find(|device| device.name == console.device);
            let is_log = self.blocks.iter().any(|el2| el2.log.is_some_and(|log| log.name == console.device));
            let free = |block: &PaSpan| {
                let pages = self.drafts.iter().flat_map(|draft| &draft.pages);
                !pages.clone().any(|pages| pages.pa < block.end() && block.start.get() < pages.pa + pages.size)
            };
            !is_log && device.is_some_and(|device| device.registers.iter().all(free))
        };
        match self.board.consoles.iter().find(would_do) {
            Some(console) => format!("choose another UART for the log: `log = \"{}\"`", console.device),
            None => "choose another UART for the log with `log = \"..\"`".into(),
        }
    }
}

/// The pages of `bytes` around `block`.
fn whole_pages(block: PaSpan, bytes: u64) -> PaSpan {
    let start = block.start.get() / bytes * bytes;
    PaSpan { start: Pa::new(start), size: block.end().next_multiple_of(bytes) - start }
}

fn check_pages(log: &LogPlace<'_>, reserved: Option<PaSpan>, problems: &mut Problems) {
    let (drafts, board) = (log.drafts, log.board);
    let own = |draft: &'_ Draft<'_>| draft.pages.iter().filter(|pages| !pages.is_gic()).count();
    let mut claims = Vec::with_capacity(drafts.iter().map(own).sum());
    for draft in drafts {
        let own = draft.pages.iter().filter(|pages| !pages.is_gic());
        claims.extend(own.map(|pages| Claim { start: pages.pa, end: pages.pa + pages.size, who: (draft, pages) }));
    }
    let mut masters = Vec::new();
    for (block, party) in others(log) {
        let on_it = claims.iter().filter(|claim| claim.start < block.end() && block.start.get() < claim.end);
        for (draft, pages) in on_it.map(|claim| claim.who) {
            match party {
                Party::Master(device) => masters.push((draft, pages, device)),
                party => report(draft, pages, party, log, problems),
            }
        }
    }
    for (low, high) in overlaps(claims) {
        between(low.who, high.who, log, problems);
    }
    // One problem for all pages of a device, whatever number of bus masters lies there.
    masters.sort_by_key(|(_, pages, _)| (pages.span, pages.pa));
    let of_one = masters.chunk_by(|(_, one, _), (_, next, _)| (one.span, one.pa) == (next.span, next.pa));
    let shared = of_one.filter_map(|of_one| shared_with_masters(drafts, of_one, board, reserved));
    shared.for_each(|problem| problems.add(problem));
}

/// What besides the partitions' own devices lies somewhere. Each page of theirs is set against each of it.
fn others<'a>(log: &LogPlace<'a>) -> Vec<(PaSpan, Party<'a>)> {
    let board = log.board;
    let el2 = log.blocks.iter().map(|block| (block.registers, Party::El2(block)));
    let ram = board.ram.iter().map(|bank| (*bank, Party::Ram));
    let kept = board.carve_outs.iter().map(|kept| (kept.span, Party::Kept(kept)));
    let owned: std::collections::BTreeSet<_> = given(log.drafts).map(|(_, given)| given.device.name.as_str()).collect();
    let free = board.devices.iter().filter(|device| device.bus_master && !owned.contains(device.name.as_str()));
    let masters = free.flat_map(|device| device.registers.iter().map(move |block| (*block, Party::Master(device))));
    el2.chain(ram).chain(kept).chain(masters).collect()
}

/// Pages that a partition is given, and a bus master on them that it is not given.
type MasterOnPage<'a> = (&'a Draft<'a>, &'a Pages, &'a Device);

/// What EL2 uses itself: no partition may reach it.
fn el2_blocks<'a>(board: &'a Board, console: Option<&Console>) -> Vec<El2Block<'a>> {
    let frames = board.gic.frames().into_iter().map(|(_, block)| ("the interrupt controller", block));
    let power = board.power.registers.map(|block| ("the power registers", block));
    let others = frames.chain(power).map(|(what, registers)| El2Block { what: what.to_owned(), log: None, registers });
    let log = board.devices.iter().filter(|device| console.is_some_and(|console| console.device == device.name));
    let log = log.flat_map(|device| {
        let what = format!("EL2's log UART `{}`", device.name);
        device.registers.iter().map(move |block| El2Block { what: what.clone(), log: Some(device), registers: *block })
    });
    others.chain(log).collect()
}

/// Registers that EL2 uses itself.
struct El2Block<'a> {
    /// What messages call them.
    what: String,
    /// The UART that carries the log, if they are its.
    log: Option<&'a Device>,
    registers: PaSpan,
}

impl El2Block<'_> {
    /// Whether they are the log UART's, and that is a device of `pages`: which is reported as such.
    fn is_log_of(&self, pages: &Pages) -> bool {
        self.log.is_some_and(|log| pages.devices.contains(&log.name))
    }
}

fn report(draft: &Draft<'_>, pages: &Pages, party: Party<'_>, log: &LogPlace<'_>, problems: &mut Problems) {
    let problem = match party {
        // The log's own device has been reported as such.
        Party::El2(what) if what.is_log_of(pages) => return,
        Party::El2(what) => shared_with_el2(draft, pages, &what.what, what.log.is_some().then(|| log.other())),
        Party::Ram => shared_with_el2(draft, pages, "RAM", None),
        Party::Kept(kept) => shared_with_el2(draft, pages, &format!("carve-out `{}`", kept.name), None),
        Party::Master(_) => return,
    };
    problems.add(problem);
}

/// Reports pages that two partitions would have, where either could: not those that are EL2's.
fn between<'a>(
    (one, first): (&Draft<'a>, &Pages),
    (other, second): (&Draft<'a>, &Pages),
    log: &LogPlace<'_>,
    problems: &mut Problems,
) {
    let start = first.pa.max(second.pa);
    let shared = PaSpan { start: Pa::new(start), size: (first.pa + first.size).min(second.pa + second.size) - start };
    let is_el2s = log.el2_beside(shared).is_some();
    if one.name() != other.name() && first.devices != second.devices && !is_el2s {
        problems.add(shared_page((one, first), (other, second), shared));
    }
}

/// The devices of `draft` that lie on `shared`, but for those that `but` has, too, if there are others.
fn devices_on(draft: &Draft<'_>, shared: PaSpan, but: &Pages) -> String {
    let here = draft.devices.iter().filter(|given| {
        given.device.registers.iter().any(|block| whole_pages(*block, draft.granule.bytes()).overlaps(shared))
    });
    let all: Vec<_> = here.map(|given| given.device.name.clone()).collect();
    let own: Vec<_> = all.iter().filter(|name| !but.devices.contains(name)).cloned().collect();
    show::list(if own.is_empty() { &all } else { &own })
}

fn shared_page((one, first): (&Draft<'_>, &Pages), (other, second): (&Draft<'_>, &Pages), shared: PaSpan) -> Problem {
    let granule = one.granule.max(other.granule);
    let at = shared.start.get() / granule.bytes() * granule.bytes();
    let message = format!(
        "devices {} and {} lie on one {granule} page at {} and have different owners",
        devices_on(one, shared, second),
        devices_on(other, shared, first),
        show::address(at)
    );
    let problem =
        Problem::new(Code::SharedDevicePage, second.span, message).here(format!("owned by `{}`", other.name()));
    problem.label(first.span, format!("owned by `{}`", one.name())).help("give both to one partition")
}

fn shared_with_el2(draft: &Draft<'_>, pages: &Pages, what: &str, log: Option<String>) -> Problem {
    let message = format!("device `{}` of partition `{}` lies on a page with {what}", pages.name(), draft.name());
    let at = format!("its {} pages are {}", draft.granule, show::range(pages.pa, pages.size));
    let help = match log {
        Some(other) => format!("no partition may reach that: {other}"),
        None => "no partition may reach that".into(),
    };
    Problem::new(Code::SharedEl2Page, pages.span, message).here(at).help(help)
}

fn shared_with_masters(
    drafts: &[Draft<'_>],
    of_one: &[MasterOnPage<'_>],
    board: &Board,
    el2: Option<PaSpan>,
) -> Option<Problem> {
    let (draft, pages, _) = of_one.first()?;
    let mut names: Vec<_> = of_one.iter().map(|(.., device)| device.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let (verb, them) = if names.len() == 1 { ("masters", "it") } else { ("master", "them") };
    let names = show::list(&names);
    let message = format!(
        "device `{}` of partition `{}` lies on a page with {names}, which {verb} the bus",
        pages.name(),
        draft.name()
    );
    let at = format!("its {} pages are {}", draft.granule, show::range(pages.pa, pages.size));
    let reached = format!("whoever reaches the page reaches {them}");
    let index = drafts.iter().position(|other| other.name() == draft.name())?;
    let help = match dma::owner(drafts).filter(|owner| owner.name() != draft.name()) {
        Some(owner) => format!(
            "{reached}, and only one partition may be trusted with bus masters: give all of them to `{}`",
            owner.name()
        ),
        None => match dma::trust(drafts, index, board, el2) {
            needed if needed.is_empty() => format!("{reached}: give {them} to `{}` too", draft.name()),
            needed => format!("{reached}: give {them} to `{}` too, with {needed}", draft.name()),
        },
    };
    Some(Problem::new(Code::SharedBusMasterPage, pages.span, message).here(at).help(help))
}

/// Says which devices act on the whole board: tables cannot hold back what they do.
pub(super) fn remarks(drafts: &[Draft<'_>], problems: &mut Problems) {
    for (draft, given) in given(drafts).filter(|(_, given)| given.device.resets_board) {
        let message = format!(
            "device `{}` lets partition `{}` reset the whole board, and every partition with it",
            given.device.name,
            draft.name()
        );
        problems.add(Problem::new(Code::BoardReset, given.raw.name.span, message));
    }
}
