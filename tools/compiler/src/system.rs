//! The checked whole: one board, its partitions, every address decided. Only the checker makes a [`System`].

use septum_plan::frames::{Frame, PL011_BYTES};
use septum_plan::{EmulatedKind, RegionKind};
use septum_stage2::geometry::Geometry;
use septum_stage2::{Access, Ipa, Pa};

use crate::board::{Board, Console, PaSpan};
use crate::problem::Problems;

/// Everything that the image will say.
#[derive(Clone, Debug)]
pub struct System {
    /// The configuration file's name, as the user gave it.
    pub config: String,
    /// What the image and the log call it: the same however the user named it.
    pub config_name: String,
    /// The board.
    pub board: Board,
    /// The UART that carries the log.
    pub console: Console,
    /// Physical memory set apart for EL2, from the board's load address on: an upper bound; the image takes the front.
    pub el2: PaSpan,
    /// Partitions, in the order of their VMIDs.
    pub partitions: Vec<Partition>,
    /// What is no error and may not be what was meant: notes only.
    pub remarks: Problems,
}

impl System {
    /// INTID of the log UART's interrupt, where EL2 has it: on some boards several UARTs share one, and then it may be a
    /// partition's. Without it nothing can be typed at emulated consoles.
    pub fn log_interrupt(&self) -> Option<u16> {
        let device = self.board.devices.iter().find(|device| device.name == self.console.device)?;
        let intid = *device.interrupts.first()?;
        let taken = self.partitions.iter().any(|partition| partition.interrupts.contains(&intid));
        if taken { None } else { u16::try_from(intid).ok() }
    }
}

/// One partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// TOML name.
    pub name: String,
    /// Line of its table, from 1.
    pub line: u32,
    /// Board core indices; virtual core i is the i-th.
    pub cpus: Vec<u32>,
    /// From 1.
    pub vmid: u16,
    /// Shape of its Stage-2.
    pub geometry: Geometry,
    /// What Stage-2 maps, by rising IPA, disjoint. What is emulated is not among it.
    pub regions: Vec<Region>,
    /// INTIDs of its SPIs, rising.
    pub interrupts: Vec<u32>,
    /// Where its first core starts.
    pub entry: Ipa,
    /// x0 to x3 there.
    pub arguments: [u64; 4],
    /// What becomes of its memory before it starts, by rising IPA: every byte of every memory region is in one.
    pub segments: Vec<Segment>,
    /// What EL2 emulates for it, by rising IPA.
    pub emulated: Vec<Frame>,
    /// Where it sees GICv2's CPU interface; the GICV frames are mapped there as a device region.
    pub cpu_interface: Option<Ipa>,
    /// The image's ELF file, for the monitor's symbols.
    pub elf: Option<std::path::PathBuf>,
    /// Whether accesses of the EL1 physical timer trap.
    pub trap_physical_timer: bool,
}

impl Partition {
    /// What of `kind` EL2 emulates for it.
    pub fn emulated_of(&self, kind: EmulatedKind) -> Option<Frame> {
        self.emulated.iter().find(|frame| frame.kind == kind).copied()
    }

    /// Its emulated distributor; a partition without one has no interrupts.
    pub fn distributor(&self) -> Option<Frame> {
        self.emulated_of(EmulatedKind::Gicd)
    }

    /// Its emulated PL011.
    pub fn console(&self) -> Option<Frame> {
        self.emulated_of(EmulatedKind::Pl011)
    }

    /// Adds what is emulated for it, and keeps the order.
    pub fn emulate(&mut self, frame: Frame) {
        self.emulated.push(frame);
        self.emulated.sort_by_key(|frame| frame.ipa);
    }
}

/// Where an emulated PL011 is seen unless the configuration says otherwise: as in QEMU's machine `virt`, so that a guest
/// made for that finds it.
pub const CONSOLE_IPA: u64 = 0x900_0000;
/// Its interrupt in QEMU's machine `virt`.
const CONSOLE_INTID: u32 = 33;

/// An emulated PL011 at `ipa` where the SPIs `interrupts` are taken: QEMU's interrupt if that is not among them, else the
/// first that is not. No partition may have it, physically or from another console: EL2 keeps priority, group and target
/// of each SPI once for the whole board.
pub fn console(ipa: u64, interrupts: &[u32]) -> Frame {
    let candidates = std::iter::once(CONSOLE_INTID).chain(32..);
    let intid = candidates.into_iter().find(|intid| !interrupts.contains(intid)).unwrap_or(CONSOLE_INTID);
    Frame { kind: EmulatedKind::Pl011, ipa, bytes: PL011_BYTES, intid }
}

/// A mapped range.
#[derive(Clone, Debug)]
pub struct Region {
    /// TOML name of the memory, or the board's name of the device; several devices' names are joined by `+`.
    pub name: String,
    /// The board's names of the devices whose registers lie there, by page, then as the configuration has them; none for memory and GICV.
    pub devices: Vec<String>,
    /// Memory, device or channel.
    pub kind: RegionKind,
    /// Where the partition sees it.
    pub ipa: Ipa,
    /// Where it is.
    pub pa: Pa,
    /// Bytes, a multiple of the granule.
    pub size: u64,
    /// What the partition may do there.
    pub access: Access,
    /// `keep = true`: memory that EL2 leaves as it is where no payload goes.
    pub keep: bool,
    /// Line that asked for it, from 1.
    pub line: u32,
    /// Whether a device lies there that reads and writes all physical memory, as EL2 programs no SMMU before it.
    pub bus_master: bool,
}

impl Region {
    /// Whether registers of the board's device `name` lie there.
    pub fn has_device(&self, name: &str) -> bool {
        self.devices.iter().any(|device| device == name)
    }
}

/// A piece of a partition's memory and what EL2 does with it before the partition starts.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Where.
    pub ipa: Ipa,
    /// What is put there.
    pub bytes: Vec<u8>,
    /// How many zero bytes follow.
    pub zero_bytes: u64,
    /// How many bytes after those stay as they are.
    pub keep_bytes: u64,
}

impl Segment {
    /// `bytes` at `ipa`, then `zero_bytes` zeroes.
    pub const fn new(ipa: u64, bytes: Vec<u8>, zero_bytes: u64) -> Self {
        Self { ipa: Ipa::new(ipa), bytes, zero_bytes, keep_bytes: 0 }
    }

    /// The byte past its last.
    pub const fn end(&self) -> u64 {
        let bytes = (self.bytes.len() as u64).saturating_add(self.zero_bytes).saturating_add(self.keep_bytes);
        self.ipa.get().saturating_add(bytes)
    }
}

/// `payload` and what is around it in the memory of `regions`: zeroes, but in memory that is kept. By rising IPA, as
/// few segments as can be. What lies in no memory stays as it is.
pub fn cover(regions: &[Region], payload: Vec<Segment>) -> Vec<Segment> {
    let memory = || regions.iter().filter(|region| region.kind == RegionKind::Memory);
    let mut segments = payload;
    for region in memory() {
        if segments.iter().all(|segment| segment.ipa != region.ipa) {
            segments.push(Segment::new(region.ipa.get(), Vec::new(), 0));
        }
    }
    segments.sort_by_key(|segment| segment.ipa);
    let starts: Vec<u64> = segments.iter().skip(1).map(|segment| segment.ipa.get()).chain([u64::MAX]).collect();
    for (segment, next) in segments.iter_mut().zip(starts) {
        let at = segment.ipa.get();
        let Some(region) = memory().find(|region| at >= region.ipa.get() && at - region.ipa.get() < region.size) else {
            continue;
        };
        let rest = next.min(region.ipa.get() + region.size).saturating_sub(segment.end());
        *if region.keep { &mut segment.keep_bytes } else { &mut segment.zero_bytes } += rest;
    }
    segments
}
