//! The one way to device registers: a mapped window of them, accessed by single loads and stores.

use core::arch::asm;

use septum_core::dev::Mmio;

/// A block of device registers in EL2's address space.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    address: usize,
}

impl Window {
    /// The registers that are mapped at `va`.
    ///
    /// # Safety
    /// From `va` on, as many bytes of device registers are mapped as Device memory as the driver's offsets reach: a UART's
    /// page; 4 KiB for GICD and GICH of GICv2, 8 KiB for GICC; 64 KiB for GICD of GICv3, 128 KiB for GICR. They stay
    /// mapped in every root that is used with them, and nothing in them is memory that Rust knows.
    pub const unsafe fn new(va: u64) -> Self {
        Self { address: va as usize }
    }

    /// Where it is mapped.
    pub const fn va(self) -> u64 {
        self.address as u64
    }
}

impl Mmio for Window {
    #[inline(always)]
    fn read(&self, offset: u32) -> u32 {
        let address = self.address.wrapping_add(offset as usize);
        let value: u32;
        // SAFETY: `new`'s caller vouched for the block, the driver's offset lies in it and is aligned. Assembly, not a
        // volatile read: it is one LDR without write-back, which a hypervisor below could decode.
        unsafe {
            asm!("ldr {value:w}, [{address}]", value = out(reg) value, address = in(reg) address, options(nostack, preserves_flags))
        };
        value
    }

    #[inline(always)]
    fn write(&self, offset: u32, value: u32) {
        let address = self.address.wrapping_add(offset as usize);
        // SAFETY: as in `read`.
        unsafe {
            asm!("str {value:w}, [{address}]", value = in(reg) value, address = in(reg) address, options(nostack, preserves_flags))
        };
    }

    #[inline(always)]
    fn write_byte(&self, offset: u32, value: u8) {
        let (address, value) = (self.address.wrapping_add(offset as usize), u32::from(value));
        // SAFETY: as in `read`; the driver writes bytes only where the GIC takes them.
        unsafe {
            asm!("strb {value:w}, [{address}]", value = in(reg) value, address = in(reg) address, options(nostack, preserves_flags))
        };
    }

    #[inline(always)]
    fn write_double(&self, offset: u32, value: u64) {
        let address = self.address.wrapping_add(offset as usize);
        // SAFETY: as in `read`; only GICD_IROUTER, which takes doublewords.
        unsafe {
            asm!("str {value}, [{address}]", value = in(reg) value, address = in(reg) address, options(nostack, preserves_flags))
        };
    }
}
