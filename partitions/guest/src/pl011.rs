//! An Arm PL011 UART (DDI 0183), the board's or the one that EL2 emulates: polled output, as firmware set it up.

use core::fmt;
use core::ptr::{NonNull, read_volatile, write_volatile};

const DR: usize = 0x00;
const FR: usize = 0x18;
const FR_TXFF: u32 = 1 << 5;

/// A PL011's registers.
pub struct Pl011 {
    base: NonNull<u32>,
}

impl Pl011 {
    /// The PL011 at `base`, 4-byte aligned.
    ///
    /// # Safety
    /// A PL011's registers lie at `base`, mapped for this partition, and nothing else in this program uses them.
    pub const unsafe fn new(base: NonNull<u32>) -> Self {
        Self { base }
    }

    /// Sends one byte when there is room for it.
    pub fn write(&mut self, byte: u8) {
        while self.read(FR) & FR_TXFF != 0 {
            core::hint::spin_loop();
        }
        // SAFETY: DR lies inside the registers that `new`'s caller answers for, and is 4-byte aligned.
        unsafe { write_volatile(self.base.byte_add(DR).as_ptr(), u32::from(byte)) };
    }

    fn read(&self, offset: usize) -> u32 {
        // SAFETY: `offset` is one of this module's, inside the registers that `new`'s caller answers for.
        unsafe { read_volatile(self.base.byte_add(offset).as_ptr()) }
    }
}

impl fmt::Write for Pl011 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.write(b'\r');
            }
            self.write(byte);
        }
        Ok(())
    }
}
