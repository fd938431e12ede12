//! defmt's global logger: frames go to EL2 by DEFMT_WRITE, which tags them with the partition's name.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use septum_plan::calls::CONSOLE_BYTES_MAX;

use crate::{hypercall, registers, time};

defmt::timestamp!("{=u64:us}", time::scale(registers::counter(), registers::counter_frequency(), 1_000_000));

#[defmt::global_logger]
struct Logger;

struct State {
    encoder: defmt::Encoder,
    buffer: Buffer,
    interrupts: u64,
}

/// Gathers bytes into full calls.
struct Buffer {
    bytes: [u8; CONSOLE_BYTES_MAX],
    used: usize,
}

struct Locked {
    taken: AtomicBool,
    state: UnsafeCell<State>,
}

// SAFETY: `state` is touched between `acquire` and `release` only, where `taken` is held with interrupts masked.
unsafe impl Sync for Locked {}

static LOCKED: Locked = Locked {
    taken: AtomicBool::new(false),
    state: UnsafeCell::new(State {
        encoder: defmt::Encoder::new(),
        buffer: Buffer { bytes: [0; CONSOLE_BYTES_MAX], used: 0 },
        interrupts: 0,
    }),
};

impl Buffer {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.bytes.get_mut(self.used) {
                *place = *byte;
                self.used += 1;
            }
            if self.used == CONSOLE_BYTES_MAX {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        hypercall::defmt_write(self.bytes.get(..self.used).unwrap_or(&[]));
        self.used = 0;
    }
}

// SAFETY: `acquire` masks interrupts and spins for `taken`, so one context at a time is between it and `release`, as
// defmt demands. An exception inside a frame is never logged by defmt: its report uses the console and ends the run.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        let interrupts = registers::mask_interrupts();
        while LOCKED.taken.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: `taken` is held.
        let state = unsafe { &mut *LOCKED.state.get() };
        state.interrupts = interrupts;
        state.encoder.start_frame(|bytes| state.buffer.add(bytes));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: `taken` is held since `acquire`.
        let state = unsafe { &mut *LOCKED.state.get() };
        state.encoder.end_frame(|bytes| state.buffer.add(bytes));
        state.buffer.flush();
        let interrupts = state.interrupts;
        LOCKED.taken.store(false, Ordering::Release);
        registers::restore_interrupts(interrupts);
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: `taken` is held since `acquire`.
        let state = unsafe { &mut *LOCKED.state.get() };
        state.encoder.write(bytes, |encoded| state.buffer.add(encoded));
    }
}
