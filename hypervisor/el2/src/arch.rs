//! Everything that names a system register or is assembly. The rest of EL2 calls these functions.

pub mod boot;
pub mod cache;
pub mod cpu;
pub mod exception;
pub mod gic_registers;
pub mod guest_registers;
pub mod mmio;
pub mod mmu;
pub mod smc;
pub mod vectors;
