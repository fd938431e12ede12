//! One partition: its registers, what its Stage-2 tables reach, and whether that is what its regions say.

use septum_plan::frames::Frame;
use septum_plan::{PartitionRecord, RegionKind, RegionRecord};
use septum_stage2::Memory;
use septum_stage2::walker::Walker;

use super::range::Range;
use super::reach::{Reach, Reached};
use super::violation::{Findings, Tables, Violation};
use super::{Context, devices};
use crate::el2_elf::PAGE;

/// What one partition reaches.
#[derive(Clone, Debug)]
pub struct PartitionReach {
    /// Its name.
    pub name: String,
    /// What its Stage-2 tables reach.
    pub reached: Reached,
    /// Its regions with devices that reach all memory past these tables.
    pub bus_masters: Vec<String>,
}

/// Walks `partition`'s tables and compares.
pub(super) fn check(context: &Context<'_>, partition: &PartitionRecord, findings: &mut Findings) -> PartitionReach {
    let reach = walk(context, partition, findings);
    let one = One { context, partition, name: &reach.name };
    one.check_regions(&reach.reached, findings);
    one.check_moved(&reach.bus_masters, findings);
    one.check_emulated(&reach.reached, findings);
    one.check_entry(&reach.reached, findings);
    reach
}

/// Walks `partition`'s tables.
pub(super) fn walk(context: &Context<'_>, partition: &PartitionRecord, findings: &mut Findings) -> PartitionReach {
    let name = context.plan.text(partition.name).to_owned();
    let tables = Tables::Partition(name.clone());
    let mut reached = Reached::default();
    match Walker::new(partition.vtcr, partition.vttbr, context.pa_range) {
        Err(error) => findings.add(Violation::Register { tables, error }),
        Ok(walker) => {
            if partition.vmid == 0 || u16::from(walker.vmid()) != partition.vmid {
                findings.add(Violation::Vmid { partition: name.clone(), vmid: partition.vmid });
            }
            if let Err(refusal) = walker.leaves(&context.tables, context.budget(walker.granule_bytes()), &mut reached) {
                findings.add(Violation::Descriptor { tables, refusal });
            }
        }
    }
    let masters = context.plan.regions_of(partition).iter().filter(|region| region.is_bus_master());
    let bus_masters = masters.map(|region| context.plan.text(region.name).to_owned()).collect();
    PartitionReach { name, reached, bus_masters }
}

struct One<'a> {
    context: &'a Context<'a>,
    partition: &'a PartitionRecord,
    name: &'a str,
}

impl One<'_> {
    /// Whether the tables reach every byte of every region as it says, and nothing else.
    fn check_regions(&self, reached: &Reached, findings: &mut Findings) {
        let mut done = 0;
        for region in self.context.plan.regions_of(self.partition) {
            let range = Range::new(region.ipa, region.size);
            if range.start < done || region.size == 0 || region.ipa.checked_add(region.size).is_none() {
                let (partition, region) = (self.name.to_owned(), self.region_name(region));
                findings.add(Violation::RegionOrder { partition, region });
                return;
            }
            self.check_gap(reached, Range { start: done, end: range.start }, findings);
            self.check_region(reached, region, range, findings);
            done = range.end;
        }
        self.check_gap(reached, Range { start: done, end: u64::MAX }, findings);
    }

    fn check_gap(&self, reached: &Reached, gap: Range, findings: &mut Findings) {
        for reach in reached.within(gap) {
            findings.add(Violation::Unplanned { partition: self.name.to_owned(), reach });
        }
    }

    fn check_region(&self, reached: &Reached, region: &RegionRecord, range: Range, findings: &mut Findings) {
        let mut found = 0;
        let access = region.rights();
        for reach in reached.within(range) {
            found += reach.size;
            let pa = region.pa.wrapping_add(reach.input - region.ipa);
            if reach.pa != pa || reach.access != access || Some(reach.memory) != memory(region) {
                let (partition, region) = (self.name.to_owned(), self.region_name(region));
                findings.add(Violation::Differs { partition, region, reach, pa, access });
            }
        }
        if found != region.size {
            let (partition, missing) = (self.name.to_owned(), region.size - found);
            findings.add(Violation::Missing { partition, region: self.region_name(region), missing });
        }
    }

    /// A bus master finds everything at its physical address, so the partition must see it there; but GICV, which no device
    /// is told to write to, is seen in GICC's place.
    fn check_moved(&self, masters: &[String], findings: &mut Findings) {
        let Some(master) = masters.first() else { return };
        let regions = self.context.plan.regions_of(self.partition).iter();
        let gicv = |region| devices::is_cpu_interface(self.context, self.partition, region);
        for region in regions.filter(|region| region.ipa != region.pa && !gicv(region)) {
            let (partition, master, region) = (self.name.to_owned(), master.clone(), self.region_name(region));
            findings.add(Violation::Moved { partition, master, region });
        }
    }

    /// What EL2 emulates must trap, so nothing may be mapped there. That it lies apart is its form ([`crate::format`]).
    fn check_emulated(&self, reached: &Reached, findings: &mut Findings) {
        for frame in self.context.plan.emulated(self.partition).iter().filter_map(Frame::of) {
            if !frame.ipa.is_multiple_of(PAGE) || !self.translates(frame.ipa, frame.bytes) {
                let (partition, what) = (self.name.to_owned(), frame.kind.name());
                findings.add(Violation::Frame { partition, what, ipa: frame.ipa });
            }
            for reach in reached.within(Range::new(frame.ipa, frame.bytes)) {
                let (partition, what) = (self.name.to_owned(), frame.kind.name());
                findings.add(Violation::Emulated { partition, what, reach });
            }
        }
    }

    /// Whether the partition's intermediate addresses reach to the end of these bytes.
    fn translates(&self, ipa: u64, bytes: u64) -> bool {
        let walker = Walker::new(self.partition.vtcr, self.partition.vttbr, self.context.pa_range);
        let end = walker.map_or(0, |walker| 1_u64 << walker.ipa_bits());
        ipa.checked_add(bytes).is_some_and(|last| last <= end)
    }

    fn check_entry(&self, reached: &Reached, findings: &mut Findings) {
        let entry = self.partition.entry;
        // Instructions are words (another PC is a PC alignment fault).
        if !entry.is_multiple_of(4) || !reached.find(entry).is_some_and(|reach: &Reach| reach.access.execute) {
            findings.add(Violation::Entry { partition: self.name.to_owned(), entry });
        }
    }

    fn region_name(&self, region: &RegionRecord) -> String {
        self.context.plan.text(region.name).to_owned()
    }
}

/// The memory type that a partition's region must have.
const fn memory(region: &RegionRecord) -> Option<Memory> {
    match RegionKind::from_code(region.kind) {
        Some(RegionKind::Memory | RegionKind::Channel) => Some(Memory::Normal),
        Some(RegionKind::Device) => Some(Memory::Device),
        _ => None,
    }
}
