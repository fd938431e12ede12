//! Configurations on the emulator, as their boards' twins: program in, decoded log out.
//!
//! Each test is data: a configuration of configs/, what is typed, lines that must be in the decoded log, in any order,
//! and texts that must not. A test's name is the claim that it proves. How to add one: tools/septum/README.md.
#![allow(clippy::unwrap_used)]

#[path = "emulator/case.rs"]
mod case;
#[path = "emulator/console.rs"]
mod console;
#[path = "emulator/cores.rs"]
mod cores;
#[path = "emulator/isolation.rs"]
mod isolation;
#[path = "emulator/linux.rs"]
mod linux;
#[path = "emulator/restart.rs"]
mod restart;
#[path = "emulator/runs.rs"]
mod runs;
