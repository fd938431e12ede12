//! The registers that describe a walk: what VTCR_EL2 and TCR_EL2, VTTBR_EL2 and TTBR0_EL2 have in common.

use core::fmt;

use crate::walk::Regime;

/// Why register values describe no walk that Septum uses. The control register is VTCR_EL2 or TCR_EL2, the base
/// register VTTBR_EL2 or TTBR0_EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// These bits of the control register are set though they must be clear, or clear though they are RES1.
    ControlBits(u64),
    /// TG0 = 0b11 is reserved.
    Granule,
    /// PS: reserved, or more than the board has.
    PhysicalSize(u8),
    /// T0SZ: fewer than 25 or more than 48 bits of input.
    InputSize(u8),
    /// More input bits than physical ones at Stage 2: CONSTRAINED UNPREDICTABLE.
    InputBeyondPhysical(u32),
    /// SL0 names no level for this granule and physical size (AArch64.S2InvalidSL).
    InvalidStartLevel(u8),
    /// From SL0's level the input cannot be resolved with 1 to 16 tables (AArch64.S2InconsistentSL).
    InconsistentStartLevel(u8),
    /// Walks that are not write-back and inner shareable: they might not see what EL2 and the loader see.
    WalkAttributes,
    /// These bits of the base register are set though they must be clear.
    BaseBits(u64),
    /// BADDR is not a multiple of these bytes, the root's size.
    RootUnaligned(u64),
    /// The root ends past the physical size.
    RootBeyondPhysical,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlBits(bits) => write!(f, "the control register has unexpected bits {bits:#x}"),
            Self::Granule => f.write_str("TG0 is reserved"),
            Self::PhysicalSize(ps) => write!(f, "PS = {ps} is more than the board has"),
            Self::InputSize(t0sz) => write!(f, "T0SZ = {t0sz} is out of range"),
            Self::InputBeyondPhysical(bits) => write!(f, "{bits} bits of input are more than the physical size"),
            Self::InvalidStartLevel(sl0) => write!(f, "SL0 = {sl0} names no level for this granule and physical size"),
            Self::InconsistentStartLevel(sl0) => write!(f, "SL0 = {sl0} does not go with T0SZ"),
            Self::WalkAttributes => f.write_str("walks are not write-back and inner shareable"),
            Self::BaseBits(bits) => write!(f, "the base register has unexpected bits {bits:#x}"),
            Self::RootUnaligned(bytes) => write!(f, "the root is not aligned to {bytes:#x}"),
            Self::RootBeyondPhysical => f.write_str("the root ends past the physical size"),
        }
    }
}

impl core::error::Error for RegisterError {}

/// What the low 19 bits of VTCR_EL2 and of TCR_EL2 with E2H = 0 say alike; SL0 is Stage 2's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Control {
    /// log2 of the granule in bytes.
    pub page_shift: u32,
    pub input_bits: u32,
    pub output_bits: u32,
    /// Bits 7:6.
    pub sl0: u8,
}

impl Control {
    /// From a control register, of which every bit from 19 up must be as in `fixed`.
    pub fn new(register: u64, fixed: u64, pa_bits: u32) -> Result<Self, RegisterError> {
        match (register ^ fixed) >> 19 << 19 {
            0 => {}
            bits => return Err(RegisterError::ControlBits(bits)),
        }
        let field = |low: u32, width: u32| (register >> low) as u8 & ((1 << width) - 1);
        if (field(8, 2), field(10, 2), field(12, 2)) != (0b01, 0b01, 0b11) {
            return Err(RegisterError::WalkAttributes);
        }
        let (t0sz, ps) = (field(0, 6), field(16, 3));
        let page_shift = page_shift(field(14, 2)).ok_or(RegisterError::Granule)?;
        let output_bits = physical_bits(ps).filter(|bits| *bits <= pa_bits).ok_or(RegisterError::PhysicalSize(ps))?;
        // AArch64.S1TxSZFaults and AArch64.S2TxSZFaults: MinTxSZ is 16, MaxTxSZ 39 without FEAT_TTST.
        if !(16..=39).contains(&t0sz) {
            return Err(RegisterError::InputSize(t0sz));
        }
        Ok(Self { page_shift, input_bits: 64 - u32::from(t0sz), output_bits, sl0: field(6, 2) })
    }
}

/// TG0.
const fn page_shift(tg0: u8) -> Option<u32> {
    match tg0 {
        0b00 => Some(12),
        0b01 => Some(16),
        0b10 => Some(14),
        _ => None,
    }
}

/// PS; 6 and 7 (52 and 56 bits) are not used by Septum.
const fn physical_bits(ps: u8) -> Option<u32> {
    Some(match ps {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        _ => return None,
    })
}

/// `regime` with its root at BADDR, the bits of `register` that are not `other`.
pub(crate) fn rooted(regime: Regime, register: u64, other: u64) -> Result<Regime, RegisterError> {
    let root = register & !other;
    // The address must be aligned to the root's size, and to 64 bytes at least (AArch64.S2TTBaseAddress).
    let bytes = (regime.root_entries() * 8).max(64);
    if !root.is_multiple_of(bytes) {
        return Err(RegisterError::RootUnaligned(bytes));
    }
    // AArch64.S2Walk raises an address size fault at level 0 for a start beyond PS.
    if (root + (bytes - 1)) >> regime.output_bits != 0 {
        return Err(RegisterError::RootBeyondPhysical);
    }
    Ok(Regime { root, ..regime })
}
