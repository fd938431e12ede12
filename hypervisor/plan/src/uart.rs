//! The UARTs that EL2 drives, one row each: what the board's checker, the boot stub and the proof must know of them.
//!
//! A new UART is a row here, and its driver among core's `dev/uart`: [`crate::uarts!`] gives both crates the same rows.

use crate::record::UartPort;

/// Calls the macro `$then` with a row for each UART that EL2 drives: its kind, the kind's number in a plan, its driver's
/// module in core, and its [`UartFacts`].
#[macro_export]
macro_rules! uarts {
    ($then:ident) => {
        $then! {
            /// Arm PL011 (DDI 0183G 3.2): UARTDR to UARTICR; UARTFR.TXFF.
            Pl011 = 1, pl011 {
                name: "pl011",
                bytes: 0x48,
                bytes_before: 0,
                port: UartPort { data: 0x00, status: 0x18, mask: 1 << 5, ready: 0 },
            }
            /// NXP i.MX UART (IMX8MPRM): URXD to UTS; UTXD, UTS.TXFULL.
            Imx = 2, imx {
                name: "imx",
                bytes: 0xb8,
                bytes_before: 0,
                port: UartPort { data: 0x40, status: 0xb4, mask: 1 << 4, ready: 0 },
            }
            /// BCM2835 auxiliary (mini) UART (BCM2711 ARM Peripherals 2.2): AUX_MU_IO_REG to AUX_MU_BAUD_REG, and AUX_ENABLES
            /// of the block's registers in front; AUX_MU_STAT_REG, "transmit FIFO is full".
            Bcm2835Aux = 3, bcm2835_aux {
                name: "bcm2835-aux",
                bytes: 0x2c,
                bytes_before: 0x40,
                port: UartPort { data: 0x00, status: 0x24, mask: 1 << 5, ready: 0 },
            }
        }
    };
}

/// What is to be known of a kind of UART outside its driver. Its first register is the one that board files name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UartFacts {
    /// What board files and JSON call it.
    pub name: &'static str,
    /// Bytes from its first register to the end of the last that the driver uses.
    pub bytes: u64,
    /// How far in front of its first register, on the same page, those begin that the driver uses too, in bytes.
    pub bytes_before: u64,
    /// How the boot stub sends a byte.
    pub port: UartPort,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $driver:ident $facts:tt)*) => {
        /// The kinds of UART that EL2 drives.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum UartKind { $($(#[$doc])* $kind,)* }

        impl UartKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The number that stands for it in a plan.
            pub const fn code(self) -> u8 {
                match self { $(Self::$kind => $code,)* }
            }

            /// What `code` stands for, if anything.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$kind),)* _ => None }
            }

            /// Its row.
            pub const fn facts(self) -> UartFacts {
                match self { $(Self::$kind => UartFacts $facts,)* }
            }
        }
    };
}
uarts!(kinds);
