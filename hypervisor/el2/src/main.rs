//! The EL2 binary: boot, exception vectors, drivers. On the host it is an empty program, so that plain cargo works.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[cfg(target_os = "none")]
mod arch;
#[cfg(target_os = "none")]
mod board_check;
#[cfg(target_os = "none")]
mod calls;
#[cfg(target_os = "none")]
mod console;
#[cfg(target_os = "none")]
mod dev;
#[cfg(target_os = "none")]
mod fault;
#[cfg(target_os = "none")]
mod input;
#[cfg(target_os = "none")]
mod interrupts;
#[cfg(target_os = "none")]
mod lifecycle;
#[cfg(target_os = "none")]
mod loader;
#[cfg(target_os = "none")]
mod log;
#[cfg(target_os = "none")]
mod percpu;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
mod time;
#[cfg(target_os = "none")]
mod trap;
#[cfg(target_os = "none")]
mod vcpu;
#[cfg(target_os = "none")]
mod vdev;

/// Inlined, it shows that nobody reads a panic's message: what would format it is not linked then.
#[cfg(target_os = "none")]
#[panic_handler]
#[allow(
    unused_attributes,
    reason = "rustc calls it without effect on an exported function; the linker's optimiser heeds it"
)]
#[inline(always)]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("?", 0), |place| (place.file(), place.line()));
    defmt::error!("EL2 panicked at {=str}:{=u32}", file, line);
    lifecycle::park(percpu::this_core())
}

#[cfg(not(target_os = "none"))]
fn main() {}
