//! critical-section for a partition: interrupts masked on this core, and a lock against the partition's other cores.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::{interrupt, registers};

/// The core that is inside, plus one; 0: nobody.
static OWNER: AtomicU64 = AtomicU64::new(0);
/// In the state: this section is inside another one.
const NESTED: u64 = 1;

struct Section;

critical_section::set_impl!(Section);

// SAFETY: between `acquire` and `release` interrupts are masked on this core and `OWNER` keeps the other cores out;
// a nested section changes neither.
unsafe impl critical_section::Impl for Section {
    unsafe fn acquire() -> u64 {
        let interrupts = registers::mask_interrupts();
        let me = interrupt::core_index() + 1;
        if OWNER.load(Ordering::Relaxed) == me {
            return interrupts | NESTED;
        }
        while OWNER.compare_exchange_weak(0, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
            core::hint::spin_loop();
        }
        interrupts
    }

    unsafe fn release(state: u64) {
        if state & NESTED == 0 {
            OWNER.store(0, Ordering::Release);
        }
        registers::restore_interrupts(state & !NESTED);
    }
}
