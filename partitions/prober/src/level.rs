//! A level-sensitive interrupt whose line is high at its end: it is pending again at once (IHI 0048B 3.2.4).

use septum_guest::interrupt::{self, VIRTUAL_TIMER};
use septum_guest::{println, registers};

/// How often it is ended.
const ROUNDS: u32 = 100;
/// Looks that count as at once.
const LOOKS: u32 = 200;

/// Ends the timer's interrupt again and again, with interrupts masked and the timer due all the time.
pub fn run() {
    if let Err(error) = interrupt::start(|_| ()).and_then(|()| interrupt::enable(VIRTUAL_TIMER)) {
        println!("prober: {error}");
        return;
    }
    let masked = registers::mask_interrupts();
    registers::set_timer(registers::counter());
    let forgotten = (0..ROUNDS).filter(|_| is_forgotten()).count();
    wait();
    registers::stop_timer();
    registers::restore_interrupts(masked);
    println!("prober: level: {forgotten} of {ROUNDS} were not pending again at once, and all came");
}

/// Waits for the interrupt, takes and ends it; whether it was not pending again at once.
fn is_forgotten() -> bool {
    wait();
    let Some(acknowledged) = interrupt::acknowledge_one() else { return false };
    interrupt::end_one(acknowledged);
    !(0..LOOKS).any(|_| is_pending())
}

/// Until it is pending, and without an access to the interrupt controller.
fn wait() {
    while !is_pending() {
        core::hint::spin_loop();
    }
}

fn is_pending() -> bool {
    registers::pending() & 1 << 7 != 0
}
