//! The emulated PL011 of a partition with `console = true`: its accesses, its text to the log, its interrupt.
//!
//! The device is [`septum_core::vdev::pl011`]; its state lies with the partition's first core, and any of the partition's cores
//! uses it.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use septum_core::vdev::pl011::Pl011;
use septum_plan::EmulatedKind;

use crate::console;
use crate::percpu::{self, Assignment, CoreState, slot};
use crate::vdev::gic::guest;

/// What a partition's cores share of its console.
#[derive(Default)]
pub struct State {
    uart: Pl011,
    /// Another partition's core has put something into `uart`; the interrupt line is still to be set.
    stale: AtomicBool,
}

impl percpu::Shared for slot::VirtualUart {
    type Part = State;
}

fn state(assignment: Assignment) -> &'static State {
    assignment.home.shared::<slot::VirtualUart>()
}

impl State {
    /// As at the partition's first start.
    pub fn reset(&self) {
        self.uart.reset();
        self.stale.store(false, Relaxed);
    }

    /// A byte is typed at it, seen from any core; the partition's first core is then to be interrupted.
    pub fn receive(&self, byte: u8) {
        self.uart.receive(byte);
        self.stale.store(true, Relaxed);
    }
}

/// A load of the register at `offset`, or a store of what is `stored` there; what is loaded. Its interrupt is `intid`.
pub fn access(core: &CoreState, assignment: Assignment, intid: u32, offset: u32, stored: Option<u64>) -> u64 {
    let uart = &state(assignment).uart;
    let loaded = match stored {
        Some(value) => {
            if let Some(byte) = uart.write(offset, value as u32) {
                console::write_shared(core, assignment, byte);
            }
            0
        }
        None => uart.read(offset).into(),
    };
    set_interrupt(core, assignment, intid);
    loaded
}

/// EL2's IPI has come: something may have been typed.
#[inline(always)]
pub fn on_ipi(core: &CoreState) {
    if core.area().shared::<slot::VirtualUart>().stale.load(Relaxed) {
        take_up(core);
    }
}

#[cold]
#[inline(never)]
fn take_up(core: &CoreState) {
    core.area().shared::<slot::VirtualUart>().stale.store(false, Relaxed);
    let Some(assignment) = core.assignment else { return };
    if let Some(device) = core.plan.emulated_of(assignment.record, EmulatedKind::Pl011) {
        set_interrupt(core, assignment, device.intid);
    }
}

/// Sets the interrupt's line to what the device says. Another core of the partition may change that meanwhile: then the
/// last one to look is right, so each looks again, a few times at most.
fn set_interrupt(core: &CoreState, assignment: Assignment, intid: u32) {
    const LOOKS: usize = 4;
    let (Some(guest), uart) = (guest(core), &state(assignment).uart) else { return };
    for _ in 0..LOOKS {
        let high = uart.interrupt();
        guest.set_line(intid, high);
        if uart.interrupt() == high {
            break;
        }
    }
}
