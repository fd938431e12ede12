//! BCM2835 auxiliary mini-UART, BCM2711 ARM Peripherals, section 2.2. Offsets are from the AUX block's first register.

use super::Rate;
use crate::dev::Mmio;

/// AUX_ENABLES: which auxiliary peripherals have clocks.
const ENABLES: u32 = 0x04;
/// AUX_MU_IO_REG, data.
const IO: u32 = 0x40;
/// AUX_MU_IER_REG, interrupt enable.
const IER: u32 = 0x44;
/// AUX_MU_LCR_REG, line control.
const LCR: u32 = 0x4c;
/// AUX_MU_LSR_REG, line status.
const LSR: u32 = 0x54;
/// AUX_MU_CNTL_REG, transmitter and receiver.
const CNTL: u32 = 0x60;
/// AUX_MU_BAUD_REG, divisor.
const BAUD: u32 = 0x68;

/// ENABLES: the mini-UART.
const ENABLES_UART: u32 = 1;
/// LCR: 8 data bits. Both bits must be set (BCM2835 errata, "p14").
const LCR_8N1: u32 = 0b11;
/// IER: interrupt when something is received. The manual has the two enables the wrong way round (BCM2835 errata, "p12").
const IER_RECEIVED: u32 = 1;
/// LSR: something is received.
const LSR_RECEIVED: u32 = 1;
/// LSR: the transmit FIFO takes at least one byte.
const LSR_SPACE: u32 = 1 << 5;
/// LSR: the transmit FIFO is empty and the transmitter idle.
const LSR_IDLE: u32 = 1 << 6;
/// CNTL: receiver and transmitter on.
const CNTL_ON: u32 = 0b11;

/// A BCM2835 mini-UART.
#[derive(Clone, Copy, Debug)]
pub struct Bcm2835Aux<R>(R);

impl<R: Mmio> Bcm2835Aux<R> {
    /// The driver over the AUX block's registers.
    pub const fn new(registers: R) -> Self {
        Self(registers)
    }

    /// Switches the UART on without interrupts, and sets the rate, if any: clock / (8 * (BAUD + 1)).
    pub fn configure(&self, rate: Option<Rate>) {
        self.0.write(ENABLES, self.0.read(ENABLES) | ENABLES_UART);
        self.0.write(IER, 0);
        if let Some(rate) = rate {
            self.0.write(BAUD, (rate.divisor(1).saturating_add(4) / 8).saturating_sub(1));
        }
        self.0.write(LCR, LCR_8N1);
        self.0.write(CNTL, CNTL_ON);
    }

    /// Whether the transmit FIFO takes a byte.
    pub fn can_send(&self) -> bool {
        self.0.read(LSR) & LSR_SPACE != 0
    }

    /// Puts a byte into the transmit FIFO.
    pub fn send(&self, byte: u8) {
        self.0.write(IO, u32::from(byte));
    }

    /// Has the UART interrupt when something is received.
    pub fn listen(&self) {
        self.0.write(IER, IER_RECEIVED);
    }

    /// The next byte received; the interrupt falls with the last.
    pub fn receive(&self) -> Option<u8> {
        (self.0.read(LSR) & LSR_RECEIVED != 0).then(|| self.0.read(IO) as u8)
    }

    /// Whether the last bit has left.
    pub fn is_idle(&self) -> bool {
        self.0.read(LSR) & LSR_IDLE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::fake::Block;

    #[test]
    fn its_clock_is_switched_on_first_and_other_peripherals_keep_theirs() {
        let fake = Block::with(&[(0x04, 0b110)]);
        Bcm2835Aux::new(&fake).configure(Some(Rate { clock_hz: 500_000_000, baud: 115_200 }));
        assert_eq!(fake.words_written(), [(0x04, 0b111), (0x44, 0), (0x68, 542), (0x4c, 3), (0x60, 3)]);
    }

    #[test]
    fn a_rate_set_by_firmware_is_left_alone() {
        let fake = Block::default();
        Bcm2835Aux::new(&fake).configure(None);
        assert!(fake.words_written().iter().all(|(offset, _)| *offset != 0x68));
    }

    #[test]
    fn it_sends_only_while_the_fifo_has_space() {
        let fake = Block::default();
        let uart = Bcm2835Aux::new(&fake);
        assert!(!uart.can_send() && !uart.is_idle());
        fake.set(0x54, 1 << 5);
        assert!(uart.can_send() && !uart.is_idle());
        uart.send(b'x');
        assert_eq!(fake.words_written(), [(0x40, u32::from(b'x'))]);
        fake.set(0x54, 1 << 5 | 1 << 6);
        assert!(uart.is_idle());
    }

    #[test]
    fn it_receives_what_the_status_announces() {
        let fake = Block::with(&[(0x40, 0x43), (0x54, 1)]);
        let uart = Bcm2835Aux::new(&fake);
        uart.listen();
        assert_eq!(uart.receive(), Some(0x43));
        fake.set(0x54, 1 << 5);
        assert_eq!(uart.receive(), None);
        assert_eq!(fake.words_written(), [(0x44, 1)]);
    }
}
