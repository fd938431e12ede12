//! Starting a partition anew from its pristine image (PSCI SYSTEM_RESET): what each of its cores does.

use septum_el2::progress::{Call, Turn};

use crate::core_state::{Assignment, CoreState};
use crate::interrupts::Guest;
use crate::loader;
use crate::partition::{self, cores};

/// Restarts this core's partition as it asked for, unless another of its cores ends or restarts it first.
#[cold]
#[inline(never)]
pub fn restart(core: &'static CoreState, assignment: Assignment) -> ! {
    if assignment.home.progress.restart() {
        cores::interrupt_others(core, assignment);
    }
    cores::wait_for_start(core, assignment)
}

/// This core's part in `turn`, as often as it looks: interrupts may still come to it. Whether it must look again before
/// it sleeps.
pub fn take_part(core: &'static CoreState, assignment: Assignment, call: Call, turn: Turn) -> bool {
    let give_up = matches!(call, Call::GiveUp(_));
    if give_up {
        core.guest.iter().for_each(Guest::stop_core);
    }
    if !core.shared.vcpu.done.has(turn) {
        if !give_up {
            partition::wind_up(core, assignment);
        }
        core.shared.vcpu.done.say(turn);
        if assignment.vcpu != 0 {
            cores::interrupt(core, assignment.home);
        }
    }
    let leads = assignment.vcpu == 0 && cores::all(core, assignment).all(|other| other.vcpu.done.has(turn));
    if leads {
        lead(core, assignment, give_up, turn);
    }
    leads
}

/// All cores have done `turn`: the first core's part.
fn lead(core: &'static CoreState, assignment: Assignment, give_up: bool, turn: Turn) {
    if give_up {
        start_anew(core, assignment, turn)
    }
    core.guest.iter().for_each(Guest::reset_partition);
    if assignment.home.progress.advance(turn) {
        cores::interrupt_others(core, assignment);
    }
}

fn start_anew(core: &'static CoreState, assignment: Assignment, turn: Turn) -> ! {
    defmt::info!("partition `{=str}` restarts (SYSTEM_RESET)", assignment.name);
    cores::reset(core, assignment);
    if let Err(error) = loader::load(&core.plan, assignment.record, true) {
        partition::abandon(core, error)
    }
    assignment.home.progress.advance(turn);
    cores::enter_first(core, assignment)
}
