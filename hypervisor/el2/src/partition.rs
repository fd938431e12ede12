//! A partition's way out: what its cores do when it ends or is stopped, and what the last one does.

pub mod cores;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use septum_el2::psci::End;
use septum_plan::Plan;

use crate::core_state::{Assignment, CoreState};
use crate::interrupts::Guest;
use crate::{input, log, power, start};

/// Partitions that have not ended.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// How far a partition is.
#[derive(Default)]
pub struct Progress {
    ended: AtomicBool,
    /// Virtual cores that are on, or about to be.
    on: AtomicU32,
}

impl Progress {
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// Counts the partitions; for the boot core, before any partition runs.
pub fn prepare(plan: &Plan<'_>) {
    RUNNING.store(plan.partitions().len() as u32, Ordering::Release);
}

/// Ends this core's partition after a fault that has been reported.
pub fn stop(core: &CoreState) -> ! {
    leave(core, |assignment| defmt::error!("partition `{=str}` stopped (fault)", assignment.name))
}

/// Ends this core's partition as it asked for.
pub fn end(core: &CoreState, how: End) -> ! {
    leave(core, |assignment| defmt::info!("partition `{=str}` ended ({=str})", assignment.name, how.name()))
}

/// Counts this core's partition as ended: it could not be loaded, and the log says why.
pub fn abandon(core: &CoreState) -> ! {
    leave(core, |_| ())
}

/// Leaves the partition for good if another of its cores has ended it; after every interrupt.
pub fn leave_if_ended(core: &CoreState) {
    if core.assignment.is_some_and(|assignment| assignment.home.progress.has_ended()) {
        retire(core)
    }
}

fn leave(core: &CoreState, say: impl FnOnce(Assignment)) -> ! {
    if let Some(assignment) = core.assignment
        && !assignment.home.progress.ended.swap(true, Ordering::AcqRel)
    {
        cores::interrupt_others(core, assignment);
        wind_up(core, assignment);
        say(assignment);
        if RUNNING.fetch_sub(1, Ordering::AcqRel) == 1 {
            defmt::info!("all partitions have ended");
            log::flush(core);
            power::off(&core.plan)
        }
    }
    retire(core)
}

/// The core has nothing left to do: it may wait for the UART now, and sleeps then.
fn retire(core: &CoreState) -> ! {
    input::hand_over(core);
    if let Some(assignment) = core.assignment {
        wind_up(core, assignment);
    }
    core.guest.iter().for_each(Guest::stop);
    start::park(core)
}

/// Says what is left to say of this core's part in the partition.
fn wind_up(core: &CoreState, assignment: Assignment) {
    log::line::flush(core, assignment);
    log::line::flush_shared(core, assignment);
    let denied = core.denied.take();
    if denied != 0 {
        defmt::warn!("partition `{=str}` core {=u16}: {=u32} unknown calls", assignment.name, core.index, denied);
    }
    let undefined = core.undefined.take();
    if undefined != 0 {
        defmt::warn!(
            "partition `{=str}` core {=u16}: {=u32} undefined instructions",
            assignment.name,
            core.index,
            undefined
        );
    }
}
