//! What the plan says twice, or says and its tables show: each fact the same everywhere.

use septum_plan::frames::V2_CORES_MAX;
use septum_plan::record::{OWNER_BOARD, OWNER_EL2};
use septum_plan::{BootBlock, CoreStart, GicVersion, RegionKind, RegionRecord, boot};
use septum_stage2::walker::Walker;

use super::Context;
use super::range::Range;
use super::violation::{Findings, Violation};
use crate::format::header;

/// PS, bits 18:16 of VTCR_EL2 and of TCR_EL2.
const fn physical_size(control: u64) -> u8 {
    (control >> 16) as u8 & 0b111
}

/// Checks everything that takes no walk.
pub(super) fn check(context: &Context<'_>, findings: &mut Findings) {
    let facts = [
        ("the header's granules are not those of the tables", granules_agree(context)),
        ("the physical size is not the same in PARange, TCR_EL2 and every VTCR_EL2", sizes_agree(context)),
        ("release addresses and the way to start cores do not go together", releases_agree(context)),
        ("EL2's regions are not its memory", el2_agrees(context)),
        ("there are more cores than the interrupt controller has interfaces", cores_have_interfaces(context)),
        ("the Image header's text_offset leads from no 2 MiB boundary", text_offset_agrees(context)),
        ("EL2's own code or data is damaged (seal)", el2_is_intact(context)),
    ];
    for (fact, _) in facts.into_iter().filter(|(_, agree)| !agree) {
        findings.add(Violation::Facts(fact));
    }
    check_places(context, findings);
}

/// TG0, bits 15:14 of VTCR_EL2, by granule: EL2's own tables use 4 KiB.
fn granules_agree(context: &Context<'_>) -> bool {
    let bit = |granule| match granule {
        0x1000 => 1,
        0x4000 => 2,
        0x1_0000 => 4,
        _ => 0,
    };
    let partitions = context.plan.partitions().iter();
    let walkers = partitions.filter_map(|record| Walker::new(record.vtcr, record.vttbr, context.pa_range).ok());
    let used = walkers.fold(1, |used, walker| used | bit(walker.granule_bytes()));
    context.plan.header().granules == used
}

fn sizes_agree(context: &Context<'_>) -> bool {
    let header = context.plan.header();
    let mut controls = context.plan.partitions().iter().map(|partition| partition.vtcr).chain([header.tcr]);
    controls.all(|control| physical_size(control) == header.pa_range)
}

/// Every core has a release address of its own where cores wait in a spin table, and none has elsewhere.
fn releases_agree(context: &Context<'_>) -> bool {
    let mut releases: Vec<u64> = context.plan.cores().iter().map(|core| core.release_va).collect();
    if context.plan.core_start() != CoreStart::SpinTable {
        return releases.iter().all(|release| *release == 0);
    }
    releases.sort_unstable();
    releases.iter().all(|release| *release != 0 && release.is_multiple_of(8))
        && releases.windows(2).all(|pair| pair[0] != pair[1])
}

fn cores_have_interfaces(context: &Context<'_>) -> bool {
    context.plan.gic() != GicVersion::V2 || context.plan.cores().len() <= V2_CORES_MAX
}

/// One of EL2's regions is all of its memory.
fn el2_agrees(context: &Context<'_>) -> bool {
    let block = context.reader.block();
    let regions = context.plan.regions().iter();
    let mut whole =
        regions.filter(|region| region.owner == OWNER_EL2 && is(region, RegionKind::El2) && region.access == 0);
    let agrees = whole.next().is_some_and(|region| (region.pa, region.size) == (block.load, block.memory_bytes));
    agrees && whole.next().is_none()
}

fn text_offset_agrees(context: &Context<'_>) -> bool {
    let base =
        header::text_offset(context.reader.image()).and_then(|offset| context.reader.block().load.checked_sub(offset));
    base.is_some_and(|base| base.is_multiple_of(header::ALIGNMENT))
}

fn el2_is_intact(context: &Context<'_>) -> bool {
    const _: () = assert!((boot::OFFSET + size_of::<BootBlock>()).is_multiple_of(8));
    let block = context.reader.block();
    let bytes = context.reader.at(block.load, block.plan - block.load);
    bytes.is_some_and(|bytes| boot::el2_seal(bytes) == context.plan.header().el2_seal)
}

/// RAM that firmware leaves, in pieces that do not touch, by rising address.
pub(super) fn ram(context: &Context<'_>) -> Vec<Range> {
    let mut pieces: Vec<_> = context.plan.ram().iter().map(|ram| Range::new(ram.pa, ram.size)).collect();
    pieces.sort_by_key(|piece| piece.start);
    pieces.dedup_by(|next, done| {
        let joins = done.end >= next.start;
        done.end = if joins { done.end.max(next.end) } else { done.end };
        joins
    });
    pieces
}

/// Memory is in RAM, and the board's devices are not.
fn check_places(context: &Context<'_>, findings: &mut Findings) {
    let ram = ram(context);
    let within = |range: Range| {
        let after = ram.partition_point(|piece| piece.start <= range.start);
        after.checked_sub(1).and_then(|index| ram.get(index)).is_some_and(|piece| piece.contains(range))
    };
    let touches = |range: Range| {
        let first = ram.partition_point(|piece| piece.end <= range.start);
        ram.get(first).is_some_and(|piece| piece.overlaps(range))
    };
    for region in context.plan.regions() {
        let range = Range::new(region.pa, region.size);
        let fits = match RegionKind::from_code(region.kind) {
            Some(RegionKind::Memory | RegionKind::Channel | RegionKind::El2) => within(range),
            Some(RegionKind::Device) => region.owner != OWNER_BOARD || !touches(range),
            _ => true,
        };
        if !fits {
            let region = context.plan.text(region.name).to_owned();
            findings.add(Violation::Place { region, range });
        }
    }
}

fn is(region: &RegionRecord, kind: RegionKind) -> bool {
    RegionKind::from_code(region.kind) == Some(kind)
}
