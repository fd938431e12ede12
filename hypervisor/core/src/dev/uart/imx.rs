//! NXP i.MX UART, i.MX 8M Plus reference manual (IMX8MPRM), "Universal Asynchronous Receiver/Transmitter".

use super::Rate;
use crate::dev::Mmio;

/// URXD, receive data.
const URXD: u32 = 0x00;
/// UTXD, transmit data.
const UTXD: u32 = 0x40;
/// UCR1, control 1: switch and interrupt masks.
const UCR1: u32 = 0x80;
/// UCR2, control 2: transmitter, receiver, line format.
const UCR2: u32 = 0x84;
/// UFCR, FIFO control and reference divider.
const UFCR: u32 = 0x90;
/// USR2, status 2.
const USR2: u32 = 0x98;
/// UBIR, numerator of the rate.
const UBIR: u32 = 0xa4;
/// UBMR, denominator of the rate.
const UBMR: u32 = 0xa8;
/// UTS, FIFO status.
const UTS: u32 = 0xb4;

/// UCR1: UART on, all interrupts off.
const UCR1_UARTEN: u32 = 1;
/// UCR1: interrupt when the receive FIFO has reached its threshold (RRDYEN).
const UCR1_RRDYEN: u32 = 1 << 9;
/// URXD: the byte is one.
const URXD_CHARRDY: u32 = 1 << 15;
/// UFCR: the receive threshold, in bytes (RXTL).
const UFCR_RXTL: u32 = 0x3f;
/// UCR2: not in reset, receiver and transmitter on, 8 data bits, RTS ignored.
const UCR2_ON: u32 = 1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 14;
/// UFCR: thresholds of 2 and 1, RFDIV = 1 (0b101).
const UFCR_UNDIVIDED: u32 = 2 << 10 | 0b101 << 7 | 1;
/// USR2: transmission complete.
const USR2_TXDC: u32 = 1 << 3;
/// UTS: the transmit FIFO is full.
const UTS_TXFULL: u32 = 1 << 4;
/// UBIR for a rate of clock / (UBMR + 1): rate = clock * (UBIR + 1) / (16 * (UBMR + 1)).
const UBIR_16: u32 = 15;

/// An i.MX UART.
#[derive(Clone, Copy, Debug)]
pub struct Imx<R>(R);

impl<R: Mmio> Imx<R> {
    /// The driver over these registers.
    pub const fn new(registers: R) -> Self {
        Self(registers)
    }

    /// Switches the UART on without interrupts, and sets the rate, if any: UBIR first, UBMR's write takes both.
    pub fn configure(&self, rate: Option<Rate>) {
        self.0.write(UCR1, UCR1_UARTEN);
        self.0.write(UCR2, self.0.read(UCR2) | UCR2_ON);
        if let Some(rate) = rate {
            self.0.write(UFCR, UFCR_UNDIVIDED);
            self.0.write(UBIR, UBIR_16);
            self.0.write(UBMR, rate.divisor(1).saturating_sub(1));
        }
    }

    /// Whether the transmit FIFO takes a byte.
    pub fn can_send(&self) -> bool {
        self.0.read(UTS) & UTS_TXFULL == 0
    }

    /// Puts a byte into the transmit FIFO.
    pub fn send(&self, byte: u8) {
        self.0.write(UTXD, u32::from(byte));
    }

    /// Has the UART interrupt from the first byte received on.
    pub fn listen(&self) {
        self.0.write(UFCR, self.0.read(UFCR) & !UFCR_RXTL | 1);
        self.0.write(UCR1, self.0.read(UCR1) | UCR1_RRDYEN);
    }

    /// The next byte received; the interrupt falls with the last.
    pub fn receive(&self) -> Option<u8> {
        let received = self.0.read(URXD);
        (received & URXD_CHARRDY != 0).then_some(received as u8)
    }

    /// Whether the last bit has left.
    pub fn is_idle(&self) -> bool {
        self.0.read(USR2) & USR2_TXDC != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::fake::Block;

    #[test]
    fn it_is_switched_on_and_the_rate_s_denominator_written_last() {
        let fake = Block::default();
        Imx::new(&fake).configure(Some(Rate { clock_hz: 24_000_000, baud: 115_200 }));
        assert_eq!(fake.words_written(), [(0x80, 1), (0x84, 0x4027), (0x90, 0x0a81), (0xa4, 15), (0xa8, 207)]);
    }

    #[test]
    fn a_rate_set_by_firmware_is_left_alone() {
        let fake = Block::with(&[(0x84, 1 << 12)]);
        Imx::new(&fake).configure(None);
        assert_eq!(fake.words_written(), [(0x80, 1), (0x84, 0x5027)]);
    }

    #[test]
    fn it_sends_only_while_the_fifo_has_space() {
        let fake = Block::with(&[(0xb4, 1 << 4)]);
        let uart = Imx::new(&fake);
        assert!(!uart.can_send() && !uart.is_idle());
        fake.set(0xb4, 0);
        assert!(uart.can_send());
        uart.send(0x5a);
        assert_eq!(fake.words_written(), [(0x40, 0x5a)]);
        fake.set(0x98, 1 << 3);
        assert!(uart.is_idle());
    }

    #[test]
    fn it_receives_what_is_marked_as_a_byte() {
        let fake = Block::with(&[(0x00, 1 << 15 | 0x42), (0x80, 1), (0x90, 0x0a84)]);
        let uart = Imx::new(&fake);
        uart.listen();
        assert_eq!(uart.receive(), Some(0x42));
        fake.set(0x00, 0x42);
        assert_eq!(uart.receive(), None);
        assert_eq!(fake.words_written(), [(0x90, 0x0a81), (0x80, 0x201)]);
    }
}
