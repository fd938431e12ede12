//! Test partition: ticks by embassy-time on the virtual timer's interrupt, and reports its worst lateness at the end.
//!
//! `args = "[ticks=N] [hz=N] [off]"`; see ../README.md.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod arguments;
#[cfg(target_os = "none")]
mod ticker;

#[cfg(not(target_os = "none"))]
fn main() {}
