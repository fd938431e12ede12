//! The power calls (PSCI, DEN0022), by HVC.

use septum_plan::call::psci;

use crate::hypercall::hvc;
use crate::registers;

/// Ends this partition.
pub fn system_off() -> ! {
    hvc(psci::SYSTEM_OFF, [0; 7]);
    park()
}

/// Starts this partition anew from its pristine image.
pub fn system_reset() -> ! {
    hvc(psci::SYSTEM_RESET, [0; 7]);
    park()
}

/// PSCI_VERSION: major in bits 31:16, minor in bits 15:0.
pub fn version() -> u32 {
    hvc(psci::VERSION, [0; 7])[0] as u32
}

/// Sleeps for good.
pub fn park() -> ! {
    loop {
        registers::wait_for_interrupt();
    }
}
