//! What EL2 may see: the mappings of its run, boot and loader roots (windows: septum_plan::space).

use septum_plan::{RegionKind, space};
use septum_stage2::stage1::Mapping;
use septum_stage2::{Access, Attributes, Ipa, Memory, Pa, Va};

use super::BuildError;
use super::devices::{Devices, Frame};
use super::layout::Layout;
use crate::board::{Board, Core, PaSpan};
use crate::el2_elf::{El2, PAGE};
use crate::system::{Partition, Region, System};

const GIB: u64 = 1 << 30;

/// All roots' mappings, each list by rising address.
#[derive(Clone, Debug, Default)]
pub struct El2Space {
    /// Mapped always.
    pub run: Vec<Mapping>,
    /// Mapped besides while EL2 starts.
    pub boot: Vec<Mapping>,
    /// RAM as the boot root maps it.
    pub ram: Vec<Ram>,
    /// The pages of all spin-table release addresses.
    pub release_pages: Vec<PaSpan>,
    /// Per core: where the boot root maps its spin-table release address, or 0.
    pub release: Vec<u64>,
    /// Per partition: what is mapped besides while it is loaded.
    pub loaders: Vec<Loader>,
}

/// A piece of RAM in the boot root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ram {
    /// Where it is mapped.
    pub va: u64,
    /// Where and how long it is, a multiple of [`PAGE`].
    pub span: PaSpan,
}

/// One partition's loader root.
#[derive(Clone, Debug, Default)]
pub struct Loader {
    /// The partition's memory, writable, and its payload, read-only.
    pub mappings: Vec<Mapping>,
    /// Per segment: where its bytes are, if it has any, and where they go.
    pub segments: Vec<(u64, u64)>,
}

impl El2Space {
    /// Decides all mappings.
    ///
    /// # Errors
    /// Where a window is too small, or the load address is inside one.
    pub fn new(system: &System, el2: &El2, devices: &Devices, layout: &Layout) -> Result<Self, BuildError> {
        let mut space = Self { run: run(system, el2, devices, layout)?, ..Self::default() };
        space.add_boot(&system.board).ok_or(BuildError::RamWindow)?;
        for (index, partition) in system.partitions.iter().enumerate() {
            space.loaders.push(loader(system, partition, index, layout)?);
        }
        Ok(space)
    }

    /// RAM without carve-outs and spin-table pages: firmware's memory must not be touched, not even speculatively, and
    /// a spin-table page is mapped with another memory type, because its readers have their caches off.
    fn add_boot(&mut self, board: &Board) -> Option<()> {
        let pages = release_pages(board);
        let mut holes: Vec<_> = board.carve_outs.iter().map(|carve_out| outer_pages(carve_out.span)).collect();
        holes.extend(pages.iter().map(|page| (*page, page + PAGE)));
        holes.sort_unstable();
        let mut window = ram_window();
        for bank in &board.ram {
            let base = window.take(*bank)?;
            for (start, end) in without(inner_pages(*bank), &holes) {
                let va = base + (start - bank.start.get());
                self.ram.push(Ram { va, span: PaSpan { start: Pa::new(start), size: end - start } });
                self.boot.push(normal(va, start, end - start, Access::R));
            }
        }
        let bases = pages.iter().map(|page| self.add_release_page(&mut window, *page)).collect::<Option<Vec<_>>>()?;
        self.release = board.cores.iter().map(|core| release_va(core, &pages, &bases)).collect();
        Some(())
    }

    fn add_release_page(&mut self, window: &mut Window, page: u64) -> Option<u64> {
        let (start, attributes) = (Pa::new(page), Attributes { access: Access::RW, memory: Memory::NonCacheable });
        let span = PaSpan { start, size: PAGE };
        let va = window.take(span)?;
        self.release_pages.push(span);
        self.boot.push(Mapping { va: Va::new(va), pa: start, size: PAGE, attributes });
        Some(va)
    }
}

/// The pages of all spin-table release addresses, each once.
fn release_pages(board: &Board) -> Vec<u64> {
    let mut pages: Vec<u64> = board.cores.iter().filter_map(|c| c.release).map(|pa| pa.get() & !(PAGE - 1)).collect();
    pages.sort_unstable();
    pages.dedup();
    pages
}

fn release_va(core: &Core, pages: &[u64], bases: &[u64]) -> u64 {
    let Some(release) = core.release.map(Pa::get) else { return 0 };
    let page = pages.iter().zip(bases).find(|(page, _)| release & !(PAGE - 1) == **page);
    page.map_or(0, |(page, base)| base + (release - page))
}

fn run(system: &System, el2: &El2, devices: &Devices, layout: &Layout) -> Result<Vec<Mapping>, BuildError> {
    let load = system.board.load.get();
    let mut mappings = vec![boot_page(load)?];
    mappings.extend(
        el2.parts.iter().map(|part| normal(space::IMAGE_VA + part.offset, load + part.offset, part.size, part.access)),
    );
    mappings.push(normal(space::PLAN_VA, load + layout.plan, layout.sealed_bytes, Access::R));
    for index in 0..system.board.cores.len() as u64 {
        mappings.extend(core(index, load + layout.core(index)));
    }
    mappings.extend(devices.frames.iter().map(device));
    mappings.sort_by_key(|mapping| mapping.va);
    Ok(mappings)
}

/// The image's first page at its physical address: the code that turns the MMU on runs there before and after.
fn boot_page(load: u64) -> Result<Mapping, BuildError> {
    if !can_start_at(load) {
        return Err(BuildError::LoadAddress(Pa::new(load)));
    }
    Ok(normal(load, load, PAGE, Access::RX))
}

/// Where no image can be loaded below [`LOAD_END`], as virtual addresses of EL2's own.
pub const OWN: std::ops::Range<u64> = space::IMAGE_VA..space::PLAN_VA + space::PLAN_BYTES_MAX;
/// End (exclusive) of the addresses at which an image can be loaded.
pub const LOAD_END: u64 = space::RAM_VA;

/// Whether an image at `load` can turn the MMU on there: EL2 uses that virtual address for nothing else.
pub fn can_start_at(load: u64) -> bool {
    load < LOAD_END && !OWN.contains(&load)
}

/// GiB of virtual addresses for RAM and for the pages of spin tables.
pub const RAM_GIBS: u64 = (space::LOADER_VA - space::RAM_VA) / GIB;

fn ram_window() -> Window {
    Window::new(space::RAM_VA, space::LOADER_VA)
}

/// How many of `spans`, from the first on, the boot root has room for.
pub fn ram_that_fits(spans: &[PaSpan]) -> usize {
    let mut window = ram_window();
    spans.iter().take_while(|span| window.take(**span).is_some()).count()
}

fn core(index: u64, pa: u64) -> [Mapping; 2] {
    let area = space::CORES_VA + index * space::CORE_STRIDE;
    let state_bytes = space::CORE_STATE_BYTES + space::CORE_RING_BYTES;
    [
        normal(area + space::CORE_STACK_OFFSET, pa, space::CORE_STACK_BYTES, Access::RW),
        normal(area + space::CORE_STATE_OFFSET, pa + space::CORE_STACK_BYTES, state_bytes, Access::RW),
    ]
}

fn normal(va: u64, pa: u64, size: u64, access: Access) -> Mapping {
    let attributes = Attributes { access, memory: Memory::Normal };
    Mapping { va: Va::new(va), pa: Pa::new(pa), size, attributes }
}

fn device(frame: &Frame) -> Mapping {
    let attributes = Attributes { access: Access::RW, memory: Memory::Device };
    Mapping { va: frame.va, pa: frame.pa, size: frame.size, attributes }
}

fn loader(system: &System, partition: &Partition, index: usize, layout: &Layout) -> Result<Loader, BuildError> {
    let (offset, size) = layout.payload_pages[index];
    let payload = PaSpan { start: Pa::new(system.board.load.get() + offset), size };
    let memory: Vec<_> = partition.regions.iter().filter(|region| region.kind == RegionKind::Memory).collect();
    let mut spans: Vec<_> = memory.iter().map(|region| PaSpan { start: region.pa, size: region.size }).collect();
    spans.extend((size != 0).then_some(payload));
    let slots = Slots::new(&spans, LOADER_SLOTS).ok_or_else(|| BuildError::LoaderWindow(partition.name.clone()))?;
    let mut loader = Loader::default();
    for span in spans {
        let access = if span == payload { Access::R } else { Access::RW };
        loader.mappings.push(normal(slots.va(span.start), span.start.get(), span.size, access));
    }
    loader.mappings.sort_by_key(|mapping| mapping.va);
    for (segment, from) in partition.segments.iter().zip(&layout.payloads[index]) {
        let inside = |region: &&&Region| (region.ipa..Ipa::new(region.ipa.get() + region.size)).contains(&segment.ipa);
        let region = memory.iter().find(inside).ok_or_else(|| BuildError::SegmentOutside(partition.name.clone()))?;
        let source = if segment.bytes.is_empty() { 0 } else { slots.va(payload.start) + (from - offset) };
        loader.segments.push((source, slots.va(region.pa) + (segment.ipa.get() - region.ipa.get())));
    }
    Ok(loader)
}

/// Slots of the loader roots' window.
const LOADER_SLOTS: u64 = ((1 << space::VA_BITS) - space::LOADER_VA) / GIB;

/// The GiB of physical memory that a loader root shows, each in a slot of its window: memory of one GiB shares a table.
struct Slots(Vec<u64>);

impl Slots {
    /// A slot for each GiB that `spans` touch, by rising address; `None` if they are more than `most`.
    fn new(spans: &[PaSpan], most: u64) -> Option<Self> {
        let gibs = |span: &PaSpan| span.start.get() / GIB..=(span.end() - 1) / GIB;
        if spans.iter().any(|span| gibs(span).end() - gibs(span).start() >= most) {
            return None;
        }
        let mut all: Vec<u64> = spans.iter().flat_map(gibs).collect();
        all.sort_unstable();
        all.dedup();
        (all.len() as u64 <= most).then_some(Self(all))
    }

    /// Where `pa`, which is in one of them, is mapped.
    fn va(&self, pa: Pa) -> u64 {
        let slot = self.0.partition_point(|gib| *gib < pa.get() / GIB) as u64;
        space::LOADER_VA + slot * GIB + pa.get() % GIB
    }
}

/// A window handed out in slots of whole GiB, each with the same offset into its GiB as its physical memory, so that
/// the largest blocks fit.
struct Window {
    next: u64,
    end: u64,
}

impl Window {
    const fn new(start: u64, end: u64) -> Self {
        Self { next: start, end }
    }

    fn take(&mut self, span: PaSpan) -> Option<u64> {
        let va = self.next + span.start.get() % GIB;
        let end = va.checked_add(span.size)?.checked_next_multiple_of(GIB)?;
        self.next = end;
        (end <= self.end).then_some(va)
    }
}

fn outer_pages(span: PaSpan) -> (u64, u64) {
    let end = span.start.get().saturating_add(span.size);
    (span.start.get() & !(PAGE - 1), end.saturating_add(PAGE - 1) & !(PAGE - 1))
}

fn inner_pages(span: PaSpan) -> (u64, u64) {
    let end = span.start.get().saturating_add(span.size);
    (span.start.get().next_multiple_of(PAGE), end & !(PAGE - 1))
}

/// `[start..end)` without `holes`, which are sorted.
fn without((start, end): (u64, u64), holes: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut pieces = Vec::new();
    let mut from = start;
    for (hole_start, hole_end) in holes {
        if *hole_start > from && from < end {
            pieces.push((from, end.min(*hole_start)));
        }
        from = from.max(*hole_end);
    }
    if from < end {
        pieces.push((from, end));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_cut_out_wherever_they_lie() {
        assert_eq!(without((0, 100), &[]), [(0, 100)]);
        assert_eq!(without((0, 100), &[(0, 10), (20, 30), (25, 40), (90, 200)]), [(10, 20), (40, 90)]);
        assert_eq!(without((50, 100), &[(0, 10), (60, 61), (300, 400)]), [(50, 60), (61, 100)]);
        assert_eq!(without((50, 100), &[(0, 100)]), []);
        assert_eq!(without((50, 100), &[(200, 300)]), [(50, 100)]);
    }

    #[test]
    fn a_slot_keeps_the_offset_into_its_gib() {
        let mut window = Window::new(64 * GIB, 68 * GIB);
        let span = |start, size| PaSpan { start: Pa::new(start), size };
        assert_eq!(window.take(span(0x4020_0000, 0x1000)), Some(64 * GIB + 0x20_0000));
        assert_eq!(window.take(span(0x7fff_f000, 0x2000)), Some(65 * GIB + 0x3fff_f000));
        assert_eq!(window.take(span(0, GIB)), Some(67 * GIB));
        assert_eq!(window.take(span(0, 1)), None);
    }

    #[test]
    fn memory_of_one_gib_shares_a_slot_and_what_crosses_gibs_stays_whole() {
        let span = |start, size| PaSpan { start: Pa::new(start), size };
        let spans = [span(0x1_4000_1000, 0x1000), span(0x7fff_f000, 0x2000), span(0x1_7000_0000, 0x1000)];
        let Some(slots) = Slots::new(&spans, 3) else { panic!("no room") };
        let va = |pa| slots.va(Pa::new(pa)) - space::LOADER_VA;
        assert_eq!((va(0x7fff_f000), va(0x8000_0000)), (0x3fff_f000, GIB));
        assert_eq!((va(0x1_4000_1000), va(0x1_7000_0000)), (2 * GIB + 0x1000, 2 * GIB + 0x3000_0000));
        assert!(Slots::new(&spans, 2).is_none());
        assert!(Slots::new(&[span(0, u64::MAX)], 256).is_none());
    }
}
