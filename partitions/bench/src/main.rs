//! Measures what EL2 costs: each row is an operation between two reads of the counter, 1,000 times, the cost of the
//! reads taken off. Under QEMU's `-icount shift=0` with a counter of 1 GHz a tick is an instruction.
//!
//! With a second core it also measures interrupts from one to the other.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod bench;
#[cfg(target_os = "none")]
mod controller;
#[cfg(target_os = "none")]
mod measure;
mod statistics;
#[cfg(target_os = "none")]
mod vectors;

#[cfg(not(target_os = "none"))]
fn main() {}
