//! What an image says of its board and of EL2.

use septum_plan::record::{NO_PARTITION, OWNER_EL2};
use septum_plan::{
    CoreRecord, CoreStart, DeviceKind, DeviceRecord, GicVersion, Plan, PowerControl, RegionKind, RegionRecord,
};
use serde::Serialize;

use crate::format::header;
use crate::format::reader::{ImageError, Reader};

/// The board, and what EL2 has of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MachineView {
    /// The Image header's `text_offset`: from a 2 MiB boundary near the start of RAM to the load address.
    pub text_offset: u64,
    /// Bytes of memory from the load address on that are EL2's.
    pub el2_bytes: u64,
    /// The PARange encoding that every core must reach.
    pub pa_range: u8,
    /// TCR_EL2, by which EL2's tables are walked.
    pub tcr: u64,
    /// MAIR_EL2, likewise.
    pub mair: u64,
    /// The seal of EL2's own bytes: the same in all images that hold one build of EL2.
    pub el2_seal: u64,
    /// The architecture version of its interrupt controller.
    pub gic: u8,
    /// `none`, `spin-table` or `psci-smc`.
    pub core_start: &'static str,
    /// `none`, `psci-smc` or `bcm2835-pm`.
    pub power_control: &'static str,
    /// The counter's frequency; 0 where it may vary.
    pub counter_hz: u32,
    /// The UART that carries the log.
    pub uart: UartView,
    /// Its cores, by index.
    pub cores: Vec<CoreView>,
    /// Its RAM that firmware leaves.
    pub ram: Vec<RamView>,
    /// What EL2 drives, and GICV.
    pub devices: Vec<DeviceView>,
    /// EL2's memory by its rights, its devices, its spin-table pages.
    pub el2: Vec<NamedView>,
    /// What firmware keeps, and devices that nobody has.
    pub board: Vec<NamedView>,
}

/// The UART that carries the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UartView {
    /// As board files call it, such as `pl011`.
    pub kind: &'static str,
    /// Its input clock; 0 where firmware has set the rate.
    pub clock_hz: u32,
    /// Its rate in bit/s; 0 likewise.
    pub baud: u32,
    /// The INTID by which EL2 hears of typed bytes; 0 where it does not.
    pub interrupt: u32,
}

/// A core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoreView {
    /// Its affinity fields, as in MPIDR_EL1.
    pub mpidr: u64,
    /// The index of its partition; the key is missing where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// Which of that one's virtual cores it is.
    pub vcpu: u16,
    /// Where EL2 finds its spin-table address while it starts; 0 where there is none.
    pub release_va: u64,
}

/// A piece of RAM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RamView {
    /// First byte.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
}

/// Registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceView {
    /// `uart`, `gicd`, `gicc`, `gich`, `gicr`, `power` or `gicv`.
    pub kind: &'static str,
    /// Where EL2 finds them; 0 where it does not map them.
    pub va: u64,
    /// Where they are.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// The INTID by which the device interrupts EL2; 0 where it does not.
    pub interrupt: u32,
}

/// Physical memory with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedView {
    /// What it is.
    pub name: String,
    /// `memory`, `device` or `carve-out`.
    pub kind: &'static str,
    /// First byte.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// What EL2 may do there, where it is a part of EL2's image: `r`, `rw` or `rx`; else empty.
    pub access: &'static str,
}

pub(super) fn view(reader: &Reader<'_>, plan: &Plan<'_>) -> Result<MachineView, ImageError> {
    let header = plan.header();
    let foreign = plan.regions().iter().filter(|region| usize::from(region.owner) >= plan.partitions().len());
    let (el2, board): (Vec<_>, Vec<_>) = foreign.partition(|region| region.owner == OWNER_EL2);
    let named = |regions: Vec<&RegionRecord>| regions.into_iter().map(|region| named(plan, region)).collect();
    Ok(MachineView {
        text_offset: header::text_offset(reader.image()).unwrap_or(0),
        el2_bytes: header.memory_bytes,
        pa_range: header.pa_range,
        tcr: header.tcr,
        mair: header.mair,
        el2_seal: header.el2_seal,
        gic: match plan.gic() {
            GicVersion::V2 => 2,
            GicVersion::V3 => 3,
        },
        core_start: match plan.core_start() {
            CoreStart::None => "none",
            CoreStart::SpinTable => "spin-table",
            CoreStart::PsciSmc => "psci-smc",
        },
        power_control: match plan.power_control() {
            PowerControl::None => "none",
            PowerControl::PsciSmc => "psci-smc",
            PowerControl::Bcm2835Pm => "bcm2835-pm",
        },
        counter_hz: header.counter_hz,
        uart: uart(plan),
        cores: plan.cores().iter().map(core).collect(),
        ram: plan.ram().iter().map(|ram| RamView { pa: ram.pa, size: ram.size }).collect(),
        devices: plan.devices().filter(|record| record.bytes != 0).map(device).collect(),
        el2: named(el2),
        board: named(board),
    })
}

fn uart(plan: &Plan<'_>) -> UartView {
    let DeviceRecord { clock_hz, baud, intid, .. } = *plan.console();
    UartView { kind: plan.uart().facts().name, clock_hz, baud, interrupt: intid }
}

fn core(record: &CoreRecord) -> CoreView {
    CoreView {
        mpidr: record.mpidr,
        partition: (record.partition != NO_PARTITION).then_some(record.partition),
        vcpu: record.vcpu,
        release_va: record.release_va,
    }
}

fn device(record: &DeviceRecord) -> DeviceView {
    let kind = match DeviceKind::from_code(record.kind) {
        Some(DeviceKind::Uart) => "uart",
        Some(DeviceKind::Gicd) => "gicd",
        Some(DeviceKind::Gicc) => "gicc",
        Some(DeviceKind::Gich) => "gich",
        Some(DeviceKind::Gicr) => "gicr",
        Some(DeviceKind::Power) => "power",
        Some(DeviceKind::Gicv) => "gicv",
        None => "unknown",
    };
    DeviceView { kind, va: record.va, pa: record.pa, size: record.bytes, interrupt: record.intid }
}

fn named(plan: &Plan<'_>, record: &RegionRecord) -> NamedView {
    let kind = match RegionKind::from_code(record.kind) {
        Some(RegionKind::Device) => "device",
        Some(RegionKind::CarveOut) => "carve-out",
        _ => "memory",
    };
    let access = if record.access == 0 { "" } else { super::access(record.access) };
    NamedView { name: plan.text(record.name).to_owned(), kind, pa: record.pa, size: record.size, access }
}
