//! Everything that names a system register or is assembly. The rest of EL2 calls these functions.

pub mod boot;
pub mod cpu;
pub mod device;
pub mod exception;
pub mod gic_registers;
pub mod vectors;
