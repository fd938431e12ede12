//! What any core can be asked or told without touching its translation regime.

use core::arch::asm;

use aarch64_cpu::registers::{CNTFRQ_EL0, ID_AA64MMFR0_EL1, ID_AA64PFR0_EL1, Readable};
use septum_el2::machine::core::Identification;

/// Stops this core for good: it sleeps until an interrupt is pending, takes none, and sleeps again. WFI, not WFE: under
/// QEMU's TCG a WFE is only a yield, and a parked core would starve the others.
pub fn park() -> ! {
    loop {
        // SAFETY: masking all exceptions and waiting change nothing that Rust relies on; not `nomem`, so that no
        // earlier store is delayed past the sleep.
        unsafe { asm!("msr daifset, #0xf", "wfi", options(nostack)) };
    }
}

/// This core's identification registers, as far as the plan has an opinion on them.
pub fn identification() -> Identification {
    Identification { mmfr0: ID_AA64MMFR0_EL1.get(), pfr0: ID_AA64PFR0_EL1.get(), counter_hz: CNTFRQ_EL0.get() }
}

/// Sleeps until an interrupt is pending, although none is taken at EL2.
pub fn wait_for_interrupt() {
    // SAFETY: waiting only delays; not `nomem`, so memory is read anew behind it, and the DSB has what was stored before
    // it seen by whoever is to wake this core.
    unsafe { asm!("dsb ish", "wfi", options(nostack, preserves_flags)) };
}

/// Waits until system-register writes before it have their effect.
pub fn synchronize() {
    // SAFETY: a barrier; not `nomem`, so that memory accesses stay on their side of it.
    unsafe { asm!("isb", options(nostack, preserves_flags)) };
}
