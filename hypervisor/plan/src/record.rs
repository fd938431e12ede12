//! The plan's records: fixed-size, `#[repr(C)]`, little-endian, without padding and without pointers.
//!
//! A plan is [`PlanHeader`], then arrays of records, then strings, padded to 4 KiB; the translation tables follow. All
//! offsets count in bytes from the header's first byte. Addresses are physical (`pa`), intermediate (`ipa`) or EL2's
//! virtual (`va`), sizes are in bytes. An enumeration is stored as its number and turned back by `from_code`, which
//! refuses what it does not know; a refused number is a [`crate::PlanError`].

use septum_stage2::Access;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first eight bytes of a plan.
pub const MAGIC: [u8; 8] = *b"SEPTPLAN";
/// Version of boot block and plan; EL2 and compiler must agree exactly. A change of any record's layout takes the next one,
/// so that an older image is refused by this name and not by what its bytes happen to mean.
pub const VERSION: u32 = 2;
/// "No address" in a field where 0 could be one.
pub const NO_ADDRESS: u64 = u64::MAX;
/// "No partition" in [`CoreRecord::partition`].
pub const NO_PARTITION: u16 = u16::MAX;
/// Owner of a region that is EL2's.
pub const OWNER_EL2: u16 = 0xfffe;
/// Owner of a region that is the board's or its firmware's: carve-outs, and devices that nobody was given.
pub const OWNER_BOARD: u16 = 0xffff;

/// An array of records, or of some kind's indices: `count` of them from `offset` on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Slice {
    /// Bytes from the header; in [`PartitionRecord`] instead the index of the first record in the header's array.
    pub offset: u32,
    /// Number of records.
    pub count: u32,
}

/// A UTF-8 string among the plan's strings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Text {
    /// Bytes from the header.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
}

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number that stands for it in a plan.
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// What `code` stands for, if anything.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

coded! {
    /// The board's interrupt controller.
    GicVersion {
        /// GICv2 (GIC-400): memory-mapped CPU interface and virtual interface.
        V2 = 2,
        /// GICv3 (GIC-500 and later): redistributors, system-register CPU interface.
        V3 = 3,
    }
}
coded! {
    /// How secondary cores are started.
    CoreStart {
        /// They do not exist or cannot be started.
        None = 0,
        /// Each polls a release address for its entry point.
        SpinTable = 1,
        /// PSCI CPU_ON by SMC.
        PsciSmc = 2,
    }
}
coded! {
    /// How the board is switched off or reset.
    PowerControl {
        /// There is no way: EL2 says so and parks.
        None = 0,
        /// PSCI SYSTEM_OFF and SYSTEM_RESET by SMC.
        PsciSmc = 1,
        /// The watchdog of the BCM2835 family's power-management block.
        Bcm2835Pm = 2,
    }
}

impl PowerControl {
    /// Bytes of its registers up to the end of the last that EL2 uses; 0 where it has none.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::None | Self::PsciSmc => 0,
            // PM_WDOG (Linux, bcm2835_wdt.c).
            Self::Bcm2835Pm => 0x28,
        }
    }
}
coded! {
    /// What EL2 drives, and GICV, which it hands to partitions.
    DeviceKind {
        /// The console UART.
        Uart = 1,
        /// GICD.
        Gicd = 2,
        /// GICC (GICv2).
        Gicc = 3,
        /// GICH (GICv2).
        Gich = 4,
        /// GICR of all cores (GICv3), in pieces of [`GICR_BYTES`](crate::frames::GICR_BYTES) that EL2 finds
        /// [`GICR_STRIDE`](crate::space::GICR_STRIDE) bytes apart: each core looks for its own by its affinity, because cores
        /// need not be in redistributor order, nor all in use (IHI 0069H 12.11, GICR_TYPER).
        Gicr = 5,
        /// The power control, where there is one; firmware's has no registers.
        Power = 6,
        /// GICV (GICv2): Stage-2 maps it, EL2 does not.
        Gicv = 7,
    }
}

impl DeviceKind {
    /// Its index in [`PlanHeader::devices`].
    pub const fn place(self) -> usize {
        (self.code() as usize).wrapping_sub(1)
    }
}
coded! {
    /// Registers that EL2 emulates. A new device is a row here, an arm in EL2's `vdev`, and a frame that the compiler gives
    /// to partitions.
    EmulatedKind {
        /// GICD.
        Gicd = 1,
        /// GICR of every virtual core, one behind the other (GICv3).
        Gicr = 2,
        /// An Arm PL011.
        Pl011 = 3,
    }
}

impl EmulatedKind {
    /// What messages call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gicd => "the distributor",
            Self::Gicr => "the redistributors",
            Self::Pl011 => "the console",
        }
    }
}
coded! {
    /// What lies in a region.
    RegionKind {
        /// RAM.
        Memory = 0,
        /// Registers.
        Device = 1,
        /// RAM shared by two partitions.
        Channel = 2,
        /// RAM that firmware keeps.
        CarveOut = 3,
        /// EL2's image, plan, tables and stacks.
        El2 = 4,
    }
}

/// Bit of [`RegionRecord::access`]: loads allowed.
pub const ACCESS_READ: u8 = 1;
/// Bit of [`RegionRecord::access`]: stores allowed.
pub const ACCESS_WRITE: u8 = 2;
/// Bit of [`RegionRecord::access`]: fetches allowed.
pub const ACCESS_EXECUTE: u8 = 4;
/// Bit of [`RegionRecord::access`]: among these registers are those of a device that reads and writes all physical memory,
/// whatever tables say.
pub const ACCESS_BUS_MASTER: u8 = 8;

/// The bits of [`RegionRecord::access`] that stand for `access`.
pub const fn access_bits(access: Access) -> u8 {
    let mut bits = 0;
    if access.read {
        bits |= ACCESS_READ;
    }
    if access.write {
        bits |= ACCESS_WRITE;
    }
    if access.execute {
        bits |= ACCESS_EXECUTE;
    }
    bits
}

impl RegionRecord {
    /// What its owner may do there: the meaning of [`RegionRecord::access`].
    pub const fn rights(&self) -> Access {
        let bits = self.access;
        Access { read: bits & ACCESS_READ != 0, write: bits & ACCESS_WRITE != 0, execute: bits & ACCESS_EXECUTE != 0 }
    }

    /// Whether a device lies there that reads and writes all physical memory, whatever tables say.
    pub const fn is_bus_master(&self) -> bool {
        self.access & ACCESS_BUS_MASTER != 0
    }
}

/// The plan's first record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PlanHeader {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// Bytes of this header.
    pub header_bytes: u32,
    /// Bytes of header, records and strings, a multiple of 4 KiB; tables follow up to `sealed_bytes`.
    pub plan_bytes: u64,
    /// Bytes of plan and tables together.
    pub sealed_bytes: u64,
    /// Where the image's first byte lies.
    pub load_pa: u64,
    /// Bytes from `load_pa` on that are EL2's.
    pub memory_bytes: u64,
    /// TTBR0_EL2 of the boot root.
    pub boot_root: u64,
    /// TTBR0_EL2 of the run root.
    pub run_root: u64,
    /// TCR_EL2.
    pub tcr: u64,
    /// MAIR_EL2.
    pub mair: u64,
    /// The counter's frequency in Hz that the board must have, or 0 where it may vary.
    pub counter_hz: u32,
    /// Bits 0 to 2: the granules that every core must have, in the order 4k, 16k, 64k, because some table uses them.
    pub granules: u8,
    /// The PARange encoding that every core must reach (0 to 5).
    pub pa_range: u8,
    /// [`GicVersion`].
    pub gic: u8,
    /// [`CoreStart`].
    pub core_start: u8,
    /// The seal of EL2's own bytes ([`crate::boot::el2_seal`]), for readers on the host.
    pub el2_seal: u64,
    /// The board's name.
    pub board: Text,
    /// The configuration: its path from the root of Septum's tree where it lies there, else its file's name.
    pub config: Text,
    /// Who reaches all memory past the tables and through what, as the log's first record ends; "" where nobody does.
    pub exception: Text,
    /// [`CoreRecord`]s: all cores of the board, by index.
    pub cores: Slice,
    /// [`PartitionRecord`]s.
    pub partitions: Slice,
    /// u16 core indices: the partitions' virtual cores.
    pub vcpus: Slice,
    /// [`RegionRecord`]s: every partition's, then EL2's, then the board's.
    pub regions: Slice,
    /// [`SegmentRecord`]s: the partitions' memory and payloads.
    pub segments: Slice,
    /// [`RamRecord`]s: the boot root's view of RAM.
    pub ram: Slice,
    /// u32 words: the partitions' interrupt ownership.
    pub interrupts: Slice,
    /// [`EmulatedRecord`]s: what EL2 emulates for the partitions.
    pub emulated: Slice,
    /// The devices, each in the place of its kind ([`PlanHeader::device`]); [`DeviceRecord::NONE`] where there is none.
    pub devices: [DeviceRecord; DeviceKind::ALL.len()],
}

impl PlanHeader {
    /// The device of `kind`: in the header and without a search, as EL2 has little room for code.
    #[inline]
    pub fn device(&self, kind: DeviceKind) -> &DeviceRecord {
        const NONE: &DeviceRecord = &DeviceRecord::NONE;
        self.devices.get(kind.place()).unwrap_or(NONE)
    }
}

/// One core of the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CoreRecord {
    /// MPIDR_EL1's affinity fields (Aff3 at bits 39:32, Aff2 to Aff0 at 23:0), everything else zero.
    pub mpidr: u64,
    /// Where the spin-table release address is mapped in the boot root, or 0.
    pub release_va: u64,
    /// Index of the partition that it runs, or [`NO_PARTITION`].
    pub partition: u16,
    /// Its index among that partition's virtual cores.
    pub vcpu: u16,
    /// Zero: a record is found by a shift of its index.
    pub reserved: [u32; 3],
}

/// One partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PartitionRecord {
    /// Its TOML name.
    pub name: Text,
    /// VTCR_EL2.
    pub vtcr: u64,
    /// VTTBR_EL2, VMID included.
    pub vttbr: u64,
    /// Where its first core starts (IPA).
    pub entry: u64,
    /// x0 to x3 at the entry.
    pub arguments: [u64; 4],
    /// TTBR0_EL2 of its loader root.
    pub loader_root: u64,
    /// IPA of the GICv2 CPU interface (GICV, mapped by Stage-2), or [`NO_ADDRESS`].
    pub gicc_ipa: u64,
    /// Its cores: indices into the header's `vcpus`; virtual core i is the i-th.
    pub vcpus: Slice,
    /// Its regions: indices into the header's `regions`, by rising IPA.
    pub regions: Slice,
    /// Its memory and payload: indices into the header's `segments`, by rising IPA.
    pub segments: Slice,
    /// Its SPIs: indices into the header's `interrupts`; bit b of word w says that INTID 32 + 32w + b is its own.
    pub interrupts: Slice,
    /// What EL2 emulates for it: indices into the header's `emulated`, by rising IPA, at most one of each kind.
    pub emulated: Slice,
    /// Line of its table in the configuration, from 1.
    pub line: u32,
    /// Its VMID.
    pub vmid: u16,
    /// [`flag`] bits.
    pub flags: u16,
}

/// Bits of [`PartitionRecord::flags`].
pub mod flag {
    /// The EL1 physical timer is trapped instead of given.
    pub const TRAP_PHYSICAL_TIMER: u16 = 1;
}

/// Registers that EL2 emulates for a partition: the only list of them. Everybody who asks what a partition sees at an
/// address, or which interrupts EL2 makes for it, asks these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct EmulatedRecord {
    /// First byte (IPA).
    pub ipa: u64,
    /// Bytes.
    pub bytes: u64,
    /// INTID of the interrupt that EL2 makes for it, an SPI that is not in [`PartitionRecord::interrupts`]; 0 where it has
    /// none.
    pub intid: u32,
    /// [`EmulatedKind`].
    pub kind: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// A piece of physical memory with an owner: what EL2 names in a fault report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct RegionRecord {
    /// Its TOML or board name.
    pub name: Text,
    /// IPA in its owner's space; [`NO_ADDRESS`] where the owner is no partition.
    pub ipa: u64,
    /// Physical address.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// Line in the configuration, from 1, or 0.
    pub line: u32,
    /// Index of a partition, [`OWNER_EL2`] or [`OWNER_BOARD`].
    pub owner: u16,
    /// [`RegionKind`].
    pub kind: u8,
    /// `ACCESS_*` bits.
    pub access: u8,
}

/// A piece of a partition's memory, and what EL2 does with it before the partition starts: it copies payload into the
/// first bytes, zeroes the next and leaves the last ones alone. A partition's segments cover all of its memory, each byte
/// once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SegmentRecord {
    /// Where the bytes lie, in the loader root; 0 where `file_bytes` is 0.
    pub source_va: u64,
    /// Where they go, in the loader root.
    pub target_va: u64,
    /// Bytes to copy.
    pub file_bytes: u64,
    /// Bytes to zero after them.
    pub zero_bytes: u64,
    /// Bytes after those that stay as they are (`keep = true`).
    pub keep_bytes: u64,
    /// The seal of the `file_bytes` bytes.
    pub seal: u64,
    /// Where the partition sees them.
    pub ipa: u64,
}

impl SegmentRecord {
    /// All its bytes together; `None` where they are more than 2^64.
    pub fn size(&self) -> Option<u64> {
        self.file_bytes.checked_add(self.zero_bytes)?.checked_add(self.keep_bytes)
    }
}

/// A piece of RAM as the boot root maps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct RamRecord {
    /// Physical address.
    pub pa: u64,
    /// Where the boot root maps it, read-only.
    pub va: u64,
    /// Bytes.
    pub size: u64,
}

/// A device of the board that EL2 drives, or GICV: all that EL2, the boot stub and the proof know of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct DeviceRecord {
    /// Where EL2 finds its first register; 0 where EL2 does not map it. Of GICR, where the first piece is.
    pub va: u64,
    /// Its first register.
    pub pa: u64,
    /// Bytes of its registers.
    pub bytes: u64,
    /// The INTID by which the UART interrupts EL2, an SPI; 0 where it has none, or a partition has that: then nothing can
    /// be typed. 0 for everything else, like the next three.
    pub intid: u32,
    /// The UART's input clock in Hz, or 0 where firmware has set the rate.
    pub clock_hz: u32,
    /// The UART's rate in bit/s, or 0 where firmware has set it.
    pub baud: u32,
    /// How the boot stub sends a byte to the UART.
    pub port: UartPort,
    /// [`DeviceKind`].
    pub kind: u8,
    /// Which driver: a [`UartKind`](crate::UartKind) or a [`PowerControl`]; 0 for the interrupt controller's frames.
    pub driver: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

impl DeviceRecord {
    /// No device.
    pub const NONE: Self = Self {
        va: 0,
        pa: 0,
        bytes: 0,
        intid: 0,
        clock_hz: 0,
        baud: 0,
        port: UartPort { data: 0, status: 0, mask: 0, ready: 0 },
        kind: 0,
        driver: 0,
        reserved: [0; 6],
    };
}

/// How to send a byte to a UART without its driver: wait until the status register, masked, is `ready`; then write the
/// data register. Both are words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct UartPort {
    /// Bytes from the UART's first register to its data register.
    pub data: u16,
    /// Bytes to its status register.
    pub status: u16,
    /// The status bits that tell whether the transmit FIFO takes a byte.
    pub mask: u32,
    /// What they are when it does.
    pub ready: u32,
}

const _: () = assert!(size_of::<PlanHeader>() == 184 + DeviceKind::ALL.len() * size_of::<DeviceRecord>());
const _: () = assert!(size_of::<CoreRecord>() == 32);
const _: () = assert!(size_of::<PartitionRecord>() == 128);
const _: () = assert!(size_of::<EmulatedRecord>() == 24);
const _: () = assert!(size_of::<RegionRecord>() == 40);
const _: () = assert!(size_of::<SegmentRecord>() == 56);
const _: () = assert!(size_of::<RamRecord>() == 24);
const _: () = assert!(size_of::<DeviceRecord>() == 56);
