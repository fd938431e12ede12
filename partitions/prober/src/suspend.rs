//! CPU_SUSPEND: what wakes a core, when, and where it goes on.

use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

use septum_guest::interrupt::{self, VIRTUAL_TIMER};
use septum_guest::{cores, hypercall, println, psci, registers, time};
use septum_plan::calls::CPU_SUSPEND_64;

/// Power states, original format (DEN0022D 5.4.2): standby and power-down with a number of somebody's own.
const STANDBY: u64 = 0x33;
const POWER_DOWN: u64 = 0x1_0033;
/// How long the timer, or the other core, lets the first core sleep.
const NAP: Duration = Duration::from_millis(5);
/// The SGI that the other core sends.
const SGI: u32 = 1;

/// Sleeps; the call's answer.
type Sleep = fn() -> i64;

/// What the second core is to do after a nap's time; it takes the wish back when it begins.
static WISH: AtomicU32 = AtomicU32::new(NOTHING);
const NOTHING: u32 = 0;
const SEND_SGI: u32 = 1;
const END: u32 = 2;
/// Set just before the second core sends the SGI.
static SENT: AtomicBool = AtomicBool::new(false);

// prober_power_down: x0 = power state; the call's answer where it returns, 1 where the core came by the entry point with
// all as DEN0022D 6.4.3 has it, 2 where MMU, caches or exceptions were on. What it needs again lies on the stack, in
// memory, because behind the entry point the MMU is off.
global_asm!(
    r#"
    .section .text.prober_power_down, "ax"
    .global prober_power_down
prober_power_down:
    sub     sp, sp, #256
    stp     x19, x20, [sp, #16 * 0]
    stp     x21, x22, [sp, #16 * 1]
    stp     x23, x24, [sp, #16 * 2]
    stp     x25, x26, [sp, #16 * 3]
    stp     x27, x28, [sp, #16 * 4]
    stp     x29, x30, [sp, #16 * 5]
    stp     d8, d9, [sp, #16 * 6]
    stp     d10, d11, [sp, #16 * 7]
    stp     d12, d13, [sp, #16 * 8]
    stp     d14, d15, [sp, #16 * 9]
    mrs     x9, sctlr_el1
    mrs     x10, tcr_el1
    stp     x9, x10, [sp, #16 * 10]
    mrs     x9, ttbr0_el1
    mrs     x10, mair_el1
    stp     x9, x10, [sp, #16 * 11]
    mrs     x9, vbar_el1
    mrs     x10, cpacr_el1
    stp     x9, x10, [sp, #16 * 12]
    mrs     x9, sp_el0
    stp     x9, xzr, [sp, #16 * 13]
    mov     x9, sp
    add     x10, sp, #256
1:  dc      civac, x9
    add     x9, x9, #16
    cmp     x9, x10
    b.lo    1b
    dsb     sy
    mov     x1, x0
    adr     x2, 2f
    mov     x3, sp
    ldr     w0, ={suspend}
    hvc     #0
    b       4f
2:  mov     sp, x0
    mrs     x11, sctlr_el1
    mrs     x12, daif
    mov     x13, #0x1005
    and     x11, x11, x13
    eor     x12, x12, #0x3c0
    orr     x0, x11, x12
    ldp     x9, x10, [sp, #16 * 11]
    msr     ttbr0_el1, x9
    msr     mair_el1, x10
    ldp     x9, x10, [sp, #16 * 12]
    msr     vbar_el1, x9
    msr     cpacr_el1, x10
    ldp     x9, x10, [sp, #16 * 10]
    msr     tcr_el1, x10
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     sctlr_el1, x9
    isb
    ldr     x9, [sp, #16 * 13]
    msr     sp_el0, x9
    cmp     x0, #0
    mov     x0, #2
    csinc   x0, x0, xzr, ne
4:  ldp     x19, x20, [sp, #16 * 0]
    ldp     x21, x22, [sp, #16 * 1]
    ldp     x23, x24, [sp, #16 * 2]
    ldp     x25, x26, [sp, #16 * 3]
    ldp     x27, x28, [sp, #16 * 4]
    ldp     x29, x30, [sp, #16 * 5]
    ldp     d8, d9, [sp, #16 * 6]
    ldp     d10, d11, [sp, #16 * 7]
    ldp     d12, d13, [sp, #16 * 8]
    ldp     d14, d15, [sp, #16 * 9]
    add     sp, sp, #256
    ret
    .ltorg
    "#,
    suspend = const CPU_SUSPEND_64,
);

unsafe extern "C" {
    fn prober_power_down(power_state: u64) -> i64;
}

/// Sleeps in each way; ends the partition, from the second core, while the first one sleeps.
pub fn all() {
    let begun = interrupt::start(|intid| {
        if intid == VIRTUAL_TIMER {
            registers::stop_timer();
        }
    });
    let enabled = begun.and_then(|()| interrupt::enable(VIRTUAL_TIMER)).and_then(|()| interrupt::enable(SGI));
    if let (Err(error), _) | (_, Err(error)) =
        (enabled, cores::start(1, second_core).map_err(|_| interrupt::InterruptError::Refused))
    {
        println!("prober: {error}");
        return;
    }
    refused();
    report("standby, timer", standby, until_timer);
    report("power-down, timer", power_down, until_timer);
    report("standby, SGI", standby, until_sgi);
    report("power-down, SGI", power_down, until_sgi);
    println!("prober: sleeping for good");
    registers::mask_interrupts();
    WISH.store(END, Ordering::Release);
    standby();
    println!("prober: woken by nothing");
}

/// What no state is, and a power-down to where nothing can be executed.
fn refused() {
    let answer = |state, entry| hypercall::hvc(CPU_SUSPEND_64, [state, entry, 0, 0, 0, 0, 0])[0] as i64;
    println!(
        "prober: refused: extended format {}, reserved bit {}, entry in no memory {}, odd entry {}",
        answer(1 << 30, 0),
        answer(1 << 17, 0),
        answer(POWER_DOWN, 0x3000_0000),
        answer(POWER_DOWN, prober_power_down as *const () as u64 | 1)
    );
}

/// Has `sleep` sleep with interrupts masked until `prepared` says, afterwards, that what it prepared has come.
fn report(what: &str, sleep: Sleep, prepared: fn(Sleep) -> (i64, bool)) {
    let masked = registers::mask_interrupts();
    let (answer, come) = prepared(sleep);
    let pending = is_pending();
    // Here the interrupt comes.
    registers::restore_interrupts(masked);
    println!("prober: {what}: {answer}, what it waited for has come: {come}, pending: {pending}");
}

fn until_timer(sleep: Sleep) -> (i64, bool) {
    let nap = time::deadline(NAP.as_micros() as u64, 1_000_000, registers::counter_frequency());
    let deadline = registers::counter() + nap;
    registers::set_timer(deadline);
    let answer = sleep();
    (answer, registers::counter() >= deadline)
}

fn until_sgi(sleep: Sleep) -> (i64, bool) {
    SENT.store(false, Ordering::Relaxed);
    WISH.store(SEND_SGI, Ordering::Release);
    let answer = sleep();
    (answer, SENT.load(Ordering::Acquire))
}

fn standby() -> i64 {
    hypercall::hvc(CPU_SUSPEND_64, [STANDBY, 0, 0, 0, 0, 0, 0])[0] as i64
}

fn power_down() -> i64 {
    // SAFETY: it keeps to the procedure call standard, however the core comes back.
    unsafe { prober_power_down(POWER_DOWN) }
}

fn is_pending() -> bool {
    registers::pending() & 1 << 7 != 0
}

fn second_core() {
    loop {
        let wish = WISH.swap(NOTHING, Ordering::Acquire);
        if wish == NOTHING {
            continue;
        }
        time::wait(NAP);
        if wish == END {
            psci::system_off()
        }
        SENT.store(true, Ordering::Release);
        if let Err(error) = interrupt::send(SGI, 1) {
            println!("prober: {error}");
        }
    }
}
