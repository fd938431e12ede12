//! The segments: what they hold is intact, lies where the plan says and goes where the plan says; and they say of every
//! byte of a partition's memory what it holds when the partition starts.

use septum_plan::{PartitionRecord, RegionKind, RegionRecord, SegmentRecord};
use septum_stage2::Access;

use super::Context;
use super::el2::El2Reach;
use super::range::Range;
use super::violation::{Findings, Violation};

/// Checks every partition's segments against its loader root and its memory.
pub(super) fn check(context: &Context<'_>, el2: &El2Reach, findings: &mut Findings) {
    for (index, partition) in context.plan.partitions().iter().enumerate() {
        check_cover(context, partition, findings);
        for segment in context.plan.segments(partition) {
            if let Err(why) = check_one(context, el2, index, partition, segment) {
                let partition = context.plan.text(partition.name).to_owned();
                findings.add(Violation::Segment { partition, ipa: segment.ipa, why });
            }
        }
    }
}

/// The segments lie side by side in each memory, from its first byte to its last.
fn check_cover(context: &Context<'_>, partition: &PartitionRecord, findings: &mut Findings) {
    let mut segments = context.plan.segments(partition).iter().peekable();
    for region in context.plan.regions_of(partition).iter().filter(|region| is_memory(region)) {
        let memory = Range::new(region.ipa, region.size);
        let mut done = memory.start;
        while let Some(segment) = segments.next_if(|segment| segment.ipa == done && memory.has(done)) {
            done = done.saturating_add(segment.size().unwrap_or(u64::MAX));
        }
        if done != memory.end {
            let (partition, region) = (context.plan.text(partition.name).into(), context.plan.text(region.name).into());
            findings.add(Violation::Cover { partition, region, ipa: done });
        }
    }
    if let Some(segment) = segments.next() {
        let partition = context.plan.text(partition.name).to_owned();
        findings.add(Violation::Segment { partition, ipa: segment.ipa, why: "is out of order" });
    }
}

fn is_memory(region: &RegionRecord) -> bool {
    RegionKind::from_code(region.kind) == Some(RegionKind::Memory)
}

fn check_one(
    context: &Context<'_>,
    el2: &El2Reach,
    index: usize,
    partition: &PartitionRecord,
    segment: &SegmentRecord,
) -> Result<(), &'static str> {
    let bytes = bytes(context, el2, index, segment).ok_or("has bytes that are not in the image")?;
    if septum_plan::seal(bytes) != segment.seal {
        return Err("is damaged (seal)");
    }
    let size = segment.size().ok_or("wraps past the address space")?;
    let whole = Range::new(segment.ipa, size);
    let region = context
        .plan
        .regions_of(partition)
        .iter()
        .find(|region| is_memory(region) && Range::new(region.ipa, region.size).contains(whole));
    let region = region.ok_or("is in none of the partition's memory")?;
    let expected = region.pa.wrapping_add(segment.ipa - region.ipa);
    let target = el2.loaders.get(index).and_then(|loader| loader.find(segment.target_va));
    let target = target.ok_or("goes where EL2 maps nothing")?;
    let fits = target.inputs().contains(Range::new(segment.target_va, size)) && target.access == Access::RW;
    let pa = target.pa + (segment.target_va - target.input);
    if fits && pa == expected { Ok(()) } else { Err("goes to another place than its address says") }
}

/// The segment's bytes, found through the loader root as EL2 would.
pub(super) fn bytes<'a>(
    context: &Context<'a>,
    el2: &El2Reach,
    index: usize,
    segment: &SegmentRecord,
) -> Option<&'a [u8]> {
    if segment.file_bytes == 0 {
        return Some(&[]);
    }
    let source = el2.loaders.get(index)?.find(segment.source_va)?;
    let pa = source.pa + (segment.source_va - source.input);
    let inside = source.inputs().contains(Range::new(segment.source_va, segment.file_bytes));
    if inside { context.reader.at(pa, segment.file_bytes) } else { None }
}
