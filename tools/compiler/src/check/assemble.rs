//! The checked and placed parts, put together.

use septum_plan::RegionKind;
use septum_stage2::{Ipa, Pa};

use super::draft::{Draft, Payload};
use super::image::{self, Fitted, View};
use super::reserve::{Placed, geometry};
use crate::board::{Board, Console};
use crate::device_tree::{self, Chosen, DeviceTreeError};
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::{DeviceTree, PhysicalTimer};
use crate::source::Spanned;
use crate::system::{Partition, Region, Segment, System};

/// Everything together; `None` has been reported.
pub(super) fn system(
    config: &str,
    board: &Board,
    console: Console,
    drafts: Vec<Draft<'_>>,
    placed: &Placed,
    problems: &mut Problems,
) -> Option<System> {
    let mut partitions = Vec::new();
    for ((index, mut draft), places) in drafts.into_iter().enumerate().zip(&placed.memory) {
        let payload = draft.payload.take()?;
        partitions.push(Assembly { draft: &draft, places, board }.partition(index, payload, problems)?);
    }
    Some(System { config: config.into(), board: board.clone(), console, el2: placed.el2, partitions })
}

/// The memory of a partition by rising IPA, where `places` says where each lies.
pub(super) fn views<'a>(draft: &Draft<'a>, places: &[u64]) -> Vec<View<'a>> {
    let view = |(memory, place): (&super::draft::Memory<'a>, &u64)| View {
        name: &memory.raw.name.value,
        ipa: memory.ipa.unwrap_or(*place),
        size: memory.size,
        access: memory.raw.access,
        span: memory.raw.name.span,
    };
    let mut views: Vec<_> = draft.memory.iter().zip(places).map(view).collect();
    views.sort_by_key(|view| view.ipa);
    views
}

struct Assembly<'a> {
    draft: &'a Draft<'a>,
    places: &'a [u64],
    board: &'a Board,
}

impl Assembly<'_> {
    fn partition(&self, index: usize, payload: Payload, problems: &mut Problems) -> Option<Partition> {
        let views = views(self.draft, self.places);
        let mut fitted = match payload {
            Payload::Fitted(fitted) => fitted,
            Payload::Fetched(fetched) => image::fit(self.draft, fetched, &views, problems)?,
        };
        let mut partition = self.bare(index, &fitted, problems);
        if let Some(wanted) = self.draft.raw.device_tree {
            self.add_device_tree(&mut fitted, wanted, &partition, &views, problems)?;
        }
        self.add_zeroes(&mut fitted, &views);
        fitted.segments.sort_by_key(|segment| segment.ipa);
        partition.segments = fitted.segments;
        partition.arguments = fitted.arguments;
        Some(partition)
    }

    fn bare(&self, index: usize, fitted: &Fitted, problems: &Problems) -> Partition {
        let mut interrupts: Vec<_> =
            self.draft.devices.iter().flat_map(|given| given.device.interrupts.iter().copied()).collect();
        interrupts.sort_unstable();
        interrupts.dedup();
        Partition {
            name: self.draft.name().into(),
            line: problems.sources.position(self.draft.raw.name.span).line,
            cpus: self.draft.cpus.clone(),
            vmid: index as u16 + 1,
            geometry: geometry(self.draft, self.board, self.places),
            regions: self.regions(problems),
            interrupts,
            entry: Ipa::new(fitted.entry),
            arguments: fitted.arguments,
            segments: Vec::new(),
            gic: self.draft.gic,
            console: None,
            elf: fitted.elf.clone(),
            trap_physical_timer: self.draft.raw.physical_timer == PhysicalTimer::Trapped,
        }
    }

    fn regions(&self, problems: &Problems) -> Vec<Region> {
        let line = |span| problems.sources.position(span).line;
        let memory = self.draft.memory.iter().zip(self.places).map(|(memory, place)| Region {
            name: memory.raw.name.value.clone(),
            kind: RegionKind::Memory,
            ipa: Ipa::new(memory.ipa.unwrap_or(*place)),
            pa: Pa::new(*place),
            size: memory.size,
            access: memory.raw.access,
            line: line(memory.raw.name.span),
        });
        let pages = self.draft.pages.iter().map(|pages| Region {
            name: pages.name.clone(),
            kind: RegionKind::Device,
            ipa: Ipa::new(pages.ipa),
            pa: Pa::new(pages.pa),
            size: pages.size,
            access: pages.access,
            line: line(pages.span),
        });
        let mut regions: Vec<_> = memory.chain(pages).collect();
        regions.sort_by_key(|region| region.ipa);
        regions
    }

    /// The generated tree; `args` become the guest's boot arguments, and x0 the tree's IPA.
    fn add_device_tree(
        &self,
        fitted: &mut Fitted,
        wanted: Spanned<DeviceTree>,
        partition: &Partition,
        views: &[View<'_>],
        problems: &mut Problems,
    ) -> Option<()> {
        let bootargs = self.draft.raw.args.as_ref().map(|args| args.value.clone());
        let tree = device_tree::generate(self.board, partition, &Chosen { bootargs, initrd: None });
        let tree = tree.map_err(|error| problems.add(no_tree(wanted, &error))).ok()?;
        let ipa = match wanted.value.ipa {
            Some(ipa) => fixed(fitted, views, ipa, tree),
            None => image::put(fitted, views, tree),
        };
        let Some(ipa) = ipa else {
            let message = format!("no room for the device tree in the memory of partition `{}`", self.draft.name());
            problems.add(
                Problem::new(Code::NoRoomInMemory, wanted.span, message).help("leave `ipa` out, or give more memory"),
            );
            return None;
        };
        fitted.arguments = [ipa, 0, 0, 0];
        Some(())
    }

    /// Zeroes for what nothing is loaded into, where the configuration asks for them.
    fn add_zeroes(&self, fitted: &mut Fitted, views: &[View<'_>]) {
        let asked = |view: &&View<'_>| {
            self.draft.memory.iter().any(|memory| memory.raw.zero && memory.raw.name.span == view.span)
        };
        let end = |segment: &Segment| segment.ipa.get() + segment.bytes.len() as u64 + segment.zero_bytes;
        let mut used: Vec<_> = fitted.segments.iter().map(|segment| (segment.ipa.get(), end(segment))).collect();
        used.sort_unstable();
        for view in views.iter().filter(asked) {
            let mut start = view.ipa;
            let stop = view.ipa + view.size;
            for (first, last) in used.iter().copied().filter(|(first, last)| *first < stop && view.ipa < *last) {
                fitted.segments.extend(zeroes(start, first));
                start = last;
            }
            fitted.segments.extend(zeroes(start, stop));
        }
    }
}

fn zeroes(start: u64, end: u64) -> Option<Segment> {
    let zero_bytes = end.checked_sub(start).filter(|bytes| *bytes > 0)?;
    Some(Segment { ipa: Ipa::new(start), bytes: Vec::new(), zero_bytes })
}

fn fixed(fitted: &mut Fitted, views: &[View<'_>], ipa: u64, bytes: Vec<u8>) -> Option<u64> {
    let end = ipa.checked_add(bytes.len() as u64)?;
    let inside = views.iter().any(|view| view.ipa <= ipa && end <= view.ipa + view.size);
    let clear = fitted.taken.iter().all(|(first, last)| end <= *first || *last <= ipa);
    (inside && clear && ipa.is_multiple_of(8)).then(|| image::add(fitted, ipa, bytes))?;
    Some(ipa)
}

fn no_tree(wanted: Spanned<DeviceTree>, error: &DeviceTreeError) -> Problem {
    Problem::new(Code::NoDeviceTree, wanted.span, "no device tree can be made").here(error.to_string())
}
