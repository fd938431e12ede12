//! Devices that EL2 itself uses, over mapped registers.

pub mod gic;
pub mod power;
