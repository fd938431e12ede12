//! A partition's image, fitted into its memory.

use septum_stage2::{Access, Granule};

use super::draft::Draft;
use super::payload::{Fetched, Fitted, View};
use crate::payload::{Elf, ElfSegment, LinuxImage, Payload};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;
use crate::source::Span;
use crate::system::Segment;

/// The alignment of an arm64 Image's base, in bytes (Linux's arm64 booting.rst).
const IMAGE_ALIGNMENT: u64 = 0x20_0000;

/// Fits what was fetched into `views`, the partition's memory by rising IPA; every problem is reported.
pub(super) fn fit(draft: &Draft<'_>, fetched: Fetched, views: &[View<'_>], problems: &mut Problems) -> Option<Fitted> {
    let before = problems.len();
    let fit = Fit { raw: draft.raw, views, span: draft.raw.image.as_ref()?.span };
    let mut fitted = match fetched.payload {
        Payload::Elf(elf) => {
            fit.elf_segments(&elf, problems);
            let pieces = elf.segments.into_iter();
            let pieces = pieces.map(|segment| Segment::new(segment.address, segment.bytes, segment.zero_bytes));
            Fitted { elf: Some(fetched.path), ..fit.fitted(elf.entry, pieces.collect()) }
        }
        Payload::LinuxImage(image) => fit.linux(image, problems)?,
        Payload::Raw(bytes) => fit.raw(bytes, problems)?,
    };
    fit.entry(&fitted, before, problems);
    if draft.raw.device_tree.is_none() && draft.raw.dtb.is_none() {
        fit.arguments(&mut fitted, problems);
    }
    (problems.len() == before).then_some(fitted)
}

struct Fit<'a> {
    raw: &'a Partition,
    views: &'a [View<'a>],
    span: Span,
}

impl Fit<'_> {
    fn fitted(&self, entry: u64, segments: Vec<Segment>) -> Fitted {
        let taken = segments.iter().map(|segment| (segment.ipa.get(), segment.end())).collect();
        Fitted { entry, segments, taken, ..Fitted::default() }
    }

    /// Reports what of an ELF lies outside, and what its memory does not allow, all at once each.
    fn elf_segments(&self, elf: &Elf, problems: &mut Problems) {
        let inside = |segment: &&ElfSegment| self.view(segment.address, segment.size()).is_some();
        let (inside, outside): (Vec<_>, Vec<_>) = elf.segments.iter().partition(inside);
        self.elf_access(&inside, elf.entry, problems);
        if outside.is_empty() {
            return;
        }
        let lie = if outside.len() == 1 { "lies" } else { "lie" };
        let ranges = outside.iter().map(|segment| show::range(segment.address, segment.size()));
        let message = format!("{} {lie} outside its memory", self.named(&outside));
        let problem = Problem::new(Code::SegmentOutside, self.span, message);
        let problem = problem.here(ranges.collect::<Vec<_>>().join(", "));
        let all = || elf.segments.iter();
        let start = all().map(|segment| segment.address).min().unwrap_or(0);
        let end = all().map(|segment| segment.address.saturating_add(segment.size())).max().unwrap_or(0);
        problems.add(match elf.position_independent {
            true => problem.help(format!(
                "it is position-independent (static-pie): link it with -no-pie, and to an address in {}",
                self.memory()
            )),
            false => self.outside(problem, start, end),
        });
    }

    /// `problem`, whose program takes `start` up to `end`, with what would be right.
    fn outside(&self, problem: Problem, start: u64, end: u64) -> Problem {
        let granule = self.raw.granule.map_or(Granule::K4, |granule| granule.value).bytes();
        let first = start / granule * granule;
        let takes = show::range(start, end - start);
        let pages = end.checked_next_multiple_of(granule).map(|end| format!(": {}", show::size(end - first)));
        let Some((view, identity)) = self.views.iter().find_map(|view| Some((view, view.unplaced?))) else {
            let pages = pages.unwrap_or_default();
            return problem.help(format!("{}; the program takes {takes}{pages}", self.memory()));
        };
        let range = show::range(view.ipa, view.size);
        let here = format!("`{}` lies at {range}, where there is room, and is seen there", view.name);
        problem.label(identity, here).help(format!(
            "the program takes {takes}: say `ipa = {}` beside `identity = true` if that is RAM and free, or link the \
             program to an address in {range}",
            show::address(first)
        ))
    }

    /// How messages call some segments.
    fn named(&self, segments: &[&ElfSegment]) -> String {
        let name = &self.raw.name.value;
        match segments {
            [one] => format!("the segment at {} of partition `{name}`", show::address(one.address)),
            several => format!("{} segments of partition `{name}`", several.len()),
        }
    }

    /// Reports those of `segments`, which lie inside, that need more than their memory allows.
    /// A memory that holds the entry must allow that, too.
    fn elf_access(&self, segments: &[&ElfSegment], entry: u64, problems: &mut Problems) {
        let view = |segment: &ElfSegment| self.view(segment.address, segment.size());
        let denied = |segment: &&ElfSegment| view(segment).is_some_and(|view| !view.access.includes(segment.access));
        let denied: Vec<&ElfSegment> = segments.iter().copied().filter(denied).collect();
        if denied.is_empty() {
            return;
        }
        let need = if denied.len() == 1 { "needs" } else { "need" };
        let message = format!("{} {need} more than its memory allows", self.named(&denied));
        let range =
            |segment: &&ElfSegment| format!("{} at {}", segment.access, show::range(segment.address, segment.size()));
        let needs: Vec<_> = denied.iter().map(range).collect();
        let mut problem = Problem::new(Code::SegmentAccess, self.span, message);
        problem = problem.here(format!("needs {}", needs.join(", ")));
        let mut right = Vec::new();
        for view in self.views {
            let of_view = denied.iter().filter(|segment| view.holds(segment.address, segment.size()));
            let Some(needed) = of_view.map(|segment| segment.access).reduce(both) else { continue };
            let needed = if view.holds(entry, 4) { both(needed, Access::RX) } else { needed };
            problem = problem.label(view.span, format!("`{}` allows {}", view.name, view.access));
            right.push(format!("`{}` access = \"{}\"", view.name, both(needed, view.access)));
        }
        problems.add(problem.help(format!("give {}", show::all_of(&right))));
    }

    fn view(&self, start: u64, size: u64) -> Option<&View<'_>> {
        self.views.iter().find(|view| view.holds(start, size))
    }

    /// An arm64 Image goes to `load`, or to the first 2 MiB boundary in executable memory, plus its text offset.
    fn linux(&self, image: LinuxImage, problems: &mut Problems) -> Option<Fitted> {
        let first = self.views.iter().find(|view| view.access.execute).or(self.views.first())?;
        // A text offset that wraps ends outside every memory, too.
        let chosen = first.ipa.next_multiple_of(IMAGE_ALIGNMENT).saturating_add(image.text_offset);
        let load = self.raw.load.map_or(chosen, |load| load.value);
        self.inside("the kernel", load, image.image_size, Access::RWX, problems);
        let segment = Segment::new(load, image.bytes, 0);
        let mut fitted = self.fitted(load, vec![segment]);
        fitted.taken = vec![(load, load.saturating_add(image.image_size))];
        Some(fitted)
    }

    fn raw(&self, bytes: Vec<u8>, problems: &mut Problems) -> Option<Fitted> {
        let entry = self.raw.entry?.value;
        let load = self.raw.load.map_or(entry, |load| load.value);
        self.inside("the image", load, bytes.len() as u64, Access::R, problems);
        Some(self.fitted(entry, vec![Segment::new(load, bytes, 0)]))
    }

    fn memory(&self) -> String {
        let views = self
            .views
            .iter()
            .map(|view| format!("`{}` {} {}", view.name, show::range(view.ipa, view.size), view.access));
        format!("its memory: {}", views.collect::<Vec<_>>().join(", "))
    }

    fn inside(&self, what: &str, start: u64, size: u64, needs: Access, problems: &mut Problems) {
        let Some(view) = self.view(start, size) else {
            let message = format!("{what} of partition `{}` lies outside its memory", self.raw.name.value);
            let problem = Problem::new(Code::SegmentOutside, self.span, message);
            let problem = problem.here(show::range(start, size));
            problems.add(self.outside(problem, start, start.saturating_add(size)));
            return;
        };
        if !view.access.includes(needs) {
            let message = format!("{what} of partition `{}` needs more than its memory allows", self.raw.name.value);
            let problem = Problem::new(Code::SegmentAccess, self.span, message);
            let problem = problem.here(format!("needs {needs} at {}", show::range(start, size)));
            let problem = problem.label(view.span, format!("`{}` allows {}", view.name, view.access));
            problems.add(problem.help(format!("give `{}` access = \"{}\"", view.name, both(needs, view.access))));
        }
    }

    /// Checks where it starts, when `before` problems of other partitions and places have been found.
    fn entry(&self, fitted: &Fitted, before: usize, problems: &mut Problems) {
        let entry = fitted.entry;
        let span = self.raw.entry.map_or(self.span, |entry| entry.span);
        let of_outside = |(start, end): &(u64, u64)| *start == entry || (*start..*end).contains(&entry);
        if fitted.taken.iter().filter(|(start, end)| self.view(*start, end - start).is_none()).any(of_outside) {
            // That piece has been reported, and its entry with it.
            return;
        }
        if !entry.is_multiple_of(4) {
            // ESR_ELx.EC 0b100010: a PC alignment fault, before the first instruction.
            let message = format!(
                "the entry {} of partition `{}` is no multiple of 4",
                show::address(entry),
                self.raw.name.value
            );
            let problem = Problem::new(Code::EntryOdd, span, message);
            problems.add(problem.help("AArch64 instructions lie at multiples of 4, and bit 0 does not choose T32"));
        }
        let Some(view) = self.view(entry, 4) else {
            let message = format!(
                "the entry {} of partition `{}` lies outside its memory",
                show::address(entry),
                self.raw.name.value
            );
            problems.add(Problem::new(Code::EntryOutside, span, message).help(self.memory()));
            return;
        };
        // What else its memory does not allow has been reported with what it should.
        let denied = |problem: &Problem| problem.code == Code::SegmentAccess;
        let reported = problems.iter().skip(before).filter(|problem| denied(problem));
        let reported = reported.flat_map(|problem| &problem.labels).any(|label| label.span == view.span);
        if !view.access.execute && !reported {
            let message =
                format!("the entry {} of partition `{}` is not executable", show::address(entry), self.raw.name.value);
            let problem = Problem::new(Code::EntryNotExecutable, span, message);
            let problem = problem.label(view.span, format!("`{}` allows {}", view.name, view.access));
            problems.add(problem.help(format!("give `{}` access = \"{}\"", view.name, both(Access::RX, view.access))));
        }
    }

    /// Puts the `args` string into memory: x0 is its IPA, x1 its length.
    fn arguments(&self, fitted: &mut Fitted, problems: &mut Problems) {
        let Some(args) = self.raw.args.as_ref().filter(|args| !args.value.is_empty()) else { return };
        match fitted.put(self.views, args.value.as_bytes().to_vec()) {
            Some(ipa) => fitted.arguments = [ipa, args.value.len() as u64, 0, 0],
            None => {
                let message = format!("no room for the arguments in the memory of partition `{}`", self.raw.name.value);
                let takes = format!("takes {} bytes", args.value.len());
                problems.add(Problem::new(Code::NoRoomInMemory, args.span, message).here(takes).help(self.memory()));
            }
        }
    }
}

fn both(one: Access, other: Access) -> Access {
    let (write, execute) = (one.write || other.write, one.execute || other.execute);
    Access { read: true, write, execute }
}
