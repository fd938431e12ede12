//! Calls to EL2, and to firmware as EL2 answers for it: the SMC calling convention (DEN0028), and Septum's own calls.

use core::arch::asm;

use septum_plan::calls::{self, CONSOLE_BYTES_MAX};

use crate::packing::pack;

/// What a call left in x0 to x3.
pub type Answer = [u64; 4];

/// An HVC with `function` in w0 and `arguments` from x1 on.
pub fn hvc(function: u32, arguments: [u64; 7]) -> Answer {
    let mut answer = [0; 4];
    // SAFETY: SMCCC 1.1 lets a call change x0 to x17 only, all named here; EL2 has no access to this partition's
    // memory, so no call changes what Rust believes to own. `nomem` is absent: a call may order memory accesses.
    unsafe {
        asm!("hvc #0",
            inout("x0") u64::from(function) => answer[0],
            inout("x1") arguments[0] => answer[1],
            inout("x2") arguments[1] => answer[2],
            inout("x3") arguments[2] => answer[3],
            inout("x4") arguments[3] => _, inout("x5") arguments[4] => _,
            inout("x6") arguments[5] => _, inout("x7") arguments[6] => _,
            out("x8") _, out("x9") _, out("x10") _, out("x11") _, out("x12") _, out("x13") _,
            out("x14") _, out("x15") _, out("x16") _, out("x17") _,
            options(nostack));
    }
    answer
}

/// As [`hvc`], by SMC: EL2 traps it and answers for firmware.
pub fn smc(function: u32, arguments: [u64; 7]) -> Answer {
    let mut answer = [0; 4];
    // SAFETY: as in `hvc`; firmware's calls that take addresses are denied by EL2.
    unsafe {
        asm!("smc #0",
            inout("x0") u64::from(function) => answer[0],
            inout("x1") arguments[0] => answer[1],
            inout("x2") arguments[1] => answer[2],
            inout("x3") arguments[2] => answer[3],
            inout("x4") arguments[3] => _, inout("x5") arguments[4] => _,
            inout("x6") arguments[5] => _, inout("x7") arguments[6] => _,
            out("x8") _, out("x9") _, out("x10") _, out("x11") _, out("x12") _, out("x13") _,
            out("x14") _, out("x15") _, out("x16") _, out("x17") _,
            options(nostack));
    }
    answer
}

/// Bytes for the partition's console, as many calls as they need.
pub fn console_write(bytes: &[u8]) {
    write(calls::CONSOLE_WRITE, bytes);
}

/// Bytes of the partition's defmt stream, as many calls as they need.
pub fn defmt_write(bytes: &[u8]) {
    write(calls::DEFMT_WRITE, bytes);
}

fn write(function: u32, bytes: &[u8]) {
    for piece in bytes.chunks(CONSOLE_BYTES_MAX) {
        let [a, b, c, d, e, f] = pack(piece);
        hvc(function, [piece.len() as u64, a, b, c, d, e, f]);
    }
}

/// A fact ([`calls::Information`]), or `None` where EL2 does not know `which`.
pub fn information(which: u64) -> Option<u64> {
    let [result, fact, ..] = hvc(calls::INFORMATION, [which, 0, 0, 0, 0, 0, 0]);
    (result as i64 == calls::SUCCESS).then_some(fact)
}
