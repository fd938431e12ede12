//! Accesses at any address, each exactly one instruction with a syndrome that EL2 can decode: for test partitions.

use core::arch::asm;

use crate::Width;

/// Reads a byte, half word, word or doubleword at `address`.
///
/// # Safety
/// Reading there has no effect that Rust code relies on not to happen.
pub unsafe fn read(address: u64, width: Width) -> u64 {
    let value: u64;
    // SAFETY: one load, which the caller answers for; a fault does not return.
    unsafe {
        match width {
            Width::Byte => asm!("ldrb {0:w}, [{1}]", out(reg) value, in(reg) address, options(nostack)),
            Width::Half => asm!("ldrh {0:w}, [{1}]", out(reg) value, in(reg) address, options(nostack)),
            Width::Word => asm!("ldr {0:w}, [{1}]", out(reg) value, in(reg) address, options(nostack)),
            Width::Double => asm!("ldr {0}, [{1}]", out(reg) value, in(reg) address, options(nostack)),
        }
    }
    value
}

/// Writes the low bits of `value` at `address`.
///
/// # Safety
/// Nothing that Rust code uses lies there.
pub unsafe fn write(address: u64, width: Width, value: u64) {
    // SAFETY: one store, which the caller answers for; a fault does not return. DSB: a fault is reported here.
    unsafe {
        match width {
            Width::Byte => asm!("strb {0:w}, [{1}]", "dsb sy", in(reg) value, in(reg) address, options(nostack)),
            Width::Half => asm!("strh {0:w}, [{1}]", "dsb sy", in(reg) value, in(reg) address, options(nostack)),
            Width::Word => asm!("str {0:w}, [{1}]", "dsb sy", in(reg) value, in(reg) address, options(nostack)),
            Width::Double => asm!("str {0}, [{1}]", "dsb sy", in(reg) value, in(reg) address, options(nostack)),
        }
    }
}

/// Calls `address` as a function without arguments.
///
/// # Safety
/// What lies there is code that keeps to the procedure call standard, or cannot be fetched.
pub unsafe fn execute(address: u64) {
    // SAFETY: the caller answers for the code; what the standard lets it change is named.
    unsafe { asm!("blr {}", in(reg) address, clobber_abi("C")) };
}

/// Runs an undefined instruction (UDF), which EL1's own vectors report.
pub fn undefined() {
    // SAFETY: UDF has no effect but its exception, which does not return.
    unsafe { asm!("udf #0", options(nostack)) };
}
