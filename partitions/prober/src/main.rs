//! Test partition: makes the accesses and calls of a script, and reports each that came back.
//!
//! `args = "STEP; STEP; ..."`; README.md has the steps.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod far;
#[cfg(target_os = "none")]
mod level;
#[cfg(target_os = "none")]
mod narrow;
#[cfg(target_os = "none")]
mod power;
#[cfg(target_os = "none")]
mod prober;
mod script;
#[cfg(target_os = "none")]
mod steps;
#[cfg(target_os = "none")]
mod suspend;

#[cfg(not(target_os = "none"))]
fn main() {}
