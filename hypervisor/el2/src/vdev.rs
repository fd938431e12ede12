//! Devices that EL2 emulates for this core's partition.

pub mod gic;
pub mod pl011;
