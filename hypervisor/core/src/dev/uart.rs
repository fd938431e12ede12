//! The UART that carries the log: all kinds behind one type, never waiting by themselves.
//!
//! A new one is a row in [`septum_plan::uart`] and a file here with the functions that [`Uart`] has.

mod bcm2835_aux;
mod imx;
mod pl011;

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

macro_rules! drivers {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $driver:ident $facts:tt)*) => {
        $(pub use $driver::$kind;)*

        /// The log's UART.
        #[derive(Clone, Copy, Debug)]
        pub enum Uart<R> { $($(#[$doc])* $kind($kind<R>),)* }

        impl<R: Mmio> Uart<R> {
            /// The driver for `kind`. The registers begin [`bytes_before`] the plan's address.
            pub const fn new(kind: UartKind, registers: R) -> Self {
                match kind { $(UartKind::$kind => Self::$kind($kind::new(registers)),)* }
            }

            /// Switches the transmitter on, 8 data bits, no parity, and sets the rate if there is one to set.
            pub fn configure(&self, rate: Option<Rate>) {
                match self { $(Self::$kind(uart) => uart.configure(rate),)* }
            }

            /// Whether the transmit FIFO takes a byte now.
            pub fn can_send(&self) -> bool {
                match self { $(Self::$kind(uart) => uart.can_send(),)* }
            }

            /// Puts a byte into the transmit FIFO; only after [`Uart::can_send`].
            pub fn send(&self, byte: u8) {
                match self { $(Self::$kind(uart) => uart.send(byte),)* }
            }

            /// Has the UART interrupt when something is received.
            pub fn listen(&self) {
                match self { $(Self::$kind(uart) => uart.listen(),)* }
            }

            /// The next byte received, if there is one; when there is none left, the interrupt falls.
            pub fn receive(&self) -> Option<u8> {
                match self { $(Self::$kind(uart) => uart.receive(),)* }
            }

            /// Whether the last bit has left.
            pub fn is_idle(&self) -> bool {
                match self { $(Self::$kind(uart) => uart.is_idle(),)* }
            }
        }
    };
}
septum_plan::uarts!(drivers);

/// How far in front of a plan's console address the registers begin that the driver for `kind` uses, in bytes.
pub const fn bytes_before(kind: UartKind) -> u64 {
    kind.facts().bytes_before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::fake::Block;

    /// A row's bytes are what the checker demands of boards, and its port is what the boot stub writes to.
    #[test]
    fn each_row_says_what_its_driver_does() {
        for kind in UartKind::ALL {
            let (fake, facts) = (Block::default(), kind.facts());
            let uart = Uart::new(*kind, &fake);
            uart.configure(Some(Rate { clock_hz: 48_000_000, baud: 115_200 }));
            uart.listen();
            uart.receive();
            let _ = (uart.can_send(), uart.is_idle());
            uart.send(b'x');
            let sent = facts.bytes_before + u64::from(facts.port.data);
            assert_eq!(fake.words_written().last(), Some(&(sent as u32, u32::from(b'x'))), "{kind:?}");
            // A PL011's UARTICR is written only where firmware has left an interrupt behind an empty FIFO.
            fake.set(0x18, 1 << 4);
            uart.listen();
            assert_eq!(u64::from(fake.end()), facts.bytes_before + facts.bytes, "{kind:?}");
            assert!(u64::from(facts.port.status) + 4 <= facts.bytes, "{kind:?}");
        }
    }

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
