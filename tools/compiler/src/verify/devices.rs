//! EL2's devices: tables, regions, header and cores say of each what its record says, and its driver can use it.
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
    let mapped: Vec<_> = context.devices.iter().filter(|device| device.va != 0).copied().collect();
    check_kinds(context, findings);
    check_pointers(context, findings);
    check_windows(run, &mapped, findings);
    check_regions(context, &mapped, findings);
    check_places(context, findings);
    check_uart(context, findings);
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

/// Every device that the plan's interrupt controller and power control have, and no other; all but GICV are EL2's.
fn check_kinds(context: &Context<'_>, findings: &mut Findings) {
    let power = context.plan.power_control() == PowerControl::Bcm2835Pm;
    let power = power.then_some((DeviceKind::Power, 1));
    let mut expected = vec![(DeviceKind::Uart, 1), (DeviceKind::Gicd, gicd_bytes(context.plan.gic()))];
    match context.plan.gic() {
        GicVersion::V2 => {
            expected.extend([(DeviceKind::Gicc, GICC_BYTES), (DeviceKind::Gich, GICH_BYTES)]);
            expected.extend(power);
            expected.push((DeviceKind::Gicv, GICC_BYTES));
        }
        GicVersion::V3 => {
            expected.push((DeviceKind::Gicr, GICR_BYTES * context.plan.cores().len() as u64));
            expected.extend(power);
        }
    }
    let kinds = context.devices.iter().map(|device| DeviceKind::from_code(device.kind));
    if !kinds.eq(expected.iter().map(|(kind, _)| Some(*kind))) {
        findings.add(Violation::Facts("the devices are not those of its interrupt controller and power control"));
    }
    for (device, (kind, bytes)) in context.devices.iter().zip(expected) {
        if device.bytes < bytes {
            refuse(device, "is shorter than its registers", findings);
        }
        if (device.va == 0) != (kind == DeviceKind::Gicv) {
            refuse(device, "is EL2's, and GICV is not", findings);
        }
    }
}

/// What EL2's drivers start from: header, boot block and cores lead to the records' registers.
fn check_pointers(context: &Context<'_>, findings: &mut Findings) {
    let (header, block) = (context.plan.header(), context.reader.block());
    let of = |wanted| move |device: &&DeviceRecord| DeviceKind::from_code(device.kind) == Some(wanted);
    let va = |kind| context.devices.iter().find(of(kind)).map_or(0, |device| device.va);
    let mut pointers = vec![
        (header.uart_va, va(DeviceKind::Uart), "the header's UART is not the record's"),
        (header.gicd_va, va(DeviceKind::Gicd), "the header's GICD is not the record's"),
        (header.gicc_va, va(DeviceKind::Gicc), "the header's GICC is not the record's"),
        (header.gich_va, va(DeviceKind::Gich), "the header's GICH is not the record's"),
        (header.gicr_va, va(DeviceKind::Gicr), "the header's GICR is not the record's"),
        (header.power_va, va(DeviceKind::Power), "the header's power control is not the record's"),
    ];
    let uart = context.devices.iter().find(of(DeviceKind::Uart));
    pointers.push((block.uart, uart.map_or(0, |uart| uart.pa), "the boot block's UART is not the record's"));
    let gicr = context.devices.iter().find(of(DeviceKind::Gicr)).map_or(0, |gicr| gicr.bytes);
    let slots = u64::from(header.gicr_slots) * GICR_BYTES;
    pointers.push((slots, gicr, "the header's pieces of GICR are not the record's"));
    for (.., what) in pointers.into_iter().filter(|(found, right, _)| found != right) {
        findings.add(Violation::Facts(what));
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
    let mut devices: Vec<&DeviceRecord> = context.devices.iter().collect();
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

/// EL2 takes the log UART's interrupt exactly where it has one that no partition has.
fn check_uart(context: &Context<'_>, findings: &mut Findings) {
    let intid = context.devices.first().map_or(0, |uart| uart.intid);
    let owned = |partition| context.plan.intids(partition).any(|owned| owned == intid);
    let right = if context.plan.partitions().iter().any(owned) { 0 } else { intid };
    if u32::from(context.plan.header().uart_intid) != right {
        findings.add(Violation::Facts(
            "the log UART's interrupt is not the one that its record and the partitions leave to EL2",
        ));
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
    let gicv = context.devices.iter().find(|device| DeviceKind::from_code(device.kind) == Some(DeviceKind::Gicv));
    let walker = Walker::new(partition.vtcr, partition.vttbr, context.pa_range);
    let (Some(gicv), Ok(walker)) = (gicv, walker) else { return false };
    let granule = walker.granule_bytes();
    let start = gicv.pa / granule * granule;
    let size = (gicv.bytes + (gicv.pa - start)).next_multiple_of(granule);
    let seen = partition.gicc_ipa.checked_sub(region.ipa);
    RegionKind::from_code(region.kind) == Some(RegionKind::Device)
        && (region.pa, region.size) == (start, size)
        && seen == Some(gicv.pa - start)
}
