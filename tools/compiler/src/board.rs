//! What a board is: the checked form of `boards/<name>/board.toml`, for one of its variants.

mod check;
mod raw;
mod read;
mod registers;
mod room;

use septum_plan::{CoreStart, GicVersion, PowerControl, UartKind};
use septum_stage2::{Granule, Pa, PaRange};

use crate::raw::key::{Keyed as _, Keys};
pub use raw::Wanted;
pub use read::read;
pub use registers::REDISTRIBUTOR_BYTES;

/// The keys of a board's file.
pub(crate) const KEYS: Keys = raw::Raw::KEYS;

/// A half-open range of physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PaSpan {
    /// First byte.
    pub start: Pa,
    /// Bytes; never 0, never past 2^64.
    pub size: u64,
}

impl PaSpan {
    /// One past the last byte.
    pub const fn end(self) -> u64 {
        self.start.get().saturating_add(self.size)
    }

    /// Whether the two have a byte in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start.get() < other.end() && other.start.get() < self.end()
    }
}

/// A board in one variant.
#[derive(Clone, Debug)]
pub struct Board {
    /// The folder's name.
    pub name: String,
    /// The variant in force, where the board has several.
    pub variant: Option<String>,
    /// The lowest PARange of all cores.
    pub pa_range: PaRange,
    /// Granules that every core has.
    pub granules: Vec<Granule>,
    /// Cores by index.
    pub cores: Vec<Core>,
    /// How secondary cores start.
    pub core_start: CoreStart,
    /// RAM banks, by rising address, disjoint.
    pub ram: Vec<PaSpan>,
    /// RAM that firmware keeps: nobody gets it.
    pub carve_outs: Vec<CarveOut>,
    /// Where the image's first byte goes: 2 MiB aligned, in RAM.
    pub load: Pa,
    /// The interrupt controller.
    pub gic: Gic,
    /// The counter's frequency in Hz, or `None` where it varies between boards and emulators.
    pub counter_hz: Option<u32>,
    /// UARTs that can carry the log: names of `devices`, the first is the default.
    pub consoles: Vec<Console>,
    /// How the board is switched off, and with what registers.
    pub power: Power,
    /// Devices that partitions may own, by name.
    pub devices: Vec<Device>,
    /// Whether an SMMU stands between bus masters and memory. EL2 programs none, so it holds nobody back.
    pub smmu: bool,
    /// The QEMU machine that behaves like the board, if there is one.
    pub twin: Option<Twin>,
    /// Where the board has a twin, but not in the variant in force: that.
    pub other_twin: Option<OtherTwin>,
}

/// A twin that behaves like other variants of the board than the one in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherTwin {
    /// The variants that it behaves like.
    pub variants: Vec<String>,
    /// Line of the configuration's `variant`, from 1.
    pub line: u32,
}

/// One core.
#[derive(Clone, Debug)]
pub struct Core {
    /// MPIDR_EL1's affinity fields (Aff3 at bits 39:32, Aff2 to Aff0 at 23:0).
    pub mpidr: u64,
    /// Spin-table release address.
    pub release: Option<Pa>,
}

/// RAM that firmware keeps.
#[derive(Clone, Debug)]
pub struct CarveOut {
    /// What keeps it.
    pub name: String,
    /// Where.
    pub span: PaSpan,
}

/// The interrupt controller's frames. Sizes are in bytes.
#[derive(Clone, Debug)]
pub struct Gic {
    /// Its architecture version.
    pub version: GicVersion,
    /// GICD.
    pub distributor: PaSpan,
    /// GICR of all cores, in any order; other cores' may be among them (GICv3).
    pub redistributors: Option<PaSpan>,
    /// GICC (GICv2).
    pub cpu_interface: Option<PaSpan>,
    /// GICH (GICv2).
    pub virtual_control: Option<PaSpan>,
    /// GICV (GICv2).
    pub virtual_cpu: Option<PaSpan>,
    /// Number of SPIs.
    pub spis: u32,
}

impl Gic {
    /// The frames that it has, by what they are called.
    pub fn frames(&self) -> Vec<(&'static str, PaSpan)> {
        let frames = [
            ("distributor", Some(self.distributor)),
            ("redistributors", self.redistributors),
            ("CPU interface", self.cpu_interface),
            ("virtual interface control", self.virtual_control),
            ("virtual CPU interface", self.virtual_cpu),
        ];
        frames.into_iter().filter_map(|(name, frames)| Some((name, frames?))).collect()
    }
}

/// A UART that can carry the log.
#[derive(Clone, Debug)]
pub struct Console {
    /// Name of the device.
    pub device: String,
    /// Its kind.
    pub kind: UartKind,
    /// Input clock in Hz, or `None` where firmware has set the rate.
    pub clock_hz: Option<u32>,
    /// Rate in bit/s that goes with `clock_hz`.
    pub baud: Option<u32>,
}

/// How the board is switched off.
#[derive(Clone, Debug)]
pub struct Power {
    /// The method.
    pub control: PowerControl,
    /// Its registers, where it has some.
    pub registers: Option<PaSpan>,
}

/// A device that a partition may own.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name in configurations.
    pub name: String,
    /// Register blocks.
    pub registers: Vec<PaSpan>,
    /// INTIDs (SPIs from 32 on).
    pub interrupts: Vec<u32>,
    /// Whether it masters the bus, and so can reach memory past Stage-2.
    pub bus_master: bool,
    /// What of physical memory its driver can hand it, where that is not all.
    pub dma_reach: Option<PaSpan>,
    /// Whether whoever has it can reset the whole board, and every partition with it.
    pub resets_board: bool,
    /// Device-tree `compatible` strings, for generated trees.
    pub compatible: Vec<String>,
}

/// The board's QEMU machine.
#[derive(Clone, Debug)]
pub struct Twin {
    /// Arguments that make the machine: `-M`, `-cpu`, `-smp`, `-m` and the like.
    pub arguments: Vec<String>,
    /// Which `-serial` (from 0) each console device is, by device name.
    pub serials: Vec<(String, u32)>,
    /// File name of the board's device tree, handed over by `-dtb`, where the machine does not make one itself.
    pub dtb: Option<String>,
}
