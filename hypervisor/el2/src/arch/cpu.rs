//! What any core can be asked or told without touching its translation regime.

use core::arch::asm;

/// Stops this core for good: it sleeps until an interrupt is pending, takes none, and sleeps again. WFI, not WFE: under
/// QEMU's TCG a WFE is only a yield, and a parked core would starve the others.
pub fn park() -> ! {
    loop {
        // SAFETY: masking all exceptions and waiting change nothing that Rust relies on; not `nomem`, so that no
        // earlier store is delayed past the sleep.
        unsafe { asm!("msr daifset, #0xf", "wfi", options(nostack)) };
    }
}
