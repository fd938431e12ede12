//! A GICv2 core (GIC-400): banked distributor registers, the memory-mapped CPU interface, its virtual interface's frame.

use super::{CpuInterface, EL2_PRIVATE, IPI, MASK_GUESTS, PRIORITY_EL2, PRIORITY_GUEST, offset};
use crate::dev::Mmio;

/// GICC_CTLR.EnableGrp0 (EnableGrp1 in the Non-secure view): IHI 0048B 4.4.1.
const ENABLE: u32 = 1 << 0;
/// GICC_CTLR.EOImode (EOImodeNS in the Non-secure view).
const EOI_MODE: u32 = 1 << 9;
/// GICC_CTLR bits 8:5, the bypass-disable bits, which firmware may have set and which stay.
const BYPASS: u32 = 0x1e0;
/// Words of list registers that the architecture allows.
const LIST_REGISTERS_MAX: u32 = 64;

/// GICC_IIDR of QEMU's model: Arm's, GICv2, product 0, which is none of Arm's (GIC-400 says 0x0202_143b).
const QEMU: u32 = 0x0002_043b;

/// The two frames that a GICv2 core works with.
#[derive(Clone, Copy, Debug)]
pub struct Interface<R> {
    /// GICD.
    pub gicd: R,
    /// GICC, two pages.
    pub gicc: R,
}

impl<R: Mmio> CpuInterface for Interface<R> {
    #[inline(always)]
    fn acknowledge(&self) -> u32 {
        self.gicc.read(offset::GICC_IAR)
    }

    #[inline(always)]
    fn end(&self, acknowledged: u32) {
        self.gicc.write(offset::GICC_EOIR, acknowledged);
    }

    #[inline(always)]
    fn deactivate(&self, acknowledged: u32) {
        self.gicc.write(offset::GICC_DIR, acknowledged);
    }

    #[inline(always)]
    fn send(&self, ipi_word: u64) {
        self.gicd.write(offset::SGIR, ipi_word as u32);
    }
}

/// Brings the calling core's banked registers and CPU interface up: EL2's own interrupts enabled and admitted, everything
/// else off.
/// Returns the bit of this core's interface in GICD_ITARGETSR and GICD_SGIR.
pub fn init_core<R: Mmio>(interface: &Interface<R>) -> u8 {
    let gicd = &interface.gicd;
    super::distributor::silence(gicd, 0, !0);
    set_private_priorities(gicd, offset::IPRIORITYR);
    gicd.write(offset::ISENABLER, EL2_PRIVATE);
    let gicc = &interface.gicc;
    for register in 0..4 {
        gicc.write(offset::word(offset::GICC_APR, register), 0);
    }
    gicc.write(offset::GICC_PMR, MASK_GUESTS.into());
    gicc.write(offset::GICC_BPR, 0);
    let bypass = gicc.read(offset::GICC_CTLR) & BYPASS;
    gicc.write(offset::GICC_CTLR, bypass | EOI_MODE | ENABLE);
    own_interface(gicd)
}

/// Whether the GIC is QEMU's model, which may forget to signal a level-sensitive interrupt (docs/decisions/0011).
pub fn is_forgetful(gicc: &impl Mmio) -> bool {
    gicc.read(offset::GICC_IIDR) == QEMU
}

/// Signals no interrupt to the calling core any more.
pub fn close_core<R: Mmio>(interface: &Interface<R>) {
    let control = interface.gicc.read(offset::GICC_CTLR);
    interface.gicc.write(offset::GICC_CTLR, control & !ENABLE);
}

/// Sets the physical priorities of the private interrupts: 32 bytes from `offset` on.
#[inline(never)]
pub(super) fn set_private_priorities(registers: &impl Mmio, offset: u32) {
    for intid in 0..32 {
        registers.write_byte(offset::byte(offset, intid), private_priority(intid));
    }
}

/// Physical priority of private interrupt `intid`.
pub(super) const fn private_priority(intid: u32) -> u8 {
    if EL2_PRIVATE.wrapping_shr(intid) & 1 == 1 { PRIORITY_EL2 } else { PRIORITY_GUEST }
}

/// The calling core's interface bit: the banked GICD_ITARGETSR0 to 7 read as it in every byte that exists; 1 where
/// they read as zero, as on a single-core GIC (IHI 0048B 4.3.12).
fn own_interface(gicd: &impl Mmio) -> u8 {
    let bytes = (0..8).fold(0, |all, word| all | gicd.read(offset::word(offset::ITARGETSR, word)));
    let halves = bytes | bytes >> 16;
    let bit = (halves | halves >> 8) as u8;
    if bit == 0 { 1 } else { bit }
}

/// The word for [`CpuInterface::send`] that reaches the core with this `interface` bit: GICD_SGIR, target list filter.
pub const fn ipi_word(interface: u8) -> u64 {
    (interface as u64) << 16 | IPI as u64
}

/// Empties the virtual interface and disables it: list registers, active priorities, control.
pub fn reset_virtual_interface(gich: &impl Mmio) {
    gich.write(offset::GICH_HCR, 0);
    gich.write(offset::GICH_VMCR, 0);
    gich.write(offset::GICH_APR, 0);
    for index in 0..list_registers(gich) {
        gich.write(offset::word(offset::GICH_LR, index), 0);
    }
}

/// Number of list registers: GICH_VTR.ListRegs.
pub fn list_registers(gich: &impl Mmio) -> u32 {
    (gich.read(offset::GICH_VTR) & 0x3f).wrapping_add(1).min(LIST_REGISTERS_MAX)
}
