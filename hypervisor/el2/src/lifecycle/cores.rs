//! A partition's virtual cores: started and stopped by PSCI, asleep at EL2 while they are off.

use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use septum_core::lifecycle::{Call, Done};
use septum_core::psci::{self, CpuState, End};
use septum_core::vdev::gic::state::work;

use crate::arch::{cpu, guest_registers, vectors};
use crate::lifecycle::restart;
use crate::percpu::{self, Assignment, CoreState, Shared};
use crate::vdev::gic::Guest;
use crate::{lifecycle, trap};

/// [`Vcpu::state`]: off.
const OFF: u32 = 0;
/// Somebody is about to start it; the entry is not yet written.
const CLAIMED: u32 = 1;
/// Started, but not arrived: the entry is written.
const PENDING: u32 = 2;
/// On.
const ON: u32 = 3;

/// A core in its role as a virtual core.
#[derive(Default)]
pub struct Vcpu {
    /// Written by the core itself, but for OFF to CLAIMED to PENDING, which the one winner of a race does.
    state: AtomicU32,
    /// Where it starts; good while PENDING.
    entry: AtomicU64,
    /// Its x0 there.
    context: AtomicU64,
    /// Counts only in the state of the partition's first core: virtual cores that are on, or about to be.
    on: AtomicU32,
    /// Its part in restarts.
    pub done: Done,
}

impl Vcpu {
    /// What PSCI says of it.
    pub fn state(&self) -> CpuState {
        match self.state.load(Ordering::Acquire) {
            ON => CpuState::On,
            OFF => CpuState::Off,
            _ => CpuState::OnPending,
        }
    }
}

/// What virtual core `vcpu` of this core's partition shares.
pub fn shared(core: &CoreState, assignment: Assignment, vcpu: u16) -> Option<&'static Shared> {
    let index = *core.plan.vcpus(assignment.record).get(usize::from(vcpu))?;
    percpu::shared(&core.plan, index)
}

/// Starts virtual core `vcpu` of this core's partition: x0 of CPU_ON.
pub fn start(core: &CoreState, assignment: Assignment, vcpu: u16, entry: u64, context: u64) -> i64 {
    let Some(target) = shared(core, assignment, vcpu) else { return psci::error::INVALID_PARAMETERS };
    match target.vcpu.state.compare_exchange(OFF, CLAIMED, Ordering::AcqRel, Ordering::Relaxed) {
        Err(ON) => psci::error::ALREADY_ON,
        Err(_) => psci::error::ON_PENDING,
        Ok(_) => {
            assignment.home.vcpu.on.fetch_add(1, Ordering::AcqRel);
            target.vcpu.entry.store(entry, Ordering::Relaxed);
            target.vcpu.context.store(context, Ordering::Relaxed);
            target.vcpu.state.store(PENDING, Ordering::Release);
            core.controller.send_ipi(target.mailbox.ipi_word.load(Ordering::Relaxed));
            0
        }
    }
}

/// CPU_OFF: this core leaves its partition until another of its cores starts it again. The last one ends the partition.
pub fn off(core: &'static CoreState, assignment: Assignment) -> ! {
    if assignment.home.vcpu.on.fetch_sub(1, Ordering::AcqRel) == 1 {
        lifecycle::end(core, End::LastCoreOff)
    }
    core.guest.iter().for_each(Guest::stop_core);
    core.shared.vcpu.state.store(OFF, Ordering::Release);
    wait_for_start(core, assignment)
}

/// Sleeps until an interrupt is pending for this virtual core, whether or not the partition would let it come: as WFI does,
/// which at EL2 wakes for physical interrupts alone. Whatever becomes pending for the partition does so by one: its
/// own, or EL2's IPI. One that comes behind the last look is pending at the WFI, so that does not sleep.
#[cold]
#[inline(never)]
pub fn sleep(core: &'static CoreState) {
    loop {
        trap::take_interrupt(core);
        lifecycle::leave_if_called_off(core);
        if core.guest.as_ref().is_none_or(Guest::is_pending) {
            return;
        }
        cpu::wait_for_interrupt();
    }
}

/// CPU_SUSPEND to power-down: sleeps as [`sleep`] does, then goes on at `entry` with `context` in x0. Timers and
/// interrupt controller have gone on meanwhile.
pub fn power_down(core: &'static CoreState, entry: u64, context: u64) -> ! {
    sleep(core);
    guest_registers::reset_el1();
    // SAFETY: the partition runs on this core, with only its EL1 reset, and nothing on this stack is needed again.
    unsafe { vectors::enter_guest(core, entry, &[context, 0, 0, 0]) }
}

/// Sleeps until the partition starts this core, and enters it; takes its part in a restart, or retires with the
/// partition. Whatever the guest was about on this core is over.
#[cold]
#[inline(never)]
pub fn wait_for_start(core: &'static CoreState, assignment: Assignment) -> ! {
    loop {
        match assignment.home.progress.call() {
            Call::End => lifecycle::retire(core),
            Call::Run => enter_if_started(core, assignment),
            Call::Leave(turn) => restart::take_part(core, assignment, turn),
        }
        cpu::wait_for_interrupt();
        trap::take_interrupt(core);
    }
}

fn enter_if_started(core: &'static CoreState, assignment: Assignment) {
    let vcpu = &core.shared.vcpu;
    if vcpu.state.load(Ordering::Acquire) == PENDING {
        let (entry, context) = (vcpu.entry.load(Ordering::Relaxed), vcpu.context.load(Ordering::Relaxed));
        enter(core, assignment, entry, &[context, 0, 0, 0])
    }
}

/// Starts the partition on its first core.
pub fn enter_first(core: &'static CoreState, assignment: Assignment) -> ! {
    assignment.home.vcpu.on.fetch_add(1, Ordering::AcqRel);
    core.guest.iter().for_each(Guest::reset_partition);
    assignment.home.console.reset();
    enter(core, assignment, assignment.record.entry, &assignment.record.arguments)
}

/// What all virtual cores of the partition share, the first one's first.
pub fn all(core: &CoreState, assignment: Assignment) -> impl Iterator<Item = &'static Shared> {
    core.plan.vcpus(assignment.record).iter().filter_map(|index| percpu::shared(&core.plan, *index))
}

/// All of the partition's virtual cores are off, as before its first start. None of them runs.
pub fn reset(core: &CoreState, assignment: Assignment) {
    all(core, assignment).for_each(|shared| shared.vcpu.state.store(OFF, Ordering::Relaxed));
    assignment.home.vcpu.on.store(0, Ordering::Relaxed);
}

/// Interrupts all other cores of the partition, so that they see that it has ended, or is to restart.
pub fn interrupt_others(core: &CoreState, assignment: Assignment) {
    all(core, assignment).filter(|other| !ptr::eq(*other, core.shared)).for_each(|other| interrupt(core, other));
}

/// Interrupts the core that `other` is the shared state of.
pub fn interrupt(core: &CoreState, other: &Shared) {
    // An IPI without work may be taken for an SGI and dealt with in the vector.
    other.mailbox.work.fetch_or(work::OUTSIDE, Ordering::Release);
    core.controller.send_ipi(other.mailbox.ipi_word.load(Ordering::Relaxed));
}

fn enter(core: &'static CoreState, assignment: Assignment, entry: u64, arguments: &[u64; 4]) -> ! {
    core.shared.vcpu.state.store(ON, Ordering::Release);
    core.guest.iter().for_each(Guest::start_core);
    guest_registers::prepare(assignment.record, assignment.vcpu);
    // SAFETY: Stage-2 and EL1 are set, the memory was loaded before the first core entered, the vectors are installed,
    // and nothing on this stack is needed again.
    unsafe { vectors::enter_guest(core, entry, arguments) }
}
