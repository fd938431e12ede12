//! Software step over instructions that EL2 carries out: each is one step, whoever executes it.
//!
//! The step exceptions go to vectors of this module's own, in assembly: nothing else may run under software step.

use core::arch::{asm, global_asm};

use septum_guest::{hypercall, println, registers};
use septum_plan::calls::{Information, MIGRATE_INFO_TYPE, PSCI_VERSION, VENDOR_64};

/// Step exceptions that are taken after each instruction.
const STEPS: usize = 5;

// On each step exception: ELR_EL1 goes where x14 points, x13 counts down, SPSR_EL1.SS allows one instruction more. At the
// last one software step is over. Only x13 to x16 are used.
global_asm!(
    r#"
    .section .text.prober_steps, "ax"
    .balign 0x800
prober_steps:
    .fill 0x200, 1, 0
    // Synchronous, from EL1 with SP_EL1.
    mrs     x15, elr_el1
    str     x15, [x14], #8
    mrs     x15, spsr_el1
    orr     x15, x15, #{step}
    subs    x13, x13, #1
    b.ne    1f
    msr     mdscr_el1, x13
    and     x15, x15, #{not_step}
1:  msr     spsr_el1, x15
    eret
    .balign 0x800
    "#,
    step = const STEP,
    not_step = const !STEP,
);

/// PSTATE.SS.
const STEP: u64 = 1 << 21;
/// SPSR_EL1 for EL1h with SS set, debug exceptions allowed, all else masked.
const STEPPED: u64 = STEP | 0x1c5;
/// MDSCR_EL1.SS and KDE: software step, at EL1 too (Arm ARM D2.12).
const MDSCR: u64 = 1 | 1 << 13;

/// Bytes from `$instruction` to where each step exception came, with x0 = `$x0` and x11 = `$x11`.
macro_rules! stepped {
    ($instruction:literal, $x0:expr, $x11:expr) => {{
        let mut taken = [0_u64; STEPS];
        let start: u64;
        // SAFETY: debug exceptions are masked but for the steps. The handler changes x13 to x16 and `taken`, NOPs follow for as long as it steps, and software step and
        // the vectors are put back. What the instruction does is of no consequence to Rust: calls keep to the calling
        // convention, and the accesses are to registers of the partition's own devices.
        unsafe {
            asm!(
                "msr daifset, #8", "mrs x22, vbar_el1", "adrp x9, prober_steps", "add x9, x9, :lo12:prober_steps", "msr vbar_el1, x9",
                "msr mdscr_el1, x10", "adr x9, 2f", "msr elr_el1, x9", "msr spsr_el1, x12", "isb", "eret",
                "2:", $instruction, "nop", "nop", "nop", "nop", "nop", "nop",
                "msr daifset, #8", "msr vbar_el1, x22", "isb", "adr x23, 2b",
                out("x23") start, inout("x0") $x0 => _, in("x10") MDSCR, in("x11") $x11, in("x12") STEPPED,
                in("x13") STEPS as u64, in("x14") taken.as_mut_ptr(), out("x20") _, lateout("x9") _, clobber_abi("C"),
                out("x21") _, out("x22") _,
            );
        }
        taken.map(|address| address.wrapping_sub(start))
    }};
}

/// One kind after the other.
pub fn all() {
    let masked = registers::mask_interrupts();
    let own = 0_u64;
    report("plain load", stepped!("ldr w20, [x11]", 0_u64, &raw const own as u64));
    if let Some(distributor) = hypercall::information(Information::GICD) {
        controller(distributor);
    }
    if let Some(console) = hypercall::information(Information::CONSOLE) {
        report("load of UARTFR", stepped!("ldr w20, [x11]", 0_u64, console + 0x18));
        report("store to UARTIMSC", stepped!("str wzr, [x11]", 0_u64, console + 0x38));
    }
    calls();
    report("read of ID_AA64PFR0_EL1", stepped!("mrs x20, id_aa64pfr0_el1", 0_u64, 0_u64));
    report("write to OSLAR_EL1", stepped!("msr oslar_el1, xzr", 0_u64, 0_u64));
    registers::restore_interrupts(masked);
}

/// Registers that EL2 answers in each of its ways: at once, with the registers that a call may change, with all.
fn controller(distributor: u64) {
    report("load of GICD_TYPER", stepped!("ldr w12, [x11]", 0_u64, distributor + 4));
    report("load of GICD_TYPER, x20", stepped!("ldr w20, [x11]", 0_u64, distributor + 4));
    report("store to GICD_ISENABLER1", stepped!("str wzr, [x11]", 0_u64, distributor + 0x104));
    report("store to GICD_ICENABLER1", stepped!("str wzr, [x11]", 0_u64, distributor + 0x184));
    report("store of a byte to GICD_IPRIORITYR", stepped!("strb w21, [x11]", 0_u64, distributor + 0x428));
    if hypercall::information(Information::GIC_VERSION) == Some(3) {
        report("SGI to core 1", stepped!("msr s3_0_c12_c11_5, x11", 0_u64, 1_u64 << 24 | 1 << 1));
        report("SGI to all others", stepped!("msr s3_0_c12_c11_5, x11", 0_u64, 1_u64 << 24 | 1 << 40));
    } else {
        report("SGI to core 1", stepped!("str w0, [x11]", 1 << 17 | 1_u64, distributor + 0xf00));
        report("SGI to all others", stepped!("str w0, [x11]", 1 << 24 | 1_u64, distributor + 0xf00));
    }
}

/// An HVC is taken behind itself, a trapped SMC before it; either is one step.
fn calls() {
    report("HVC, unknown", stepped!("hvc #0", u64::from(VENDOR_64 + 0x1234), 0_u64));
    report("HVC, MIGRATE_INFO_TYPE", stepped!("hvc #0", u64::from(MIGRATE_INFO_TYPE), 0_u64));
    report("SMC, PSCI_VERSION", stepped!("smc #0", u64::from(PSCI_VERSION), 0_u64));
    report("SMC, MIGRATE_INFO_TYPE", stepped!("smc #0", u64::from(MIGRATE_INFO_TYPE), 0_u64));
}

fn report(kind: &str, [a, b, c, d, e]: [u64; STEPS]) {
    println!("prober: steps over {kind}: {a:x} {b:x} {c:x} {d:x} {e:x}");
}
