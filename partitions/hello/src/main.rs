//! Example partition: says who it is, counts a few lines by the counter, and ends if it was told to.
//!
//! `args = "NAME [lines=N] [every=MILLISECONDS] [uart=ADDRESS] [off]"`; see README.md.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod arguments;
#[cfg(target_os = "none")]
mod hello;

#[cfg(not(target_os = "none"))]
fn main() {}
