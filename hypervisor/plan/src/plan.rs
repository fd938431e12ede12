//! The checked view of a plan: after [`Plan::parse`] every slice, index, string and enumeration in it is good.

use core::fmt;

use zerocopy::{FromBytes, Immutable, KnownLayout};

use crate::UartKind;
use crate::affinity::VCPUS_MAX;
use crate::frames;
use crate::record::{
    CoreRecord, CoreStart, DeviceKind, DeviceRecord, EmulatedKind, EmulatedRecord, GicVersion, MAGIC, NO_PARTITION,
    OWNER_BOARD, OWNER_EL2, PartitionRecord, PlanHeader, PowerControl, RamRecord, RegionKind, RegionRecord,
    SegmentRecord, Slice, Text, VERSION,
};

/// INTIDs of shared peripheral interrupts.
const SPIS: core::ops::Range<u32> = 32..1020;

/// Why bytes are not a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Fewer bytes than a header has, or not aligned to 8 bytes.
    TooShort,
    /// The first bytes are not [`MAGIC`].
    Magic,
    /// Another version than [`VERSION`].
    Version(u32),
    /// A length in the header disagrees with the bytes or with another length.
    Length,
    /// The seal over plan and tables is not the one that the boot block holds.
    Seal,
    /// An array lies outside the plan or is not aligned; which.
    Slice(&'static str),
    /// A string lies outside the plan or is not UTF-8; whose.
    Text(&'static str),
    /// An index points past the end of its array; which.
    Index(&'static str),
    /// A number stands for nothing in its enumeration; which.
    Code(&'static str),
    /// A range of addresses wraps, or is not where it must be; whose.
    Range(&'static str),
}

impl PlanError {
    /// What is wrong, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooShort => "shorter than its header",
            Self::Magic => "no plan (magic number)",
            Self::Version(_) => "made by another version of the compiler",
            Self::Length => "lengths disagree",
            Self::Seal => "plan or tables damaged (seal)",
            Self::Slice(_) => "an array lies outside",
            Self::Text(_) => "a string lies outside or is not UTF-8",
            Self::Index(_) => "an index points past its array",
            Self::Code(_) => "an unknown code",
            Self::Range(_) => "a range of addresses wraps or is out of order",
        }
    }

    /// The field that is wrong, or "".
    pub const fn field(self) -> &'static str {
        match self {
            Self::Slice(what) | Self::Text(what) | Self::Index(what) | Self::Code(what) | Self::Range(what) => what,
            _ => "",
        }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())?;
        match self {
            Self::Version(found) => write!(f, ": found {found}, expected {VERSION}"),
            other if !other.field().is_empty() => write!(f, ": {}", other.field()),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for PlanError {}

/// A plan's bytes, checked.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    header: &'a PlanHeader,
    cores: &'a [CoreRecord],
    partitions: &'a [PartitionRecord],
    vcpus: &'a [u16],
    regions: &'a [RegionRecord],
    segments: &'a [SegmentRecord],
    ram: &'a [RamRecord],
    interrupts: &'a [u32],
    emulated: &'a [EmulatedRecord],
    bytes: &'a [u8],
    gic: GicVersion,
    core_start: CoreStart,
    power_control: PowerControl,
    uart: UartKind,
}

impl<'a> Plan<'a> {
    /// Checks `bytes`, the sealed range (plan and tables) whose seal the boot block holds as `seal`.
    ///
    /// # Errors
    /// The first thing found wrong. No bytes make this panic.
    pub fn parse(bytes: &'a [u8], seal: u64) -> Result<Self, PlanError> {
        let plan = Self::parse_unsealed(bytes)?;
        if crate::seal(bytes) == seal { Ok(plan) } else { Err(PlanError::Seal) }
    }

    /// As [`Plan::parse`], for a reader that has checked the seal already, as the boot stub does.
    ///
    /// # Errors
    /// As [`Plan::parse`], without [`PlanError::Seal`].
    pub fn parse_unsealed(bytes: &'a [u8]) -> Result<Self, PlanError> {
        let (header, _) = PlanHeader::ref_from_prefix(bytes).map_err(|_| PlanError::TooShort)?;
        if header.magic != MAGIC {
            return Err(PlanError::Magic);
        }
        if header.version != VERSION {
            return Err(PlanError::Version(header.version));
        }
        if header.header_bytes as usize != size_of::<PlanHeader>() || header.sealed_bytes != bytes.len() as u64 {
            return Err(PlanError::Length);
        }
        let plan_bytes = usize::try_from(header.plan_bytes).map_err(|_| PlanError::Length)?;
        let bytes = bytes.get(..plan_bytes).ok_or(PlanError::Length)?;
        let (console, power) = (header.device(DeviceKind::Uart), header.device(DeviceKind::Power));
        is_spi_or_none(console.intid).ok_or(PlanError::Code("device.intid"))?;
        let plan = Self {
            header,
            cores: array(bytes, header.cores, "cores")?,
            partitions: array(bytes, header.partitions, "partitions")?,
            vcpus: array(bytes, header.vcpus, "vcpus")?,
            regions: array(bytes, header.regions, "regions")?,
            segments: array(bytes, header.segments, "segments")?,
            ram: array(bytes, header.ram, "ram")?,
            interrupts: array(bytes, header.interrupts, "interrupts")?,
            emulated: array(bytes, header.emulated, "emulated")?,
            bytes,
            gic: GicVersion::from_code(header.gic).ok_or(PlanError::Code("gic"))?,
            core_start: CoreStart::from_code(header.core_start).ok_or(PlanError::Code("core_start"))?,
            power_control: PowerControl::from_code(power.driver).ok_or(PlanError::Code("device.driver"))?,
            uart: UartKind::from_code(console.driver).ok_or(PlanError::Code("device.driver"))?,
        };
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), PlanError> {
        self.check_header()?;
        self.regions.iter().try_for_each(|region| self.check_region(region))?;
        self.partitions.iter().try_for_each(|partition| self.check_partition(partition))?;
        self.cores.iter().try_for_each(|core| self.check_core(core))?;
        self.ram.iter().try_for_each(|ram| {
            check_range(ram.pa, ram.size, "ram.pa")?;
            check_range(ram.va, ram.size, "ram.va")
        })?;
        let known = |vcpu: &u16| (*vcpu as usize) < self.cores.len();
        self.vcpus.iter().all(known).then_some(()).ok_or(PlanError::Index("vcpus"))
    }

    fn check_header(&self) -> Result<(), PlanError> {
        let header = self.header;
        check_text(self.bytes, header.board, "board")?;
        check_text(self.bytes, header.config, "config")?;
        check_text(self.bytes, header.exception, "exception")?;
        check_range(header.load_pa, header.memory_bytes, "memory_bytes")?;
        (header.pa_range <= 5).then_some(()).ok_or(PlanError::Code("pa_range"))
    }

    fn check_region(&self, region: &RegionRecord) -> Result<(), PlanError> {
        check_text(self.bytes, region.name, "region.name")?;
        check_range(region.pa, region.size, "region.pa")?;
        RegionKind::from_code(region.kind).ok_or(PlanError::Code("region.kind"))?;
        match region.owner {
            OWNER_EL2 | OWNER_BOARD => Ok(()),
            owner if (owner as usize) < self.partitions.len() => check_range(region.ipa, region.size, "region.ipa"),
            _ => Err(PlanError::Index("region.owner")),
        }
    }

    fn check_partition(&self, partition: &PartitionRecord) -> Result<(), PlanError> {
        check_text(self.bytes, partition.name, "partition.name")?;
        let vcpus = sub(self.vcpus, partition.vcpus).filter(|vcpus| vcpus.len() <= VCPUS_MAX);
        vcpus.ok_or(PlanError::Index("partition.vcpus"))?;
        let regions = sub(self.regions, partition.regions).ok_or(PlanError::Index("partition.regions"))?;
        if !regions.is_sorted_by_key(|region| region.ipa) {
            return Err(PlanError::Range("partition.regions"));
        }
        let segments = sub(self.segments, partition.segments).ok_or(PlanError::Index("partition.segments"))?;
        segments.iter().try_for_each(check_segment)?;
        sub(self.interrupts, partition.interrupts).ok_or(PlanError::Index("partition.interrupts"))?;
        let emulated = sub(self.emulated, partition.emulated).ok_or(PlanError::Index("partition.emulated"))?;
        emulated.iter().try_for_each(check_emulated)
    }

    fn check_core(&self, core: &CoreRecord) -> Result<(), PlanError> {
        if core.partition == NO_PARTITION {
            return Ok(());
        }
        let partition = self.partitions.get(core.partition as usize).ok_or(PlanError::Index("core.partition"))?;
        (u32::from(core.vcpu) < partition.vcpus.count).then_some(()).ok_or(PlanError::Index("core.vcpu"))
    }

    /// The header.
    pub const fn header(&self) -> &'a PlanHeader {
        self.header
    }

    /// The interrupt controller.
    pub const fn gic(&self) -> GicVersion {
        self.gic
    }

    /// How secondary cores start.
    pub const fn core_start(&self) -> CoreStart {
        self.core_start
    }

    /// How the board is switched off.
    pub const fn power_control(&self) -> PowerControl {
        self.power_control
    }

    /// The UART that carries the log.
    pub fn console(&self) -> &'a DeviceRecord {
        self.device(DeviceKind::Uart)
    }

    /// The console's kind.
    pub const fn uart(&self) -> UartKind {
        self.uart
    }

    /// All cores of the board, by index.
    pub const fn cores(&self) -> &'a [CoreRecord] {
        self.cores
    }

    /// All partitions, by index.
    pub const fn partitions(&self) -> &'a [PartitionRecord] {
        self.partitions
    }

    /// Every region with an owner.
    pub const fn regions(&self) -> &'a [RegionRecord] {
        self.regions
    }

    /// The boot root's view of RAM.
    pub const fn ram(&self) -> &'a [RamRecord] {
        self.ram
    }

    /// The device of `kind`; [`DeviceRecord::NONE`] where there is none.
    pub fn device(&self, kind: DeviceKind) -> &'a DeviceRecord {
        self.header.device(kind)
    }

    /// All devices that there are: those that EL2 drives, and GICV.
    pub fn devices(&self) -> impl Iterator<Item = &'a DeviceRecord> + Clone + use<'a> {
        self.header.devices.iter().filter(|device| **device != DeviceRecord::NONE)
    }

    /// The board's name.
    pub fn board(&self) -> &'a str {
        self.text(self.header.board)
    }

    /// Who reaches all memory past the tables, as the end of a sentence; "" where nobody does.
    pub fn exception(&self) -> &'a str {
        self.text(self.header.exception)
    }

    /// The configuration: its path from the root of Septum's tree where it lies there, else its file's name.
    pub fn config(&self) -> &'a str {
        self.text(self.header.config)
    }

    /// A string of this plan; "" for a [`Text`] that is not from it.
    pub fn text(&self, text: Text) -> &'a str {
        text_bytes(self.bytes, text).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or("")
    }

    /// The board's core indices that are `partition`'s virtual cores, in order.
    pub fn vcpus(&self, partition: &PartitionRecord) -> &'a [u16] {
        sub(self.vcpus, partition.vcpus).unwrap_or(&[])
    }

    /// `partition`'s regions, by rising IPA.
    pub fn regions_of(&self, partition: &PartitionRecord) -> &'a [RegionRecord] {
        sub(self.regions, partition.regions).unwrap_or(&[])
    }

    /// What becomes of `partition`'s memory before it starts, by rising IPA.
    pub fn segments(&self, partition: &PartitionRecord) -> &'a [SegmentRecord] {
        sub(self.segments, partition.segments).unwrap_or(&[])
    }

    /// `partition`'s SPIs: bit b of word w says that INTID 32 + 32w + b is its own.
    pub fn interrupts(&self, partition: &PartitionRecord) -> &'a [u32] {
        sub(self.interrupts, partition.interrupts).unwrap_or(&[])
    }

    /// What EL2 emulates for `partition`, by rising IPA.
    pub fn emulated(&self, partition: &PartitionRecord) -> &'a [EmulatedRecord] {
        sub(self.emulated, partition.emulated).unwrap_or(&[])
    }

    /// What of `kind` EL2 emulates for `partition`. Out of line: EL2 has little room, and asks in no hot path.
    #[inline(never)]
    pub fn emulated_of(&self, partition: &PartitionRecord, kind: EmulatedKind) -> Option<&'a EmulatedRecord> {
        frames::of_kind(self.emulated(partition), kind)
    }

    /// The INTIDs of `partition`'s SPIs, rising: what [`Plan::interrupts`] stands for.
    pub fn intids(&self, partition: &PartitionRecord) -> impl Iterator<Item = u32> + use<'a> {
        let words = self.interrupts(partition).iter();
        words.zip((SPIS.start..).step_by(32)).flat_map(|(word, first)| {
            (0..32).filter(move |bit| word >> bit & 1 != 0).map(move |bit| first.saturating_add(bit))
        })
    }

    /// Whether some byte of `region`, memory of `partition`, stays as it was before the partition started.
    pub fn is_kept(&self, partition: &PartitionRecord, region: &RegionRecord) -> bool {
        let inside = |ipa: u64| ipa.checked_sub(region.ipa).is_some_and(|offset| offset < region.size);
        self.segments(partition).iter().any(|segment| segment.keep_bytes != 0 && inside(segment.ipa))
    }
}

fn array<'a, T: FromBytes + KnownLayout + Immutable>(
    bytes: &'a [u8],
    slice: Slice,
    what: &'static str,
) -> Result<&'a [T], PlanError> {
    let rest = bytes.get(slice.offset as usize..).ok_or(PlanError::Slice(what))?;
    let (records, _) =
        <[T]>::ref_from_prefix_with_elems(rest, slice.count as usize).map_err(|_| PlanError::Slice(what))?;
    Ok(records)
}

fn sub<T>(records: &[T], slice: Slice) -> Option<&[T]> {
    let first = slice.offset as usize;
    records.get(first..first.checked_add(slice.count as usize)?)
}

fn is_spi_or_none(intid: u32) -> Option<()> {
    (SPIS.contains(&intid) || intid == 0).then_some(())
}

fn text_bytes(bytes: &[u8], text: Text) -> Option<&[u8]> {
    let first = text.offset as usize;
    bytes.get(first..first.checked_add(text.length as usize)?)
}

fn check_range(start: u64, size: u64, what: &'static str) -> Result<(), PlanError> {
    start.checked_add(size).map(|_| ()).ok_or(PlanError::Range(what))
}

fn check_segment(segment: &SegmentRecord) -> Result<(), PlanError> {
    let size = segment.size().ok_or(PlanError::Range("segment"))?;
    check_range(segment.source_va, segment.file_bytes, "segment.source_va")?;
    check_range(segment.target_va, size, "segment.target_va")?;
    check_range(segment.ipa, size, "segment.ipa")
}

fn check_emulated(emulated: &EmulatedRecord) -> Result<(), PlanError> {
    EmulatedKind::from_code(emulated.kind).ok_or(PlanError::Code("emulated.kind"))?;
    check_range(emulated.ipa, emulated.bytes, "emulated.ipa")?;
    is_spi_or_none(emulated.intid).ok_or(PlanError::Code("emulated.intid"))
}

fn check_text(bytes: &[u8], text: Text, what: &'static str) -> Result<(), PlanError> {
    let bytes = text_bytes(bytes, text).ok_or(PlanError::Text(what))?;
    core::str::from_utf8(bytes).map(|_| ()).map_err(|_| PlanError::Text(what))
}
