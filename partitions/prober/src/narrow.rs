//! AArch32 at EL0: T32 code whose load EL2 carries out, in the middle of an IT block.

use core::arch::{asm, global_asm};

use septum_guest::{hypercall, println, registers};
use septum_plan::calls::Information;

// The T32 code, and vectors that take its SVC: they go on at x20 at EL1, with everything masked. r0 is GICD_TYPER's address.
global_asm!(
    r#"
    .section .text.prober_narrow, "ax"
    .balign 0x800
prober_narrow:
    .fill 0x600, 1, 0
    // Synchronous, from EL0 in AArch32.
    msr     elr_el1, x20
    mov     x20, #0x3c5
    msr     spsr_el1, x20
    eret
    .balign 4
prober_narrow_code:
    .hword  0x2200          // movs  r2, #0
    .hword  0x2300          // movs  r3, #0
    .hword  0xbf06          // itte  eq
    .hword  0x6801          // ldreq r1, [r0]
    .hword  0x3201          // addeq r2, #1
    .hword  0x3210          // addne r2, #16
    .hword  0x3301          // adds  r3, #1
    .hword  0xdf00          // svc   #0
    .balign 0x800
    "#
);

/// SPSR_EL1 for User mode in T32, with A, I and F masked.
const USER_T32: u64 = 0x1f0;

/// Runs the code and reports what it left in its registers.
pub fn run() {
    let Some(distributor) = hypercall::information(Information::GICD) else { return };
    let masked = registers::mask_interrupts();
    let (r1, r2, r3): (u64, u64, u64);
    // SAFETY: the code changes r1 to r3, the vectors x20; meanwhile the MMU is off, so that EL0 may fetch the code, and no
    // memory is accessed but the register. Vectors and MMU are put back.
    unsafe {
        asm!(
            "mrs x21, vbar_el1", "mrs x22, sctlr_el1",
            "adrp x9, prober_narrow", "add x9, x9, :lo12:prober_narrow", "msr vbar_el1, x9",
            "adrp x9, prober_narrow_code", "add x9, x9, :lo12:prober_narrow_code", "msr elr_el1, x9",
            "msr spsr_el1, x10", "bic x9, x22, #1", "msr sctlr_el1, x9", "adr x20, 2f", "isb", "eret",
            "2:", "msr sctlr_el1, x22", "msr vbar_el1, x21", "isb",
            inout("x0") distributor + 4 => _, out("x1") r1, out("x2") r2, out("x3") r3, in("x10") USER_T32,
            out("x9") _, out("x20") _, out("x21") _, out("x22") _, options(nostack),
        );
    }
    registers::restore_interrupts(masked);
    println!("prober: T32 under IT: r1 {:#x}, r2 {r2}, r3 {r3}", r1 as u32);
}
