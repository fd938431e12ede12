//! The Stage-2 builder: writes a partition's whole table once, as bytes, for a place in physical memory.
//!
//! It takes the largest blocks that alignment allows, sets the contiguous hint where a whole group lines up, joins
//! mappings that continue each other, and so needs the fewest tables. The root comes first, the other tables follow at
//! multiples of the granule. Nothing is allocated: the tables grow in the caller's bytes.

use core::fmt;

use crate::address::{Ipa, Pa};
use crate::attributes::{Attributes, Memory};
use crate::descriptor::stage2_leaf;
use crate::geometry::Geometry;
use crate::tree::{Count, OutOfSpace, Shape, Stretch, Write, descend};

/// `size` bytes of intermediate addresses from `ipa` on, mapped to physical ones from `pa` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First intermediate address, a multiple of the granule.
    pub ipa: Ipa,
    /// First physical address, a multiple of the granule.
    pub pa: Pa,
    /// Bytes, a multiple of the granule, not 0.
    pub size: u64,
    /// Rights and memory type.
    pub attributes: Attributes,
}

impl Stretch for Mapping {
    fn input(&self) -> u64 {
        self.ipa.get()
    }

    fn output(&self) -> u64 {
        self.pa.get()
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn leaf(&self) -> u64 {
        stage2_leaf(self.attributes)
    }
}

/// Why tables cannot be built. `index` counts in the mappings as they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// A mapping of no bytes.
    Empty {
        /// Which mapping.
        index: usize,
    },
    /// A mapping whose input address, output address or size is not a multiple of the granule.
    Unaligned {
        /// Which mapping.
        index: usize,
        /// The granule in bytes.
        granule: u64,
    },
    /// A mapping that ends past the input size, or wraps past 2^64.
    BeyondInput {
        /// Which mapping.
        index: usize,
        /// Bits of input that the table resolves.
        bits: u32,
    },
    /// A mapping whose output ends past the physical size, or wraps past 2^64.
    BeyondOutput {
        /// Which mapping.
        index: usize,
        /// Bits of the physical address.
        bits: u32,
    },
    /// A mapping that starts below the end of the one before it: they overlap or are not sorted.
    NotSorted {
        /// Which mapping; the other one is the one before.
        index: usize,
    },
    /// A mapping that allows nothing, or that the stage cannot express: Stage 1 always allows reads.
    NoAccess {
        /// Which mapping.
        index: usize,
    },
    /// A device mapping that may be executed.
    ExecutableDevice {
        /// Which mapping.
        index: usize,
    },
    /// A Stage-1 mapping that may be both written and executed (W^X).
    WritableAndExecutable {
        /// Which mapping.
        index: usize,
    },
    /// A mapping of a derived Stage-1 root in a level-1 slot that the shared root uses.
    SlotTaken {
        /// Which mapping.
        index: usize,
        /// The level-1 slot: bits 38:30 of the virtual address.
        slot: usize,
    },
    /// A shared Stage-1 root that is not 4096 bytes.
    NotARoot,
    /// The place for the tables is not aligned as the root or the granule demands.
    UnalignedBase {
        /// The place given.
        base: Pa,
        /// The alignment in bytes that it needs.
        alignment: u64,
    },
    /// The tables end past the physical size.
    BaseBeyondOutput {
        /// The place given.
        base: Pa,
        /// Bits of the physical address.
        bits: u32,
    },
    /// Fewer bytes given than the tables take.
    OutOfSpace {
        /// Bytes that are needed.
        needed: u64,
    },
}

impl BuildError {
    /// The mapping that is at fault, where it is one.
    pub const fn index(self) -> Option<usize> {
        match self {
            Self::Empty { index }
            | Self::Unaligned { index, .. }
            | Self::BeyondInput { index, .. }
            | Self::BeyondOutput { index, .. }
            | Self::NotSorted { index }
            | Self::NoAccess { index }
            | Self::ExecutableDevice { index }
            | Self::WritableAndExecutable { index }
            | Self::SlotTaken { index, .. } => Some(index),
            Self::NotARoot | Self::UnalignedBase { .. } | Self::BaseBeyondOutput { .. } | Self::OutOfSpace { .. } => {
                None
            }
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty { index } => write!(f, "mapping {index} has no bytes"),
            Self::Unaligned { index, granule } => {
                write!(f, "mapping {index} is not made of whole {granule}-byte pages")
            }
            Self::BeyondInput { index, bits } => write!(f, "mapping {index} ends past {bits} bits of input address"),
            Self::BeyondOutput { index, bits } => {
                write!(f, "mapping {index} ends past {bits} bits of physical address")
            }
            Self::NotSorted { index } => write!(f, "mapping {index} starts before the end of the one before it"),
            Self::NoAccess { index } => write!(f, "mapping {index} does not allow reads, or nothing at all"),
            Self::ExecutableDevice { index } => write!(f, "mapping {index} would make a device executable"),
            Self::WritableAndExecutable { index } => write!(f, "mapping {index} is both writable and executable"),
            Self::SlotTaken { index, slot } => write!(f, "mapping {index} lies in slot {slot} of the shared root"),
            Self::NotARoot => f.write_str("the shared root is not one table"),
            Self::UnalignedBase { base, alignment } => {
                write!(f, "tables at {base} need an alignment of {alignment:#x}")
            }
            Self::BaseBeyondOutput { base, bits } => write!(f, "tables at {base} end past {bits} bits"),
            Self::OutOfSpace { needed } => write!(f, "the tables need {needed} bytes"),
        }
    }
}

impl core::error::Error for BuildError {}

/// What a set of tables takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableCount {
    /// Tables, those of a concatenated root included.
    pub tables: u64,
    /// Bytes of the root.
    pub root_bytes: u64,
    /// Bytes of all, from the root's first to the last table's last.
    pub total_bytes: u64,
    /// The alignment in bytes that their place needs.
    pub alignment: u64,
}

/// Tables that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// The root's place: VTTBR_EL2.BADDR or TTBR0_EL2.BADDR.
    pub root: Pa,
    /// What they take.
    pub count: TableCount,
}

/// What the tables for `mappings` take.
///
/// # Errors
/// A mapping that cannot be expressed; nothing about the place of the tables.
pub fn tables_bytes(geometry: Geometry, mappings: &[Mapping]) -> Result<TableCount, BuildError> {
    check(geometry, mappings)?;
    Ok(count(geometry, mappings))
}

/// Writes the tables for `mappings`, which are sorted by IPA, into the first bytes of `out`, which will lie at `base`.
///
/// Tables are little-endian (SCTLR_EL2.EE = 0). Bytes of `out` between a small root and the next table are left alone.
///
/// # Errors
/// A mapping that cannot be expressed, or a place that does not suit; nothing is written then.
pub fn build(geometry: Geometry, mappings: &[Mapping], base: Pa, out: &mut [u8]) -> Result<Built, BuildError> {
    let count = tables_bytes(geometry, mappings)?;
    check_place(count, base, geometry.pa_range().bits(), out.len())?;
    write(shape(geometry), mappings, base, out, &[], count)
}

/// Writes what has been checked and counted.
pub(crate) fn write<M: Stretch>(
    shape: Shape,
    mappings: &[M],
    base: Pa,
    out: &mut [u8],
    root: &[[u8; 8]],
    count: TableCount,
) -> Result<Built, BuildError> {
    Write::new(shape, base.get(), out, root)
        .and_then(|mut sink| descend(shape, mappings, &mut sink))
        .map_err(|OutOfSpace| BuildError::OutOfSpace { needed: count.total_bytes })?;
    Ok(Built { root: base, count })
}

/// Whether tables of `count` may lie at `base` in `available` bytes.
pub(crate) fn check_place(count: TableCount, base: Pa, bits: u32, available: usize) -> Result<(), BuildError> {
    if !base.is_aligned(count.alignment) {
        return Err(BuildError::UnalignedBase { base, alignment: count.alignment });
    }
    if base.checked_add(count.total_bytes).is_none_or(|end| end.get() > 1 << bits) {
        return Err(BuildError::BaseBeyondOutput { base, bits });
    }
    if (available as u64) < count.total_bytes {
        return Err(BuildError::OutOfSpace { needed: count.total_bytes });
    }
    Ok(())
}

/// The limits that a mapping must keep, whatever the stage.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub granule: u64,
    pub input_bits: u32,
    pub output_bits: u32,
}

/// Whether each of `mappings` keeps `limits` and starts where the one before has ended, or later.
pub(crate) fn check_stretches<M: Stretch>(limits: Limits, mappings: &[M]) -> Result<(), BuildError> {
    let mut previous_end = 0;
    for (index, mapping) in mappings.iter().enumerate() {
        check_stretch(limits, index, mapping)?;
        if mapping.input() < previous_end {
            return Err(BuildError::NotSorted { index });
        }
        previous_end = mapping.end();
    }
    Ok(())
}

fn check_stretch<M: Stretch>(limits: Limits, index: usize, mapping: &M) -> Result<(), BuildError> {
    let Limits { granule, input_bits, output_bits } = limits;
    if mapping.size() == 0 {
        return Err(BuildError::Empty { index });
    }
    if (mapping.input() | mapping.output() | mapping.size()) & (granule - 1) != 0 {
        return Err(BuildError::Unaligned { index, granule });
    }
    if !ends_within(mapping.input(), mapping.size(), input_bits) {
        return Err(BuildError::BeyondInput { index, bits: input_bits });
    }
    if !ends_within(mapping.output(), mapping.size(), output_bits) {
        return Err(BuildError::BeyondOutput { index, bits: output_bits });
    }
    Ok(())
}

fn ends_within(start: u64, size: u64, bits: u32) -> bool {
    start.checked_add(size).is_some_and(|end| end <= 1 << bits)
}

/// Whether memory of this kind may have these rights.
pub(crate) fn check_attributes(index: usize, attributes: Attributes) -> Result<(), BuildError> {
    let access = attributes.access;
    if !(access.read || access.write || access.execute) {
        return Err(BuildError::NoAccess { index });
    }
    if access.execute && attributes.memory == Memory::Device {
        return Err(BuildError::ExecutableDevice { index });
    }
    Ok(())
}

fn check(geometry: Geometry, mappings: &[Mapping]) -> Result<(), BuildError> {
    let limits = Limits {
        granule: geometry.granule().bytes(),
        input_bits: geometry.ipa_bits(),
        output_bits: geometry.pa_range().bits(),
    };
    check_stretches(limits, mappings)?;
    mappings.iter().enumerate().try_for_each(|(index, mapping)| check_attributes(index, mapping.attributes))
}

fn shape(geometry: Geometry) -> Shape {
    Shape { granule: geometry.granule(), start_level: geometry.start_level(), input_bits: geometry.ipa_bits() }
}

fn count(geometry: Geometry, mappings: &[Mapping]) -> TableCount {
    let mut below = Count::default();
    let Ok(()) = descend(shape(geometry), mappings, &mut below);
    let granule = geometry.granule().bytes();
    let root_bytes = geometry.root_bytes();
    if below.tables == 0 {
        let alignment = geometry.root_alignment();
        return TableCount { tables: geometry.root_tables(), root_bytes, total_bytes: root_bytes, alignment };
    }
    TableCount {
        tables: geometry.root_tables() + below.tables,
        root_bytes,
        total_bytes: root_bytes.next_multiple_of(granule) + below.tables * granule,
        alignment: geometry.root_alignment().max(granule),
    }
}
