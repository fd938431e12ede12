//! EL2's time: the generic counter in microseconds for embassy-time and for the log's timestamps, and wake-ups by CNTHP.
//!
//! Each core has its own queue and its own CNTHP; a wake-up comes on the core that asked for it. There is no executor:
//! a waker notes what is to be done, and the handler of the timer's interrupt does it.

use core::cell::{Cell, RefCell};
use core::marker::PhantomData;
use core::ptr;
use core::task::{RawWaker, RawWakerVTable, Waker};

use embassy_time::Instant;
use embassy_time_driver::Driver;
use septum_core::time::clock;
use septum_core::time::wake_ups::WakeUps;

use crate::arch::exception;
use crate::percpu::{self, CoreState, slot, this_core};

/// Wake-ups that a core can have outstanding: the log's retry, two for unfinished lines, QEMU's reminder.
const WAKE_UPS: usize = 4;

/// What is done when a wake-up has come due.
type Action = fn(&CoreState);

/// A core's outstanding wake-ups.
pub struct Local {
    queue: RefCell<WakeUps<WAKE_UPS>>,
    /// What has come due and is not yet done.
    due: Cell<[Option<Action>; WAKE_UPS]>,
}

impl percpu::Local for slot::Time {
    type Part = Local;
}

/// This core's wake-ups.
fn local(core: &CoreState) -> &Local {
    core.local::<slot::Time>()
}

impl Local {
    /// None yet.
    pub const fn new() -> Self {
        Self { queue: RefCell::new(WakeUps::new()), due: Cell::new([None; WAKE_UPS]) }
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
        if let Ok(mut queue) = local(this_core()).queue.try_borrow_mut() {
            queue.schedule(at, waker);
            arm(queue.next());
        }
    }
}

/// Something to be done at a time. Each has one wake-up on each core.
pub trait WakeUp {
    /// Does it, on the core that asked; may ask for the next time.
    fn act(core: &CoreState);
}

/// Has `W` done on this core at `at`, or earlier if it has been asked for earlier.
pub fn wake<W: WakeUp>(at: Instant) {
    // SAFETY: the table's functions ignore the pointer, so any thread may have the waker, and no copy owns anything.
    let waker = unsafe { Waker::new(ptr::null(), Table::<W>::TABLE) };
    embassy_time_driver::schedule_wake(at.as_ticks(), &waker);
}

struct Table<W>(PhantomData<W>);

impl<W: WakeUp> Table<W> {
    const TABLE: &'static RawWakerVTable =
        &RawWakerVTable::new(|data| RawWaker::new(data, Self::TABLE), Self::wake, Self::wake, |_| ());

    fn wake(_: *const ()) {
        note(W::act);
    }
}

/// Notes the act; the queue is being used now. There are as many places as in the queue, and an act that is there
/// already is not noted again.
fn note(act: Action) {
    let core = this_core();
    let mut due = local(core).due.take();
    if !due.iter().flatten().any(|other| core::ptr::fn_addr_eq(*other, act))
        && let Some(place) = due.iter_mut().find(|place| place.is_none())
    {
        *place = Some(act);
    }
    local(core).due.set(due);
}

/// Does what is due and arms CNTHP for the rest; for CNTHP's interrupt, before it is deactivated: the interrupt is
/// level-sensitive.
pub fn expired(core: &CoreState) {
    if let Ok(mut queue) = local(core).queue.try_borrow_mut() {
        queue.wake_due(CNTHP.now());
        arm(queue.next());
    }
    for act in local(core).due.take().into_iter().flatten() {
        act(core);
    }
}

/// Has CNTHP interrupt this core at `at` at the latest, once; the next [`expired`] goes by the queue alone again.
pub fn wake_at(core: &CoreState, at: Instant) {
    if let Ok(queue) = local(core).queue.try_borrow() {
        arm(queue.next().min(at.as_ticks()));
    }
}

fn arm(at: u64) {
    if at == u64::MAX {
        exception::disarm_timer();
    } else {
        exception::arm_timer(clock::ticks(at, exception::counter_hz() as u32));
    }
}
