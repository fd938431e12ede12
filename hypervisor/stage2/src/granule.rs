//! Translation granules and the physical address range of a core.

use core::fmt;

/// A translation granule: the size of the smallest page and of a full table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Granule {
    /// 4 KiB.
    K4,
    /// 16 KiB. Cortex-A53 and Cortex-A72 do not have it.
    K16,
    /// 64 KiB.
    K64,
}

impl Granule {
    /// All granules, smallest first.
    pub const ALL: [Self; 3] = [Self::K4, Self::K16, Self::K64];

    /// log2 of the page size in bytes: 12, 14 or 16.
    pub const fn shift(self) -> u32 {
        match self {
            Self::K4 => 12,
            Self::K16 => 14,
            Self::K64 => 16,
        }
    }

    /// The page size in bytes.
    pub const fn bytes(self) -> u64 {
        1 << self.shift()
    }

    /// Address bits that one full table resolves: 9, 11 or 13.
    pub const fn stride(self) -> u32 {
        self.shift() - 3
    }
}

impl fmt::Display for Granule {
    /// As the configuration spells it: `4k`, `16k`, `64k`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::K4 => "4k",
            Self::K16 => "16k",
            Self::K64 => "64k",
        })
    }
}

/// The physical address size of a core or board, from ID_AA64MMFR0_EL1.PARange (Arm ARM, ID_AA64MMFR0_EL1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PaRange(u8);

impl PaRange {
    /// Every size that Septum knows; 52 bits is used as 48.
    pub const ALL: [Self; 6] = [Self(0), Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// From the register field (0 to 15): 6 (52 bits) and above are used as 5 (48 bits), since a wider output needs
    /// FEAT_LPA2 with a 4 KiB granule. `None` for values above 15.
    pub const fn from_field(field: u8) -> Option<Self> {
        match field {
            0..=5 => Some(Self(field)),
            6..=15 => Some(Self(5)),
            _ => None,
        }
    }

    /// From a size in bits: 32, 36, 40, 42, 44, 48, and 52 used as 48. `None` for any other.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            32 => Some(Self(0)),
            36 => Some(Self(1)),
            40 => Some(Self(2)),
            42 => Some(Self(3)),
            44 => Some(Self(4)),
            48 | 52 => Some(Self(5)),
            _ => None,
        }
    }

    /// The encoding of ID_AA64MMFR0_EL1.PARange and of VTCR_EL2.PS: 0 to 5.
    pub const fn field(self) -> u8 {
        self.0
    }

    /// The size in bits: 32, 36, 40, 42, 44 or 48.
    pub const fn bits(self) -> u32 {
        match self.0 {
            0 => 32,
            1 => 36,
            2 => 40,
            3 => 42,
            4 => 44,
            _ => 48,
        }
    }
}
