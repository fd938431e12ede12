//! EL2's own Stage-1 tables: non-VHE EL2 regime, 4 KiB granule, 39-bit addresses, walks from level 1 (Arm ARM D8).
//!
//! The compiler builds one *run root*, and *derived roots* that hold the run root's entries, so share its lower tables,
//! and add mappings in level-1 slots (1 GiB each) that the run root leaves free: the boot root, and a loader root for
//! each partition. Nothing that may be written may be executed (W^X), in any of them.

use crate::address::{Pa, Va};
use crate::attributes::{Access, Attributes, Memory};
use crate::builder::{self, BuildError, Built, Limits, TableCount, check_attributes, check_place, check_stretches};
use crate::descriptor::{ACCESS_FLAG, INNER_SHAREABLE, OUTER_SHAREABLE};
use crate::granule::{Granule, PaRange};
use crate::tree::{Count, Shape, Stretch, descend};

/// Bits of EL2's virtual addresses.
pub const VA_BITS: u32 = 39;
/// Bytes of a root: one full table.
pub const ROOT_BYTES: usize = 4096;
/// log2 of the bytes that one slot of a root covers.
pub const SLOT_SHIFT: u32 = 30;

/// MAIR_EL2: Attr0 Device-nGnRE, Attr1 Normal write-back with read and write allocation, Attr2 Normal
/// Non-cacheable.
pub const MAIR: u64 = 0x04 | 0xff << 8 | 0x44 << 16;

const SHAPE: Shape = Shape { granule: Granule::K4, start_level: 1, input_bits: VA_BITS };

/// TCR_EL2 (E2H = 0): T0SZ, write-back inner-shareable walks, 4 KiB, PS; bits 31 and 23 are RES1.
pub const fn tcr(pa_range: PaRange) -> u64 {
    let walks = (0b01 << 8) | (0b01 << 10) | (0b11 << 12);
    1 << 31 | 1 << 23 | (pa_range.field() as u64) << 16 | walks | (64 - VA_BITS) as u64
}

/// `size` bytes of EL2's virtual addresses from `va` on, mapped to physical ones from `pa` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First virtual address, a multiple of 4 KiB.
    pub va: Va,
    /// First physical address, a multiple of 4 KiB.
    pub pa: Pa,
    /// Bytes, a multiple of 4 KiB, not 0.
    pub size: u64,
    /// Rights and memory type. Reads are always allowed: Stage 1 cannot forbid them.
    pub attributes: Attributes,
}

impl Stretch for Mapping {
    fn input(&self) -> u64 {
        self.va.get()
    }

    fn output(&self) -> u64 {
        self.pa.get()
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn leaf(&self) -> u64 {
        ACCESS_FLAG | memory(self.attributes.memory) | rights(self.attributes.access)
    }
}

/// AttrIndx\[2:0\], bits 4:2, into [`MAIR`], and SH\[1:0\], bits 9:8.
const fn memory(memory: Memory) -> u64 {
    match memory {
        Memory::Device => OUTER_SHAREABLE,
        Memory::Normal => 1 << 2 | INNER_SHAREABLE,
        Memory::NonCacheable => 2 << 2 | OUTER_SHAREABLE,
    }
}

/// AP\[2\], bit 7, is set for read-only; AP\[1\], bit 6, is RES1 in a regime with one privilege level; XN is
/// bit 54.
const fn rights(access: Access) -> u64 {
    let read_only = !access.write as u64;
    let execute_never = !access.execute as u64;
    read_only << 7 | 1 << 6 | execute_never << 54
}

/// What the tables of a run root with `mappings` take.
///
/// # Errors
/// A mapping that cannot be expressed or is both writable and executable.
pub fn tables_bytes(pa_range: PaRange, mappings: &[Mapping]) -> Result<TableCount, BuildError> {
    check(pa_range, mappings)?;
    Ok(count(mappings))
}

/// Writes a run root and its tables for `mappings`, sorted by VA, into the first bytes of `out`, which will lie at `base`.
///
/// # Errors
/// A mapping that cannot be expressed or is both writable and executable, or a place that does not suit; nothing is
/// written then.
pub fn build(pa_range: PaRange, mappings: &[Mapping], base: Pa, out: &mut [u8]) -> Result<Built, BuildError> {
    let count = tables_bytes(pa_range, mappings)?;
    check_place(count, base, pa_range.bits(), out.len())?;
    builder::write(SHAPE, mappings, base, out, &[], count)
}

/// What a root derived from `run_root` and its own further tables take.
///
/// # Errors
/// As [`build_derived`], the place apart.
pub fn derived_bytes(run_root: &[u8], pa_range: PaRange, mappings: &[Mapping]) -> Result<TableCount, BuildError> {
    check(pa_range, mappings)?;
    check_slots(entries(run_root)?, mappings)?;
    Ok(count(mappings))
}

/// Writes a root that has all of `run_root`'s entries (its 4096 bytes, as [`build`] wrote them) and `mappings` besides,
/// into the first bytes of `out`, which will lie at `base`. The run root's lower tables are shared, not copied.
///
/// # Errors
/// As [`build`], and where a mapping lies in a slot that the run root uses.
pub fn build_derived(
    run_root: &[u8],
    pa_range: PaRange,
    mappings: &[Mapping],
    base: Pa,
    out: &mut [u8],
) -> Result<Built, BuildError> {
    let count = derived_bytes(run_root, pa_range, mappings)?;
    check_place(count, base, pa_range.bits(), out.len())?;
    builder::write(SHAPE, mappings, base, out, entries(run_root)?, count)
}

fn check(pa_range: PaRange, mappings: &[Mapping]) -> Result<(), BuildError> {
    let limits = Limits { granule: Granule::K4.bytes(), input_bits: VA_BITS, output_bits: pa_range.bits() };
    check_stretches(limits, mappings)?;
    mappings.iter().enumerate().try_for_each(|(index, mapping)| check_rights(index, mapping.attributes))
}

fn check_rights(index: usize, attributes: Attributes) -> Result<(), BuildError> {
    check_attributes(index, attributes)?;
    if !attributes.access.read {
        return Err(BuildError::NoAccess { index });
    }
    if attributes.access.write && attributes.access.execute {
        return Err(BuildError::WritableAndExecutable { index });
    }
    Ok(())
}

fn check_slots(run_root: &[[u8; 8]], mappings: &[Mapping]) -> Result<(), BuildError> {
    for (index, mapping) in mappings.iter().enumerate() {
        let first = (mapping.input() >> SLOT_SHIFT) as usize;
        let last = ((mapping.end() - 1) >> SLOT_SHIFT) as usize;
        let used = |slot: &usize| run_root.get(*slot).is_none_or(|entry| *entry != [0; 8]);
        if let Some(slot) = (first..=last).find(used) {
            return Err(BuildError::SlotTaken { index, slot });
        }
    }
    Ok(())
}

fn entries(root: &[u8]) -> Result<&[[u8; 8]], BuildError> {
    match root.as_chunks::<8>() {
        (entries, []) if root.len() == ROOT_BYTES => Ok(entries),
        _ => Err(BuildError::NotARoot),
    }
}

fn count(mappings: &[Mapping]) -> TableCount {
    let mut below = Count::default();
    let Ok(()) = descend(SHAPE, mappings, &mut below);
    let bytes = ROOT_BYTES as u64;
    TableCount {
        tables: 1 + below.tables,
        root_bytes: bytes,
        total_bytes: bytes * (1 + below.tables),
        alignment: bytes,
    }
}
