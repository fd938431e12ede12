//! Runtime for Rust partitions at EL1: start, vectors, console, defmt, exit.
//!
//! A partition's `main.rs` names its function in [`entry!`]; its `build.rs` calls [`build::link`]. The function gets
//! the partition's `args` string and may return, which ends the partition (PSCI SYSTEM_OFF).
//!
//! `unsafe` lives in these modules only: `start` (assembly, the call of the entry), [`hypercall`] (HVC and SMC),
//! [`registers`] (system registers), [`pl011`] and [`probe`] (accesses at addresses that the caller answers for),
//! and `logger` (defmt's trait). On the host the modules that name registers are absent, the others are tested.
#![cfg_attr(target_os = "none", no_std)]

#[cfg(not(target_os = "none"))]
pub mod build;
#[cfg(target_os = "none")]
pub mod console;
pub mod exception;
#[cfg(target_os = "none")]
pub mod hypercall;
pub mod identity;
#[cfg(all(target_os = "none", feature = "defmt"))]
mod logger;
pub mod packing;
#[cfg(target_os = "none")]
mod panic;
#[cfg(target_os = "none")]
pub mod pl011;
#[cfg(target_os = "none")]
pub mod probe;
#[cfg(target_os = "none")]
pub mod psci;
#[cfg(target_os = "none")]
pub mod registers;
#[cfg(target_os = "none")]
mod start;
#[cfg(target_os = "none")]
pub mod time;
mod width;

pub use width::Width;

/// Names the partition's function, a `fn(&'static str)`: it is called once, on the first core, with the `args` string
/// of the configuration ("" where there is none). When it returns, the partition ends.
#[macro_export]
macro_rules! entry {
    ($function:path) => {
        #[cfg(target_os = "none")]
        // SAFETY: `septum_guest_main` is the runtime's own symbol; a second definition is a link error.
        #[unsafe(no_mangle)]
        extern "Rust" fn septum_guest_main(arguments: &'static str) {
            let function: fn(&'static str) = $function;
            function(arguments)
        }
    };
}
