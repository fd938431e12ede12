//! What happens on an exception: interrupts go to the partition's handler, others are printed by name and end the
//! partition, unless it has asked to step over them.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::exception::{Frame, Syndrome, Vector};
use crate::{interrupt, println, psci, registers};

/// How many synchronous exceptions were stepped over, or `None` where they end the partition.
static STEPPED_OVER: AtomicU64 = AtomicU64::new(ENDS);
const ENDS: u64 = u64::MAX;
/// Vectors of EL1 using SP_EL1.
const SYNCHRONOUS: u64 = 4;
const IRQ: u64 = 5;
const INSTRUCTION_BYTES: u64 = 4;

/// From now on, a synchronous exception skips the instruction that caused it; for partitions that try what they may
/// not. The skipped instruction leaves its registers as they were.
pub fn step_over() {
    STEPPED_OVER.store(0, Ordering::Relaxed);
}

/// How many exceptions have been stepped over.
pub fn stepped_over() -> u64 {
    match STEPPED_OVER.load(Ordering::Relaxed) {
        ENDS => 0,
        count => count,
    }
}

/// What vectors.s calls.
pub(crate) extern "C" fn taken(vector: u64, frame: &mut Frame) {
    match vector {
        IRQ => interrupt::taken(),
        SYNCHRONOUS if STEPPED_OVER.load(Ordering::Relaxed) != ENDS => {
            STEPPED_OVER.fetch_add(1, Ordering::Relaxed);
            frame.elr = frame.elr.wrapping_add(INSTRUCTION_BYTES);
        }
        _ => report(vector, frame.elr),
    }
}

fn report(vector: u64, pc: u64) -> ! {
    let syndrome = registers::syndrome();
    let decoded = Syndrome(syndrome);
    println!("{}: {decoded} at pc {pc:#x}, ESR_EL1 {syndrome:#x}", Vector(vector));
    if decoded.has_address() {
        println!("faulting address {:#x}", registers::fault_address());
    }
    psci::system_off()
}
