//! Firmware's PSCI by SMC, for EL2's own needs. Only where the plan says that there is such firmware: behind the
//! Raspberry Pi's stock boot stub (SCR_EL3.SMD) an SMC is undefined.

use smccc::{Call, Smc, psci};

/// Starts the core with this MPIDR at the physical address `entry`, with its MMU off.
///
/// # Errors
/// PSCI's own (DEN0022 5.6).
pub fn cpu_on(mpidr: u64, entry: u64) -> Result<(), psci::Error> {
    psci::cpu_on::<Smc>(mpidr, entry, 0)
}

/// Makes a partition's call for it, an SMC32 fast call: its w0.
pub fn forward(x: [u32; 4]) -> u32 {
    let [number, x1, x2, x3] = x;
    let [answer, ..] = Smc::call32(number, [x1, x2, x3, 0, 0, 0, 0]);
    answer
}

/// Switches the board off; comes back only where firmware cannot.
pub fn system_off() {
    let _ = psci::system_off::<Smc>();
}
