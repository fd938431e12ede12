//! The form of a plan: every byte of it belongs to one record or string, and every bit means something.
//!
//! Arrays follow each other from the header on, partitions' shares of an array likewise, strings behind the arrays, zeroes
//! behind the strings. So nothing is hidden in a plan, no two records are the same bytes, and whatever looks through all
//! partitions' shares passes each record once. What a field *says* is [`crate::verify`]'s question.

use std::collections::BTreeSet;
use std::ops::Range;

use septum_plan::affinity::AFFINITY;
use septum_plan::frames::{Frame, emulated_bytes};
use septum_plan::record::{
    ACCESS_BUS_MASTER, ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE, NO_ADDRESS, NO_PARTITION, OWNER_BOARD, OWNER_EL2,
    flag,
};
use septum_plan::{
    CoreRecord, DeviceKind, DeviceRecord, EmulatedKind, EmulatedRecord, GicVersion, PartitionRecord, Plan, PlanHeader,
    PowerControl, RamRecord, RegionKind, RegionRecord, SegmentRecord, Slice, Text,
};

use crate::el2_elf::PAGE;
use crate::problem::show::{is_printable, printable};

/// What is wrong, as the end of a sentence about the plan.
type Checked = Result<(), String>;
/// Which share of an array a partition has.
type Share = fn(&PartitionRecord) -> Slice;

/// Most partitions: VMIDs have eight bits, and 0 is nobody's.
const PARTITIONS_MAX: usize = 255;
/// No address of a device, physical or EL2's, has more bits than Armv8-A's physical addresses (Arm ARM D8.1.6: 52).
const ADDRESS_END: u64 = 1 << 52;
/// The first INTID behind the SPIs: 1020 to 1023 are special (IHI 0069H 2.2, IHI 0048B 2.2.1).
const INTIDS_END: u32 = 1020;
/// All rights that a region can have.
const ACCESS: u8 = ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE | ACCESS_BUS_MASTER;
/// All flags that a partition can have.
const FLAGS: u16 = flag::TRAP_PHYSICAL_TIMER;

/// Checks the form of `plan`, which `bytes` hold.
///
/// # Errors
/// The first thing that Septum would not have written.
pub(crate) fn check(plan: &Plan<'_>, bytes: &[u8]) -> Checked {
    let records = check_arrays(plan.header())?;
    check_strings(plan, bytes, records)?;
    check_names(plan)?;
    check_shares(plan)?;
    plan.cores().iter().enumerate().try_for_each(|(index, core)| check_core(index, core))?;
    plan.partitions().iter().try_for_each(|partition| check_partition(plan, partition))?;
    check_regions(plan)?;
    let devices = DeviceKind::ALL.iter().map(|kind| (*kind, plan.device(*kind)));
    devices.into_iter().try_for_each(|(kind, device)| check_device(kind, device))
}

fn must(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}

/// Arrays follow each other; where the last one ends.
fn check_arrays(header: &PlanHeader) -> Result<usize, String> {
    let arrays: [(&str, Slice, usize); 8] = [
        ("cores", header.cores, size_of::<CoreRecord>()),
        ("partitions", header.partitions, size_of::<PartitionRecord>()),
        ("regions", header.regions, size_of::<RegionRecord>()),
        ("segments", header.segments, size_of::<SegmentRecord>()),
        ("ram", header.ram, size_of::<RamRecord>()),
        ("emulated", header.emulated, size_of::<EmulatedRecord>()),
        ("interrupts", header.interrupts, size_of::<u32>()),
        ("vcpus", header.vcpus, size_of::<u16>()),
    ];
    let mut end = size_of::<PlanHeader>();
    for (name, array, size) in arrays {
        must(array.offset as usize == end, || format!("array `{name}` does not begin where the one before ends"))?;
        end = end.saturating_add((array.count as usize).saturating_mul(size));
    }
    Ok(end)
}

/// From byte `start` on there are strings without gaps, and zeroes up to the next page, where the plan ends.
fn check_strings(plan: &Plan<'_>, bytes: &[u8], start: usize) -> Checked {
    let header = plan.header();
    let names = plan.partitions().iter().map(|partition| partition.name);
    let mut texts = vec![header.board, header.config, header.exception];
    texts.extend(names.chain(plan.regions().iter().map(|region| region.name)));
    texts.sort_unstable_by_key(|text| (text.offset, text.length));
    texts.dedup();
    let mut end = start;
    for Text { offset, length } in texts {
        let place = if length == 0 { 0 } else { end };
        must(offset as usize == place, || format!("a string at byte {offset:#x} is not behind the one before"))?;
        end = end.saturating_add(length as usize);
    }
    let plan_end = end.checked_next_multiple_of(PAGE as usize);
    let fits = plan_end.map(|end| end as u64) == Some(header.plan_bytes);
    must(fits, || format!("it has {:#x} bytes, but its strings end at {end:#x}", header.plan_bytes))?;
    must(is_zero(bytes, end..header.plan_bytes as usize), || "the bytes behind its strings are not zero".to_owned())
}

fn is_zero(bytes: &[u8], range: Range<usize>) -> bool {
    bytes.get(range).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
}

/// Whoever reads the plan shows its texts to people, so they must be what TOML and board files can say: no control
/// characters, which a terminal would obey; and nothing that belongs to two partitions.
fn check_names(plan: &Plan<'_>) -> Checked {
    let header = plan.header();
    let about = [("board", header.board), ("configuration", header.config), ("exception", header.exception)];
    let partitions = plan.partitions().iter().map(|partition| ("partition", partition.name));
    let regions = plan.regions().iter().map(|region| ("region", region.name));
    for (kind, text) in about.into_iter().chain(partitions.clone()).chain(regions) {
        let text = plan.text(text);
        let is_name = is_printable(text) && (kind == "exception" || !text.is_empty());
        must(is_name, || format!("`{}` cannot name a {kind}", printable(text)))?;
    }
    let mut seen = BTreeSet::new();
    for name in partitions.map(|(_, name)| plan.text(name)) {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        must(name.chars().all(letter), || format!("`{name}` cannot name a partition"))?;
        must(seen.insert(name), || format!("two partitions are called `{name}`"))?;
    }
    Ok(())
}

/// The partitions' shares of an array follow each other and make it up; of the regions, the first part.
fn check_shares(plan: &Plan<'_>) -> Checked {
    must(plan.partitions().len() <= PARTITIONS_MAX, || format!("it has more than {PARTITIONS_MAX} partitions"))?;
    let shares: [(&str, Share, Slice); 5] = [
        ("cores", |partition| partition.vcpus, plan.header().vcpus),
        ("regions", |partition| partition.regions, Slice { count: own_regions(plan), ..plan.header().regions }),
        ("segments", |partition| partition.segments, plan.header().segments),
        ("interrupts", |partition| partition.interrupts, plan.header().interrupts),
        ("emulated devices", |partition| partition.emulated, plan.header().emulated),
    ];
    for (name, share, whole) in shares {
        let mut end = 0_u32;
        for partition in plan.partitions() {
            let share = share(partition);
            let name = || format!("{} do not follow those of the one before", whose(plan, partition, name));
            must(share.offset == end, name)?;
            end = end.saturating_add(share.count);
        }
        must(end == whole.count, || format!("{} of its {} {name} are a partition's", end, whole.count))?;
    }
    Ok(())
}

/// How many of the first regions are partitions'.
fn own_regions(plan: &Plan<'_>) -> u32 {
    let foreign = |region: &RegionRecord| region.owner == OWNER_EL2 || region.owner == OWNER_BOARD;
    plan.regions().iter().take_while(|region| !foreign(region)).count() as u32
}

fn whose(plan: &Plan<'_>, partition: &PartitionRecord, what: &str) -> String {
    format!("the {what} of partition `{}`", plan.text(partition.name))
}

fn check_core(index: usize, core: &CoreRecord) -> Checked {
    let CoreRecord { mpidr, partition, vcpu, reserved, .. } = core;
    must(*reserved == [0; 3], || format!("core {index} has reserved bits"))?;
    must(mpidr & !AFFINITY == 0, || {
        format!("core {index} has bits {:#x}, which are no affinity's", mpidr & !AFFINITY)
    })?;
    must(*partition != NO_PARTITION || *vcpu == 0, || format!("core {index} is nobody's virtual core {vcpu}"))
}

fn check_partition(plan: &Plan<'_>, partition: &PartitionRecord) -> Checked {
    let flags = partition.flags & !FLAGS;
    must(flags == 0, || format!("{} are unknown: {flags:#x}", whose(plan, partition, "flags")))?;
    must(partition.vcpus.count != 0, || format!("{} are none", whose(plan, partition, "cores")))?;
    let mut intids = plan.intids(partition);
    let made = |intid| plan.emulated(partition).iter().any(|record| record.intid == intid);
    must(intids.all(|intid| intid < INTIDS_END && !made(intid)), || {
        format!("{} are no SPIs, or those of what is emulated", whose(plan, partition, "interrupts"))
    })?;
    check_emulated(plan, partition)?;
    let segments = plan.segments(partition).iter();
    let nothing = |segment: &SegmentRecord| segment.file_bytes == 0 && segment.source_va != 0;
    must(!segments.into_iter().any(nothing), || {
        format!("{} have a source for no bytes", whose(plan, partition, "segments"))
    })
}

/// At most one emulated device of each kind, by rising address; each as long as its kind is, and those that the hardware's
/// interrupts do not serve have one of EL2's.
fn check_emulated(plan: &Plan<'_>, partition: &PartitionRecord) -> Checked {
    let records = plan.emulated(partition);
    let frames: Vec<_> = records.iter().filter_map(Frame::of).collect();
    let vcpus = plan.vcpus(partition).len();
    for (index, frame) in frames.iter().enumerate() {
        let wrong = |what: &str| format!("{} {what}", whose(plan, partition, frame.kind.name()));
        let before = frames.get(..index).unwrap_or(&[]);
        let behind = before.iter().all(|other| other.end() <= frame.ipa && other.kind != frame.kind);
        must(behind, || wrong("is there twice, or not behind what lies before it"))?;
        let bytes = emulated_bytes(frame.kind, plan.gic(), vcpus);
        must(frame.bytes == bytes, || wrong(&format!("has {:#x} bytes, not {bytes:#x}", frame.bytes)))?;
        must((frame.kind == EmulatedKind::Pl011) == (frame.intid != 0), || {
            wrong("has an interrupt that it cannot have, or lacks its own")
        })?;
        must(frame.kind != EmulatedKind::Gicr || plan.gic() == GicVersion::V3, || wrong("is none of a GICv2's"))?;
    }
    must(records.iter().all(|record| record.reserved == [0; 3]), || {
        format!("{} have reserved bits", whose(plan, partition, "emulated devices"))
    })
}

/// Partitions' regions come first, then EL2's, then the board's; each has only what its owner's have.
fn check_regions(plan: &Plan<'_>) -> Checked {
    for (index, partition) in plan.partitions().iter().enumerate() {
        for region in plan.regions_of(partition) {
            let fits = usize::from(region.owner) == index && has_own_form(region);
            must(fits, || {
                format!("region `{}` is none of partition `{}`", plan.text(region.name), plan.text(partition.name))
            })?;
        }
    }
    let foreign = plan.regions().get(own_regions(plan) as usize..).unwrap_or(&[]);
    must(foreign.is_sorted_by_key(|region| region.owner), || "EL2's regions do not lie before the board's".to_owned())?;
    let wrong = foreign.iter().find(|region| !has_foreign_form(region));
    wrong.map_or(Ok(()), |region| Err(format!("region `{}` is neither EL2's nor the board's", plan.text(region.name))))
}

fn has_own_form(region: &RegionRecord) -> bool {
    let kind = match RegionKind::from_code(region.kind) {
        Some(RegionKind::Device) => true,
        Some(RegionKind::Memory | RegionKind::Channel) => region.access & ACCESS_BUS_MASTER == 0,
        _ => false,
    };
    kind && region.access & !ACCESS == 0
}

/// Of EL2's and the board's regions, only the parts of EL2's image have rights.
fn has_foreign_form(region: &RegionRecord) -> bool {
    let rights = match (region.owner, RegionKind::from_code(region.kind)) {
        (OWNER_EL2, Some(RegionKind::El2)) => ACCESS & !ACCESS_BUS_MASTER,
        (OWNER_EL2 | OWNER_BOARD, Some(RegionKind::Device | RegionKind::CarveOut)) => 0,
        _ => return false,
    };
    region.access & !rights == 0 && region.ipa == NO_ADDRESS && region.line == 0
}

/// A device is there or not, in the place of its kind; each has registers but firmware's power control; only a UART has
/// what only a UART can have.
fn check_device(kind: DeviceKind, device: &DeviceRecord) -> Checked {
    if *device == DeviceRecord::NONE {
        return Ok(());
    }
    let wrong = |what: &str| format!("the device of kind {} {what}", kind.code());
    let DeviceRecord { va, pa, bytes, driver, .. } = *device;
    must(device.kind == kind.code() && device.reserved == [0; 6], || wrong("is of another, or has reserved bits"))?;
    let ends = |first: u64| first.checked_add(bytes).is_some_and(|end| end <= ADDRESS_END);
    let firmware = kind == DeviceKind::Power && driver == PowerControl::PsciSmc.code();
    let placed = if firmware { (va, pa, bytes) == (0, 0, 0) } else { bytes != 0 && ends(pa) && ends(va) };
    must(placed, || wrong("has no bytes, or ends behind all addresses"))?;
    let driver = if kind == DeviceKind::Power { driver } else { 0 };
    let plain = DeviceRecord { va, pa, bytes, driver, kind: kind.code(), ..DeviceRecord::NONE };
    must(kind == DeviceKind::Uart || *device == plain, || wrong("has what only a UART has"))?;
    must(kind != DeviceKind::Power || driver != PowerControl::None.code(), || wrong("has no driver"))
}
