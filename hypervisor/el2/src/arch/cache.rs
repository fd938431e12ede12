//! Caches by address: what a guest with its caches off, or a core that has not started, reads must be in memory.

use core::arch::asm;
use core::ops::Range;

use septum_core::loader::cache::lines;

/// Cleans and invalidates the lines of `bytes` bytes from `start` on to the point of coherency, then waits until that is
/// done, and until what was cleaned before is. Of no bytes, no line is touched: `start` may then be anything, and DC CIVAC
/// of what is not mapped faults (Arm ARM C5.3, DC CIVAC: it may need a translation, which may fault). QEMU's does not.
///
/// # Safety
/// The bytes are mapped.
pub unsafe fn clean_invalidate(start: usize, bytes: usize) {
    let line = line_bytes();
    let Range { start: mut address, end } = lines(start, bytes, line);
    while address < end {
        // SAFETY: cleaning to the PoC writes only what the line already says, and loses nothing.
        unsafe { asm!("dc civac, {}", in(reg) address, options(nostack, preserves_flags)) };
        address = address.wrapping_add(line);
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
}

/// Forgets all cached instructions on all cores, so that what was just written can be executed.
pub fn invalidate_instructions() {
    // SAFETY: instruction caches hold copies only.
    unsafe { asm!("ic ialluis", "dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Zeroes `bytes` in memory proper. What any core's cache still holds of them from before, dirty or not, is zeroed there
/// or gone: for these attributes the caches are coherent, and DC CIVAC reaches all of them (Arm ARM D7.5.9).
///
/// Blocks by DC ZVA, where this core has it, each cleaned while it is near: DC ZVA is ordered as stores are, and DC CIVAC
/// comes after stores to its own line without a barrier (D7.5.9, ordering and completion of cache instructions).
pub fn scrub(bytes: &mut [u8]) {
    let (start, length) = (bytes.as_ptr().addr(), bytes.len());
    // What is yet to be cleaned, at the start and at the end.
    let (mut first, mut last) = (length, 0);
    match zero_block_bytes() {
        None => bytes.fill(0),
        Some(block) => {
            let head = bytes.as_ptr().align_offset(block).min(length);
            // Checked, as nothing that a trap leads to may panic, and the lengths are too much for the optimizer to see.
            let Some((before, rest)) = bytes.split_at_mut_checked(head) else { return };
            let whole = rest.len() & !block.wrapping_sub(1);
            let Some((blocks, after)) = rest.split_at_mut_checked(whole) else { return };
            before.fill(0);
            for block in blocks.chunks_exact_mut(block) {
                let block = block.as_mut_ptr();
                // SAFETY: `dc zva` zeroes exactly the block, which is as long and as aligned as DCZID_EL0 says, in Normal
                // memory that the slice gives us to write; cleaning loses nothing.
                unsafe { asm!("dc zva, {0}", "dc civac, {0}", in(reg) block, options(nostack, preserves_flags)) };
            }
            after.fill(0);
            if line_bytes() >= block {
                (first, last) = (head, after.len());
            }
        }
    }
    // SAFETY: parts of `bytes`.
    unsafe {
        clean_invalidate(start, first);
        clean_invalidate(start.wrapping_add(length).wrapping_sub(last), last);
    }
}

/// CTR_EL0.DminLine (bits 19:16): log2 of the words of 4 bytes in the smallest line.
fn line_bytes() -> usize {
    let ctr: usize;
    // SAFETY: an identification register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    4_usize.wrapping_shl((ctr >> 16 & 0xf) as u32)
}

/// DCZID_EL0 (Arm ARM D24.2.46): BS (bits 3:0) is log2 of the words of 4 bytes, DZP (bit 4) forbids the instruction.
fn zero_block_bytes() -> Option<usize> {
    let dczid: usize;
    // SAFETY: an identification register.
    unsafe { asm!("mrs {}, dczid_el0", out(reg) dczid, options(nomem, nostack, preserves_flags)) };
    (dczid & 1 << 4 == 0).then(|| 4_usize.wrapping_shl((dczid & 0xf) as u32))
}
