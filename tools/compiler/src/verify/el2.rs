//! EL2's own roots: each window holds what septum_plan::space says and nothing else is mapped.
//!
//! That no partition's memory is among it follows together with [`super::sharing`]: everything that the run root maps
//! is shown to lie in EL2's memory or EL2's devices, and those are shown to be disjoint from what partitions reach.

use septum_plan::record::{OWNER_BOARD, OWNER_EL2};
use septum_plan::{PartitionRecord, RegionKind, RegionRecord, space};
use septum_stage2::stage1_walker::Stage1Walker;
use septum_stage2::{Access, Memory};

use super::range::Range;
use super::reach::{Reach, Reached};
use super::root::{CORES, DEVICES, LOADER, RAM, Root};
use super::violation::{Findings, Tables, Violation};
use super::{Context, devices};
use crate::el2_elf::PAGE;

/// What EL2's roots reach.
#[derive(Clone, Debug, Default)]
pub struct El2Reach {
    /// The run root.
    pub run: Reached,
    /// The boot root, the run root's part included.
    pub boot: Reached,
    /// Per partition: its loader root, the run root's part included.
    pub loaders: Vec<Reached>,
}

/// Walks all of EL2's roots.
pub(super) fn check(context: &Context<'_>, findings: &mut Findings) -> El2Reach {
    let block = context.reader.block();
    let run = walk(context, Tables::Run, block.run_root, findings);
    let boot = walk(context, Tables::Boot, block.boot_root, findings);
    check_run(context, &run, findings);
    check_boot(context, &run, &boot, findings);
    let mut loaders = Vec::new();
    for partition in context.plan.partitions() {
        let tables = Tables::Loader(context.plan.text(partition.name).to_owned());
        let loader = walk(context, tables.clone(), partition.loader_root, findings);
        check_loader(context, partition, &Root { tables, reached: &loader, run: &run }, findings);
        loaders.push(loader);
    }
    check_payload_owners(context, &loaders, findings);
    El2Reach { run, boot, loaders }
}

fn walk(context: &Context<'_>, tables: Tables, root: u64, findings: &mut Findings) -> Reached {
    let block = context.reader.block();
    let mut reached = Reached::default();
    match Stage1Walker::new(block.tcr, root, block.mair, context.pa_range) {
        Err(error) => findings.add(Violation::Register { tables, error }),
        Ok(walker) => {
            if let Err(refusal) = walker.leaves(&context.tables, context.budget(PAGE), &mut reached) {
                findings.add(Violation::Descriptor { tables, refusal });
            }
        }
    }
    reached
}

fn normal(input: u64, pa: u64, size: u64, access: Access) -> Reach {
    Reach { input, pa, size, access, memory: Memory::Normal }
}

fn check_run(context: &Context<'_>, run: &Reached, findings: &mut Findings) {
    let block = context.reader.block();
    let root = Root { tables: Tables::Run, reached: run, run };
    let plan = Range::new(space::PLAN_VA, block.sealed_bytes);
    let image = Range::new(space::IMAGE_VA, block.plan.saturating_sub(block.load).min(space::IMAGE_BYTES_MAX));
    let boot_page = Range::new(block.load, PAGE);
    root.check_exact("the boot page", normal(block.load, block.load, PAGE, Access::RX), findings);
    root.check_exact("the plan", normal(plan.start, block.plan, block.sealed_bytes, Access::R), findings);
    root.check_exact("EL2's first page", normal(space::IMAGE_VA, block.load, PAGE, Access::RX), findings);
    check_image(context, &root, image, findings);
    check_cores(context, &root, findings);
    devices::check(context, &root, findings);
    let mut windows = [boot_page, image, CORES, DEVICES, plan];
    windows.sort_by_key(|window| window.start);
    let mut done = 0;
    for window in windows {
        root.check_empty(Range { start: done, end: window.start }, findings);
        done = done.max(window.end);
    }
    root.check_empty(Range { start: done, end: u64::MAX }, findings);
}

/// Every part of EL2 is mapped at its place with its rights, and nothing else of its window is.
fn check_image(context: &Context<'_>, root: &Root<'_>, image: Range, findings: &mut Findings) {
    let block = context.reader.block();
    let mut parts = 0_u64;
    for region in parts_of_el2(context) {
        let va = region.pa.checked_sub(block.load).and_then(|offset| offset.checked_add(space::IMAGE_VA));
        let expected = normal(va.unwrap_or(0), region.pa, region.size, region.rights());
        if !image.contains(expected.inputs()) {
            root.refuse(expected, "is outside EL2's image", findings);
        }
        root.check_exact("a part of EL2", expected, findings);
        parts = parts.saturating_add(region.size);
    }
    if root.reached.within(image).map(|reach| reach.size).sum::<u64>() != parts {
        root.missing("EL2's image, and nothing else,", image.start, findings);
    }
}

/// The plan's records of EL2's text, read-only data and data.
pub(super) fn parts_of_el2<'a>(context: &'a Context<'a>) -> impl Iterator<Item = &'a RegionRecord> + 'a {
    context.plan.regions().iter().filter(|region| {
        let el2 = region.owner == OWNER_EL2 && RegionKind::from_code(region.kind) == Some(RegionKind::El2);
        el2 && region.access != 0
    })
}

/// Each core has its stack between unmapped pages, and its state and log ring, in memory behind the file that is no
/// other core's.
fn check_cores(context: &Context<'_>, root: &Root<'_>, findings: &mut Findings) {
    let block = context.reader.block();
    let memory = Range { start: block.load + block.image_bytes, end: block.load + block.memory_bytes };
    let state = (space::CORE_STATE_OFFSET, space::CORE_STATE_BYTES + space::CORE_RING_BYTES);
    let mut used = Vec::new();
    for index in 0..context.plan.cores().len() as u64 {
        let area = space::CORES_VA.saturating_add(index.saturating_mul(space::CORE_STRIDE));
        for (offset, size) in [(space::CORE_STACK_OFFSET, space::CORE_STACK_BYTES), state] {
            let Some(pa) = root.reached.pa_of(area + offset) else {
                root.missing("a core's memory", area + offset, findings);
                continue;
            };
            root.check_exact("a core's memory", normal(area + offset, pa, size, Access::RW), findings);
            used.push(Range::new(pa, size));
        }
    }
    let mapped: u64 = root.reached.within(CORES).map(|reach| reach.size).sum();
    used.sort_by_key(|range| range.start);
    let disjoint = used.windows(2).all(|pair| pair[0].end <= pair[1].start);
    let inside = used.iter().all(|range| memory.contains(*range));
    let total: u64 = used.iter().map(|range| range.end - range.start).sum();
    if !disjoint || !inside || mapped != total || memory.end - memory.start != total {
        root.missing("each core's own memory, and nothing else,", space::CORES_VA, findings);
    }
}

fn check_boot(context: &Context<'_>, run: &Reached, boot: &Reached, findings: &mut Findings) {
    let root = Root { tables: Tables::Boot, reached: boot, run };
    root.check_derived(findings);
    root.check_empty(Range { start: RAM.end, end: u64::MAX }, findings);
    for ram in context.plan.ram() {
        let whole = Range::new(ram.va, ram.size);
        let expected = normal(ram.va, ram.pa, ram.size, Access::R);
        if !RAM.contains(whole) || firmware(context).any(|range| range.overlaps(expected.outputs())) {
            root.refuse(expected, "is not RAM that EL2 may read", findings);
        }
        root.check_exact("RAM", expected, findings);
    }
    let mut release_pages = 0;
    for reach in boot.within(RAM).filter(|reach| reach.access != Access::R || reach.memory != Memory::Normal) {
        for page in release_pages_of(context, reach) {
            check_release_page(context, &root, page, findings);
            release_pages += 1;
        }
    }
    let recorded = context.plan.regions().iter().filter(|region| is_spin_table(region)).count();
    let mapped = |va| boot.find(va).is_some_and(|reach| reach.access == Access::RW && RAM.has(va));
    let releases = context.plan.cores().iter().map(|core| core.release_va).filter(|va| *va != 0);
    if recorded != release_pages || !releases.into_iter().all(mapped) {
        root.missing("each spin-table page, and nothing else,", RAM.start, findings);
    }
    let writable = |reach: &Reach| if reach.access.write { reach.size } else { 0 };
    let mapped: u64 = boot.within(RAM).map(|reach| reach.size - writable(&reach)).sum();
    if mapped != context.plan.ram().iter().fold(0_u64, |sum, ram| sum.saturating_add(ram.size)) {
        root.missing("RAM, and nothing else,", RAM.start, findings);
    }
}

/// Memory that firmware keeps.
fn firmware<'a>(context: &'a Context<'a>) -> impl Iterator<Item = Range> + 'a {
    let regions = context.plan.regions().iter();
    let carve_outs = regions.filter(|region| {
        region.owner == OWNER_BOARD && RegionKind::from_code(region.kind) == Some(RegionKind::CarveOut)
    });
    carve_outs.map(|region| Range::new(region.pa, region.size))
}

fn is_spin_table(region: &RegionRecord) -> bool {
    region.owner == OWNER_EL2 && RegionKind::from_code(region.kind) == Some(RegionKind::CarveOut)
}

/// The pages of `reach`: those of spin tables may follow each other. More than there are cores are no spin tables.
fn release_pages_of(context: &Context<'_>, reach: Reach) -> Vec<Reach> {
    let pages = reach.size / PAGE;
    if pages > context.plan.cores().len() as u64 {
        return vec![reach];
    }
    let page = |index| Reach { input: reach.input + index * PAGE, pa: reach.pa + index * PAGE, size: PAGE, ..reach };
    (0..pages).map(page).collect()
}

/// The only writable pages of the boot root that the run root lacks hold the cores' release addresses.
fn check_release_page(context: &Context<'_>, root: &Root<'_>, reach: Reach, findings: &mut Findings) {
    let used = context.plan.cores().iter().any(|core| core.release_va != 0 && reach.inputs().has(core.release_va));
    let mut regions = context.plan.regions().iter().filter(|region| is_spin_table(region));
    let recorded = regions.any(|region| Range::new(region.pa, region.size) == reach.outputs());
    let fits = reach.size == PAGE && reach.access == Access::RW && reach.memory == Memory::NonCacheable;
    let block = context.reader.block();
    let outside = !Range::new(block.load, block.memory_bytes).overlaps(reach.outputs());
    if !(used && recorded && fits && outside) {
        root.refuse(reach, "is no spin-table page", findings);
    }
}

/// Besides the run root, a loader root maps the partition's memory, each region whole, and as many pages of payload as it
/// has. That these are the right ones, [`super::segments`] shows by their seals, and that every memory has segments.
fn check_loader(context: &Context<'_>, partition: &PartitionRecord, root: &Root<'_>, findings: &mut Findings) {
    root.check_derived(findings);
    root.check_empty(RAM, findings);
    let mut mapped = 0_u64;
    for target in targets(context, partition) {
        root.check_exact("the partition's memory", target, findings);
        mapped = mapped.saturating_add(target.size);
    }
    let segments = context.plan.segments(partition).iter();
    let pages = segments.map(|segment| segment.file_bytes.div_ceil(PAGE)).fold(0, u64::saturating_add);
    let (mut writable, mut readable) = (0, 0);
    for reach in root.reached.within(LOADER) {
        match reach.access {
            Access::RW => writable += reach.size,
            Access::R if payloads(context).contains(reach.outputs()) => readable += reach.size,
            _ => root.refuse(reach, "is neither that partition's memory nor its payload", findings),
        }
        if reach.memory != Memory::Normal {
            root.refuse(reach, "is not mapped as memory", findings);
        }
    }
    if (writable, readable / PAGE) != (mapped, pages) {
        root.missing("the partition's memory and its payload, and nothing else,", LOADER.start, findings);
    }
}

/// What the loader root must map for the regions of the partition's segments, each once.
fn targets(context: &Context<'_>, partition: &PartitionRecord) -> Vec<Reach> {
    let regions = context.plan.regions_of(partition);
    let mut targets: Vec<Reach> = Vec::new();
    for segment in context.plan.segments(partition) {
        let inside = |region: &&RegionRecord| Range::new(region.ipa, region.size).contains(Range::new(segment.ipa, 1));
        let Some(region) = regions.iter().find(inside) else { continue };
        let va = segment.target_va.wrapping_sub(segment.ipa - region.ipa);
        let target = normal(va, region.pa, region.size, Access::RW);
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    targets
}

/// Where payloads lie: from the end of the sealed range to the end of the file.
fn payloads(context: &Context<'_>) -> Range {
    let block = context.reader.block();
    Range { start: block.plan + block.sealed_bytes, end: block.load + block.image_bytes }
}

/// No payload page is in two partitions' loader roots.
fn check_payload_owners(context: &Context<'_>, loaders: &[Reached], findings: &mut Findings) {
    let mut pages = Vec::new();
    for (loader, partition) in loaders.iter().zip(context.plan.partitions()) {
        let read_only = loader.within(LOADER).filter(|reach| reach.access == Access::R);
        pages.extend(read_only.map(|reach| (reach.outputs(), context.plan.text(partition.name))));
    }
    pages.sort_by_key(|(range, _)| range.start);
    for pair in pages.windows(2) {
        let ((first, one), (second, other)) = (pair[0], pair[1]);
        if first.overlaps(second) {
            let range = Range { start: second.start, end: first.end.min(second.end) };
            let name = |partition| format!("payload of partition `{partition}`");
            findings.add(Violation::Shared { range, first: name(one), second: name(other) });
        }
    }
}
