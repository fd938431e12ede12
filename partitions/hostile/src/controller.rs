//! The interrupt controller, used as nobody should.

use core::arch::asm;

use septum_guest::{Width, hypercall, probe};
use septum_plan::calls::Information;
use septum_plan::frames::{GICD_V2_BYTES, GICD_V3_BYTES, GICR_BYTES};

const GICD_SGIR: u64 = 0xf00;

fn distributor() -> u64 {
    hypercall::information(Information::GICD).unwrap_or(0)
}

/// Reads and writes every byte offset in every width, first ones, then zeroes.
pub fn sweep() {
    let redistributors = hypercall::information(Information::GICR).map(|base| (base, GICR_BYTES));
    let frames = hypercall::information(Information::GICD).map(|base| (base, frame_bytes()));
    for (base, size) in frames.into_iter().chain(redistributors) {
        for offset in (0..size).step_by(2) {
            for width in [Width::Byte, Width::Half, Width::Word, Width::Double] {
                touch(base + offset, width);
            }
        }
    }
}

/// A GICv2's distributor has one page.
fn frame_bytes() -> u64 {
    if hypercall::information(Information::GIC_VERSION) == Some(2) { GICD_V2_BYTES } else { GICD_V3_BYTES }
}

fn touch(address: u64, width: Width) {
    for value in [u64::MAX, 0] {
        // SAFETY: EL2 says that the interrupt controller is there; this program uses no interrupts.
        unsafe {
            probe::read(address, width);
            probe::write(address, width, value);
        }
    }
}

/// Software-generated interrupts to every core that there might be.
pub fn interrupt_everybody() {
    if hypercall::information(Information::GIC_VERSION) == Some(2) {
        for value in (0..=0xff_u64).flat_map(|targets| (0..4_u64).map(move |filter| targets << 16 | filter << 24 | 1)) {
            // SAFETY: as in `touch`.
            unsafe { probe::write(distributor() + GICD_SGIR, Width::Word, value) };
        }
        return;
    }
    let everybody = 1_u64 << 40;
    let lists = (0..=0xff_u64).flat_map(|affinity| [affinity << 16, affinity << 32, affinity << 48, affinity << 44]);
    for value in lists.map(|affinity| affinity | 0xffff).chain([everybody, everybody | 0xf << 24, u64::MAX]) {
        // SAFETY: ICC_SGI1R_EL1, ICC_SGI0R_EL1 and ICC_ASGI1R_EL1 only raise interrupts, which are masked here.
        unsafe {
            asm!("msr s3_0_c12_c11_5, {0}", "msr s3_0_c12_c11_7, {0}", "msr s3_0_c12_c11_6, {0}", "isb",
                in(reg) value, options(nostack));
        }
    }
}

/// A pair of registers from an emulated frame: an abort without a syndrome.
pub fn pair() {
    // SAFETY: loads from the frame have no effect on this program.
    unsafe { asm!("ldp {}, {}, [{}]", out(reg) _, out(reg) _, in(reg) distributor(), options(nostack)) };
}

/// A store with write-back to an emulated frame.
pub fn write_back() {
    // SAFETY: as in `touch`; the address register is not used again.
    unsafe { asm!("str wzr, [{0}], #4", inout(reg) distributor() => _, options(nostack)) };
}

/// A vector register from an emulated frame.
pub fn vector() {
    // SAFETY: as `pair`.
    unsafe { asm!("ldr {:q}, [{}]", out(vreg) _, in(reg) distributor(), options(nostack)) };
}
