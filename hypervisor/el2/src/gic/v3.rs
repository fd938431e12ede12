//! A GICv3 core's redistributor. Its CPU interface is system registers, which only the binary's `arch` may name.

use super::{EL2_PRIVATE, GicError, IPI, Registers, distributor::AFFINITY, offset, poll};

/// GICR_WAKER.ProcessorSleep.
const PROCESSOR_SLEEP: u32 = 1 << 1;
/// GICR_WAKER.ChildrenAsleep.
const CHILDREN_ASLEEP: u32 = 1 << 2;
/// GICR_CTLR.RWP.
const WRITE_PENDING: u32 = 1 << 3;

/// Wakes the redistributor of the core with this `mpidr` and sets its private interrupts up: group 1, EL2's own enabled,
/// everything else off and idle.
///
/// # Errors
/// [`GicError::WrongRedistributor`], [`GicError::Asleep`], [`GicError::WritePending`].
pub fn init_core(gicr: &impl Registers, mpidr: u64) -> Result<(), GicError> {
    let affinity = gicr.read(offset::word(offset::GICR_TYPER, 1));
    if affinity != packed_affinity(mpidr) {
        return Err(GicError::WrongRedistributor(affinity));
    }
    let waker = gicr.read(offset::GICR_WAKER);
    gicr.write(offset::GICR_WAKER, waker & !PROCESSOR_SLEEP);
    poll(|| gicr.read(offset::GICR_WAKER) & CHILDREN_ASLEEP == 0, GicError::Asleep)?;
    init_private(gicr);
    poll(|| gicr.read(offset::GICR_CTLR) & WRITE_PENDING == 0, GicError::WritePending)
}

fn init_private(gicr: &impl Registers) {
    gicr.write(offset::private(offset::IGROUPR), !0);
    gicr.write(offset::private(offset::IGRPMODR), 0);
    gicr.write(offset::private(offset::ICENABLER), !0);
    gicr.write(offset::private(offset::ICPENDR), !0);
    gicr.write(offset::private(offset::ICACTIVER), !0);
    for intid in 0..32 {
        gicr.write_byte(offset::byte(offset::private(offset::IPRIORITYR), intid), super::v2::private_priority(intid));
    }
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
