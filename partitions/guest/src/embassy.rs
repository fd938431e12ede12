//! embassy-time by the virtual timer: the driver, and an executor for one future.
//!
//! The partition calls [`start`] once; [`block_on`] then sleeps in WFI whenever its future waits.

use core::future::Future;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::queue_generic::ConstGenericQueue;

use crate::interrupt::{self, InterruptError, VIRTUAL_TIMER};
use crate::registers;
use crate::time::{self, scale};

/// Wake-ups that can wait at a time.
const WAKE_UPS: usize = 8;

struct VirtualTimer {
    queue: Mutex<core::cell::RefCell<ConstGenericQueue<WAKE_UPS>>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: VirtualTimer = VirtualTimer {
    queue: Mutex::new(core::cell::RefCell::new(ConstGenericQueue::new())),
});

impl Driver for VirtualTimer {
    fn now(&self) -> u64 {
        scale(registers::counter(), registers::counter_frequency(), embassy_time_driver::TICK_HZ)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|section| {
            if self.queue.borrow_ref_mut(section).schedule_wake(at, waker) {
                self.arm(section);
            }
        });
    }
}

impl VirtualTimer {
    /// Wakes what is due and sets the timer to what comes next.
    fn arm(&self, section: CriticalSection<'_>) {
        let next = self.queue.borrow_ref_mut(section).next_expiration(self.now());
        if next == u64::MAX {
            registers::stop_timer();
        } else {
            registers::set_timer(time::deadline(next, embassy_time_driver::TICK_HZ, registers::counter_frequency()));
        }
    }
}

/// Starts interrupts and the timer's. Other interrupts go to `others`.
///
/// # Errors
/// Where the partition has no interrupt controller.
pub fn start() -> Result<(), InterruptError> {
    interrupt::start(interrupted)?;
    interrupt::enable(VIRTUAL_TIMER)
}

fn interrupted(intid: u32) {
    if intid == VIRTUAL_TIMER {
        critical_section::with(|section| DRIVER.arm(section));
    }
}

static WOKEN: AtomicBool = AtomicBool::new(false);
static VTABLE: RawWakerVTable = RawWakerVTable::new(|_| RAW_WAKER, |_| wake(), |_| wake(), |_| ());
const RAW_WAKER: RawWaker = RawWaker::new(core::ptr::null(), &VTABLE);

fn wake() {
    WOKEN.store(true, Ordering::Release);
}

/// Runs `future` to its end on this core. One at a time.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // SAFETY: the table's functions use no data, so every pointer fits them, on every core.
    let waker = unsafe { Waker::from_raw(RAW_WAKER) };
    let mut context = Context::from_waker(&waker);
    loop {
        WOKEN.store(false, Ordering::Release);
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        sleep_until_woken();
    }
}

/// WFI with interrupts masked wakes all the same, so that none slips in between the test and the sleep.
fn sleep_until_woken() {
    while !WOKEN.load(Ordering::Acquire) {
        let masked = registers::mask_interrupts();
        if !WOKEN.load(Ordering::Acquire) {
            registers::wait_for_interrupt();
        }
        registers::restore_interrupts(masked);
    }
}
