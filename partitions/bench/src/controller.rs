//! The CPU interface, by assembly that stands between two reads of the counter: acknowledge, end, send.

use core::arch::asm;

use septum_guest::hypercall;
use septum_plan::calls::Information;

/// GICC_IAR, GICC_EOIR and GICD_SGIR (IHI 0048B).
const GICC_IAR: u64 = 0x0c;
const GICC_EOIR: u64 = 0x10;
const GICD_SGIR: u64 = 0xf00;

/// Where the partition's interrupt controller is.
#[derive(Clone, Copy)]
pub struct Controller {
    /// GICD.
    pub distributor: u64,
    /// GICR of this core, with a GICv3.
    pub redistributor: Option<u64>,
    /// GICC, with a GICv2.
    cpu_interface: Option<u64>,
}

impl Controller {
    /// What EL2 says of it, or `None` where there is none.
    pub fn find() -> Option<Self> {
        let v2 = hypercall::information(Information::GIC_VERSION)? == 2;
        let address = |which| hypercall::information(which);
        Some(Self {
            distributor: address(Information::GICD)?,
            redistributor: if v2 { None } else { address(Information::GICR) },
            cpu_interface: if v2 { address(Information::GICC) } else { None },
        })
    }

    /// Acknowledges what is pending; IAR's value.
    pub fn acknowledge(&self) -> u64 {
        let value: u64;
        // SAFETY: reading IAR only activates an interrupt of this program's own.
        unsafe {
            match self.cpu_interface {
                Some(base) => asm!("ldr {0:w}, [{1}]", out(reg) value, in(reg) base + GICC_IAR, options(nostack)),
                None => asm!("mrs {}, s3_0_c12_c12_0", out(reg) value, options(nostack)),
            }
        }
        value
    }

    /// Ends the interrupt that [`Controller::acknowledge`] gave; the ticks that it took, reads included.
    pub fn end(&self, acknowledged: u64) -> u64 {
        let (before, after): (u64, u64);
        // SAFETY: writing EOIR only ends an interrupt of this program's own.
        unsafe {
            match self.cpu_interface {
                Some(base) => asm!("isb", "mrs {0}, cntvct_el0", "str {2:w}, [{3}]", "isb", "mrs {1}, cntvct_el0",
                    out(reg) before, out(reg) after, in(reg) acknowledged, in(reg) base + GICC_EOIR, options(nostack)),
                None => asm!("isb", "mrs {0}, cntvct_el0", "msr s3_0_c12_c12_1, {2}", "isb", "mrs {1}, cntvct_el0",
                    out(reg) before, out(reg) after, in(reg) acknowledged, options(nostack)),
            }
        }
        after - before
    }

    /// Sends SGI `intid` to core `core`; the counter before and after.
    pub fn send(&self, intid: u64, core: u64) -> (u64, u64) {
        let (before, after): (u64, u64);
        // SAFETY: an SGI only raises an interrupt, which both cores expect.
        unsafe {
            match self.cpu_interface {
                Some(_) => asm!("isb", "mrs {0}, cntvct_el0", "str {2:w}, [{3}]", "isb", "mrs {1}, cntvct_el0",
                    out(reg) before, out(reg) after, in(reg) 1 << (16 + core) | intid,
                    in(reg) self.distributor + GICD_SGIR, options(nostack)),
                None => asm!("isb", "mrs {0}, cntvct_el0", "msr s3_0_c12_c11_5, {2}", "isb", "mrs {1}, cntvct_el0",
                    out(reg) before, out(reg) after, in(reg) intid << 24 | 1 << core, options(nostack)),
            }
        }
        (before, after)
    }
}
