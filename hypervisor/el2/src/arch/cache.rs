//! Caches by address: what a guest with its caches off, or a core that has not started, reads must be in memory.

use core::arch::asm;

/// Cleans and invalidates the lines of `bytes` bytes from `start` on to the point of coherency, then waits until that is
/// done.
///
/// # Safety
/// The bytes are mapped.
pub unsafe fn clean_invalidate(start: usize, bytes: usize) {
    let line = line_bytes();
    let end = start.wrapping_add(bytes);
    let mut address = start & !line.wrapping_sub(1);
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

/// Zeroes `bytes`, whole blocks by DC ZVA where this core has it (DCZID_EL0, Arm ARM D24.2.46).
pub fn zero(bytes: &mut [u8]) {
    let Some(block) = zero_block_bytes() else { return bytes.fill(0) };
    let start = bytes.as_ptr().align_offset(block).min(bytes.len());
    // Checked, as nothing that a trap leads to may panic, and the lengths are too much for the optimizer to see.
    let Some((head, rest)) = bytes.split_at_mut_checked(start) else { return };
    let whole = rest.len() & !block.wrapping_sub(1);
    let Some((blocks, tail)) = rest.split_at_mut_checked(whole) else { return };
    head.fill(0);
    for block in blocks.chunks_exact_mut(block) {
        // SAFETY: the instruction zeroes exactly `block`, which is as long and as aligned as DCZID_EL0 says, in
        // Normal memory that the slice gives us to write.
        unsafe { asm!("dc zva, {}", in(reg) block.as_mut_ptr(), options(nostack, preserves_flags)) };
    }
    tail.fill(0);
}

/// CTR_EL0.DminLine (bits 19:16): log2 of the words of 4 bytes in the smallest line.
fn line_bytes() -> usize {
    let ctr: usize;
    // SAFETY: an identification register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    4_usize.wrapping_shl((ctr >> 16 & 0xf) as u32)
}

/// DCZID_EL0: BS (bits 3:0) is log2 of the words of 4 bytes, DZP (bit 4) forbids the instruction.
fn zero_block_bytes() -> Option<usize> {
    let dczid: usize;
    // SAFETY: an identification register.
    unsafe { asm!("mrs {}, dczid_el0", out(reg) dczid, options(nomem, nostack, preserves_flags)) };
    (dczid & 1 << 4 == 0).then(|| 4_usize.wrapping_shl((dczid & 0xf) as u32))
}
