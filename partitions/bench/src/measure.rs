//! One operation between two reads of the counter. Nothing stands between the reads but the operation, in assembly,
//! and each pair has the same barriers, so the overhead is the same in all.

use core::arch::asm;

use septum_plan::calls::{PSCI_VERSION, VENDOR_64};

/// A vendor call that nobody offers.
const UNKNOWN_CALL: u32 = VENDOR_64 + 0x1234;

/// The ticks that `$operation` takes, with `$operands`.
macro_rules! between_reads {
    ($operation:literal $(, $($operand:tt)+)?) => {{
        let (before, after): (u64, u64);
        // SAFETY: each use names what its operation changes, besides the counter's two registers.
        unsafe {
            asm!("isb", "mrs x20, cntvct_el0", $operation, "isb", "mrs x21, cntvct_el0",
                out("x20") before, out("x21") after $(, $($operand)+)?, options(nostack));
        }
        after - before
    }};
}

/// What the reads cost by themselves, and one instruction that does nothing.
pub fn nothing() -> u64 {
    between_reads!("nop")
}

/// An unknown vendor call.
pub fn null_hypercall() -> u64 {
    between_reads!("hvc #0", inout("x0") u64::from(UNKNOWN_CALL) => _, clobber_abi("C"))
}

/// PSCI_VERSION by SMC.
pub fn psci_version() -> u64 {
    between_reads!("smc #0", inout("x0") u64::from(PSCI_VERSION) => _, clobber_abi("C"))
}

/// A 32-bit read at `address`, a register of the interrupt controller.
pub fn read(address: u64) -> u64 {
    between_reads!("ldr w9, [x10]", in("x10") address, out("x9") _)
}

/// A 32-bit write of zero at `address`, a register where writing zero changes nothing.
pub fn write(address: u64) -> u64 {
    between_reads!("str wzr, [x10]", in("x10") address)
}

/// 16 million instructions of computing, less those instructions.
pub fn computing() -> u64 {
    const LOOPS: u64 = 8_000_000;
    let taken = between_reads!("1: subs x9, x9, #1\n b.ne 1b", inout("x9") LOOPS => _);
    // One instruction stays in: the one that `nothing` has too.
    taken.saturating_sub(2 * LOOPS - 1)
}
