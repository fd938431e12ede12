//! The first instructions at EL1, the exception vectors, and the way to the partition's function.
//!
//! EL2 enters with the MMU off, interrupts masked, x0 = IPA of the `args` string, x1 = its length (0, 0: none). The
//! code turns MMU and caches on from a constant table before its first store, so no line is written with caches off.

use core::arch::global_asm;
use core::slice;

use crate::exception::{Syndrome, Vector};
use crate::identity;
use crate::{println, psci};

/// SCTLR_EL1: RES1 bits 29, 28, 23, 22, 20 and 11; I, SA, C and M on; alignment checks off (Arm ARM D24.2.120).
const SCTLR: u64 = 0x30d0_0800 | 1 << 12 | 1 << 3 | 1 << 2 | 1;
/// CPACR_EL1.FPEN: floating point and SIMD trap nowhere.
const CPACR: u64 = 0b11 << 20;

global_asm!(
    r#"
    .section .text.start, "ax"
    .global septum_guest_start
septum_guest_start:
    msr     daifset, #0xf
    adrp    x9, {table}
    add     x9, x9, :lo12:{table}
    msr     ttbr0_el1, x9
    ldr     x9, ={mair}
    msr     mair_el1, x9
    // TCR_EL1.IPS is what the core reports, at most 5 (48 bits).
    ldr     x9, ={tcr}
    mrs     x10, id_aa64mmfr0_el1
    and     x10, x10, #0xf
    mov     x11, #5
    cmp     x10, x11
    csel    x10, x10, x11, lo
    bfi     x9, x10, #32, #3
    msr     tcr_el1, x9
    ldr     x9, ={cpacr}
    msr     cpacr_el1, x9
    adrp    x9, septum_guest_vectors
    add     x9, x9, :lo12:septum_guest_vectors
    msr     vbar_el1, x9
    tlbi    vmalle1
    dsb     nsh
    isb
    ldr     x9, ={sctlr}
    msr     sctlr_el1, x9
    isb
    msr     spsel, #1
    adrp    x9, septum_guest_stack_top
    add     x9, x9, :lo12:septum_guest_stack_top
    mov     sp, x9
    adrp    x9, septum_guest_bss_start
    add     x9, x9, :lo12:septum_guest_bss_start
    adrp    x10, septum_guest_bss_end
    add     x10, x10, :lo12:septum_guest_bss_end
1:  cmp     x9, x10
    b.hs    2f
    stp     xzr, xzr, [x9], #16
    b       1b
2:  msr     daifclr, #4
    mov     x29, xzr
    mov     x30, xzr
    b       {run}
    .ltorg

    .macro vector number
    .balign 0x80
    mov     x0, #\number
    mrs     x1, esr_el1
    mrs     x2, elr_el1
    mrs     x3, far_el1
    b       {report}
    .endm

    .section .text.vectors, "ax"
    .balign 0x800
septum_guest_vectors:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector \n
    .endr
    "#,
    table = sym identity::TABLE,
    mair = const identity::MAIR,
    tcr = const identity::TCR,
    cpacr = const CPACR,
    sctlr = const SCTLR,
    run = sym run,
    report = sym report,
);

unsafe extern "Rust" {
    /// What [`entry!`](crate::entry) defines.
    safe fn septum_guest_main(arguments: &'static str);
}

/// Calls the partition's function with the `args` string at IPA `text`, `length` bytes long.
extern "C" fn run(text: *const u8, length: usize) -> ! {
    let bytes = if text.is_null() || length == 0 {
        &[]
    } else {
        // SAFETY: EL2 enters with the place of a string that the compiler put into this partition's memory, apart
        // from the image, and that nothing writes.
        unsafe { slice::from_raw_parts(text, length) }
    };
    match core::str::from_utf8(bytes) {
        Ok(arguments) => septum_guest_main(arguments),
        Err(_) => println!("the arguments are not UTF-8"),
    }
    psci::system_off()
}

/// Prints an exception that the runtime does not expect and ends the partition.
extern "C" fn report(vector: u64, syndrome: u64, pc: u64, address: u64) -> ! {
    let decoded = Syndrome(syndrome);
    println!("{}: {decoded} at pc {pc:#x}, ESR_EL1 {syndrome:#x}", Vector(vector));
    if decoded.has_address() {
        println!("faulting address {address:#x}");
    }
    psci::system_off()
}
