//! The shape of a Stage-2 table: start level, concatenated root tables, T0SZ and the whole of VTCR_EL2.
//!
//! Rules and their source: Arm ARM (DDI 0487) D8, AArch64.S2StartLevel,
//! AArch64.S2InconsistentSL, AArch64.S2InvalidSL in the shared pseudocode.

use core::fmt;

use crate::granule::{Granule, PaRange};

/// Fewest IPA bits: T0SZ may be at most 39 without FEAT_TTST.
pub const IPA_BITS_MIN: u32 = 25;

/// Why no table has the wanted shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// Fewer than [`IPA_BITS_MIN`] bits.
    TooFewBits(u32),
    /// More IPA bits than the board has physical bits: CONSTRAINED UNPREDICTABLE in the architecture.
    BeyondPhysical {
        /// Wanted IPA bits.
        ipa_bits: u32,
        /// The board's physical bits.
        pa_bits: u32,
    },
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewBits(bits) => write!(f, "{bits} IPA bits are fewer than {IPA_BITS_MIN}"),
            Self::BeyondPhysical { ipa_bits, pa_bits } => {
                write!(f, "{ipa_bits} IPA bits are more than the board's {pa_bits} physical bits")
            }
        }
    }
}

impl core::error::Error for GeometryError {}

/// A Stage-2 table's shape. Only [`Geometry::new`] makes one, so its fields always fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    granule: Granule,
    pa_range: PaRange,
    ipa_bits: u32,
    start_level: u32,
}

impl Geometry {
    /// The shape for `ipa_bits` of input on a board with `pa_range`: starts at the deepest level at which at most 16
    /// tables stand side by side.
    ///
    /// # Errors
    /// Where the architecture has no such table.
    pub const fn new(granule: Granule, pa_range: PaRange, ipa_bits: u32) -> Result<Self, GeometryError> {
        if ipa_bits < IPA_BITS_MIN {
            return Err(GeometryError::TooFewBits(ipa_bits));
        }
        if ipa_bits > pa_range.bits() {
            return Err(GeometryError::BeyondPhysical { ipa_bits, pa_bits: pa_range.bits() });
        }
        // VTCR_EL2.SL0 = 0b11 with 4 KiB needs FEAT_TTST, so the deepest start level there is 2.
        let mut level = match granule {
            Granule::K4 => 2,
            Granule::K16 | Granule::K64 => 3,
        };
        while ipa_bits > level_shift(granule, level) + granule.stride() + 4 {
            level -= 1;
        }
        Ok(Self { granule, pa_range, ipa_bits, start_level: level })
    }

    /// The shape that covers the board's whole PARange.
    pub const fn whole(granule: Granule, pa_range: PaRange) -> Self {
        match Self::new(granule, pa_range, pa_range.bits()) {
            Ok(geometry) => geometry,
            Err(_) => panic!("every PARange has a table"),
        }
    }

    /// The granule.
    pub const fn granule(self) -> Granule {
        self.granule
    }

    /// The physical address size that descriptors may use.
    pub const fn pa_range(self) -> PaRange {
        self.pa_range
    }

    /// Bits of input: IPAs lie below 2^`ipa_bits`.
    pub const fn ipa_bits(self) -> u32 {
        self.ipa_bits
    }

    /// The level at which the walk starts: 0 to 3.
    pub const fn start_level(self) -> u32 {
        self.start_level
    }

    /// VTCR_EL2.T0SZ.
    pub const fn t0sz(self) -> u32 {
        64 - self.ipa_bits
    }

    /// log2 of the bytes that one entry at `level` covers.
    pub const fn level_shift(self, level: u32) -> u32 {
        level_shift(self.granule, level)
    }

    /// Bytes of the root: all concatenated tables, or the part of one table that is used. Its alignment too, where it
    /// is at least 64.
    pub const fn root_bytes(self) -> u64 {
        8 << (self.ipa_bits - level_shift(self.granule, self.start_level))
    }

    /// The alignment that the root needs, in bytes: its size, at least 64.
    pub const fn root_alignment(self) -> u64 {
        if self.root_bytes() < 64 { 64 } else { self.root_bytes() }
    }

    /// Tables that stand side by side at the start level: 1 to 16.
    pub const fn root_tables(self) -> u64 {
        self.root_bytes().div_ceil(self.granule.bytes())
    }

    /// VTCR_EL2: T0SZ, SL0, write-back inner-shareable walks, TG0, PS, 8-bit VMID, bit 31 RES1 (Arm ARM, VTCR_EL2).
    pub const fn vtcr(self) -> u64 {
        let (sl0, tg0) = match self.granule {
            Granule::K4 => (2 - self.start_level, 0b00),
            Granule::K16 => (3 - self.start_level, 0b10),
            Granule::K64 => (3 - self.start_level, 0b01),
        };
        let walks = (0b01 << 8) | (0b01 << 10) | (0b11 << 12);
        1 << 31 | (self.pa_range.field() as u64) << 16 | tg0 << 14 | walks | (sl0 as u64) << 6 | self.t0sz() as u64
    }
}

const fn level_shift(granule: Granule, level: u32) -> u32 {
    (3 - level) * granule.stride() + granule.shift()
}
