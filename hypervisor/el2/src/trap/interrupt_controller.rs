//! Traps into the partition's emulated interrupt controller, and physical interrupts.

use septum_core::vdev::gic::access::{Access, SystemWrite};
use septum_core::vdev::gic::sgi::Peers;

use crate::arch::exception;
use crate::arch::vectors::{CallerSaved, DECLINED, DONE, NOT_ACKNOWLEDGED, TrapFrame};
use crate::dev::gic::controller;
use crate::percpu::{CoreState, this_core};
use crate::vdev::gic::{Guest, guest};
use crate::{interrupts, lifecycle};

/// Registers as a trap saved them, all or some.
trait Registers {
    /// Register `index`; `None` if it was not saved. 31 is the zero register.
    fn get(&self, index: u8) -> Option<u64>;
    /// Sets register `index`, which [`Registers::get`] gives.
    fn set(&mut self, index: u8, value: u64);
}

impl Registers for CallerSaved {
    #[inline(always)]
    fn get(&self, index: u8) -> Option<u64> {
        match self.x.get(usize::from(index)) {
            Some(value) => Some(*value),
            None => (index == 31).then_some(0),
        }
    }

    #[inline(always)]
    fn set(&mut self, index: u8, value: u64) {
        if let Some(register) = self.x.get_mut(usize::from(index)) {
            *register = value;
        }
    }
}

impl Registers for TrapFrame {
    fn get(&self, index: u8) -> Option<u64> {
        Some(if index == 31 { 0 } else { self.register(index) })
    }

    fn set(&mut self, index: u8, value: u64) {
        if index != 31 {
            self.set_register(index, value);
        }
    }
}

/// The hot path of data aborts, a load or store of a low register: [`DONE`] or [`DECLINED`].
pub extern "C" fn hot_access(frame: &mut CallerSaved, esr: u64) -> u64 {
    let core = this_core();
    let Some(guest) = guest(core) else { return DECLINED };
    if !Access::is_word(esr) || quick_access(&core.peers, guest, frame, esr).is_none() {
        return slow(frame, esr);
    }
    DONE
}

/// What is not quick, system registers among it: [`DONE`] or [`DECLINED`].
#[cold]
#[inline(never)]
pub extern "C" fn slow(frame: &mut CallerSaved, esr: u64) -> u64 {
    if guest(this_core()).as_ref().is_some_and(|guest| emulate(guest, frame, esr)) { DONE } else { DECLINED }
}

/// A word of a register that guests use again and again.
#[inline(always)]
fn quick_access(peers: &Peers<'_>, guest: &Guest, registers: &mut CallerSaved, esr: u64) -> Option<()> {
    let access = Access::new(esr)?;
    let (hpfar, far) = (exception::hpfar(), exception::far());
    let before = registers.get(access.register())?;
    if access.is_write() {
        return guest.quick_write(peers, hpfar, far, before as u32).then_some(());
    }
    let value = guest.quick_read(hpfar, far)?;
    registers.set(access.register(), value.into());
    Some(())
}

/// The same with all registers saved; `false` if the trap is about something else.
pub fn rare(core: &CoreState, frame: &mut TrapFrame) -> bool {
    let esr = frame.esr;
    let done = guest(core).as_ref().is_some_and(|guest| emulate(guest, frame, esr));
    if done {
        frame.finish();
    }
    done
}

#[inline(never)]
fn emulate(guest: &Guest, registers: &mut dyn Registers, esr: u64) -> bool {
    match Access::new(esr) {
        Some(access) => emulate_access(guest, registers, access).is_some(),
        None => emulate_system_write(guest, registers, esr).unwrap_or(false),
    }
}

fn emulate_access(guest: &Guest, registers: &mut dyn Registers, access: Access) -> Option<()> {
    let ipa = Access::ipa(exception::hpfar(), exception::far());
    let before = registers.get(access.register())?;
    if access.is_write() {
        return guest.write(ipa, access.bytes(), before).then_some(());
    }
    let value = guest.read(ipa, access.bytes())?;
    registers.set(access.register(), access.loaded(value));
    Some(())
}

fn emulate_system_write(guest: &Guest, registers: &dyn Registers, esr: u64) -> Option<bool> {
    let (what, register) = SystemWrite::new(esr)?;
    let value = registers.get(register)?;
    Some(match what {
        SystemWrite::Sgi(sgi) => guest.send_sgi(sgi, value),
        SystemWrite::Deactivate => guest.deactivate(value),
    })
}

/// Handles what the vector has acknowledged, or, where that is [`NOT_ACKNOWLEDGED`], what there is.
#[inline(always)]
pub fn handle_acknowledged(core: &'static CoreState, acknowledged: u64) {
    let left = match (acknowledged, guest(core)) {
        (NOT_ACKNOWLEDGED, Some(guest)) => guest.quick_interrupt(controller(core)),
        (NOT_ACKNOWLEDGED, None) => controller(core).acknowledge(),
        (acknowledged, _) => controller(core).taken(acknowledged as u32),
    };
    if let Some(acknowledged) = left {
        interrupts::handle(core, acknowledged);
        lifecycle::leave_if_called_off(core);
    }
}
