//! Vectors whose first instruction reads the counter, and the code that waits for them.
//!
//! An IRQ is taken at one place only: in [`wait`], which says by x11 where to go on, with interrupts masked again. The
//! interrupt is neither acknowledged nor ended here.

use core::arch::{asm, global_asm};

global_asm!(
    r#"
    .section .text.bench_vectors, "ax"
    .balign 0x800
bench_vectors:
    .fill 0x280, 1, 0
    // IRQ from EL1 with SP_EL1.
    mrs     x9, cntvct_el0
    mrs     x10, spsr_el1
    orr     x10, x10, #0x80
    msr     spsr_el1, x10
    msr     elr_el1, x11
    eret
    .balign 0x800
    "#
);

/// Puts the vectors in place of the runtime's on this core; from now on no other exception may come. The runtime's
/// vectors come back by [`remove`].
pub fn install() -> u64 {
    let old;
    // SAFETY: until `remove`, this core takes no exception but the IRQ in `wait`.
    unsafe {
        asm!("mrs {old}, vbar_el1", "adrp {new}, bench_vectors", "add {new}, {new}, :lo12:bench_vectors",
            "msr vbar_el1, {new}", "isb", old = out(reg) old, new = out(reg) _, options(nostack));
    }
    old
}

/// Puts back the vectors that [`install`] found.
pub fn remove(old: u64) {
    // SAFETY: `old` was this core's VBAR_EL1.
    unsafe { asm!("msr vbar_el1, {}", "isb", in(reg) old, options(nostack)) };
}

/// Sleeps until an interrupt is taken; the counter at its handler's first instruction. Interrupts are masked before and
/// after.
pub fn wait() -> u64 {
    let at;
    // SAFETY: the handler changes x9 and x10 and goes on at `2`, with the stack as it was.
    unsafe {
        asm!("adr x11, 2f", "msr daifclr, #2", "1: wfi", "b 1b", "2:",
            out("x9") at, out("x10") _, out("x11") _, options(nostack));
    }
    at
}

/// As [`wait`], but spinning, with the virtual timer set to the counter's value `delay` ticks later. By how many ticks
/// the handler's first instruction came after the timer's time.
pub fn wait_for_timer(delay: u64) -> u64 {
    let (at, deadline): (u64, u64);
    // SAFETY: as in `wait`; the timer's registers are this core's own, and it is stopped by the caller.
    unsafe {
        asm!("adr x11, 2f", "mrs x12, cntvct_el0", "add x12, x12, x13", "msr cntv_cval_el0, x12", "mov x10, #1",
            "msr cntv_ctl_el0, x10", "isb", "msr daifclr, #2", "1: b 1b", "2:",
            in("x13") delay, out("x9") at, out("x10") _, out("x11") _, out("x12") deadline, options(nostack));
    }
    at - deadline
}
