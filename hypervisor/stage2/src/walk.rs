//! How hardware walks translation tables, for both stages, and the enumeration of everything a walk can reach.
//!
//! Written from the Arm ARM's shared pseudocode (AArch64.S2Walk, AArch64.S1Walk, AArch64.DecodeDescriptorType,
//! AArch64.LeafBase, AArch64.NextTableBase) and on purpose without a line of the builders: it judges them.
//!
//! A look-up does what hardware does. The enumeration is stricter: it also refuses every bit that Septum does not use,
//! so that no table can mean more to some core than it means here. Neither panics or runs for long, whatever the bytes:
//! levels only go up, and a budget limits the tables.

use core::fmt;

use crate::address::Pa;
use crate::attributes::{Access, Memory};
use crate::fault::{Fault, FaultKind};

/// Where table descriptors are read from.
pub trait TableMemory {
    /// The 8 bytes at `pa`, a multiple of 8, as a little-endian number; `None` where there is no such memory.
    fn read(&self, pa: Pa) -> Option<u64>;
}

/// Table memory in a slice: `bytes` lie from `base` on, a multiple of 8.
#[derive(Clone, Copy, Debug)]
pub struct TableBytes<'a> {
    /// Where the first byte lies.
    pub base: Pa,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl TableMemory for TableBytes<'_> {
    fn read(&self, pa: Pa) -> Option<u64> {
        let offset = usize::try_from(pa.checked_sub(self.base)?).ok()?;
        let bytes = self.bytes.get(offset..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    }
}

/// A table that a walk can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePage {
    /// Its first descriptor.
    pub pa: Pa,
    /// Its bytes: a root may be smaller or larger than a granule.
    pub bytes: u64,
    /// Its level, 0 to 3.
    pub level: u32,
}

/// A block or page that a walk can reach. `Input` is the type of its input address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf<Input> {
    /// First input address.
    pub input: Input,
    /// First output address.
    pub output: Pa,
    /// Bytes.
    pub size: u64,
    /// Level, 1 to 3.
    pub level: u32,
    /// Rights.
    pub access: Access,
    /// Memory type.
    pub memory: Memory,
    /// Whether it is one of a contiguous group.
    pub contiguous: bool,
}

/// What is told of everything that a walk can reach.
pub trait Visitor<Input> {
    /// A table, the root first; each before what it leads to.
    fn table(&mut self, table: TablePage);
    /// A leaf, by rising input address.
    fn leaf(&mut self, leaf: Leaf<Input>);
}

/// Why a descriptor is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It cannot be read.
    Unreadable,
    /// The address in it is beyond the physical size.
    AddressSize,
    /// It maps nothing, but is not zero; or a block at a level that has none, or a reserved page encoding.
    InvalidNotZero,
    /// These bits are set, or clear, though Septum never does so.
    UnusedBits(u64),
    /// Its access flag is clear.
    AccessFlag,
    /// It allows nothing.
    NoAccess,
    /// A memory type that Septum does not use.
    MemoryType,
    /// A shareability that does not go with its memory type.
    Shareability,
    /// A device that may be executed.
    ExecutableDevice,
    /// EL2 could both write and execute it.
    WritableAndExecutable,
    /// A contiguous hint that not all of its group bears alike, or whose output is not aligned to the group.
    Contiguous,
    /// More tables than the budget allows: a cycle, or tables that lead to one another.
    TooManyTables,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unreadable => "lies where there is no table memory",
            Self::AddressSize => "holds an address beyond the physical size",
            Self::InvalidNotZero => "maps nothing, but is not zero",
            Self::UnusedBits(bits) => return write!(f, "differs from what is expected in bits {bits:#x}"),
            Self::AccessFlag => "has a clear access flag",
            Self::NoAccess => "allows nothing",
            Self::MemoryType => "has an unknown memory type",
            Self::Shareability => "has a shareability that does not go with its memory type",
            Self::ExecutableDevice => "makes a device executable",
            Self::WritableAndExecutable => "is both writable and executable",
            Self::Contiguous => "bears a contiguous hint that its group does not bear out",
            Self::TooManyTables => "leads to more tables than there can be",
        };
        f.write_str(text)
    }
}

/// A descriptor that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where it lies.
    pub at: Pa,
    /// The level of its table, 0 to 3.
    pub level: u32,
    /// The first input address that it resolves.
    pub input: u64,
    /// Its value; 0 where it could not be read.
    pub descriptor: u64,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, level, input, descriptor, reason } = self;
        write!(f, "level {level} descriptor {descriptor:#018x} at {at} for {input:#x} {reason}")
    }
}

impl core::error::Error for Refusal {}

/// What one stage adds to the walk: the meaning of a leaf's attribute bits.
pub(crate) trait Format {
    /// The type of input addresses.
    type Input;
    /// An input address.
    fn input(address: u64) -> Self::Input;
    /// Every leaf bit, address and type apart, that this stage decodes.
    const LEAF_BITS: u64;
    /// Rights and memory type of a leaf, as strictly as [`Reason`] says.
    fn leaf(&self, descriptor: u64) -> Result<(Access, Memory), Reason>;
}

/// What a descriptor says to the walk.
enum Decoded {
    Invalid,
    Table(u64),
    Leaf(u64),
}

/// A leaf as hardware finds it.
pub(crate) struct Found {
    pub descriptor: u64,
    pub level: u32,
    pub output: u64,
    /// All table descriptors on the way, ORed: Stage 1 has rights in them.
    pub tables: u64,
}

/// Contiguous, bit 52.
const CONTIGUOUS: u64 = 1 << 52;
/// Table and page descriptors have bits \[1:0\] = 0b11, blocks 0b01.
const TYPE_BITS: u64 = 0b11;

/// The walk's parameters, from checked register values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regime {
    pub root: u64,
    /// log2 of the granule in bytes: 12, 14 or 16.
    pub page_shift: u32,
    pub start_level: u32,
    pub input_bits: u32,
    pub output_bits: u32,
}

impl Regime {
    /// log2 of the bytes that a descriptor at `level` resolves.
    const fn shift(self, level: u32) -> u32 {
        self.page_shift + (3 - level) * (self.page_shift - 3)
    }

    /// Descriptors of the root, all concatenated tables together.
    pub const fn root_entries(self) -> u64 {
        1 << (self.input_bits - self.shift(self.start_level))
    }

    /// Bits 47 down to the lowest that an address in a descriptor at `level` may use.
    const fn address_bits(lowest: u32) -> u64 {
        (1 << 48) - (1 << lowest)
    }

    const fn in_range(self, address: u64) -> bool {
        address >> self.output_bits == 0
    }

    /// AArch64.DecodeDescriptorType, AArch64.NextTableBase and AArch64.LeafBase, without FEAT_LPA, FEAT_LPA2 and D128.
    const fn decode(self, descriptor: u64, level: u32) -> Decoded {
        let leaf = Decoded::Leaf(descriptor & Self::address_bits(self.shift(level)));
        match (descriptor & TYPE_BITS, level) {
            (0b11, 3) => leaf,
            (0b11, _) => Decoded::Table(descriptor & Self::address_bits(self.page_shift)),
            (0b01, 2) => leaf,
            (0b01, 1) if self.page_shift == 12 => leaf,
            _ => Decoded::Invalid,
        }
    }

    /// The leaf that resolves `input`, as hardware finds it. The contiguous bit is taken as the hint that it is.
    pub fn look_up(self, memory: &impl TableMemory, input: u64) -> Result<Found, Fault> {
        // AArch64.IPAIsOutOfRange, AArch64.VAIsOutOfRange.
        if input >> self.input_bits != 0 {
            return Err(Fault::of_walk(FaultKind::Translation, 0));
        }
        let (mut table, mut tables) = (self.root, 0);
        let mut index = input >> self.shift(self.start_level);
        for level in self.start_level..=3 {
            let fault = |kind| Fault::of_walk(kind, level);
            let place = Pa::new(table + index * 8);
            let descriptor = memory.read(place).ok_or(fault(FaultKind::SynchronousExternalAbortOnWalk))?;
            match self.decode(descriptor, level) {
                Decoded::Invalid => return Err(fault(FaultKind::Translation)),
                Decoded::Table(next) | Decoded::Leaf(next) if !self.in_range(next) => {
                    return Err(fault(FaultKind::AddressSize));
                }
                Decoded::Leaf(base) => {
                    let output = base | input & ((1 << self.shift(level)) - 1);
                    return Ok(Found { descriptor, level, output, tables });
                }
                Decoded::Table(next) => {
                    (table, tables) = (next, tables | descriptor);
                    index = (input >> self.shift(level + 1)) & ((1 << (self.page_shift - 3)) - 1);
                }
            }
        }
        // Not reached: a descriptor at level 3 is a leaf or invalid.
        Err(Fault::of_walk(FaultKind::Translation, 3))
    }

    /// Tells `visitor` of every table and leaf that a walk can reach, through at most `budget` tables (a root of
    /// concatenated tables counts once). The first refusal ends it.
    pub fn enumerate<F, M, V>(self, format: &F, memory: &M, budget: u64, visitor: &mut V) -> Result<(), Refusal>
    where
        F: Format,
        M: TableMemory,
        V: Visitor<F::Input>,
    {
        let root = Table { pa: self.root, level: self.start_level, input: 0, entries: self.root_entries() };
        Enumeration { regime: self, format, memory, visitor, budget }.table(root)
    }
}

/// A table being enumerated.
#[derive(Clone, Copy)]
struct Table {
    pa: u64,
    level: u32,
    input: u64,
    entries: u64,
}

struct Enumeration<'a, F, M, V> {
    regime: Regime,
    format: &'a F,
    memory: &'a M,
    visitor: &'a mut V,
    budget: u64,
}

impl<F: Format, M: TableMemory, V: Visitor<F::Input>> Enumeration<'_, F, M, V> {
    fn table(&mut self, table: Table) -> Result<(), Refusal> {
        let Some(left) = self.budget.checked_sub(1) else {
            return Err(self.refusal(table, 0, 0, Reason::TooManyTables));
        };
        self.budget = left;
        self.visitor.table(TablePage { pa: Pa::new(table.pa), bytes: table.entries * 8, level: table.level });
        (0..table.entries).try_for_each(|index| self.entry(table, index))
    }

    fn entry(&mut self, table: Table, index: u64) -> Result<(), Refusal> {
        let descriptor = self.read(table, index)?;
        let refusal = |reason| self.refusal(table, index, descriptor, reason);
        match self.regime.decode(descriptor, table.level) {
            Decoded::Invalid if descriptor == 0 => Ok(()),
            Decoded::Invalid => Err(refusal(Reason::InvalidNotZero)),
            Decoded::Table(next) | Decoded::Leaf(next) if !self.regime.in_range(next) => {
                Err(refusal(Reason::AddressSize))
            }
            Decoded::Table(next) => {
                unused(descriptor, next | TYPE_BITS).map_err(refusal)?;
                let input = self.input(table, index);
                self.table(Table {
                    pa: next,
                    level: table.level + 1,
                    input,
                    entries: 1 << (self.regime.page_shift - 3),
                })
            }
            Decoded::Leaf(output) => {
                unused(descriptor, output | TYPE_BITS | CONTIGUOUS | F::LEAF_BITS).map_err(refusal)?;
                let (access, memory) = self.format.leaf(descriptor).map_err(refusal)?;
                let contiguous = descriptor & CONTIGUOUS != 0;
                if contiguous {
                    self.group(table, index, descriptor)?;
                }
                let (level, output) = (table.level, Pa::new(output));
                let (input, size) = (F::input(self.input(table, index)), 1 << self.regime.shift(level));
                self.visitor.leaf(Leaf { input, output, size, level, access, memory, contiguous });
                Ok(())
            }
        }
    }

    /// Whether the contiguous group of `index` is what the Arm ARM demands of it: inside the table, its output aligned to the
    /// group, and all its descriptors alike but for rising addresses. The first of a group checks them all, each other
    /// one checks itself against the first.
    fn group(&self, table: Table, index: u64, descriptor: u64) -> Result<(), Refusal> {
        let refusal = self.refusal(table, index, descriptor, Reason::Contiguous);
        let entries = group_entries(self.regime.page_shift, table.level);
        let shift = self.regime.shift(table.level);
        let (first, place) = (index - index % entries, index % entries);
        if first + entries > table.entries {
            return Err(refusal);
        }
        let expected = descriptor.wrapping_sub(place << shift);
        if expected & (Regime::address_bits(shift) & ((entries << shift) - 1)) != 0 {
            return Err(refusal);
        }
        let others = if place == 0 { 1..entries } else { 0..1 };
        for other in others {
            if self.read(table, first + other)? != expected + (other << shift) {
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn read(&self, table: Table, index: u64) -> Result<u64, Refusal> {
        let place = Pa::new(table.pa + index * 8);
        self.memory.read(place).ok_or_else(|| self.refusal(table, index, 0, Reason::Unreadable))
    }

    fn input(&self, table: Table, index: u64) -> u64 {
        table.input + (index << self.regime.shift(table.level))
    }

    fn refusal(&self, table: Table, index: u64, descriptor: u64, reason: Reason) -> Refusal {
        let (at, input) = (Pa::new(table.pa + index * 8), self.input(table, index));
        Refusal { at, level: table.level, input, descriptor, reason }
    }
}

/// Refuses bits of `descriptor` outside `used`.
const fn unused(descriptor: u64, used: u64) -> Result<(), Reason> {
    match descriptor & !used {
        0 => Ok(()),
        bits => Err(Reason::UnusedBits(bits)),
    }
}

/// Descriptors that form a contiguous group (ContiguousSize).
const fn group_entries(page_shift: u32, level: u32) -> u64 {
    match (page_shift, level) {
        (12, _) => 16,
        (14, 3) => 128,
        _ => 32,
    }
}
