//! Test partition: does nonsense, and says after each kind how often EL1 was told off for it.
//!
//! `args = "KIND ..."`; ../README.md lists the kinds.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod calls;
#[cfg(target_os = "none")]
mod controller;
#[cfg(target_os = "none")]
mod floods;
#[cfg(target_os = "none")]
mod hostile;
#[cfg(target_os = "none")]
mod instructions;

#[cfg(not(target_os = "none"))]
fn main() {}
