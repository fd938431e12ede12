//! The Stage-2 walker: reads tables as hardware would, from VTCR_EL2 and VTTBR_EL2, and lists all that they reach.
//!
//! Follows AArch64.S2Translate and what it calls, for a core without FEAT_LPA2, FEAT_TTST, FEAT_XNX and FEAT_S2FWB.
//! See [`crate::walk`] for what it refuses beyond that.

use crate::address::{Ipa, Pa};
use crate::attributes::{Access, Memory};
use crate::control::{Control, RegisterError, rooted};
use crate::fault::{Fault, FaultKind};
use crate::granule::PaRange;
use crate::walk::{Format, Reason, Refusal, Regime, TableMemory, Visitor};

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessKind {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Fetch,
}

/// The result of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Where the access goes.
    pub pa: Pa,
    /// The level of its leaf, 1 to 3.
    pub level: u32,
    /// All that the leaf allows.
    pub access: Access,
    /// The memory type, or `None` for one that Septum does not use.
    pub memory: Option<Memory>,
}

/// A Stage-2 regime, from register values that have been checked.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    regime: Regime,
    vmid: u8,
}

impl Walker {
    /// A walker for `vtcr` (VTCR_EL2) and `vttbr` (VTTBR_EL2) on a board whose cores have `pa_range`.
    ///
    /// # Errors
    /// Where hardware would fault on every access, where the architecture leaves the result open, and where a bit is
    /// set that Septum does not use.
    pub fn new(vtcr: u64, vttbr: u64, pa_range: PaRange) -> Result<Self, RegisterError> {
        // CnP, bit 0, needs FEAT_TTCNP; VMID bits 63:56 need VTCR_EL2.VS.
        match vttbr & (0xff << 56 | 1) {
            0 => {}
            bits => return Err(RegisterError::BaseBits(bits)),
        }
        let regime = rooted(regime(vtcr, pa_range.bits())?, vttbr, 0xffff << 48)?;
        Ok(Self { regime, vmid: (vttbr >> 48) as u8 })
    }

    /// VTTBR_EL2.VMID.
    pub const fn vmid(&self) -> u8 {
        self.vmid
    }

    /// Bits of input.
    pub const fn ipa_bits(&self) -> u32 {
        self.regime.input_bits
    }

    /// The granule in bytes.
    pub const fn granule_bytes(&self) -> u64 {
        1 << self.regime.page_shift
    }

    /// Where an access to `ipa` goes.
    ///
    /// # Errors
    /// The fault that hardware raises, in the architecture's order: address size, access flag, permission.
    pub fn translate(&self, memory: &impl TableMemory, ipa: Ipa, kind: AccessKind) -> Result<Translation, Fault> {
        let found = self.regime.look_up(memory, ipa.get())?;
        if found.descriptor & ACCESS_FLAG == 0 {
            return Err(Fault::of_walk(FaultKind::AccessFlag, found.level));
        }
        let access = rights(found.descriptor);
        if !allows(access, kind) {
            return Err(Fault::of_walk(FaultKind::Permission, found.level));
        }
        let memory = memory_type(found.descriptor).ok();
        Ok(Translation { pa: Pa::new(found.output), level: found.level, access, memory })
    }

    /// Tells `visitor` of every table and leaf that this regime can reach, through at most `budget` tables (the root
    /// counts once): as many as the bytes of table memory have room for.
    ///
    /// # Errors
    /// The first descriptor that Septum would not have written.
    pub fn leaves<M, V>(&self, memory: &M, budget: u64, visitor: &mut V) -> Result<(), Refusal>
    where
        M: TableMemory,
        V: Visitor<Ipa>,
    {
        self.regime.enumerate(&Stage2, memory, budget, visitor)
    }
}

/// Whether `access` allows an access of this `kind`.
pub(crate) const fn allows(access: Access, kind: AccessKind) -> bool {
    match kind {
        AccessKind::Read => access.read,
        AccessKind::Write => access.write,
        AccessKind::Fetch => access.execute,
    }
}

/// A regime from VTCR_EL2, its root still to come. Bit 31 is RES1; bits 30:19 and 63:32 are RES0 or turn features on
/// that Septum does not use.
fn regime(vtcr: u64, pa_bits: u32) -> Result<Regime, RegisterError> {
    let Control { page_shift, input_bits, output_bits, sl0 } = Control::new(vtcr, 1 << 31, pa_bits)?;
    if input_bits > pa_bits {
        return Err(RegisterError::InputBeyondPhysical(input_bits));
    }
    let start_level = start_level(page_shift, sl0, pa_bits).ok_or(RegisterError::InvalidStartLevel(sl0))?;
    if !consistent(page_shift, start_level, input_bits) {
        return Err(RegisterError::InconsistentStartLevel(sl0));
    }
    Ok(Regime { root: 0, page_shift, start_level, input_bits, output_bits })
}

/// AArch64.S2StartLevel, and AArch64.S2InvalidSL, which asks for the physical size.
const fn start_level(page_shift: u32, sl0: u8, pa_bits: u32) -> Option<u32> {
    match (page_shift, sl0) {
        (12, 0) => Some(2),
        (12, 1) => Some(1),
        (12, 2) if pa_bits >= 44 => Some(0),
        (14, 0) => Some(3),
        (14, 1) => Some(2),
        (14, 2) if pa_bits >= 42 => Some(1),
        (16, 0) => Some(3),
        (16, 1) => Some(2),
        (16, 2) if pa_bits >= 44 => Some(1),
        _ => None,
    }
}

/// Not AArch64.S2InconsistentSL: at least one input bit is left for the start level, and at most 16 tables of it.
const fn consistent(page_shift: u32, start_level: u32, input_bits: u32) -> bool {
    let stride = page_shift - 3;
    let below = (3 - start_level) * stride + page_shift;
    below < input_bits && input_bits <= below + stride + 4
}

/// AF, bit 10.
const ACCESS_FLAG: u64 = 1 << 10;

/// S2AP, bits 7:6, and XN, bits 54:53. With FEAT_XNX 0b01 and 0b11 forbid fetches at one level of EL0 and EL1 only, and
/// without it bit 53 is ignored: what allows a fetch on any core counts as executable here.
const fn rights(descriptor: u64) -> Access {
    Access { read: descriptor & 1 << 6 != 0, write: descriptor & 1 << 7 != 0, execute: descriptor >> 53 & 0b11 != 0b10 }
}

/// MemAttr, bits 5:2 (S2DecodeMemAttrs): the three that Septum uses.
const fn memory_type(descriptor: u64) -> Result<Memory, Reason> {
    match descriptor >> 2 & 0b1111 {
        0b1111 => Ok(Memory::Normal),
        0b0101 => Ok(Memory::NonCacheable),
        0b0001 => Ok(Memory::Device),
        _ => Err(Reason::MemoryType),
    }
}

struct Stage2;

impl Format for Stage2 {
    type Input = Ipa;
    /// XN\[1\], AF, SH, S2AP, MemAttr. XN\[0\] belongs to FEAT_XNX, FnXS (bit 11) to FEAT_XS, DBM (51) to FEAT_HAFDBS.
    const LEAF_BITS: u64 = 1 << 54 | 0x7fc;

    fn input(address: u64) -> Ipa {
        Ipa::new(address)
    }

    fn leaf(&self, descriptor: u64) -> Result<(Access, Memory), Reason> {
        let (access, memory) = (rights(descriptor), memory_type(descriptor)?);
        if descriptor & ACCESS_FLAG == 0 {
            return Err(Reason::AccessFlag);
        }
        if !(access.read || access.write || access.execute) {
            return Err(Reason::NoAccess);
        }
        check_shareability(descriptor, memory)?;
        if memory == Memory::Device && access.execute {
            return Err(Reason::ExecutableDevice);
        }
        Ok((access, memory))
    }
}

/// SH, bits 9:8: inner for write-back memory, outer for the rest, which is what hardware makes of it (EffectiveShareability).
pub(crate) fn check_shareability(descriptor: u64, memory: Memory) -> Result<(), Reason> {
    let expected = if memory == Memory::Normal { 0b11 } else { 0b10 };
    if descriptor >> 8 & 0b11 == expected { Ok(()) } else { Err(Reason::Shareability) }
}
