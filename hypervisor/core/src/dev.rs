//! Drivers of the devices that EL2 itself uses. They work on [`Mmio`]: the binary gives mapped registers, tests give
//! arrays, so a driver is tested against raw words at the manual's offsets.

#[cfg(test)]
pub mod fake;
pub mod gic;
pub mod uart;

/// A block of device registers. Offsets are in bytes from its start and naturally aligned.
pub trait Mmio {
    /// Reads the word at `offset`.
    fn read(&self, offset: u32) -> u32;
    /// Writes the word at `offset`.
    fn write(&self, offset: u32, value: u32);
    /// Writes the byte at `offset`; only where the manual allows byte access (a GIC's priorities and targets).
    fn write_byte(&self, offset: u32, value: u8);
    /// Writes the doubleword at `offset`; only GICD_IROUTER.
    fn write_double(&self, offset: u32, value: u64);
}
