//! Everything that names a system register or is assembly. The rest of EL2 calls these functions.

pub mod boot;
pub mod cpu;
pub mod gic_registers;
