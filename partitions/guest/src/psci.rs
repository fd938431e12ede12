//! The power calls (PSCI, DEN0022), by HVC.

use septum_plan::calls;

use crate::hypercall::hvc;
use crate::registers;

/// Ends this partition.
pub fn system_off() -> ! {
    hvc(calls::SYSTEM_OFF, [0; 7]);
    park()
}

/// Starts this partition anew from its pristine image.
pub fn system_reset() -> ! {
    hvc(calls::SYSTEM_RESET, [0; 7]);
    park()
}

/// Ends the calling core.
pub fn cpu_off() -> ! {
    hvc(calls::CPU_OFF, [0; 7]);
    park()
}

/// Switches a core on; it begins at `entry` with `context` in x0, the MMU off. PSCI's result code: 0 is success.
pub(crate) fn cpu_on(mpidr: u64, entry: u64, context: u64) -> i64 {
    hvc(calls::CPU_ON_64, [mpidr, entry, context, 0, 0, 0, 0])[0] as i64
}

/// Whether core `mpidr` is off: AFFINITY_INFO (DEN0022 5.7).
pub fn is_off(mpidr: u64) -> bool {
    hvc(calls::AFFINITY_INFO_64, [mpidr, 0, 0, 0, 0, 0, 0])[0] == 1
}

/// PSCI_VERSION: major in bits 31:16, minor in bits 15:0.
pub fn version() -> u32 {
    hvc(calls::PSCI_VERSION, [0; 7])[0] as u32
}

/// Sleeps for good.
pub fn park() -> ! {
    loop {
        registers::wait_for_interrupt();
    }
}
