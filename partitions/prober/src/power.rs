//! A device's interrupt, and a core that is off, goes off, or comes on. An SPI is pending in the distributor until a core
//! that it goes to acknowledges it, and active until somebody deactivates it (IHI 0069H 4.1.2, IHI 0048B 3.2.4), and no
//! core's power changes the distributor.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

use septum_guest::interrupt::{self, InterruptError};
use septum_guest::{Width, cores, hypercall, println, probe, psci, registers};
use septum_plan::calls::Information;

/// Registers of a PL011 (DDI 0183): data, control, interrupt mask, interrupt clear.
const DR: u64 = 0x00;
const CR: u64 = 0x30;
const IMSC: u64 = 0x38;
const ICR: u64 = 0x44;
/// UARTIMSC.TXIM.
const TRANSMIT: u64 = 1 << 5;
/// Registers of GICD with one bit, one byte and eight bytes for each interrupt.
const ISENABLER: u64 = 0x100;
const ISPENDR: u64 = 0x200;
const ISACTIVER: u64 = 0x300;
const ICACTIVER: u64 = 0x380;
const ITARGETSR: u64 = 0x800;
const IROUTER: u64 = 0x6000;
/// An SGI.
const SGI: u32 = 3;
/// How long something may take that always comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The device's registers, and its interrupt.
static DEVICE: AtomicU64 = AtomicU64::new(0);
static INTID: AtomicU32 = AtomicU32::new(0);
/// What the second core is to do with the interrupt.
static JOB: AtomicU32 = AtomicU32::new(0);
/// Acknowledge and end it.
const TAKE: u32 = 0;
/// Acknowledge it.
const KEEP: u32 = 1;
/// Wait until it is pending.
const LET_PEND: u32 = 2;
/// Wait until it is pending, and send it to the first core.
const REROUTE: u32 = 3;
/// Wait until it is pending, and then until [`STAGE`] says leave.
const STAY: u32 = 4;
/// Enable the SGI.
const ENABLE_SGI: u32 = 5;
/// What the second core has acknowledged; 0 for nothing yet.
static TAKEN: AtomicU32 = AtomicU32::new(0);
/// How far the second core is.
static STAGE: AtomicU32 = AtomicU32::new(0);
const PENDING: u32 = 1;
const LEAVE: u32 = 2;

/// Goes through all of it with the PL011 at `device`; leaves its interrupt pending for the second core, which is off.
pub fn all(device: u64, intid: u32) {
    DEVICE.store(device, Ordering::Relaxed);
    INTID.store(intid, Ordering::Relaxed);
    println!(
        "prober: power: at first enabled {}, active {}, goes to {:#x}",
        is_set(ISENABLER),
        is_set(ISACTIVER),
        reset_route()
    );
    registers::mask_interrupts();
    if let Err(error) = begin(intid) {
        println!("prober: power: {error}");
        return;
    }
    switched_on();
    rerouted();
    report("active where its core went off, and cleared", goes_off_with_it(KEEP));
    report("pending where its core went off", goes_off_with_it(LET_PEND));
    report("rerouted by its core, which went off at once", goes_off_with_it(REROUTE));
    while_on();
    signalled();
    route_to(1);
    raise();
    println!("prober: power: done");
}

fn begin(intid: u32) -> Result<(), InterruptError> {
    interrupt::start(|_| ())?;
    registers::mask_interrupts();
    lower();
    interrupt::enable(intid)
}

/// It rises for a core that is off, which then comes on.
fn switched_on() {
    route_to(1);
    raise();
    run_on_second(TAKE);
    println!("prober: power: raised while its core was off: core 1 took {}", second_took());
    wait_until_off();
}

/// It rises for a core that is off, and then goes to another.
fn rerouted() {
    route_to(1);
    raise();
    route_to(0);
    report("raised while its core was off, and rerouted", take_and_end());
}

/// The second core goes off with it, after `job`; then it is the first core's. What that takes.
fn goes_off_with_it(job: u32) -> u32 {
    route_to(1);
    run_on_second(job);
    raise();
    wait_until_off();
    if job == KEEP {
        clear_active();
    }
    route_to(0);
    take_and_end()
}

/// It goes to another core while it is pending for one that stays on, and does not take it.
fn while_on() {
    route_to(1);
    run_on_second(STAY);
    raise();
    until("pending", || STAGE.load(Ordering::Acquire) == PENDING);
    route_to(0);
    report("rerouted while its core did not take it", take_and_end());
    STAGE.store(LEAVE, Ordering::Release);
    wait_until_off();
}

/// An SGI to a core that is off is pending in its redistributor, or its banked registers.
fn signalled() {
    run_on_second(ENABLE_SGI);
    wait_until_off();
    if let Err(error) = interrupt::send(SGI, 2) {
        println!("prober: power: {error}");
    }
    run_on_second(TAKE);
    println!("prober: power: an SGI sent while its core was off: core 1 took {}", second_took());
    wait_until_off();
}

fn enable_sgi() {
    if let Err(error) = interrupt::enable(SGI) {
        println!("prober: power: {error}");
    }
}

fn report(what: &str, taken: u32) {
    println!("prober: power: {what}: core 0 took {taken}");
}

/// Switches the second core on to do `job`, interrupts masked, and go off.
fn run_on_second(job: u32) {
    TAKEN.store(0, Ordering::Relaxed);
    STAGE.store(0, Ordering::Relaxed);
    JOB.store(job, Ordering::Release);
    if let Err(error) = cores::start(1, second_core) {
        println!("prober: power: {error}");
    }
}

fn second_core() {
    if let Err(error) = interrupt::prepare_further_core() {
        println!("prober: power: {error}");
        return;
    }
    match JOB.load(Ordering::Acquire) {
        TAKE => TAKEN.store(take_and_end(), Ordering::Release),
        KEEP => TAKEN.store(take(), Ordering::Release),
        LET_PEND => until("pending", is_pending),
        REROUTE => {
            until("pending", is_pending);
            route_to(0);
        }
        STAY => {
            until("pending", is_pending);
            STAGE.store(PENDING, Ordering::Release);
            until("leave", || STAGE.load(Ordering::Acquire) == LEAVE);
        }
        _ => enable_sgi(),
    }
}

/// Takes the interrupt that comes, and ends it with its line low; 0 if none does.
fn take_and_end() -> u32 {
    let taken = take();
    lower();
    interrupt::end_one(taken);
    taken
}

/// The interrupt that comes; 0 if none does.
fn take() -> u32 {
    let mut taken = None;
    until("an interrupt", || {
        taken = taken.or_else(interrupt::acknowledge_one);
        taken.is_some()
    });
    taken.unwrap_or(0)
}

fn second_took() -> u32 {
    until("taken", || TAKEN.load(Ordering::Acquire) != 0);
    TAKEN.load(Ordering::Relaxed)
}

fn is_pending() -> bool {
    registers::pending() & 1 << 7 != 0
}

/// Waits until something has `come` that always does.
fn until(what: &str, mut come: impl FnMut() -> bool) {
    let ticks = PATIENCE.as_secs() * registers::counter_frequency();
    let deadline = registers::counter() + ticks;
    while !come() {
        if registers::counter() > deadline {
            println!("prober: power: {what} does not come");
            return;
        }
    }
}

fn wait_until_off() {
    until("off", || psci::is_off(1));
}

/// The line rises: a byte is sent. While the second core is off, nobody takes the interrupt before it is seen to be pending.
fn raise() {
    device(ICR, 0x7ff);
    device(CR, 0x301);
    device(IMSC, TRANSMIT);
    device(DR, b'.'.into());
    if psci::is_off(1) {
        until("its pending bit", || is_set(ISPENDR) == 1);
    }
}

fn lower() {
    device(IMSC, 0);
    device(ICR, 0x7ff);
}

fn device(register: u64, value: u64) {
    // SAFETY: the script says that a PL011 lies there, and nothing else in this program uses it.
    unsafe { probe::write(DEVICE.load(Ordering::Relaxed) + register, Width::Word, value) };
}

fn route_to(core: u64) {
    let intid = u64::from(INTID.load(Ordering::Relaxed));
    if is_v3() {
        distributor_write(IROUTER + 8 * intid, Width::Double, core);
    } else {
        distributor_write(ITARGETSR + intid, Width::Byte, 1 << core);
    }
}

fn reset_route() -> u64 {
    let intid = u64::from(INTID.load(Ordering::Relaxed));
    let (register, width) =
        if is_v3() { (IROUTER + 8 * intid, Width::Double) } else { (ITARGETSR + intid, Width::Byte) };
    // SAFETY: reading the route changes nothing.
    unsafe { probe::read(distributor() + register, width) }
}

fn clear_active() {
    let intid = u64::from(INTID.load(Ordering::Relaxed));
    distributor_write(ICACTIVER + intid / 32 * 4, Width::Word, 1 << (intid % 32));
}

fn is_set(register: u64) -> u64 {
    let intid = u64::from(INTID.load(Ordering::Relaxed));
    // SAFETY: reading these bits changes nothing.
    unsafe { probe::read(distributor() + register + intid / 32 * 4, Width::Word) >> (intid % 32) & 1 }
}

fn distributor_write(register: u64, width: Width, value: u64) {
    // SAFETY: the registers are this one interrupt's, or have a bit of it set and no other.
    unsafe { probe::write(distributor() + register, width, value) };
}

fn distributor() -> u64 {
    hypercall::information(Information::GICD).unwrap_or(0)
}

fn is_v3() -> bool {
    hypercall::information(Information::GIC_VERSION) == Some(3)
}
