//! Makes a partition's memory what it starts with, by its loader root: the run root plus that one partition's memory.

use septum_core::loader::copy_sealed;
use septum_plan::{PartitionRecord, Plan, SegmentRecord};

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

/// Gives all of `partition`'s memory the content that the plan says: payload, zeroes, or what it had. All of it is left in
/// memory proper, for a guest that starts with its caches off. No core of the partition may run.
///
/// With `again`, for a partition that has run, that holds for memory that stays as it is, too: what the caches still
/// hold of it comes down now, and not on what the partition writes once it has them off.
///
/// # Errors
/// The first segment whose seal is wrong. The partition must not start then.
pub fn load(plan: &Plan<'_>, partition: &PartitionRecord, again: bool) -> Result<(), LoadError> {
    // SAFETY: both roots are the plan's; nothing here outlives the loader root but numbers.
    unsafe { mmu::set_root(partition.loader_root) };
    let result = plan.segments(partition).iter().try_for_each(|segment| load_segment(segment, again));
    cache::invalidate_instructions();
    // SAFETY: as above.
    unsafe { mmu::set_root(plan.header().run_root) };
    result
}

fn load_segment(segment: &SegmentRecord, again: bool) -> Result<(), LoadError> {
    let (file_bytes, zero_bytes) = (segment.file_bytes as usize, segment.zero_bytes as usize);
    // SAFETY: the compiler's own check of the plan says that the loader root maps these bytes of the image, read-only,
    // and that nobody writes there. `file_bytes` of 0 makes an empty slice, for which any non-null pointer will do.
    let source = unsafe { core::slice::from_raw_parts(pointer(segment.source_va, file_bytes), file_bytes) };
    let bytes = file_bytes.saturating_add(zero_bytes);
    // SAFETY: likewise, the loader root maps these bytes of the partition's memory for writing; the partition does not
    // run, and no other core of EL2 loads it.
    let target = unsafe { core::slice::from_raw_parts_mut(pointer(segment.target_va, bytes).cast_mut(), bytes) };
    let seal = copy_sealed(target, source);
    // SAFETY: the front of `target`.
    unsafe { cache::clean_invalidate(target.as_ptr().addr(), file_bytes) };
    if let Some(rest) = target.get_mut(file_bytes..) {
        cache::scrub(rest);
    }
    if again {
        let kept = (segment.target_va as usize).wrapping_add(bytes);
        // SAFETY: the loader root maps all of the segment.
        unsafe { cache::clean_invalidate(kept, segment.keep_bytes as usize) };
    }
    if file_bytes != 0 && seal != segment.seal { Err(LoadError::Damaged { ipa: segment.ipa }) } else { Ok(()) }
}

fn pointer(va: u64, bytes: usize) -> *const u8 {
    if bytes == 0 { core::ptr::dangling() } else { core::ptr::with_exposed_provenance(va as usize) }
}
