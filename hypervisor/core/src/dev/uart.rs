//! The UART that carries the log: three kinds behind one type, never waiting by themselves.

mod bcm2835_aux;
mod imx;
mod pl011;

pub use bcm2835_aux::Bcm2835Aux;
pub use imx::Imx;
pub use pl011::Pl011;

use septum_plan::UartKind;

use super::Mmio;

/// The line's rate, where EL2 is to set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The UART's input clock in Hz.
    pub clock_hz: u32,
    /// Bits per second.
    pub baud: u32,
}

impl Rate {
    /// The rate that a plan states, or `None` where firmware has set it.
    pub const fn from_plan(clock_hz: u32, baud: u32) -> Option<Self> {
        if clock_hz == 0 || baud == 0 { None } else { Some(Self { clock_hz, baud }) }
    }

    /// The nearest whole number of `clock_hz * numerator / baud`.
    fn divisor(self, numerator: u32) -> u32 {
        let baud = u64::from(self.baud);
        let scaled = u64::from(self.clock_hz).wrapping_mul(u64::from(numerator)).wrapping_add(baud / 2);
        u32::try_from(scaled.checked_div(baud).unwrap_or(0)).unwrap_or(u32::MAX)
    }
}

/// The log's UART.
#[derive(Clone, Copy, Debug)]
pub enum Uart<R> {
    /// Arm PL011.
    Pl011(Pl011<R>),
    /// NXP i.MX UART.
    Imx(Imx<R>),
    /// BCM2835 auxiliary (mini) UART.
    Bcm2835Aux(Bcm2835Aux<R>),
}

impl<R: Mmio> Uart<R> {
    /// The driver for `kind`. They begin [`bytes_before`] the plan's address.
    pub const fn new(kind: UartKind, registers: R) -> Self {
        match kind {
            UartKind::Pl011 => Self::Pl011(Pl011::new(registers)),
            UartKind::Imx => Self::Imx(Imx::new(registers)),
            UartKind::Bcm2835Aux => Self::Bcm2835Aux(Bcm2835Aux::new(registers)),
        }
    }

    /// Switches the transmitter on, 8 data bits, no parity, and sets the rate if there is one to set.
    pub fn configure(&self, rate: Option<Rate>) {
        match self {
            Self::Pl011(uart) => uart.configure(rate),
            Self::Imx(uart) => uart.configure(rate),
            Self::Bcm2835Aux(uart) => uart.configure(rate),
        }
    }

    /// Whether the transmit FIFO takes a byte now.
    pub fn can_send(&self) -> bool {
        match self {
            Self::Pl011(uart) => uart.can_send(),
            Self::Imx(uart) => uart.can_send(),
            Self::Bcm2835Aux(uart) => uart.can_send(),
        }
    }

    /// Puts a byte into the transmit FIFO; only after [`Uart::can_send`].
    pub fn send(&self, byte: u8) {
        match self {
            Self::Pl011(uart) => uart.send(byte),
            Self::Imx(uart) => uart.send(byte),
            Self::Bcm2835Aux(uart) => uart.send(byte),
        }
    }

    /// Has the UART interrupt when something is received.
    pub fn listen(&self) {
        match self {
            Self::Pl011(uart) => uart.listen(),
            Self::Imx(uart) => uart.listen(),
            Self::Bcm2835Aux(uart) => uart.listen(),
        }
    }

    /// The next byte received, if there is one; when there is none left, the interrupt falls.
    pub fn receive(&self) -> Option<u8> {
        match self {
            Self::Pl011(uart) => uart.receive(),
            Self::Imx(uart) => uart.receive(),
            Self::Bcm2835Aux(uart) => uart.receive(),
        }
    }

    /// Whether the last bit has left.
    pub fn is_idle(&self) -> bool {
        match self {
            Self::Pl011(uart) => uart.is_idle(),
            Self::Imx(uart) => uart.is_idle(),
            Self::Bcm2835Aux(uart) => uart.is_idle(),
        }
    }
}

/// How far in front of a plan's console address the registers begin that the driver for `kind` uses, in bytes: the
/// mini-UART needs AUX_ENABLES, which lies in front of its own registers.
pub const fn bytes_before(kind: UartKind) -> u64 {
    match kind {
        UartKind::Pl011 | UartKind::Imx => 0,
        UartKind::Bcm2835Aux => 0x40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divisor_is_rounded_to_the_nearest() {
        assert_eq!(Rate { clock_hz: 48_000_000, baud: 115_200 }.divisor(4), 1667);
        assert_eq!(Rate { clock_hz: 24_000_000, baud: 115_200 }.divisor(1), 208);
        assert_eq!(Rate { clock_hz: u32::MAX, baud: 1 }.divisor(4), u32::MAX);
    }

    #[test]
    fn a_plan_without_clock_or_rate_leaves_the_firmware_s() {
        assert_eq!(Rate::from_plan(0, 115_200), None);
        assert_eq!(Rate::from_plan(48_000_000, 0), None);
        assert!(Rate::from_plan(48_000_000, 115_200).is_some());
    }
}
