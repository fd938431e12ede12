//! The devices that EL2 emulates: each is a module, and a kind of record in the plan.

pub mod gic;
pub mod pl011;

use septum_core::vdev::gic::access::Access;
use septum_plan::{EmulatedKind, frames};

use crate::arch::exception;
use crate::arch::vectors::TrapFrame;
use crate::percpu::{Assignment, CoreState};

/// A load or store of one register that EL2 emulates, where no hot path has answered it; `false` if the trap is about
/// something else, or tells no register.
#[cold]
#[inline(never)]
pub fn access(core: &CoreState, assignment: Assignment, frame: &mut TrapFrame) -> bool {
    let Some(access) = Access::new(frame.esr) else { return false };
    let ipa = Access::ipa(exception::hpfar(), exception::far());
    let Some(device) = frames::at(core.plan.emulated(assignment.record), ipa) else { return false };
    let offset = ipa.wrapping_sub(device.ipa) as u32;
    let stored = access.is_write().then(|| frame.register(access.register()));
    let loaded = match EmulatedKind::from_code(device.kind) {
        // The interrupt controller's are paths of their own, and have had their turn.
        None | Some(EmulatedKind::Gicd | EmulatedKind::Gicr) => return false,
        Some(EmulatedKind::Pl011) => pl011::access(core, assignment, device.intid, offset, stored),
    };
    if stored.is_none() {
        frame.set_register(access.register(), access.loaded(loaded));
    }
    frame.finish();
    true
}
