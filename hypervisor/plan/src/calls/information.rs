//! The facts that the call INFORMATION tells, by number.

macro_rules! facts {
    ($(#[doc = $meaning:literal] $fact:ident $constant:ident = $number:literal,)*) => {
        /// What a partition may ask by INFORMATION.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Information { $(#[doc = $meaning] $fact,)* }

        impl Information {
            /// The fact with this number.
            #[inline(always)]
            pub const fn of(number: u64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$fact),)*
                    _ => None,
                }
            }

            $(#[doc = $meaning] pub const $constant: u64 = $number;)*
        }

        /// Every fact, by number.
        pub const FACTS: &[Fact] = &[$(
            Fact { name: stringify!($constant), number: $number, meaning: $meaning.trim_ascii() },
        )*];
    };
}

/// A fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The constant's name.
    pub name: &'static str,
    /// What to ask for, in x1.
    pub number: u64,
    /// What the answer means.
    pub meaning: &'static str,
}

facts! {
    /// version of these calls
    AbiVersion ABI_VERSION = 0,
    /// number of the partition's virtual cores
    VcpuCount VCPU_COUNT = 1,
    /// index of the calling virtual core
    VcpuIndex VCPU_INDEX = 2,
    /// version of the interrupt controller: 2 or 3
    GicVersion GIC_VERSION = 3,
    /// IPA of the distributor
    Distributor GICD = 4,
    /// IPA of a GICv2's CPU interface
    CpuInterface GICC = 5,
    /// IPA of a GICv3's first redistributor
    Redistributor GICR = 6,
    /// IPA of the emulated PL011
    Console CONSOLE = 7,
}
