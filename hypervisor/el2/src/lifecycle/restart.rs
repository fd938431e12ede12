//! Starting a partition anew from its pristine image (PSCI SYSTEM_RESET): what each of its cores does.

use septum_core::lifecycle::Turn;

use crate::lifecycle::{self, cores};
use crate::loader;
use crate::percpu::{Assignment, CoreState};
use crate::vdev::gic::Guest;

/// Restarts this core's partition as it asked for, unless another of its cores ends or restarts it first.
#[cold]
#[inline(never)]
pub fn restart(core: &'static CoreState, assignment: Assignment) -> ! {
    if assignment.home.progress.restart() {
        cores::interrupt_others(core, assignment);
    }
    cores::wait_for_start(core, assignment)
}

/// This core's part in restart `turn`, as often as it looks. The first core's, when all cores have done theirs, is to
/// start the partition.
pub fn take_part(core: &'static CoreState, assignment: Assignment, turn: Turn) {
    if !core.shared.vcpu.done.has(turn) {
        core.guest.iter().for_each(Guest::leave_core);
        lifecycle::wind_up(core, assignment);
        core.shared.vcpu.done.say(turn);
        if assignment.vcpu != 0 {
            cores::interrupt(core, assignment.home);
        }
    }
    if assignment.vcpu == 0 && cores::all(core, assignment).all(|other| other.vcpu.done.has(turn)) {
        start_anew(core, assignment, turn)
    }
}

fn start_anew(core: &'static CoreState, assignment: Assignment, turn: Turn) -> ! {
    defmt::info!("partition `{=str}` restarts (SYSTEM_RESET)", assignment.name);
    cores::reset(core, assignment);
    if let Err(error) = loader::load(&core.plan, assignment.record, true) {
        lifecycle::abandon(core, error)
    }
    assignment.home.progress.advance(turn);
    cores::enter_first(core, assignment)
}
