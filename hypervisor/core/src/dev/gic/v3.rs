//! A GICv3 core's redistributor. Its CPU interface is system registers, which only the binary's `arch` may name.

use septum_plan::affinity::AFFINITY;

use super::{EL2_PRIVATE, GicError, IPI, offset, poll};
use crate::dev::Mmio;

/// GICR_TYPER.VLPIS (IHI 0069H 12.11): RD_base and SGI_base are followed by VLPI_base and a reserved frame.
const VIRTUAL_LPIS: u32 = 1 << 1;
/// GICR_TYPER.Last: the highest redistributor of a series of contiguous ones.
const LAST: u32 = 1 << 4;
/// GICR_WAKER.ProcessorSleep.
const PROCESSOR_SLEEP: u32 = 1 << 1;
/// GICR_WAKER.ChildrenAsleep.
const CHILDREN_ASLEEP: u32 = 1 << 2;
/// GICR_CTLR.RWP.
const WRITE_PENDING: u32 = 1 << 3;

/// The redistributor of the core with this `mpidr`, in one of `slots` pieces of GICR, [`offset::GICR_BYTES`] each.
/// Redistributors stand in any order; one with virtual LPIs takes two pieces; behind the last there is nothing to be read.
///
/// # Errors
/// [`GicError::NoRedistributor`].
pub fn find<R: Mmio>(slots: u32, slot: impl Fn(u32) -> R, mpidr: u64) -> Result<R, GicError> {
    let mut index = 0;
    while index < slots {
        let gicr = slot(index);
        if gicr.read(offset::word(offset::GICR_TYPER, 1)) == packed_affinity(mpidr) {
            return Ok(gicr);
        }
        let kind = gicr.read(offset::GICR_TYPER);
        if kind & LAST != 0 {
            break;
        }
        index = index.wrapping_add(if kind & VIRTUAL_LPIS != 0 { 2 } else { 1 });
    }
    Err(GicError::NoRedistributor)
}

/// Wakes the calling core's redistributor and sets its private interrupts up: group 1, EL2's own enabled, everything else
/// off and idle.
///
/// # Errors
/// [`GicError::Asleep`], [`GicError::WritePending`].
pub fn init_core(gicr: &impl Mmio) -> Result<(), GicError> {
    let waker = gicr.read(offset::GICR_WAKER);
    gicr.write(offset::GICR_WAKER, waker & !PROCESSOR_SLEEP);
    poll(gicr, offset::GICR_WAKER, CHILDREN_ASLEEP, GicError::Asleep)?;
    init_private(gicr);
    poll(gicr, offset::GICR_CTLR, WRITE_PENDING, GicError::WritePending)
}

fn init_private(gicr: &impl Mmio) {
    gicr.write(offset::private(offset::IGROUPR), !0);
    gicr.write(offset::private(offset::IGRPMODR), 0);
    gicr.write(offset::private(offset::ICENABLER), !0);
    gicr.write(offset::private(offset::ICPENDR), !0);
    gicr.write(offset::private(offset::ICACTIVER), !0);
    super::v2::set_private_priorities(gicr, offset::private(offset::IPRIORITYR));
    gicr.write(offset::private(offset::ISENABLER), EL2_PRIVATE);
}

/// MPIDR's affinity as GICR_TYPER bits 63:32 has it: Aff3 to Aff0 in four bytes.
const fn packed_affinity(mpidr: u64) -> u32 {
    ((mpidr >> 32 & 0xff) << 24 | mpidr & 0xff_ffff) as u32
}

/// The word for ICC_SGI1R_EL1 that sends EL2's [`IPI`] to the core with this `mpidr` (IHI 0069H 12.2.20). Its bit RS
/// selects a range of 16 cores; without ICC_CTLR_EL1.RSS only Aff0 below 16 exists.
pub const fn ipi_word(mpidr: u64) -> u64 {
    let affinity = mpidr & AFFINITY;
    let (aff3, aff2, aff1, aff0) = (affinity >> 32, affinity >> 16 & 0xff, affinity >> 8 & 0xff, affinity & 0xff);
    aff3 << 48 | (aff0 >> 4) << 44 | aff2 << 32 | (IPI as u64) << 24 | aff1 << 16 | 1u64.wrapping_shl(aff0 as u32 & 0xf)
}
