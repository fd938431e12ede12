//! A partition's ways out: what its cores do when it ends or is stopped, and what the last one does.

pub mod cores;
pub mod restart;

use core::sync::atomic::{AtomicU32, Ordering};

use septum_core::psci::End;
use septum_plan::{Plan, refusal};

use crate::arch::cpu;
use crate::dev::gic::controller;
use crate::dev::power;
use crate::loader::LoadError;
use crate::percpu::{Assignment, CoreState, slot};
use crate::vcpu::Refused;
use crate::vdev::gic::{Guest, guest};
use crate::{console, input, log};

/// Partitions that have not ended.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// Counts the partitions; for the boot core, before any partition runs.
pub fn prepare(plan: &Plan<'_>) {
    RUNNING.store(plan.partitions().len() as u32, Ordering::Release);
}

/// Ends this core's partition after a fault that has been reported.
pub fn stop(core: &CoreState) -> ! {
    leave(core, &|assignment| defmt::error!("partition `{=str}` stopped (fault)", assignment.name))
}

/// Ends this core's partition as it asked for.
pub fn end(core: &CoreState, how: End) -> ! {
    leave(core, &|assignment| defmt::info!("partition `{=str}` ended ({=str})", assignment.name, how.name()))
}

/// Counts this core's partition as ended: it could not be loaded.
pub fn abandon(core: &CoreState, LoadError::Damaged { ipa }: LoadError) -> ! {
    leave(core, &|assignment| refusal!(L01: defmt::error, assignment.name, ipa))
}

/// Leaves the partition if another of its cores has ended or restarts it; after every interrupt.
#[inline(always)]
pub fn leave_if_called_off(core: &'static CoreState) {
    // By reference: a copy would be made each time, by memcpy, before the question is asked.
    if let Some(assignment) = &core.assignment
        && assignment.home.shared::<slot::Progress>().is_called_off()
    {
        cores::wait_for_start(core, *assignment)
    }
}

fn leave(core: &CoreState, say: &dyn Fn(Assignment)) -> ! {
    if let Some(assignment) = core.assignment
        && assignment.home.shared::<slot::Progress>().end()
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
    guest(core).iter().for_each(Guest::stop);
    park(core)
}

/// Says what is left to say of this core's part in the partition.
fn wind_up(core: &CoreState, assignment: Assignment) {
    console::flush(core, assignment);
    console::flush_shared(core, assignment);
    let Refused { calls, instructions } = core.local::<slot::Refused>();
    let denied = calls.take();
    if denied != 0 {
        defmt::warn!("partition `{=str}` core {=u16}: {=u32} unknown calls", assignment.name, core.index, denied);
    }
    let undefined = instructions.take();
    if undefined != 0 {
        defmt::warn!(
            "partition `{=str}` core {=u16}: {=u32} undefined instructions",
            assignment.name,
            core.index,
            undefined
        );
    }
}

/// Ends this core's work: it sends what is left of the log and sleeps. For cores without a partition, and for those whose
/// partition has ended.
pub fn park(core: &CoreState) -> ! {
    log::flush(core);
    if core.area().shared::<slot::Mailbox>().ipi_word.load(Ordering::Relaxed) != 0 {
        controller(core).close_core();
    }
    cpu::park()
}
