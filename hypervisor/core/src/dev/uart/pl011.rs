//! Arm PrimeCell UART (PL011), DDI 0183, chapter 3.

use super::Rate;
use crate::dev::Mmio;

/// UARTDR, data.
const DR: u32 = 0x00;
/// UARTFR, flags.
const FR: u32 = 0x18;
/// UARTIBRD, whole part of the divisor.
const IBRD: u32 = 0x24;
/// UARTFBRD, 64ths of the divisor.
const FBRD: u32 = 0x28;
/// UARTLCR_H, line control.
const LCR_H: u32 = 0x2c;
/// UARTCR, control.
const CR: u32 = 0x30;
/// UARTIMSC, interrupt mask.
const IMSC: u32 = 0x38;

/// UARTICR, interrupt clear.
const ICR: u32 = 0x44;

/// FR: the receive FIFO is empty.
const FR_RXFE: u32 = 1 << 4;
/// IMSC, ICR: receive, receive time-out.
const RECEIVED: u32 = 1 << 4 | 1 << 6;
/// FR: transmitting.
const FR_BUSY: u32 = 1 << 3;
/// FR: the transmit FIFO is full.
const FR_TXFF: u32 = 1 << 5;
/// LCR_H: FIFOs on, 8 data bits.
const LCR_H_8N1_FIFO: u32 = 1 << 4 | 0b11 << 5;
/// CR: UART, transmitter and receiver on.
const CR_ON: u32 = 1 | 1 << 8 | 1 << 9;
/// Most bytes that a FIFO holds (r1p5).
const FIFO_BYTES: u32 = 32;
/// How often the flags are read, at most, before a running transmission is cut by a change of the rate.
const BUSY_READS: u32 = 1_000_000;

/// A PL011.
#[derive(Clone, Copy, Debug)]
pub struct Pl011<R>(R);

impl<R: Mmio> Pl011<R> {
    /// The driver over these registers.
    pub const fn new(registers: R) -> Self {
        Self(registers)
    }

    /// Sets the rate, if any, and switches the UART on without interrupts.
    ///
    /// With the rate goes the line format; both may only be changed while the UART is off and idle (3.3.8).
    pub fn configure(&self, rate: Option<Rate>) {
        self.0.write(IMSC, 0);
        if let Some(rate) = rate {
            for _ in 0..BUSY_READS {
                if self.is_idle() {
                    break;
                }
            }
            self.0.write(CR, 0);
            // The divisor is clock / (16 * baud) in 64ths; LCR_H's write latches it.
            let divisor = rate.divisor(4);
            self.0.write(IBRD, divisor >> 6);
            self.0.write(FBRD, divisor & 0x3f);
            self.0.write(LCR_H, LCR_H_8N1_FIFO);
        }
        self.0.write(CR, self.0.read(CR) | CR_ON);
    }

    /// Whether the transmit FIFO takes a byte.
    pub fn can_send(&self) -> bool {
        self.0.read(FR) & FR_TXFF == 0
    }

    /// Puts a byte into the transmit FIFO.
    pub fn send(&self, byte: u8) {
        self.0.write(DR, u32::from(byte));
    }

    /// Has the UART interrupt when something is received: at the FIFO's level, or 32 bit times after the last byte.
    ///
    /// An interrupt that firmware left behind an empty FIFO is cleared here, and never again: reading does that, at the
    /// last byte (2.8.2, 2.8.4). QEMU's model interrupts for the first byte of an empty FIFO only, so a clear between
    /// that byte and its reading would leave it and all behind it there; what comes just here is dropped instead.
    pub fn listen(&self) {
        if self.has_nothing() {
            self.0.write(ICR, RECEIVED);
            for _ in 0..FIFO_BYTES {
                self.receive();
            }
        }
        self.0.write(IMSC, RECEIVED);
    }

    /// The next byte received; the interrupt falls with the last.
    pub fn receive(&self) -> Option<u8> {
        (!self.has_nothing()).then(|| self.0.read(DR) as u8)
    }

    fn has_nothing(&self) -> bool {
        self.0.read(FR) & FR_RXFE != 0
    }

    /// Whether the last bit has left.
    pub fn is_idle(&self) -> bool {
        self.0.read(FR) & FR_BUSY == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::fake::Block;

    #[test]
    fn the_rate_is_set_while_the_uart_is_off() {
        let fake = Block::with(&[(0x30, 0x301)]);
        Pl011::new(&fake).configure(Some(Rate { clock_hz: 48_000_000, baud: 115_200 }));
        assert_eq!(
            fake.words_written(),
            [(0x38, 0), (0x30, 0), (0x24, 26), (0x28, 3), (0x2c, 0x70), (0x30, 0x301)],
            "26 + 3/64 is 48 MHz / (16 * 115200)"
        );
    }

    #[test]
    fn a_rate_set_by_firmware_is_left_alone() {
        let fake = Block::with(&[(0x30, 0x4000)]);
        Pl011::new(&fake).configure(None);
        assert_eq!(fake.words_written(), [(0x38, 0), (0x30, 0x4301)]);
    }

    #[test]
    fn it_sends_only_while_the_fifo_has_space() {
        let fake = Block::with(&[(0x18, 1 << 5 | 1 << 3)]);
        let uart = Pl011::new(&fake);
        assert!(!uart.can_send() && !uart.is_idle());
        fake.set(0x18, 1 << 3);
        assert!(uart.can_send() && !uart.is_idle());
        uart.send(0xa5);
        assert_eq!(fake.words_written(), [(0x00, 0xa5)]);
        fake.set(0x18, 1 << 7);
        assert!(uart.is_idle());
    }

    #[test]
    fn it_receives_until_the_fifo_is_empty_and_clears_no_interrupt_then() {
        let fake = Block::with(&[(0x00, 0xf41)]);
        let uart = Pl011::new(&fake);
        uart.listen();
        assert_eq!(uart.receive(), Some(0x41));
        fake.set(0x18, 1 << 4);
        assert_eq!(uart.receive(), None, "a byte that comes now keeps its interrupt");
        assert_eq!(fake.words_written(), [(0x38, 0x50)]);
    }

    #[test]
    fn an_interrupt_that_firmware_left_behind_an_empty_fifo_is_cleared_before_it_listens() {
        let fake = Block::with(&[(0x18, 1 << 4)]);
        Pl011::new(&fake).listen();
        assert_eq!(fake.words_written(), [(0x44, 0x50), (0x38, 0x50)]);
    }
}
