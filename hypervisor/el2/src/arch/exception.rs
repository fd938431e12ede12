//! The system registers that traps, time and the core's state need.
//!
//! Reads of registers that an exception sets are neither `pure` nor reordered past the vector; nothing here is called
//! from where an exception could come between (EL2 runs with PSTATE.DAIF set).

use core::arch::asm;

macro_rules! readable {
    ($($(#[$doc:meta])* $function:ident = $register:literal;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $function() -> u64 {
            let value: u64;
            // SAFETY: reading this register has no side effect, and EL2 may always read it.
            unsafe { asm!(concat!("mrs {}, ", $register), out(reg) value, options(nomem, nostack, preserves_flags)) };
            value
        }
    )*};
}

readable! {
    /// FAR_EL2: the virtual address of an abort.
    far = "far_el2";
    /// HPFAR_EL2: the intermediate address of an abort.
    hpfar = "hpfar_el2";
    /// HCR_EL2: what of EL1 EL2 controls.
    hcr = "hcr_el2";
    /// SCTLR_EL1: the partition's.
    sctlr_el1 = "sctlr_el1";
    /// VBAR_EL1: the partition's vectors.
    vbar_el1 = "vbar_el1";
    /// MDSCR_EL1: the partition's software step.
    mdscr_el1 = "mdscr_el1";
    /// CNTFRQ_EL0: the counter's frequency in Hz, as firmware has set it.
    counter_hz = "cntfrq_el0";
}

/// CNTPCT_EL0: the counter. The ISB keeps the read from being done early (Arm ARM D12.1).
#[inline(always)]
pub fn counter() -> u64 {
    let value: u64;
    // SAFETY: reading the counter has no side effect; the ISB only waits.
    unsafe { asm!("isb", "mrs {}, cntpct_el0", out(reg) value, options(nostack, preserves_flags)) };
    value
}

/// TPIDR_EL2: the address of this core's state.
#[inline(always)]
pub fn core_state_address() -> u64 {
    let value: u64;
    // SAFETY: reading the register has no side effect. Not `pure`: the compiler may not do it before
    // `set_core_state_address`.
    unsafe { asm!("mrs {}, tpidr_el2", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Sets TPIDR_EL2.
///
/// # Safety
/// `address` is where this core's state lies, complete; called once per core, before anything that uses
/// [`core_state_address`].
pub unsafe fn set_core_state_address(address: u64) {
    // SAFETY: the caller vouches; not `nomem`, so the state is written before the register.
    unsafe { asm!("msr tpidr_el2, {}", in(reg) address, options(nostack, preserves_flags)) };
}

/// Sets MDSCR_EL1, the partition's.
pub fn set_mdscr_el1(value: u64) {
    // SAFETY: what it switches on are debug exceptions of EL1 and EL0, taken at EL1 (MDCR_EL2.TDE is clear).
    unsafe { asm!("msr mdscr_el1, {}", in(reg) value, options(nomem, nostack, preserves_flags)) };
}

/// Leaves at EL1 what an exception leaves there: where it came from, in what state, and why.
pub fn set_el1_exception(elr: u64, spsr: u64, esr: u64) {
    // SAFETY: EL1's own registers, which only its exception handlers look at.
    unsafe {
        asm!("msr elr_el1, {}", "msr spsr_el1, {}", "msr esr_el1, {}", in(reg) elr, in(reg) spsr, in(reg) esr,
            options(nomem, nostack, preserves_flags));
    }
}

/// Arms CNTHP, this core's EL2 timer, for when the counter reaches `tick`; the interrupt (PPI 26) stays asserted from
/// then on until the timer is set again.
pub fn arm_timer(tick: u64) {
    // SAFETY: CNTHP belongs to EL2 alone; its interrupt is taken only while a partition runs.
    unsafe {
        asm!("msr cnthp_cval_el2, {}", "msr cnthp_ctl_el2, {}", "isb", in(reg) tick, in(reg) 1_u64,
            options(nomem, nostack, preserves_flags));
    }
}

/// Disarms CNTHP.
pub fn disarm_timer() {
    // SAFETY: as in `arm_timer`.
    unsafe { asm!("msr cnthp_ctl_el2, xzr", "isb", options(nomem, nostack, preserves_flags)) };
}
