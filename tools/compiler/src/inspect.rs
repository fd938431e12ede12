//! What is in an image, read from its bytes alone: the numbers of `inspect --json` and `plan.json`.

mod machine;

use septum_plan::record::{ACCESS_EXECUTE, ACCESS_WRITE, NO_ADDRESS, flag};
use septum_plan::{EmulatedKind, PartitionRecord, Plan, RegionKind, RegionRecord, SegmentRecord, frames};
use septum_stage2::PaRange;
use septum_stage2::walker::Walker;
use serde::Serialize;

use crate::format::reader::Reader;
use crate::problem::show;
use crate::verify::{Reached, VerifyError};
pub use machine::{CoreView, DeviceView, MachineView, NamedView, RamView, UartView};

/// An image's content. Serialized, it is the JSON of `inspect --json`; all numbers are integers, addresses and sizes in
/// bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// The board's name.
    pub board: String,
    /// The configuration: its path from the root of Septum's tree where it lies there, else its file's name.
    pub config: String,
    /// Where the image's first byte lies.
    pub load_address: u64,
    /// What of it is the board's, and EL2's.
    pub machine: MachineView,
    /// Partitions, in the order of the configuration.
    pub partitions: Vec<PartitionView>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionView {
    /// TOML name.
    pub name: String,
    /// Board core indices; virtual core i is the i-th.
    pub cpus: Vec<u16>,
    /// Its VMID.
    pub vmid: u16,
    /// VTCR_EL2.
    pub vtcr: u64,
    /// VTTBR_EL2.
    pub vttbr: u64,
    /// The granule in bytes.
    pub granule: u64,
    /// Bits of its intermediate addresses.
    pub ipa_bits: u32,
    /// Level at which a walk starts.
    pub start_level: u32,
    /// Tables side by side at that level.
    pub root_tables: u64,
    /// Bytes of its tables, each table counted once; a root smaller than a granule with its own size.
    pub table_bytes: u64,
    /// Where its first core starts (IPA).
    pub entry: u64,
    /// x0 to x3 there.
    pub arguments: [u64; 4],
    /// Line of its table in the configuration.
    pub line: u32,
    /// Whether accesses of the EL1 physical timer trap.
    pub traps_physical_timer: bool,
    /// Where it sees its interrupt controller.
    pub interrupt_controller: ControllerView,
    /// What its tables map, by rising IPA.
    pub regions: Vec<RegionView>,
    /// What is put into its memory before it starts.
    pub segments: Vec<SegmentView>,
    /// INTIDs of its SPIs, rising.
    pub interrupts: Vec<u32>,
    /// Its emulated PL011; the key is missing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console: Option<ConsoleView>,
}

/// An emulated PL011.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsoleView {
    /// Where the partition sees its 4 KiB of registers.
    pub ipa: u64,
    /// INTID of its interrupt, which EL2 raises: none of `interrupts`.
    pub interrupt: u32,
}

/// One mapped range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionView {
    /// TOML name of the memory or channel, or the board's name of the device.
    pub name: String,
    /// `memory`, `device` or `channel`.
    pub kind: &'static str,
    /// Where the partition sees it.
    pub ipa: u64,
    /// Where it is.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// `r`, `rw`, `rx` or `rwx`.
    pub access: &'static str,
    /// Line in the configuration that asked for it.
    pub line: u32,
    /// Whether a device lies there through which its partition reaches all memory; the key is missing where there is none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bus_master: bool,
    /// Whether what lay in this memory before stays where no payload goes; the key is missing where EL2 zeroes it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// Where a partition sees its interrupt controller (IPAs); the keys of what it has not are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControllerView {
    /// The emulated distributor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distributor: Option<u64>,
    /// GICv2's CPU interface, which is GICV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_interface: Option<u64>,
    /// The first of GICv3's emulated redistributors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redistributors: Option<u64>,
}

/// Bytes that are put into a partition's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SegmentView {
    /// Where the partition sees them.
    pub ipa: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// Zero bytes behind them.
    pub zeroes: u64,
    /// Bytes behind those that stay as they were.
    pub kept: u64,
}

impl PartitionView {
    /// That the partition reaches more than its regions, if it does, and through what.
    pub fn beyond_regions(&self) -> Option<String> {
        let masters = self.regions.iter().filter(|region| region.bus_master);
        let masters: Vec<_> = masters.map(|region| region.name.clone()).collect();
        (!masters.is_empty())
            .then(|| format!("bus masters {}: they reach all memory past these tables", show::list(&masters)))
    }
}

/// Reads what is in `image`.
///
/// # Errors
/// Where it is no image, is damaged, or has tables that no core would walk. Whether what it says is *right* is
/// [`crate::verify`]'s question. No bytes make this panic.
pub fn inspect(image: &[u8]) -> Result<Inspection, VerifyError> {
    let reader = Reader::new(image)?;
    let plan = reader.plan()?;
    let tables = crate::verify::partition_tables(&reader)?;
    let partitions = plan.partitions().iter().zip(&tables);
    Ok(Inspection {
        board: plan.board().to_owned(),
        config: plan.config().to_owned(),
        load_address: reader.block().load,
        machine: machine::view(&reader, &plan)?,
        partitions: partitions.map(|(record, tables)| partition(&plan, record, &tables.reached)).collect(),
    })
}

fn partition(plan: &Plan<'_>, record: &PartitionRecord, reached: &Reached) -> PartitionView {
    let walker = PaRange::from_field(plan.header().pa_range)
        .and_then(|pa_range| Walker::new(record.vtcr, record.vttbr, pa_range).ok());
    let granule = walker.map_or(0, |walker| walker.granule_bytes());
    let root = reached.tables.first();
    let emulated = |kind| frames::of_kind(plan.emulated(record), kind);
    PartitionView {
        name: plan.text(record.name).to_owned(),
        cpus: plan.vcpus(record).to_vec(),
        vmid: record.vmid,
        vtcr: record.vtcr,
        vttbr: record.vttbr,
        granule,
        ipa_bits: walker.map_or(0, |walker| walker.ipa_bits()),
        start_level: root.map_or(0, |root| root.level),
        root_tables: root.map_or(0, |root| root.bytes.div_ceil(granule.max(1))),
        table_bytes: reached.tables.iter().map(|table| table.bytes).sum(),
        entry: record.entry,
        arguments: record.arguments,
        line: record.line,
        traps_physical_timer: record.flags & flag::TRAP_PHYSICAL_TIMER != 0,
        interrupt_controller: ControllerView {
            distributor: emulated(EmulatedKind::Gicd).map(|frame| frame.ipa),
            cpu_interface: (record.gicc_ipa != NO_ADDRESS).then_some(record.gicc_ipa),
            redistributors: emulated(EmulatedKind::Gicr).map(|frame| frame.ipa),
        },
        regions: plan.regions_of(record).iter().map(|region| region_view(plan, record, region)).collect(),
        segments: plan.segments(record).iter().map(segment_view).collect(),
        interrupts: plan.intids(record).collect(),
        console: emulated(EmulatedKind::Pl011).map(|frame| ConsoleView { ipa: frame.ipa, interrupt: frame.intid }),
    }
}

const fn segment_view(record: &SegmentRecord) -> SegmentView {
    SegmentView { ipa: record.ipa, bytes: record.file_bytes, zeroes: record.zero_bytes, kept: record.keep_bytes }
}

fn region_view(plan: &Plan<'_>, partition: &PartitionRecord, record: &RegionRecord) -> RegionView {
    let kind = match RegionKind::from_code(record.kind) {
        Some(RegionKind::Device) => "device",
        Some(RegionKind::Channel) => "channel",
        _ => "memory",
    };
    let access = access(record.access);
    let name = plan.text(record.name).to_owned();
    let bus_master = record.is_bus_master();
    let RegionRecord { ipa, pa, size, line, .. } = *record;
    let kept = plan.is_kept(partition, record);
    RegionView { name, kind, ipa, pa, size, access, line, bus_master, kept }
}

/// `r`, `rw`, `rx` or `rwx`.
const fn access(bits: u8) -> &'static str {
    match (bits & ACCESS_WRITE != 0, bits & ACCESS_EXECUTE != 0) {
        (false, false) => "r",
        (true, false) => "rw",
        (false, true) => "rx",
        (true, true) => "rwx",
    }
}
