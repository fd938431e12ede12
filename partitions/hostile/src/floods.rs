//! More than anybody can want: floods of console text, of calls, of cores switched on and off, of interrupts.

use core::arch::{asm, global_asm};

use septum_guest::hypercall::{hvc, information, smc};
use septum_guest::{Width, println, probe};
use septum_plan::calls::{self, CONSOLE_WRITE, DEFMT_WRITE, Information};

/// How often each flood's call is made.
const CALLS: u64 = 20_000;
/// How long cores are left to switch each other on and off, in rounds of the first core's.
const ROUNDS: u64 = 20_000;
/// Virtual cores that take part, besides the first; those that are not there are refused.
const CORES: core::ops::RangeInclusive<u64> = 1..=7;
/// From a redistributor's first frame to its second; the first words of two registers in it, or in GICv2's distributor.
const GICR_SGI_FRAME: u64 = 0x1_0000;
const ISENABLER: u64 = 0x100;
const ICACTIVER: u64 = 0x380;

// A core that switches the next one on (its number is the context, modulo 4) and then itself off, by HVC and by SMC in
// turn. No stack is needed.
global_asm!(
    ".global hostile_restart",
    "hostile_restart:",
    "    mov x20, x0",
    "    add x19, x0, #1",
    "    and x19, x19, #3",
    "    mov w0, #{cpu_on_low}",
    "    movk w0, #{cpu_on_high}, lsl #16",
    "    mov x1, x19",
    "    adr x2, hostile_restart",
    "    mov x3, x19",
    "    tbz x20, #0, 1f",
    "    hvc #0",
    "    b 2f",
    "1:  smc #0",
    "2:  mov w0, #{cpu_off_low}",
    "    movk w0, #{cpu_off_high}, lsl #16",
    "    hvc #0",
    "    b hostile_restart",
    cpu_on_low = const calls::CPU_ON_64 & 0xffff,
    cpu_on_high = const calls::CPU_ON_64 >> 16,
    cpu_off_low = const calls::CPU_OFF & 0xffff,
    cpu_off_high = const calls::CPU_OFF >> 16,
);

unsafe extern "C" {
    static hostile_restart: u8;
}

/// Console bytes and defmt bytes of every value, far faster than any line carries them.
pub fn log() {
    for count in 0..CALLS {
        let word = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let arguments = [count % 64, word, !word, word.rotate_left(7), word >> 9, word << 3, 0x0a0a_0a0a_0a0a_0a0a];
        hvc(CONSOLE_WRITE, arguments);
        smc(DEFMT_WRITE, arguments);
    }
}

/// The emulated PL011, each offset in each width, and more text than any line carries.
pub fn console() {
    let Some(base) = information(Information::CONSOLE) else { return println!("hostile: no console") };
    for offset in 0..0x1000 {
        for width in [Width::Byte, Width::Half, Width::Word, Width::Double] {
            // SAFETY: EL2 says that the console is there, and nothing in this program uses its registers.
            unsafe {
                probe::read(base + offset, width);
                probe::write(base + offset, width, u64::MAX);
                probe::write(base + offset, width, offset);
            }
        }
    }
    for byte in 0..CALLS {
        // SAFETY: as above: UARTCR on, then UARTDR.
        unsafe {
            probe::write(base + 0x30, Width::Word, 0x301);
            probe::write(base, Width::Word, byte);
        }
    }
}

/// Cores that switch each other on and off without end, while this one does too.
pub fn restart() {
    let entry = (&raw const hostile_restart).addr() as u64;
    let mut answers = [0_u64; 5];
    for round in 0..ROUNDS {
        for core in CORES {
            let answer = hvc(calls::CPU_ON_64, [core, entry, core, 0, 0, 0, 0])[0] as i64;
            let kind = answer.unsigned_abs().min(4) as usize;
            answers[kind] += 1;
        }
        hvc(calls::AFFINITY_INFO_64, [round & 7, round & 3, 0, 0, 0, 0, 0]);
    }
    println!(
        "hostile: {} started, {} were on, {} others",
        answers[0],
        answers[4],
        answers[1] + answers[2] + answers[3]
    );
}

/// The virtual timer, enabled and due at once, again and again, its interrupt never answered.
pub fn timer() {
    let private = match (information(Information::GICR), information(Information::GICD)) {
        (Some(redistributor), _) => redistributor + GICR_SGI_FRAME,
        (None, distributor) => distributor.unwrap_or(0),
    };
    for _ in 0..CALLS {
        // SAFETY: interrupts are masked in this program; the virtual timer and its enable bit are its own.
        unsafe {
            probe::write(private + ISENABLER, Width::Word, u64::MAX);
            asm!("msr cntv_cval_el0, xzr", "msr cntv_ctl_el0, {}", "isb", "msr cntv_ctl_el0, xzr", "isb",
                in(reg) 1_u64, options(nostack));
            probe::write(private + ICACTIVER, Width::Word, u64::MAX);
        }
    }
}

/// Cache maintenance and address translation where an emulated frame is.
pub fn maintenance() {
    let frame = information(Information::GICD).unwrap_or(0);
    // SAFETY: PRFM and AT have no effect on memory; PAR_EL1 is not used by this program.
    unsafe {
        asm!("prfm pldl1keep, [{0}]", "prfm pstl1keep, [{0}]", "at s1e1r, {0}", "at s1e1w, {0}", "at s1e0r, {0}", "isb",
            in(reg) frame, options(nostack));
    }
    // SAFETY: cleaning and invalidating lines of a device's frame changes nothing of this program's.
    unsafe { asm!("dc civac, {0}", "dc cvau, {0}", "ic ivau, {0}", "dsb sy", in(reg) frame, options(nostack)) };
}
