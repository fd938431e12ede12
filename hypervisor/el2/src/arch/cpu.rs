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

/// Lets the counter wake this core from [`wait`] every 1024 ticks: CNTHCTL_EL2.EVNTEN, EVNTI = 9. A partition's entry
/// ends that.
pub fn start_event_stream() {
    // SAFETY: CNTHCTL_EL2 governs EL1's and EL0's use of the counter, where nothing runs yet, and this event.
    unsafe { asm!("msr cnthctl_el2, {}", "isb", in(reg) 1_u64 << 2 | 9 << 4, options(nostack, preserves_flags)) };
}

/// Sleeps until an interrupt is pending, although none is taken at EL2.
pub fn wait_for_interrupt() {
    // SAFETY: waiting only delays; not `nomem`, so memory is read anew behind it, and the DSB has what was stored before
    // it seen by whoever is to wake this core.
    unsafe { asm!("dsb ish", "wfi", options(nostack, preserves_flags)) };
}

/// Waits for [`wake_waiting`] by any core or for the event stream. For short waits only: see [`park`].
pub fn wait() {
    // SAFETY: WFE only delays; not `nomem`, so a loop around it reads memory anew.
    unsafe { asm!("wfe", options(nostack, preserves_flags)) };
}

/// Ends every other core's [`wait`]; what was stored before is visible to them.
pub fn wake_waiting() {
    // SAFETY: a barrier and an event.
    unsafe { asm!("dsb ish", "sev", options(nostack, preserves_flags)) };
}

/// Waits until system-register writes before it have their effect.
pub fn synchronize() {
    // SAFETY: a barrier; not `nomem`, so that memory accesses stay on their side of it.
    unsafe { asm!("isb", options(nostack, preserves_flags)) };
}
