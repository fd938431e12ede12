//! A partition's virtual cores: started and stopped by PSCI, asleep at EL2 while they are off.

use core::sync::atomic::{AtomicU32, Ordering};

use septum_core::lifecycle::Call;
use septum_core::psci::{CpuState, End};
use septum_core::vdev::gic::state::work;
use septum_plan::calls::{ALREADY_ON, INVALID_PARAMETERS, ON_PENDING};

use super::restart;
use crate::arch::cpu;
use crate::dev::gic::controller;
use crate::percpu::{Area, Assignment, CoreState, slot};
use crate::vdev::gic::{Guest, guest};
use crate::{interrupts, lifecycle, vcpu};

/// What virtual core `vcpu` of this core's partition is to it, wherever it runs.
pub fn area(core: &CoreState, assignment: Assignment, vcpu: u16) -> Option<Area> {
    core.area_of(*core.plan.vcpus(assignment.record).get(usize::from(vcpu))?)
}

/// How many virtual cores of the partition are on, or about to be.
fn on(assignment: Assignment) -> &'static AtomicU32 {
    &assignment.home.shared::<slot::Vcpu>().on
}

/// Starts virtual core `vcpu` of this core's partition: x0 of CPU_ON.
pub fn start(core: &CoreState, assignment: Assignment, vcpu: u16, entry: u64, context: u64) -> i64 {
    let Some(target) = area(core, assignment, vcpu) else { return INVALID_PARAMETERS };
    match target.shared::<slot::Vcpu>().start(on(assignment), entry, context) {
        Err(CpuState::On) => ALREADY_ON,
        Err(_) => ON_PENDING,
        Ok(()) => {
            controller(core).send_ipi(target.shared::<slot::Mailbox>().ipi_word.load(Ordering::Relaxed));
            0
        }
    }
}

/// CPU_OFF: this core leaves its partition until another of its cores starts it again. The last one ends the partition.
pub fn off(core: &'static CoreState, assignment: Assignment) -> ! {
    if on(assignment).fetch_sub(1, Ordering::AcqRel) == 1 {
        lifecycle::end(core, End::LastCoreOff)
    }
    guest(core).iter().for_each(Guest::stop_core);
    core.area().shared::<slot::Vcpu>().set_off();
    wait_for_start(core, assignment)
}

/// Sleeps until an interrupt is pending for this virtual core, whether or not the partition would let it come: as WFI does,
/// which at EL2 wakes for physical interrupts alone. Whatever becomes pending for the partition does so by one: its
/// own, or EL2's IPI. One that comes behind the last look is pending at the WFI, so that does not sleep.
#[cold]
#[inline(never)]
pub fn sleep(core: &'static CoreState) {
    loop {
        interrupts::take(core);
        lifecycle::leave_if_called_off(core);
        if guest(core).as_ref().is_none_or(Guest::is_pending) {
            return;
        }
        cpu::wait_for_interrupt();
    }
}

/// CPU_SUSPEND to power-down: sleeps as [`sleep`] does, then goes on at `entry` with `context` in x0. Timers and
/// interrupt controller have gone on meanwhile.
pub fn power_down(core: &'static CoreState, entry: u64, context: u64) -> ! {
    sleep(core);
    // SAFETY: the partition runs on this core, and nothing on this stack is needed again.
    unsafe { vcpu::resume(core, entry, context) }
}

/// Sleeps until the partition starts this core, and enters it; takes its part in a restart, or retires with the
/// partition. Whatever the guest was about on this core is over.
#[cold]
#[inline(never)]
pub fn wait_for_start(core: &'static CoreState, assignment: Assignment) -> ! {
    loop {
        match assignment.home.shared::<slot::Progress>().call() {
            Call::End => lifecycle::retire(core),
            Call::Run => enter_if_started(core, assignment),
            Call::Leave(turn) => restart::take_part(core, assignment, turn),
        }
        cpu::wait_for_interrupt();
        interrupts::take(core);
    }
}

fn enter_if_started(core: &'static CoreState, assignment: Assignment) {
    if let Some((entry, context)) = core.area().shared::<slot::Vcpu>().started() {
        enter(core, assignment, entry, &[context, 0, 0, 0])
    }
}

/// Starts the partition on its first core.
pub fn enter_first(core: &'static CoreState, assignment: Assignment) -> ! {
    on(assignment).fetch_add(1, Ordering::AcqRel);
    guest(core).iter().for_each(Guest::reset_partition);
    assignment.home.shared::<slot::VirtualUart>().reset();
    enter(core, assignment, assignment.record.entry, &assignment.record.arguments)
}

/// All of the partition's virtual cores are off, as before its first start. None of them runs.
pub fn reset(core: &CoreState, assignment: Assignment) {
    core.areas(assignment.record).for_each(|area| area.shared::<slot::Vcpu>().set_off());
    on(assignment).store(0, Ordering::Relaxed);
}

/// Interrupts all other cores of the partition, so that they see that it has ended, or is to restart.
pub fn interrupt_others(core: &CoreState, assignment: Assignment) {
    core.areas(assignment.record).filter(|other| *other != core.area()).for_each(|other| interrupt(core, other));
}

/// Interrupts the core that `other` is the area of.
pub fn interrupt(core: &CoreState, other: Area) {
    let mailbox = other.shared::<slot::Mailbox>();
    // An IPI without work may be taken for an SGI and dealt with in the vector.
    mailbox.work.fetch_or(work::OUTSIDE, Ordering::Release);
    controller(core).send_ipi(mailbox.ipi_word.load(Ordering::Relaxed));
}

fn enter(core: &'static CoreState, assignment: Assignment, entry: u64, arguments: &[u64; 4]) -> ! {
    core.area().shared::<slot::Vcpu>().set_on();
    guest(core).iter().for_each(Guest::start_core);
    // SAFETY: the memory was loaded before the first core entered, the vectors are installed, and nothing on this stack is
    // needed again.
    unsafe { vcpu::enter(core, assignment, entry, arguments) }
}
