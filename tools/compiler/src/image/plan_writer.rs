//! The plan's bytes: every fact that EL2 needs, as the records of septum_plan::record.

use std::collections::BTreeMap;

use septum_plan::record::{
    ACCESS_BUS_MASTER, MAGIC, NO_ADDRESS, NO_PARTITION, OWNER_BOARD, OWNER_EL2, VERSION, access_bits, flag,
};
use septum_plan::{
    CoreRecord, EmulatedRecord, PartitionRecord, PlanHeader, RamRecord, RegionKind, RegionRecord, SegmentRecord, Slice,
    Text,
};
use septum_stage2::{Access, Granule, Ipa, Pa};
use zerocopy::{Immutable, IntoBytes};

use super::devices::Devices;
use super::el2_space::El2Space;
use super::layout::Layout;
use crate::board::PaSpan;
use crate::bus_masters;
use crate::el2_elf::{PAGE, Part};
use crate::system::{Partition, Region, System};

/// What the plan says besides the [`System`]: everything that was decided while the image was laid out.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// EL2's pages by their rights.
    pub el2: &'a [Part],
    /// Per partition, per segment: the seal of its bytes.
    pub seals: &'a [Vec<u64>],
    /// The seal of EL2's own bytes.
    pub el2_seal: u64,
    /// EL2's devices.
    pub devices: &'a Devices,
    /// EL2's mappings.
    pub space: &'a El2Space,
    /// Offsets in the image.
    pub layout: &'a Layout,
    /// TTBR0_EL2, TCR_EL2 and MAIR_EL2.
    pub regime: &'a Regime,
}

/// EL2's translation regime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regime {
    /// TTBR0_EL2 of the boot root.
    pub boot_root: u64,
    /// TTBR0_EL2 of the run root.
    pub run_root: u64,
    /// Per partition: TTBR0_EL2 of its loader root.
    pub loader_roots: Vec<u64>,
    /// TCR_EL2.
    pub tcr: u64,
    /// MAIR_EL2.
    pub mair: u64,
}

/// The plan's bytes, a multiple of [`PAGE`]. Their number depends on `system` and on how many devices and RAM pieces
/// there are, not on where anything lies.
pub fn write(system: &System, decided: Decided<'_>) -> Vec<u8> {
    let mut records = Records::new(system, decided);
    records.add_cores(system, decided);
    for (index, partition) in system.partitions.iter().enumerate() {
        records.add_partition(system, partition, index, decided);
    }
    records.add_el2_regions(system, decided);
    records.add_board_regions(system);
    records.finish(system, decided)
}

#[derive(Default)]
struct Records {
    cores: Vec<CoreRecord>,
    partitions: Vec<PartitionRecord>,
    regions: Vec<RegionRecord>,
    segments: Vec<SegmentRecord>,
    ram: Vec<RamRecord>,
    emulated: Vec<EmulatedRecord>,
    interrupts: Vec<u32>,
    vcpus: Vec<u16>,
    strings: Strings,
}

impl Records {
    fn new(system: &System, decided: Decided<'_>) -> Self {
        let ram =
            decided.space.ram.iter().map(|ram| RamRecord { pa: ram.span.start.get(), va: ram.va, size: ram.span.size });
        let mut records = Self { ram: ram.collect(), ..Self::default() };
        records.strings.add(&system.board.name);
        records.strings.add(&system.config_name);
        records.strings.add(&exception(system));
        records
    }

    fn add_cores(&mut self, system: &System, decided: Decided<'_>) {
        for (index, core) in system.board.cores.iter().enumerate() {
            let (partition, vcpu) = owner_of_core(system, index);
            self.cores.push(CoreRecord {
                mpidr: core.mpidr,
                release_va: decided.space.release.get(index).copied().unwrap_or(0),
                partition,
                vcpu,
                reserved: [0; 3],
            });
        }
    }

    fn add_partition(&mut self, system: &System, partition: &Partition, index: usize, decided: Decided<'_>) {
        let record = PartitionRecord {
            name: self.strings.add(&partition.name),
            vtcr: partition.geometry.vtcr(),
            vttbr: vttbr(system, partition, index, decided.layout),
            entry: partition.entry.get(),
            arguments: partition.arguments,
            loader_root: decided.regime.loader_roots.get(index).copied().unwrap_or(0),
            gicc_ipa: address(partition.cpu_interface),
            vcpus: append(&mut self.vcpus, partition.cpus.iter().map(|core| number(*core as usize))),
            regions: self.add_regions(partition, number(index)),
            segments: self.add_segments(partition, index, decided),
            interrupts: append(&mut self.interrupts, owned(&partition.interrupts, system.board.gic.spis)),
            emulated: append(&mut self.emulated, partition.emulated.iter().map(|frame| frame.record())),
            line: partition.line,
            vmid: partition.vmid,
            flags: if partition.trap_physical_timer { flag::TRAP_PHYSICAL_TIMER } else { 0 },
        };
        self.partitions.push(record);
    }

    fn add_regions(&mut self, partition: &Partition, owner: u16) -> Slice {
        let records: Vec<_> = partition.regions.iter().map(|region| self.region(region, owner)).collect();
        append(&mut self.regions, records)
    }

    fn region(&mut self, region: &Region, owner: u16) -> RegionRecord {
        RegionRecord {
            name: self.strings.add(&region.name),
            ipa: region.ipa.get(),
            pa: region.pa.get(),
            size: region.size,
            line: region.line,
            owner,
            kind: region.kind.code(),
            access: access_bits(region.access) | if region.bus_master { ACCESS_BUS_MASTER } else { 0 },
        }
    }

    fn add_segments(&mut self, partition: &Partition, index: usize, decided: Decided<'_>) -> Slice {
        let places = decided.space.loaders.get(index).map_or(&[][..], |loader| &loader.segments);
        let seals = decided.seals.get(index).map_or(&[][..], Vec::as_slice);
        let segments = partition.segments.iter().zip(places).zip(seals);
        let records = segments.map(|((segment, (source_va, target_va)), seal)| SegmentRecord {
            source_va: if segment.bytes.is_empty() { 0 } else { *source_va },
            target_va: *target_va,
            file_bytes: segment.bytes.len() as u64,
            zero_bytes: segment.zero_bytes,
            keep_bytes: segment.keep_bytes,
            seal: *seal,
            ipa: segment.ipa.get(),
        });
        append(&mut self.segments, records)
    }

    fn add_el2_regions(&mut self, system: &System, decided: Decided<'_>) {
        let load = system.board.load.get();
        let span = |offset, size| PaSpan { start: Pa::new(load + offset), size };
        // The parts come before the whole, so that who looks an address up finds the narrower name first.
        for part in decided.el2 {
            let name = part_name(part.access);
            self.add_foreign(name, span(part.offset, part.size), OWNER_EL2, RegionKind::El2);
            self.regions.last_mut().into_iter().for_each(|region| region.access = access_bits(part.access));
        }
        let whole = span(0, decided.layout.memory_bytes);
        self.add_foreign("el2", whole, OWNER_EL2, RegionKind::El2);
        // The pieces of GICR are one device, in a row.
        for frames in decided.devices.frames.chunk_by(|one, next| one.name == next.name) {
            let [first, ..] = frames else { continue };
            let span = PaSpan { start: first.pa, size: frames.iter().map(|frame| frame.size).sum() };
            self.add_foreign(&first.name, span, OWNER_EL2, RegionKind::Device);
        }
        // Firmware's memory, but EL2 writes there while it starts the cores.
        for page in &decided.space.release_pages {
            self.add_foreign("spin-table", *page, OWNER_EL2, RegionKind::CarveOut);
        }
    }

    fn add_board_regions(&mut self, system: &System) {
        for carve_out in &system.board.carve_outs {
            self.add_foreign(&carve_out.name, carve_out.span, OWNER_BOARD, RegionKind::CarveOut);
        }
        for device in &system.board.devices {
            for registers in device.registers.iter().filter(|span| !is_owned(system, device.name.as_str(), **span)) {
                self.add_foreign(&device.name, *registers, OWNER_BOARD, RegionKind::Device);
            }
        }
    }

    fn add_foreign(&mut self, name: &str, span: PaSpan, owner: u16, kind: RegionKind) {
        let name = self.strings.add(name);
        let (pa, size, kind) = (span.start.get(), span.size, kind.code());
        self.regions.push(RegionRecord { name, ipa: NO_ADDRESS, pa, size, line: 0, owner, kind, access: 0 });
    }

    fn finish(mut self, system: &System, decided: Decided<'_>) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<PlanHeader>()];
        // The strings lie last, so their offsets are known once every array's length is.
        let strings = (bytes.len() + self.record_bytes()) as u32;
        self.move_strings(strings);
        let header = PlanHeader {
            board: self.strings.find(&system.board.name).moved(strings),
            config: self.strings.find(&system.config_name).moved(strings),
            exception: self.strings.find(&exception(system)).moved(strings),
            cores: array(&mut bytes, &self.cores),
            partitions: array(&mut bytes, &self.partitions),
            regions: array(&mut bytes, &self.regions),
            segments: array(&mut bytes, &self.segments),
            ram: array(&mut bytes, &self.ram),
            emulated: array(&mut bytes, &self.emulated),
            interrupts: array(&mut bytes, &self.interrupts),
            vcpus: array(&mut bytes, &self.vcpus),
            ..header(system, decided)
        };
        bytes.extend_from_slice(self.strings.bytes.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(PAGE as usize), 0);
        let header = PlanHeader { plan_bytes: bytes.len() as u64, ..header };
        bytes[..size_of::<PlanHeader>()].copy_from_slice(header.as_bytes());
        bytes
    }

    fn record_bytes(&self) -> usize {
        size_of_val(&*self.cores)
            + size_of_val(&*self.partitions)
            + size_of_val(&*self.regions)
            + size_of_val(&*self.segments)
            + size_of_val(&*self.ram)
            + size_of_val(&*self.emulated)
            + size_of_val(&*self.interrupts)
            + size_of_val(&*self.vcpus)
    }

    fn move_strings(&mut self, start: u32) {
        for partition in &mut self.partitions {
            partition.name = partition.name.moved(start);
        }
        for region in &mut self.regions {
            region.name = region.name.moved(start);
        }
    }
}

fn exception(system: &System) -> String {
    let partitions = system.partitions.iter();
    bus_masters::exception(partitions.map(|partition| {
        let regions = partition.regions.iter().filter(|region| region.bus_master);
        (partition.name.as_str(), regions.map(|region| region.name.as_str()).collect())
    }))
}

fn header(system: &System, decided: Decided<'_>) -> PlanHeader {
    let (board, regime) = (&system.board, decided.regime);
    PlanHeader {
        magic: MAGIC,
        version: VERSION,
        header_bytes: size_of::<PlanHeader>() as u32,
        sealed_bytes: decided.layout.sealed_bytes,
        load_pa: board.load.get(),
        memory_bytes: decided.layout.memory_bytes,
        boot_root: regime.boot_root,
        run_root: regime.run_root,
        tcr: regime.tcr,
        mair: regime.mair,
        counter_hz: board.counter_hz.unwrap_or(0),
        granules: granules(system),
        pa_range: board.pa_range.field(),
        gic: board.gic.version.code(),
        core_start: board.core_start.code(),
        el2_seal: decided.el2_seal,
        devices: decided.devices.records,
        ..PlanHeader::default()
    }
}

/// Strings, each stored once.
#[derive(Default)]
struct Strings {
    bytes: String,
    known: BTreeMap<String, Text>,
}

impl Strings {
    fn add(&mut self, string: &str) -> Text {
        if string.is_empty() {
            return Text::default();
        }
        if let Some(text) = self.known.get(string) {
            return *text;
        }
        let text = Text { offset: self.bytes.len() as u32, length: string.len() as u32 };
        self.bytes.push_str(string);
        self.known.insert(string.to_owned(), text);
        text
    }

    fn find(&self, string: &str) -> Text {
        self.known.get(string).copied().unwrap_or_default()
    }
}

trait Moved {
    fn moved(self, by: u32) -> Self;
}

impl Moved for Text {
    /// The empty string stays at 0.
    fn moved(self, by: u32) -> Self {
        Self { offset: if self.length == 0 { 0 } else { self.offset + by }, ..self }
    }
}

fn array<T: IntoBytes + Immutable>(bytes: &mut Vec<u8>, records: &[T]) -> Slice {
    let slice = Slice { offset: bytes.len() as u32, count: records.len() as u32 };
    bytes.extend_from_slice(records.as_bytes());
    slice
}

fn append<T>(all: &mut Vec<T>, more: impl IntoIterator<Item = T>) -> Slice {
    let first = all.len();
    all.extend(more);
    Slice { offset: first as u32, count: (all.len() - first) as u32 }
}

/// How fault reports name EL2's pages with these rights.
const fn part_name(access: Access) -> &'static str {
    match (access.write, access.execute) {
        (true, _) => "el2-data",
        (false, true) => "el2-text",
        (false, false) => "el2-rodata",
    }
}

/// The number of a core, virtual core or partition: boards have at most [`septum_plan::space::CORES_MAX`] cores, and
/// VMIDs allow fewer partitions. One beyond 16 bits would be nobody's, which the proof refuses.
fn number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(NO_PARTITION)
}

fn owner_of_core(system: &System, core: usize) -> (u16, u16) {
    for (index, partition) in system.partitions.iter().enumerate() {
        if let Some(vcpu) = partition.cpus.iter().position(|cpu| *cpu as usize == core) {
            return (number(index), number(vcpu));
        }
    }
    (NO_PARTITION, 0)
}

fn vttbr(system: &System, partition: &Partition, index: usize, layout: &Layout) -> u64 {
    let root = layout.stage2.get(index).map_or(0, |offset| system.board.load.get() + offset);
    root | u64::from(partition.vmid) << 48
}

fn address(ipa: Option<Ipa>) -> u64 {
    ipa.map_or(NO_ADDRESS, Ipa::get)
}

/// Ownership words for all of the board's SPIs.
fn owned(interrupts: &[u32], spis: u32) -> Vec<u32> {
    let mut words = vec![0; spis.div_ceil(32) as usize];
    for spi in interrupts.iter().filter_map(|interrupt| interrupt.checked_sub(32)) {
        if let Some(word) = words.get_mut(spi as usize / 32) {
            *word |= 1 << (spi % 32);
        }
    }
    words
}

/// Every core must have EL2's own granule, 4k, and those of the partitions' tables.
fn granules(system: &System) -> u8 {
    let bit = |granule| match granule {
        Granule::K4 => 1,
        Granule::K16 => 2,
        Granule::K64 => 4,
    };
    system.partitions.iter().fold(1, |bits, partition| bits | bit(partition.geometry.granule()))
}

/// Whether a partition or EL2's console has these registers, and so already a region that names them.
fn is_owned(system: &System, device: &str, span: PaSpan) -> bool {
    let (start, end) = (span.start.get(), span.start.get().saturating_add(span.size));
    let covers = |region: &Region| region.pa.get() < end && start - start.min(region.pa.get()) < region.size;
    system.console.device == device
        || system.partitions.iter().flat_map(|p| &p.regions).any(|r| r.kind == RegionKind::Device && covers(r))
}
