//! Devices that EL2 emulates for partitions. They know nothing of the board's devices but through a trait.

pub mod gic;
pub mod pl011;
