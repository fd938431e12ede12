//! Faults of EL2 itself: print everything, on the emergency stack, and stop the board.

use core::cell::Cell;

use septum_stage2::Syndrome;

use crate::arch::cpu;
use crate::arch::vectors::OwnFault;
use crate::dev::power;
use crate::log;
use crate::percpu::{self, CoreState, slot, this_core};

/// The vectors of the current exception level, in their order (Arm ARM D1.3.1.5).
const VECTORS: [&str; 8] =
    ["synchronous, SP_EL0", "IRQ, SP_EL0", "FIQ, SP_EL0", "SError, SP_EL0", "synchronous", "IRQ", "FIQ", "SError"];

/// Whether a fault of EL2 is being reported on this core.
impl percpu::Local for slot::Reporting {
    type Part = Cell<bool>;
}

/// Reports a fault of EL2 itself and stops. `vector` is the index of the vector that took it.
pub extern "C" fn own_fault(saved: &OwnFault, vector: u64) -> ! {
    let core = this_core();
    // A fault of the report itself ends the reporting; what got into the ring is still flushed by other cores.
    if core.local::<slot::Reporting>().replace(true) {
        cpu::park()
    }
    report(core, saved, VECTORS.get(vector as usize).copied().unwrap_or("?"));
    log::flush(core);
    power::off(&core.plan)
}

fn report(core: &CoreState, saved: &OwnFault, vector: &str) {
    let class = Syndrome::new(saved.esr).class();
    defmt::error!(
        "EL2 fault on core {=u16}: {} ({=str}); ELR {=u64:#x}, ESR {=u64:#x}, FAR {=u64:#x}, SPSR {=u64:#x}",
        core.index,
        class,
        vector,
        saved.elr,
        saved.esr,
        saved.far,
        saved.spsr
    );
    let verdict = core.stack_verdict(saved.sp);
    defmt::error!("EL2 fault on core {=u16}: SP {=u64:#x}: {=str}", core.index, saved.sp, verdict);
    for (first, four) in (0_u8..).step_by(4).zip(saved.x.chunks(4)) {
        registers(core, first, four);
    }
}

fn registers(core: &CoreState, first: u8, values: &[u64]) {
    match *values {
        [a, b, c, d] => defmt::error!(
            "EL2 fault on core {=u16}: x{=u8} {=u64:#x} x{=u8} {=u64:#x} x{=u8} {=u64:#x} x{=u8} {=u64:#x}",
            core.index,
            first,
            a,
            first.wrapping_add(1),
            b,
            first.wrapping_add(2),
            c,
            first.wrapping_add(3),
            d
        ),
        [a, b, c] => defmt::error!(
            "EL2 fault on core {=u16}: x{=u8} {=u64:#x} x{=u8} {=u64:#x} x{=u8} {=u64:#x}",
            core.index,
            first,
            a,
            first.wrapping_add(1),
            b,
            first.wrapping_add(2),
            c
        ),
        _ => {}
    }
}
