//! The emulated PL011 of a partition with `console = true`: its accesses, its text to the log, its interrupt.
//!
//! The device is [`septum_core::vdev::pl011`]; its state lies with the partition's first core, and any of the partition's cores
//! uses it.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use septum_core::vdev::gic::access::Access;
use septum_core::vdev::pl011::{PAGE_BYTES, Pl011};
use septum_plan::record::NO_ADDRESS;

use crate::arch::exception;
use crate::arch::vectors::TrapFrame;
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

/// A load or store in the emulated PL011's page; `false` if the trap is about something else, or tells no register.
#[cold]
#[inline(never)]
pub fn access(core: &CoreState, assignment: Assignment, frame: &mut TrapFrame) -> bool {
    let Some(access) = Access::new(frame.esr) else { return false };
    let ipa = Access::ipa(exception::hpfar(), exception::far());
    let base = assignment.record.console_ipa;
    let offset = ipa.wrapping_sub(base);
    if base == NO_ADDRESS || offset >= PAGE_BYTES {
        return false;
    }
    if access.is_write() {
        store(core, assignment, offset as u32, frame.register(access.register()) as u32);
    } else {
        let value = state(assignment).uart.read(offset as u32);
        frame.set_register(access.register(), access.loaded(value.into()));
    }
    set_interrupt(core, assignment);
    frame.finish();
    true
}

fn store(core: &CoreState, assignment: Assignment, offset: u32, value: u32) {
    if let Some(byte) = state(assignment).uart.write(offset, value) {
        console::write_shared(core, assignment, byte);
    }
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
    if let Some(assignment) = core.assignment {
        set_interrupt(core, assignment);
    }
}

/// Sets the interrupt's line to what the device says. Another core of the partition may change that meanwhile: then the
/// last one to look is right, so each looks again, a few times at most.
fn set_interrupt(core: &CoreState, assignment: Assignment) {
    const LOOKS: usize = 4;
    let (Some(guest), uart) = (guest(core), &state(assignment).uart) else { return };
    for _ in 0..LOOKS {
        let high = uart.interrupt();
        guest.set_line(assignment.record.console_intid, high);
        if uart.interrupt() == high {
            break;
        }
    }
}
