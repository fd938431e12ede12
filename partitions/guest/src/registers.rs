//! The system registers and instructions that partitions use. Each function is safe: reading them has no effect on
//! memory, and the one instruction that waits only waits.

use core::arch::asm;

macro_rules! readable {
    ($($(#[$doc:meta])* $name:ident = $register:literal;)*) => {
        $($(#[$doc])*
        pub fn $name() -> u64 {
            let value;
            // SAFETY: reading this register has no side effect and is allowed at EL1.
            unsafe { asm!(concat!("mrs {}, ", $register), out(reg) value, options(nomem, nostack)) };
            value
        })*
    };
}

readable! {
    /// CNTFRQ_EL0: the counter's frequency in Hz.
    counter_frequency = "cntfrq_el0";
    /// MPIDR_EL1: which virtual core this is.
    mpidr = "mpidr_el1";
    /// CurrentEL: the exception level in bits 3:2.
    current_el = "currentel";
    /// ISR_EL1: whether an interrupt is pending, masked or not, in bit 7.
    pending = "isr_el1";
    /// ESR_EL1: what the last exception was.
    syndrome = "esr_el1";
    /// FAR_EL1: the address of the last abort.
    fault_address = "far_el1";
}

/// CNTVCT_EL0: the virtual counter, not read ahead of what stands before this in the program.
pub fn counter() -> u64 {
    let value;
    // SAFETY: reading the counter has no side effect; ISB orders the read after earlier instructions
    // (Arm ARM D12.2.1), and without `nomem` the compiler keeps its place among memory accesses.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) value, options(nostack)) };
    value
}

/// WFI: sleeps until an interrupt is pending.
pub fn wait_for_interrupt() {
    // SAFETY: WFI changes no state; what an interrupt handler changes, the compiler must expect (no `nomem`).
    unsafe { asm!("wfi", options(nostack)) };
}

/// Masks IRQs and says what DAIF was, for [`restore_interrupts`].
pub fn mask_interrupts() -> u64 {
    let before;
    // SAFETY: masking interrupts is always sound; without `nomem` no memory access moves across.
    unsafe { asm!("mrs {}, daif", "msr daifset, #2", out(reg) before, options(nostack)) };
    before
}

/// Puts back what [`mask_interrupts`] found.
pub fn restore_interrupts(before: u64) {
    // SAFETY: DAIF gets a value that it had; handlers share state with other code by atomics and locks only.
    unsafe { asm!("msr daif, {}", in(reg) before, options(nostack)) };
}

/// Lets IRQs come.
pub fn unmask_interrupts() {
    // SAFETY: handlers share state with other code by atomics and locks only.
    unsafe { asm!("msr daifclr, #2", options(nostack)) };
}

/// Sets the virtual timer's deadline, in ticks of [`counter`], and lets it interrupt then.
pub fn set_timer(deadline: u64) {
    // SAFETY: the timer only raises an interrupt; ISB makes it certain before what follows.
    unsafe { asm!("msr cntv_cval_el0, {}", "msr cntv_ctl_el0, {}", "isb", in(reg) deadline, in(reg) 1_u64, options(nostack)) };
}

/// Keeps the virtual timer quiet.
pub fn stop_timer() {
    // SAFETY: as `set_timer`.
    unsafe { asm!("msr cntv_ctl_el0, xzr", "isb", options(nostack)) };
}
