//! System registers that are no partition's, and calls with immediates that mean nothing.

use core::arch::asm;

macro_rules! read_and_write {
    ($($name:literal)*) => {
        $(
            // SAFETY: debug, performance-monitor and implementation-defined registers do not touch memory; what EL2
            // does not let through raises an exception, which is stepped over.
            unsafe { asm!(concat!("mrs {0}, ", $name), concat!("msr ", $name, ", {0}"), "isb", out(reg) _, options(nostack)) };
        )*
    };
}

/// Debug, performance-monitor, trace and implementation-defined registers, by encoding where the name is newer.
pub fn registers() {
    read_and_write! {
        "mdscr_el1" "dbgbvr0_el1" "dbgbcr0_el1" "dbgwvr0_el1" "dbgwcr0_el1" "osdlr_el1" "dbgprcr_el1"
        "dbgclaimset_el1" "dbgclaimclr_el1" "osdtrrx_el1" "osdtrtx_el1" "oseccr_el1"
        "pmcr_el0" "pmcntenset_el0" "pmcntenclr_el0" "pmovsclr_el0" "pmselr_el0" "pmccntr_el0" "pmxevtyper_el0"
        "pmxevcntr_el0" "pmuserenr_el0" "pmintenset_el1" "pmintenclr_el1" "pmovsset_el0" "pmccfiltr_el0"
        "s2_1_c0_c1_0" "s3_0_c15_c0_0" "s3_1_c15_c2_0" "s3_1_c15_c2_1" "s3_1_c11_c0_2" "s3_1_c11_c0_3"
        "s3_0_c12_c12_5" "s3_0_c12_c8_0" "actlr_el1"
    }
}

/// HVC and SMC with immediates other than 0.
pub fn immediates() {
    // SAFETY: by the SMC calling convention a call changes x0 to x17 only; an immediate other than 0 is no call.
    unsafe {
        asm!("hvc #1", "hvc #0xffff", "smc #1", "smc #0xffff", clobber_abi("C"), options(nostack));
    }
}
