//! Runtime for Rust partitions at EL1: start, vectors, console, defmt, exit.
//!
//! A partition's `main.rs` names its function in [`entry!`]; its `build.rs` calls `build::link`. The function gets
//! the partition's `args` string and may return, which ends the partition (PSCI SYSTEM_OFF).
//!
//! With the feature `embassy`, `embassy` runs futures by the virtual timer.
//!
//! `unsafe` lives in these modules only: `start` (assembly, the call of the entry), `cores` (its symbol),
//! `hypercall` (HVC and SMC), `registers` (system registers), `interrupt` (the GIC's frames), `pl011` and
//! `probe` (accesses at addresses that the caller answers for), `critical`, `logger` and `embassy` (traits and tables
//! that are unsafe to provide). On the host the modules that name registers are absent, the others are tested.
#![cfg_attr(target_os = "none", no_std)]

#[cfg(not(target_os = "none"))]
pub mod build;
#[cfg(target_os = "none")]
pub mod console;
pub mod exception;
pub mod identity;
pub mod packing;
pub mod time;
mod width;

pub use width::Width;

/// Declares the modules that name registers, for the target only.
macro_rules! target_only {
    ($($(#[$attribute:meta])* $visibility:vis mod $name:ident;)*) => {
        $($(#[$attribute])* #[cfg(target_os = "none")] $visibility mod $name;)*
    };
}

target_only! {
    pub mod cores;
    mod critical;
    #[cfg(feature = "embassy")]
    pub mod embassy;
    pub mod hypercall;
    pub mod interrupt;
    #[cfg(feature = "defmt")]
    mod logger;
    mod panic;
    pub mod pl011;
    pub mod probe;
    pub mod psci;
    pub mod registers;
    mod start;
    pub mod taken;
}

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
