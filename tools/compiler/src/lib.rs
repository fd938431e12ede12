//! The compiler: configuration text in, a proven image out. Its core does no I/O.
//!
//! * [`board`]: what the hardware is, read from `boards/<name>/board.toml`;
//! * [`system`]: the checked whole, which only the checker makes; after it nothing can fail on the user's input.
#![forbid(unsafe_code)]

pub mod board;
pub mod system;
