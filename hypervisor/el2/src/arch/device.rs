//! A mapped block of 32-bit device registers.

use core::arch::asm;

use septum_el2::uart::Registers;

/// Device registers in EL2's address space.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    base: u64,
}

impl Window {
    /// The registers from `base` on.
    ///
    /// # Safety
    /// The 4 KiB page that `base` lies in is mapped as Device memory and holds the registers that the driver over this
    /// window knows, and nothing that Rust knows as memory. All offsets that the driver uses stay in that page.
    pub const unsafe fn new(base: u64) -> Self {
        Self { base }
    }
}

impl Registers for Window {
    #[inline]
    fn read(&self, offset: u32) -> u32 {
        let (address, value) = (self.base.wrapping_add(u64::from(offset)), &mut 0);
        // SAFETY: `new`'s caller vouched for the page; one aligned LDR from it has no effect on Rust's memory.
        unsafe { asm!("ldr {0:w}, [{1}]", out(reg) *value, in(reg) address, options(nostack, preserves_flags)) };
        *value
    }

    #[inline]
    fn write(&self, offset: u32, value: u32) {
        let address = self.base.wrapping_add(u64::from(offset));
        // SAFETY: as in `read`; one aligned STR. Not `nomem`: it stays in order with the log's memory accesses.
        unsafe { asm!("str {0:w}, [{1}]", in(reg) value, in(reg) address, options(nostack, preserves_flags)) };
    }
}
