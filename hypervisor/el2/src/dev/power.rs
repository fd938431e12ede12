//! Switching the board off.

use septum_core::dev::Mmio;
use septum_plan::{DeviceKind, Plan, PowerControl};

use crate::arch::mmio::Window;
use crate::arch::{cpu, smc};

/// Offsets, password and bits of the BCM2835 power-management block (Linux bcm2835_wdt, TF-A rpi3_pm.c).
mod bcm2835 {
    /// PM_RSTC: bits 5:4 choose what a watchdog timeout does.
    pub const RSTC: u32 = 0x1c;
    /// PM_RSTS: holds the partition that the boot ROM starts next.
    pub const RSTS: u32 = 0x20;
    /// PM_WDOG: timeout in units of 16 microseconds.
    pub const WDOG: u32 = 0x24;
    /// Must stand in bits 31:24 of every write.
    pub const PASSWORD: u32 = 0x5a00_0000;
    /// PM_RSTC, bits 5:4.
    pub const RSTC_CONFIGURATION: u32 = 0x30;
    /// PM_RSTC: full reset.
    pub const RSTC_FULL_RESET: u32 = 0x20;
    /// PM_RSTS: partition 63, "halt", spread over the even bits 0 to 10.
    pub const RSTS_HALT: u32 = 0x555;
    /// A timeout as short as firmware uses: 160 microseconds.
    pub const TIMEOUT: u32 = 10;
}

/// Switches the board off as the plan says, or parks this core where that is impossible. The log must have been flushed.
pub fn off(plan: &Plan<'_>) -> ! {
    match plan.power_control() {
        PowerControl::PsciSmc => smc::system_off(),
        PowerControl::Bcm2835Pm => bcm2835_off(plan.device(DeviceKind::Power).va),
        PowerControl::None => {}
    }
    cpu::park()
}

/// Halts by a reset into the boot ROM, which finds the partition number 63 and stays there.
fn bcm2835_off(va: u64) {
    use bcm2835::{PASSWORD, RSTC, RSTC_CONFIGURATION, RSTC_FULL_RESET, RSTS, RSTS_HALT, TIMEOUT, WDOG};
    // SAFETY: with this kind of power control the compiler maps the block's registers at `va`, in every root.
    let registers = unsafe { Window::new(va) };
    let status = registers.read(RSTS) | PASSWORD | RSTS_HALT;
    registers.write(RSTS, status);
    registers.write(WDOG, PASSWORD | TIMEOUT);
    let control = registers.read(RSTC) & !RSTC_CONFIGURATION;
    registers.write(RSTC, control | PASSWORD | RSTC_FULL_RESET);
}
