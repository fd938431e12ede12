//! Puts a partition's payload into its memory, by its loader root: the run root plus that one partition's memory.

use septum_el2::payload;
use septum_plan::{PartitionRecord, Plan, RegionRecord, SegmentRecord};

use crate::arch::{cache, mmu};

/// Why a partition has no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The bytes in the image are not those that the compiler put there.
    Damaged {
        /// Where the partition would see them.
        ipa: u64,
    },
}

/// Copies and zeroes what the plan says into `partition`'s memory and leaves it in memory proper, for a guest that
/// starts with its caches off. No core of the partition may run.
///
/// # Errors
/// The first segment whose seal is wrong. The partition must not start then.
pub fn load(plan: &Plan<'_>, partition: &PartitionRecord) -> Result<(), LoadError> {
    // SAFETY: both roots are the plan's; nothing here outlives the loader root but numbers.
    unsafe { mmu::set_root(partition.loader_root) };
    let result = plan.segments(partition).iter().try_for_each(load_segment);
    cache::invalidate_instructions();
    // SAFETY: as above.
    unsafe { mmu::set_root(plan.header().run_root) };
    result
}

/// As [`load`], for a partition that has run: what its caches still hold of its memory must not come down on what it
/// writes once it has them off. Memory that receives no payload is out of EL2's reach and stays as it is.
///
/// # Errors
/// As [`load`].
#[cold]
#[inline(never)]
pub fn reload(plan: &Plan<'_>, partition: &PartitionRecord) -> Result<(), LoadError> {
    // SAFETY: as in `load`, which goes on with this root.
    unsafe { mmu::set_root(partition.loader_root) };
    for region in plan.regions_of(partition) {
        if let Some(va) = loaded_at(plan, partition, region) {
            // SAFETY: the loader root maps the whole region there.
            unsafe { cache::clean_invalidate(va, region.size as usize) };
        }
    }
    load(plan, partition)
}

/// Where the loader root maps `region`: whole, if it receives payload (the compiler checks that too, `verify`).
fn loaded_at(plan: &Plan<'_>, partition: &PartitionRecord, region: &RegionRecord) -> Option<usize> {
    let offset = |segment: &SegmentRecord| segment.ipa.checked_sub(region.ipa).filter(|offset| *offset < region.size);
    let mut places = plan.segments(partition).iter().filter_map(|segment| Some((segment.target_va, offset(segment)?)));
    places.next().map(|(va, offset)| va.wrapping_sub(offset) as usize)
}

fn load_segment(segment: &SegmentRecord) -> Result<(), LoadError> {
    let (file_bytes, zero_bytes) = (segment.file_bytes as usize, segment.zero_bytes as usize);
    // SAFETY: the compiler's own check of the plan says that the loader root maps these bytes of the image, read-only,
    // and that nobody writes there. `file_bytes` of 0 makes an empty slice, for which any non-null pointer will do.
    let source = unsafe { core::slice::from_raw_parts(pointer(segment.source_va, file_bytes), file_bytes) };
    let bytes = file_bytes.saturating_add(zero_bytes);
    // SAFETY: likewise, the loader root maps these bytes of the partition's memory for writing; the partition does not
    // run, and no other core of EL2 loads it.
    let target = unsafe { core::slice::from_raw_parts_mut(pointer(segment.target_va, bytes).cast_mut(), bytes) };
    let seal = payload::copy_sealed(target, source);
    if let Some(rest) = target.get_mut(file_bytes..) {
        cache::zero(rest);
    }
    // SAFETY: the bytes of `target`.
    unsafe { cache::clean_invalidate(target.as_ptr().addr(), bytes) };
    if file_bytes != 0 && seal != segment.seal { Err(LoadError::Damaged { ipa: segment.ipa }) } else { Ok(()) }
}

fn pointer(va: u64, bytes: usize) -> *const u8 {
    if bytes == 0 { core::ptr::dangling() } else { core::ptr::with_exposed_provenance(va as usize) }
}
