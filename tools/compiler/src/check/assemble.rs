//! The checked and placed parts, put together.

use septum_plan::RegionKind;
use septum_stage2::{Ipa, Pa};

use super::draft::{Draft, Payload};
use super::payload::{Fitted, View};
use super::reserve::{Placed, geometry};
use super::{devices, dma, fit, linux, tree};
use crate::board::{Board, Console};
use crate::problem::Problems;
use crate::raw::config::PhysicalTimer;
use crate::system::{self, Partition, Region, System};

/// Everything together; `None` has been reported.
pub(super) fn system(
    (config, config_name): (&str, String),
    board: &Board,
    console: Console,
    drafts: Vec<Draft<'_>>,
    placed: &Placed,
    problems: &mut Problems,
) -> Option<System> {
    let assemblies = drafts.iter().zip(&placed.memory).map(|(draft, places)| Assembly { draft, places, board });
    let bare = assemblies.enumerate().map(|(index, assembly)| assembly.bare(index, problems));
    let mut partitions: Vec<_> = bare.collect();
    super::console::number(&mut partitions);
    let fits = tree::judge(&drafts, board, &partitions, problems);
    dma::remarks(&drafts, &placed.memory, problems);
    devices::remarks(&drafts, problems);
    linux::remarks(&drafts, problems);
    let rest = partitions.iter_mut().zip(&placed.memory).zip(fits);
    for (mut draft, ((partition, places), fits)) in drafts.into_iter().zip(rest) {
        let payload = draft.payload.take()?;
        // Where a tree does not fit, what is put into memory by what it says would be wrong as well.
        if fits {
            Assembly { draft: &draft, places, board }.fill(partition, payload, problems);
        }
    }
    let (config, board, el2) = (config.to_owned(), board.clone(), placed.el2);
    Some(System { config, config_name, board, console, el2, partitions, remarks: Problems::default() })
}

/// The memory of a partition by rising IPA, where `places` says where each lies.
pub(super) fn views<'a>(draft: &Draft<'a>, places: &[u64]) -> Vec<View<'a>> {
    let view = |(memory, place): (&super::draft::Memory<'a>, &u64)| View {
        name: &memory.raw.name.value,
        ipa: memory.ipa.unwrap_or(*place),
        size: memory.size,
        access: memory.raw.access,
        span: memory.raw.name.span,
        unplaced: memory.raw.identity.filter(|_| memory.ipa.is_none()),
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
    /// Adds what `partition` runs; what is wrong with it is reported.
    fn fill(&self, partition: &mut Partition, payload: Payload, problems: &mut Problems) {
        let views = views(self.draft, self.places);
        let Some(fitted) = self.fitted(partition, payload, &views, problems) else { return };
        partition.entry = Ipa::new(fitted.entry);
        partition.segments = system::cover(&partition.regions, fitted.segments);
        partition.arguments = fitted.arguments;
        partition.elf = fitted.elf;
    }

    fn fitted(
        &self,
        partition: &Partition,
        payload: Payload,
        views: &[View<'_>],
        problems: &mut Problems,
    ) -> Option<Fitted> {
        let mut fitted = match payload {
            Payload::Linux(fetched) => return linux::place(self.draft, &fetched, self.board, partition, problems),
            Payload::Fitted(fitted) => fitted,
            Payload::Fetched(fetched) => fit::fit(self.draft, fetched, views, problems)?,
        };
        tree::add(self.draft, &mut fitted, views, self.board, partition, problems)?;
        Some(fitted)
    }

    /// The partition with all that it has, and nothing yet that it runs.
    fn bare(&self, index: usize, problems: &Problems) -> Partition {
        let mut interrupts: Vec<_> =
            self.draft.devices.iter().flat_map(|given| given.device.interrupts.iter().copied()).collect();
        interrupts.sort_unstable();
        interrupts.dedup();
        Partition {
            name: self.draft.name().into(),
            line: problems.sources.position(self.draft.raw.name.span).line,
            cpus: self.draft.cpus.clone(),
            // `cores::check_count` leaves at most `cores::VMIDS` partitions.
            vmid: index as u16 + 1,
            geometry: geometry(self.draft, self.board, self.places),
            regions: self.regions(problems),
            interrupts,
            entry: Ipa::new(0),
            arguments: [0; 4],
            segments: Vec::new(),
            emulated: self.draft.emulated.clone(),
            cpu_interface: self.draft.cpu_interface,
            elf: None,
            trap_physical_timer: self.draft.raw.physical_timer == PhysicalTimer::Trapped,
        }
    }

    fn regions(&self, problems: &Problems) -> Vec<Region> {
        let line = |span| problems.sources.position(span).line;
        let memory = self.draft.memory.iter().zip(self.places).map(|(memory, place)| Region {
            name: memory.raw.name.value.clone(),
            devices: Vec::new(),
            kind: RegionKind::Memory,
            ipa: Ipa::new(memory.ipa.unwrap_or(*place)),
            pa: Pa::new(*place),
            size: memory.size,
            access: memory.raw.access,
            keep: memory.raw.keep,
            line: line(memory.raw.name.span),
            bus_master: false,
        });
        let pages = self.draft.pages.iter().map(|pages| Region {
            name: pages.name(),
            devices: pages.devices.clone(),
            kind: RegionKind::Device,
            ipa: Ipa::new(pages.ipa),
            pa: Pa::new(pages.pa),
            size: pages.size,
            access: pages.access,
            keep: false,
            line: line(pages.span),
            bus_master: pages.bus_master,
        });
        let mut regions: Vec<_> = memory.chain(pages).collect();
        regions.sort_by_key(|region| region.ipa);
        regions
    }
}
