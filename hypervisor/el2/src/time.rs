//! EL2's time: the generic counter in microseconds for embassy-time and for the log's timestamps, and wake-ups by CNTHP.
//!
//! Each core has its own queue and its own CNTHP; a wake-up comes on the core that asked for it. There is no executor:
//! a waker sets a flag, and whoever handles the timer's interrupt acts on the flags.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use embassy_time_driver::Driver;
use embassy_time_queue_utils::queue_generic::ConstGenericQueue;
use septum_el2::clock;

use crate::arch::exception;
use crate::core_state::{CoreState, this_core};

/// Wake-ups that a core can have outstanding: the log's retry, and one for each later use.
const WAKE_UPS: usize = 4;

/// A core's outstanding wake-ups.
pub struct Local {
    queue: RefCell<ConstGenericQueue<WAKE_UPS>>,
    /// The next alarm in microseconds, `u64::MAX` where there is none.
    armed: Cell<u64>,
}

impl Local {
    /// None yet.
    pub const fn new() -> Self {
        Self { queue: RefCell::new(ConstGenericQueue::new()), armed: Cell::new(u64::MAX) }
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
        let core = this_core();
        if let Ok(mut queue) = core.time.queue.try_borrow_mut() {
            queue.schedule_wake(at, waker);
        }
        arm(core, at.min(core.time.armed.get()));
    }
}

/// Wakes what is due and arms CNTHP for the rest; for CNTHP's interrupt, before its priority is dropped: the interrupt
/// is level-sensitive.
pub fn expired(core: &CoreState) {
    let next = match core.time.queue.try_borrow_mut() {
        Ok(mut queue) => queue.next_expiration(CNTHP.now()),
        Err(_) => u64::MAX,
    };
    arm(core, next);
}

fn arm(core: &CoreState, at: u64) {
    core.time.armed.set(at);
    if at == u64::MAX {
        exception::disarm_timer();
    } else {
        exception::arm_timer(clock::ticks(at, exception::counter_hz() as u32));
    }
}
