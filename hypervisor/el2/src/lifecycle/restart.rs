//! Starting a partition anew from its pristine image (PSCI SYSTEM_RESET): what each of its cores does.

use septum_core::lifecycle::Turn;

use crate::lifecycle::{self, cores};
use crate::loader;
use crate::percpu::{Assignment, CoreState, slot};
use crate::vdev::gic::{Guest, guest};

/// Restarts this core's partition as it asked for, unless another of its cores ends or restarts it first.
#[cold]
#[inline(never)]
pub fn restart(core: &'static CoreState, assignment: Assignment) -> ! {
    if assignment.home.shared::<slot::Progress>().restart() {
        cores::interrupt_others(core, assignment);
    }
    cores::wait_for_start(core, assignment)
}

/// This core's part in restart `turn`, as often as it looks. The first core's, when all cores have done theirs, is to
/// start the partition.
pub fn take_part(core: &'static CoreState, assignment: Assignment, turn: Turn) {
    let done = &core.area().shared::<slot::Vcpu>().done;
    if !done.has(turn) {
        guest(core).iter().for_each(Guest::leave_core);
        lifecycle::wind_up(core, assignment);
        done.say(turn);
        if assignment.vcpu != 0 {
            cores::interrupt(core, assignment.home);
        }
    }
    let all_done = || core.areas(assignment.record).all(|other| other.shared::<slot::Vcpu>().done.has(turn));
    if assignment.vcpu == 0 && all_done() {
        start_anew(core, assignment, turn)
    }
}

fn start_anew(core: &'static CoreState, assignment: Assignment, turn: Turn) -> ! {
    defmt::info!("partition `{=str}` restarts (SYSTEM_RESET)", assignment.name);
    cores::reset(core, assignment);
    if let Err(error) = loader::load(&core.plan, assignment.record, true) {
        lifecycle::abandon(core, error)
    }
    assignment.home.shared::<slot::Progress>().advance(turn);
    cores::enter_first(core, assignment)
}
