//! Address spaces as types: a guest's intermediate physical address, the board's physical address, EL2's virtual one.
//!
//! There are no operators between them, and all arithmetic is checked.

use core::fmt;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The address with this value, in bytes.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The value in bytes.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The address `bytes` further, or `None` where that wraps past 2^64.
            pub const fn checked_add(self, bytes: u64) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }

            /// The distance in bytes from `base` up to this address, or `None` where this lies below `base`.
            pub const fn checked_sub(self, base: Self) -> Option<u64> {
                self.0.checked_sub(base.0)
            }

            /// Whether the address is a multiple of `alignment` bytes, a power of two.
            pub const fn is_aligned(self, alignment: u64) -> bool {
                self.0 & alignment.wrapping_sub(1) == 0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

address! {
    /// Intermediate physical address: what a guest believes to be physical, the input of Stage-2.
    Ipa
}
address! {
    /// Physical address: what the board's bus carries, the output of Stage-2.
    Pa
}
address! {
    /// A virtual address of EL2's own Stage-1 regime.
    Va
}
