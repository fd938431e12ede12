//! EL2's devices: tables, regions and cores say of each what its record says, and its driver can use it.
//!
//! A file alone cannot tell whether a record is the board's: `inspect` shows it, and [`super::prove`] compares it.

use septum_plan::frames::{self, GICC_BYTES, GICH_BYTES, GICR_BYTES, gicd_bytes};
use septum_plan::record::{NO_ADDRESS, OWNER_EL2};
use septum_plan::{
    DeviceKind, DeviceRecord, GicVersion, PartitionRecord, PowerControl, RegionKind, RegionRecord, space,
};
use septum_stage2::walker::Walker;
use septum_stage2::{Access, Memory};

use super::Context;
use super::range::Range;
use super::reach::Reach;
use super::root::{DEVICES, Root};
use super::violation::{Findings, Violation};
use crate::el2_elf::PAGE;

/// Checks the records, and everything that says the same.
pub(super) fn check(context: &Context<'_>, run: &Root<'_>, findings: &mut Findings) {
    let mapped: Vec<_> = context.plan.devices().filter(|device| device.va != 0).copied().collect();
    DeviceKind::ALL.iter().for_each(|kind| check_kind(context, *kind, findings));
    check_windows(run, &mapped, findings);
    check_regions(context, &mapped, findings);
    check_places(context, findings);
    check_console(context, findings);
    context.plan.partitions().iter().for_each(|partition| check_cpu_interface(context, partition, findings));
}

fn refuse(device: &DeviceRecord, why: &'static str, findings: &mut Findings) {
    findings.add(Violation::Device { device: name(device), range: registers(device), why });
}

/// What messages call it.
fn name(device: &DeviceRecord) -> &'static str {
    match DeviceKind::from_code(device.kind) {
        Some(DeviceKind::Uart) => "the log's UART",
        Some(DeviceKind::Gicd) => "GICD",
        Some(DeviceKind::Gicc) => "GICC",
        Some(DeviceKind::Gich) => "GICH",
        Some(DeviceKind::Gicr) => "GICR",
        Some(DeviceKind::Power) => "the power control",
        Some(DeviceKind::Gicv) => "GICV",
        None => "a device of unknown kind",
    }
}

/// Its physical addresses.
const fn registers(device: &DeviceRecord) -> Range {
    Range::new(device.pa, device.bytes)
}

/// The pages around its registers, as EL2's tables map them.
fn pages(device: &DeviceRecord) -> Reach {
    let (input, pa) = (device.va & !(PAGE - 1), device.pa & !(PAGE - 1));
    let size = (device.bytes + device.pa % PAGE).next_multiple_of(PAGE);
    Reach { input, pa, size, access: Access::RW, memory: Memory::Device }
}

/// What of EL2's tables maps it: its pages, or GICR's pieces, as far as the window could hold them.
fn pieces(device: &DeviceRecord) -> Vec<Reach> {
    const MOST: u64 = (DEVICES.end - DEVICES.start) / space::GICR_STRIDE + 1;
    if DeviceKind::from_code(device.kind) != Some(DeviceKind::Gicr) {
        return vec![pages(device)];
    }
    let piece = |slot: u64| Reach {
        input: device.va.saturating_add(slot * space::GICR_STRIDE),
        pa: device.pa.saturating_add(slot * GICR_BYTES),
        size: GICR_BYTES,
        ..pages(device)
    };
    (0..device.bytes.div_ceil(GICR_BYTES).min(MOST)).map(piece).collect()
}

/// Bytes of registers that the driver of `kind` uses; `None` where the plan's interrupt controller and power control have
/// no such device.
fn driven_bytes(context: &Context<'_>, kind: DeviceKind) -> Option<u64> {
    let (plan, power) = (&context.plan, context.plan.power_control());
    let v2 = plan.gic() == GicVersion::V2;
    match kind {
        DeviceKind::Uart => Some(plan.uart().facts().bytes),
        DeviceKind::Gicd => Some(gicd_bytes(plan.gic())),
        DeviceKind::Gicc | DeviceKind::Gicv => v2.then_some(GICC_BYTES),
        DeviceKind::Gich => v2.then_some(GICH_BYTES),
        DeviceKind::Gicr => (!v2).then_some(GICR_BYTES * plan.cores().len() as u64),
        DeviceKind::Power => (power != PowerControl::None).then_some(power.bytes()),
    }
}

/// Every device that the plan's interrupt controller and power control have is there, and no other; all with registers but
/// GICV are EL2's.
fn check_kind(context: &Context<'_>, kind: DeviceKind, findings: &mut Findings) {
    let (device, bytes) = (context.plan.device(kind), driven_bytes(context, kind));
    if bytes.is_some() != (*device != DeviceRecord::NONE) {
        findings.add(Violation::Facts("the devices are not those of its interrupt controller and power control"));
    }
    let Some(bytes) = bytes else { return };
    if device.bytes < bytes || kind == DeviceKind::Gicr && !device.bytes.is_multiple_of(GICR_BYTES) {
        refuse(device, "is shorter than its registers", findings);
    }
    if (device.va == 0) != (kind == DeviceKind::Gicv || bytes == 0) {
        refuse(device, "is EL2's, and GICV is not", findings);
    }
}

/// The boot stub sends bytes as the console's kind takes them, and what its driver uses is on its page.
fn check_console(context: &Context<'_>, findings: &mut Findings) {
    let (console, facts) = (context.plan.console(), context.plan.uart().facts());
    if console.port != facts.port {
        refuse(console, "is no UART of its kind", findings);
    }
    if console.pa % PAGE < facts.bytes_before {
        refuse(console, "is not where such registers can be", findings);
    }
}

/// The devices' window holds each device's pages, an unmapped page before each and behind the last, and nothing else.
fn check_windows(run: &Root<'_>, mapped: &[DeviceRecord], findings: &mut Findings) {
    let mut expected: Vec<Reach> = mapped.iter().flat_map(pieces).collect();
    expected.sort_by_key(|reach| reach.input);
    for reach in run.reached.within(DEVICES) {
        let own = expected.binary_search_by_key(&reach.input, |expected| expected.input);
        if own.ok().and_then(|index| expected.get(index)) != Some(&reach) {
            run.refuse(reach, "is not mapped as a device of EL2", findings);
        }
    }
    let mut done = DEVICES.start;
    for reach in &expected {
        let guarded = reach.input.checked_sub(PAGE).is_some_and(|guard| guard >= done);
        if run.reached.find(reach.input) != Some(reach) || !DEVICES.contains(reach.inputs()) {
            run.missing("a device", reach.input, findings);
        }
        if !guarded {
            run.refuse(*reach, "has no guard page before it", findings);
        }
        done = reach.inputs().end;
    }
    if done > DEVICES.end - PAGE {
        run.missing("the guard page of the last device", done, findings);
    }
}

/// EL2's device regions, which fault reports name and sharing is judged by, are the records' pages.
fn check_regions(context: &Context<'_>, mapped: &[DeviceRecord], findings: &mut Findings) {
    let regions =
        context.plan.regions().iter().filter(|region| {
            region.owner == OWNER_EL2 && RegionKind::from_code(region.kind) == Some(RegionKind::Device)
        });
    if !regions.map(|region| (region.pa, region.size)).eq(mapped.iter().map(pages).map(|reach| (reach.pa, reach.size)))
    {
        findings.add(Violation::Facts("EL2's device regions are not its devices' pages"));
    }
}

/// No device is in RAM or past the physical size, none overlaps another, and each is where its page offset says.
fn check_places(context: &Context<'_>, findings: &mut Findings) {
    let limit = Range { start: 0, end: 1 << context.pa_range.bits() };
    let ram = super::facts::ram(context);
    let mut devices: Vec<&DeviceRecord> = context.plan.devices().collect();
    devices.sort_by_key(|device| device.pa);
    for device in &devices {
        if device.va != 0 && device.va % PAGE != device.pa % PAGE {
            refuse(device, "is not seen at its offset in its page", findings);
        }
        if !device.pa.is_multiple_of(alignment(context, device)) {
            refuse(device, "is not where such registers can be", findings);
        }
        if !limit.contains(registers(device)) || ram.iter().any(|ram| ram.overlaps(registers(device))) {
            refuse(device, "is in RAM or beyond all addresses", findings);
        }
    }
    for pair in devices.windows(2) {
        if registers(pair[0]).overlaps(registers(pair[1])) {
            refuse(pair[1], "overlaps another device of EL2", findings);
        }
    }
}

/// What the first register's address is a multiple of, in bytes: a frame of the interrupt controller has the
/// architecture's, other registers are words.
fn alignment(context: &Context<'_>, device: &DeviceRecord) -> u64 {
    match DeviceKind::from_code(device.kind) {
        Some(DeviceKind::Uart | DeviceKind::Power) | None => 4,
        Some(_) => frames::alignment(context.plan.gic()),
    }
}

/// A partition on GICv2, and no other, sees the whole of GICV where its CPU interface is, and nothing else there.
fn check_cpu_interface(context: &Context<'_>, partition: &PartitionRecord, findings: &mut Findings) {
    let regions = context.plan.regions_of(partition);
    let sees = regions.iter().any(|region| is_cpu_interface(context, partition, region));
    let none = context.plan.gic() == GicVersion::V3 && partition.gicc_ipa == NO_ADDRESS;
    if !sees && !none {
        findings.add(Violation::CpuInterface { partition: context.plan.text(partition.name).to_owned() });
    }
}

/// Whether `region` of `partition` is where that sees GICv2's CPU interface: exactly the granule pages around GICV, with
/// GICV's first register at the partition's address of GICC. The hardware behind it is banked by core, and no core belongs
/// to two partitions.
pub(super) fn is_cpu_interface(context: &Context<'_>, partition: &PartitionRecord, region: &RegionRecord) -> bool {
    let gicv = context.plan.device(DeviceKind::Gicv);
    let Ok(walker) = Walker::new(partition.vtcr, partition.vttbr, context.pa_range) else { return false };
    let granule = walker.granule_bytes();
    let start = gicv.pa / granule * granule;
    let size = (gicv.bytes + (gicv.pa - start)).next_multiple_of(granule);
    let seen = partition.gicc_ipa.checked_sub(region.ipa);
    RegionKind::from_code(region.kind) == Some(RegionKind::Device)
        && (region.pa, region.size) == (start, size)
        && seen == Some(gicv.pa - start)
        && *gicv != DeviceRecord::NONE
}
