//! EL2's time: the generic counter in microseconds for embassy-time and for the log's timestamps, and wake-ups by CNTHP.
//!
//! Each core has its own queue and its own CNTHP; a wake-up comes on the core that asked for it. There is no executor:
//! a waker sets a flag, and whoever handles the timer's interrupt acts on the flags.

use core::cell::RefCell;
use core::task::Waker;

use embassy_time_driver::Driver;
use septum_el2::clock;
use septum_el2::wake_ups::WakeUps;

use crate::arch::exception;
use crate::core_state::{CoreState, this_core};

/// Wake-ups that a core can have outstanding: the log's retry, and one for each later use.
const WAKE_UPS: usize = 4;

/// A core's outstanding wake-ups.
pub struct Local {
    queue: RefCell<WakeUps<WAKE_UPS>>,
}

impl Local {
    /// None yet.
    pub const fn new() -> Self {
        Self { queue: RefCell::new(WakeUps::new()) }
    }
}

/// The driver behind embassy-time.
struct Cnthp;

embassy_time_driver::time_driver_impl!(static CNTHP: Cnthp = Cnthp);

impl Driver for Cnthp {
    fn now(&self) -> u64 {
        clock::microseconds(exception::counter(), exception::counter_hz() as u32)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        if let Ok(mut queue) = this_core().time.queue.try_borrow_mut() {
            queue.schedule(at, waker);
            arm(queue.next());
        }
    }
}

/// Wakes what is due and arms CNTHP for the rest; for CNTHP's interrupt, before it is deactivated: the interrupt is
/// level-sensitive. A waker must not schedule anything itself.
pub fn expired(core: &CoreState) {
    if let Ok(mut queue) = core.time.queue.try_borrow_mut() {
        queue.wake_due(CNTHP.now());
        arm(queue.next());
    }
}

fn arm(at: u64) {
    if at == u64::MAX {
        exception::disarm_timer();
    } else {
        exception::arm_timer(clock::ticks(at, exception::counter_hz() as u32));
    }
}
