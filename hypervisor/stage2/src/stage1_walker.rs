//! The walker of EL2's own Stage 1: reads tables as hardware would, from TCR_EL2, TTBR0_EL2 and MAIR_EL2.
//!
//! Follows AArch64.S1Translate for the non-VHE EL2 regime. See [`crate::walk`] for what it refuses beyond that; above
//! all, nothing may be both writable and executable.

use crate::address::{Pa, Va};
use crate::attributes::{Access, Memory};
use crate::control::{Control, RegisterError, rooted};
use crate::fault::{Fault, FaultKind};
use crate::granule::PaRange;
use crate::walk::{Format, Reason, Refusal, Regime, TableMemory, Visitor};
use crate::walker::{AccessKind, Translation, allows, check_shareability};

/// EL2's Stage-1 regime, from register values that have been checked.
#[derive(Clone, Copy, Debug)]
pub struct Stage1Walker {
    regime: Regime,
    format: El2,
}

impl Stage1Walker {
    /// A walker for `tcr` (TCR_EL2), `ttbr` (TTBR0_EL2) and `mair` (MAIR_EL2) on a board whose cores have `pa_range`.
    ///
    /// # Errors
    /// Where hardware would fault on every access, where the architecture leaves the result open, and where a bit is
    /// set that Septum does not use.
    pub fn new(tcr: u64, ttbr: u64, mair: u64, pa_range: PaRange) -> Result<Self, RegisterError> {
        // CnP, bit 0, needs FEAT_TTCNP; bits 63:48 are an ASID only with E2H.
        match ttbr & (0xffff << 48 | 1) {
            0 => {}
            bits => return Err(RegisterError::BaseBits(bits)),
        }
        Ok(Self { regime: rooted(regime(tcr, pa_range.bits())?, ttbr, 0)?, format: El2 { mair } })
    }

    /// Where an access to `va` goes.
    ///
    /// # Errors
    /// The fault that hardware raises, in the architecture's order: address size, access flag, permission.
    pub fn translate(&self, memory: &impl TableMemory, va: Va, kind: AccessKind) -> Result<Translation, Fault> {
        let found = self.regime.look_up(memory, va.get())?;
        if found.descriptor & ACCESS_FLAG == 0 {
            return Err(Fault::of_walk(FaultKind::AccessFlag, found.level));
        }
        let access = rights(found.descriptor, found.tables);
        if !allows(access, kind) {
            return Err(Fault::of_walk(FaultKind::Permission, found.level));
        }
        let memory = self.format.memory_type(found.descriptor).ok();
        Ok(Translation { pa: Pa::new(found.output), level: found.level, access, memory })
    }

    /// Tells `visitor` of every table and leaf that this regime can reach, through at most `budget` tables.
    ///
    /// # Errors
    /// The first descriptor that Septum would not have written.
    pub fn leaves<M, V>(&self, memory: &M, budget: u64, visitor: &mut V) -> Result<(), Refusal>
    where
        M: TableMemory,
        V: Visitor<Va>,
    {
        self.regime.enumerate(&self.format, memory, budget, visitor)
    }
}

/// A regime from TCR_EL2, its root still to come. Bits 31 and 23 are RES1; 7:6 and the others above 18 are RES0 or turn
/// features on that Septum does not use.
fn regime(tcr: u64, pa_bits: u32) -> Result<Regime, RegisterError> {
    let Control { page_shift, input_bits, output_bits, sl0 } = Control::new(tcr, 1 << 31 | 1 << 23, pa_bits)?;
    if sl0 != 0 {
        return Err(RegisterError::ControlBits(u64::from(sl0) << 6));
    }
    // AArch64.S1StartLevel: no concatenation, so the shallowest table that resolves the top bits.
    let start_level = 3 - (input_bits - 1 - page_shift) / (page_shift - 3);
    Ok(Regime { root: 0, page_shift, start_level, input_bits, output_bits })
}

/// AF, bit 10.
const ACCESS_FLAG: u64 = 1 << 10;

/// AP\[2\] (bit 7) forbids stores and XN (bit 54) fetches; of `tables`, APTable\[1\] (bit 62) and XNTable (bit 60) do so
/// for all below (AArch64.S1ApplyTablePerms). Loads are always allowed.
const fn rights(leaf: u64, tables: u64) -> Access {
    Access {
        read: true,
        write: leaf & 1 << 7 == 0 && tables & 1 << 62 == 0,
        execute: leaf & 1 << 54 == 0 && tables & 1 << 60 == 0,
    }
}

#[derive(Clone, Copy, Debug)]
struct El2 {
    mair: u64,
}

impl El2 {
    /// AttrIndx, bits 4:2, looked up in MAIR_EL2 (S1DecodeMemAttrs): the three encodings that Septum uses.
    fn memory_type(self, descriptor: u64) -> Result<Memory, Reason> {
        let index = descriptor >> 2 & 0b111;
        match self.mair >> (8 * index) & 0xff {
            0xff => Ok(Memory::Normal),
            0x44 => Ok(Memory::NonCacheable),
            0x04 => Ok(Memory::Device),
            _ => Err(Reason::MemoryType),
        }
    }
}

impl Format for El2 {
    type Input = Va;
    /// XN, AF, SH, AP\[2:1\], AttrIndx. NS (bit 5) is for Secure state, nG (11), DBM (51) and PXN (53) have no use here.
    const LEAF_BITS: u64 = 1 << 54 | 0x7dc;

    fn input(address: u64) -> Va {
        Va::new(address)
    }

    fn leaf(&self, descriptor: u64) -> Result<(Access, Memory), Reason> {
        let (access, memory) = (rights(descriptor, 0), self.memory_type(descriptor)?);
        if descriptor & ACCESS_FLAG == 0 {
            return Err(Reason::AccessFlag);
        }
        // AP[1] is RES1 in a regime with one privilege level.
        if descriptor & 1 << 6 == 0 {
            return Err(Reason::UnusedBits(1 << 6));
        }
        check_shareability(descriptor, memory)?;
        if access.write && access.execute {
            return Err(Reason::WritableAndExecutable);
        }
        if memory == Memory::Device && access.execute {
            return Err(Reason::ExecutableDevice);
        }
        Ok((access, memory))
    }
}
