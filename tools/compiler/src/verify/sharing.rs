//! Between the parties: no two reach the same byte, own the same core or interrupt, unless it is a channel.

use std::collections::BTreeMap;

use septum_plan::record::{NO_PARTITION, OWNER_BOARD, OWNER_EL2};
use septum_plan::{RegionKind, RegionRecord};

use super::partition::PartitionReach;
use super::range::Range;
use super::violation::{Findings, Violation};
use super::{Context, devices};

/// Physical memory that somebody reaches or owns.
struct Claim<'a> {
    range: Range,
    /// The partition that reaches it; `None` where it belongs to EL2 or the board.
    partition: Option<usize>,
    /// The region that says so, if any.
    region: Option<&'a RegionRecord>,
    /// How it is named.
    owner: &'a str,
}

/// Checks everything that takes more than one party.
pub(super) fn check(context: &Context<'_>, partitions: &[PartitionReach], findings: &mut Findings) {
    check_memory(context, partitions, findings);
    check_channels(context, findings);
    check_vmids(context, findings);
    check_cores(context, findings);
    check_affinities(context, findings);
    check_interrupts(context, findings);
}

fn check_memory(context: &Context<'_>, partitions: &[PartitionReach], findings: &mut Findings) {
    let mut claims = foreign_claims(context);
    for (index, partition) in partitions.iter().enumerate() {
        claims.extend(partition_claims(context, index, partition));
    }
    claims.sort_by_key(|claim| (claim.range.start, claim.partition));
    let mut open: Vec<&Claim<'_>> = Vec::new();
    for claim in &claims {
        open.retain(|other| other.range.end > claim.range.start);
        for other in open.iter().filter(|other| !may_share(context, other, claim)) {
            let range = Range { start: claim.range.start, end: claim.range.end.min(other.range.end) };
            findings.add(Violation::Shared { range, first: name(context, other), second: name(context, claim) });
            if findings.is_full() {
                return;
            }
        }
        open.push(claim);
    }
}

/// What partitions must stay clear of: all that EL2 has, and firmware's memory. Devices that nobody was given are not
/// among them: they may share a page with one that somebody was.
fn foreign_claims<'a>(context: &'a Context<'a>) -> Vec<Claim<'a>> {
    let block = context.reader.block();
    let memory = Range::new(block.load, block.memory_bytes);
    let mut claims = vec![Claim { range: memory, partition: None, region: None, owner: "EL2" }];
    for region in context.plan.regions() {
        let owner = match (region.owner, RegionKind::from_code(region.kind)) {
            (OWNER_EL2, _) => "EL2",
            (OWNER_BOARD, Some(RegionKind::CarveOut)) => "the board",
            _ => continue,
        };
        claims.push(Claim { range: Range::new(region.pa, region.size), partition: None, region: Some(region), owner });
    }
    claims
}

/// What the tables of partition `index` reach, cut along the plan's regions so that each piece has a name.
fn partition_claims<'a>(context: &'a Context<'a>, index: usize, reach: &'a PartitionReach) -> Vec<Claim<'a>> {
    let regions = context.plan.partitions().get(index).map_or(&[][..], |record| context.plan.regions_of(record));
    let mut claims = Vec::new();
    for stretch in &reach.reached.stretches {
        let inside = regions.iter().skip_while(|region| region.ipa.saturating_add(region.size) <= stretch.input);
        let before = claims.len();
        for region in inside.take_while(|region| region.ipa < stretch.inputs().end) {
            if let Some(part) = stretch.part(Range::new(region.ipa, region.size)) {
                let (range, region) = (part.outputs(), Some(region));
                claims.push(Claim { range, partition: Some(index), region, owner: &reach.name });
            }
        }
        if claims.len() == before {
            claims.push(Claim { range: stretch.outputs(), partition: Some(index), region: None, owner: &reach.name });
        }
    }
    claims
}

/// Whether two claims may have bytes in common: two ends of a channel, the banked GICv2 CPU interface, and whatever
/// concerns no partition.
fn may_share(context: &Context<'_>, one: &Claim<'_>, other: &Claim<'_>) -> bool {
    let (Some(first), Some(second)) = (one.partition, other.partition) else {
        return one.partition.is_none() && other.partition.is_none();
    };
    let (Some(a), Some(b)) = (one.region, other.region) else { return false };
    if first == second || a.kind != b.kind {
        return false;
    }
    match RegionKind::from_code(a.kind) {
        Some(RegionKind::Channel) => {
            (a.pa, a.size) == (b.pa, b.size) && context.plan.text(a.name) == context.plan.text(b.name)
        }
        Some(RegionKind::Device) => is_gicv(context, first, a) && is_gicv(context, second, b),
        _ => false,
    }
}

/// Whether `region` is where partition `index` sees GICv2's CPU interface.
fn is_gicv(context: &Context<'_>, index: usize, region: &RegionRecord) -> bool {
    let partition = context.plan.partitions().get(index);
    partition.is_some_and(|partition| devices::is_cpu_interface(context, partition, region))
}

fn name(context: &Context<'_>, claim: &Claim<'_>) -> String {
    let region = claim.region.map(|region| context.plan.text(region.name));
    match (claim.partition, region) {
        (Some(_), Some(region)) => format!("`{region}` of partition `{}`", claim.owner),
        (Some(_), None) => format!("memory of partition `{}`", claim.owner),
        (None, Some(region)) => format!("`{region}` of {}", claim.owner),
        (None, None) => format!("memory of {}", claim.owner),
    }
}

/// A channel has two ends: a third partition, mapping it under its name, would pass as one of them.
fn check_channels(context: &Context<'_>, findings: &mut Findings) {
    let mut ends: BTreeMap<u64, (&str, usize)> = BTreeMap::new();
    for region in context.plan.partitions().iter().flat_map(|partition| context.plan.regions_of(partition)) {
        if RegionKind::from_code(region.kind) == Some(RegionKind::Channel) {
            ends.entry(region.pa).or_insert((context.plan.text(region.name), 0)).1 += 1;
        }
    }
    for (name, ends) in ends.into_values().filter(|(_, ends)| *ends != 2) {
        findings.add(Violation::ChannelEnds { channel: name.to_owned(), ends });
    }
}

fn check_vmids(context: &Context<'_>, findings: &mut Findings) {
    let mut seen = std::collections::BTreeSet::new();
    for partition in context.plan.partitions() {
        if !seen.insert(partition.vmid) {
            let (partition, vmid) = (context.plan.text(partition.name).to_owned(), partition.vmid);
            findings.add(Violation::Vmid { partition, vmid });
        }
    }
}

/// Every core record and every list of virtual cores must tell the same.
fn check_cores(context: &Context<'_>, findings: &mut Findings) {
    let cores = context.plan.cores();
    let mut listed = vec![None; cores.len()];
    for (index, partition) in context.plan.partitions().iter().enumerate() {
        for (vcpu, core) in context.plan.vcpus(partition).iter().enumerate() {
            let place = listed.get_mut(*core as usize);
            if place.is_none_or(|place| place.replace((index, vcpu)).is_some()) {
                findings.add(Violation::Core { core: *core as usize });
            }
        }
    }
    for (core, (record, listed)) in cores.iter().zip(listed).enumerate() {
        let recorded = (record.partition != NO_PARTITION).then_some((record.partition.into(), record.vcpu.into()));
        if recorded != listed {
            findings.add(Violation::Core { core });
        }
    }
}

/// EL2 tells a core by its affinity: two records with one would be one core.
fn check_affinities(context: &Context<'_>, findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for (core, record) in context.plan.cores().iter().enumerate() {
        if let Some(first) = seen.insert(record.mpidr, core) {
            findings.add(Violation::Affinity { first, second: core, mpidr: record.mpidr });
        }
    }
}

/// No SPI has two owners; the log UART's, where EL2 has it, is EL2's alone.
fn check_interrupts(context: &Context<'_>, findings: &mut Findings) {
    let partitions = context.plan.partitions();
    let uart = context.plan.console().intid;
    let mut owners: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, partition) in partitions.iter().enumerate() {
        for intid in context.plan.intids(partition) {
            if intid == uart {
                let second = context.plan.text(partition.name).to_owned();
                findings.add(Violation::SharedInterrupt { intid, first: "EL2".to_owned(), second });
            }
            if let Some(first) = owners.insert(intid, index).and_then(|first| partitions.get(first)) {
                let name = |partition| context.plan.text(partition).to_owned();
                let (first, second) = (name(first.name), name(partition.name));
                findings.add(Violation::SharedInterrupt { intid, first, second });
            }
        }
    }
}
