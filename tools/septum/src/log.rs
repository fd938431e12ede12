//! A board's log, made readable.
//!
//! bytes -> [`frames`] -> [`greeting`]: is the ELF at hand the key? -> [`decoder`] (a process of its own) -> [`record`]: what EL2's texts mean -> [`stream`]: lines,
//! with what [`legend`] and [`symbols`] know of the configuration and the partitions' programs.

pub mod decoder;
mod frames;
mod greeting;
pub mod legend;
pub mod line;
pub mod record;
pub mod stream;
pub mod symbols;
