//! A core in its role as a virtual core: whether it is on, where it starts, what of it was refused.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use septum_core::lifecycle::Done;
use septum_core::psci::CpuState;

use crate::arch::{guest_registers, vectors};
use crate::percpu::{self, Assignment, CoreState, slot};

/// [`Vcpu::state`]: off.
const OFF: u32 = 0;
/// Somebody is about to start it; the entry is not yet written.
const CLAIMED: u32 = 1;
/// Started, but not arrived: the entry is written.
const PENDING: u32 = 2;
/// On.
const ON: u32 = 3;

/// What all cores may know of a virtual core.
#[derive(Default)]
pub struct Vcpu {
    /// Written by the core itself, but for OFF to CLAIMED to PENDING, which the one winner of a race does.
    state: AtomicU32,
    /// Where it starts; good while PENDING.
    entry: AtomicU64,
    /// Its x0 there.
    context: AtomicU64,
    /// Counts only for the partition's first core: virtual cores that are on, or about to be.
    pub on: AtomicU32,
    /// Its part in restarts.
    pub done: Done,
}

impl percpu::Shared for slot::Vcpu {
    type Part = Vcpu;
}

/// What the partition tried on this core and was refused, since it was last said.
#[derive(Default)]
pub struct Refused {
    /// Calls that nobody knows.
    pub calls: Cell<u32>,
    /// Instructions that were undefined.
    pub instructions: Cell<u32>,
}

impl percpu::Local for slot::Refused {
    type Part = Refused;
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

    /// Has it start at `entry` with `context` in x0, if it is off. `on` is the partition's count.
    ///
    /// # Errors
    /// What it is instead.
    pub fn start(&self, on: &AtomicU32, entry: u64, context: u64) -> Result<(), CpuState> {
        match self.state.compare_exchange(OFF, CLAIMED, Ordering::AcqRel, Ordering::Relaxed) {
            Err(ON) => Err(CpuState::On),
            Err(_) => Err(CpuState::OnPending),
            Ok(_) => {
                on.fetch_add(1, Ordering::AcqRel);
                self.entry.store(entry, Ordering::Relaxed);
                self.context.store(context, Ordering::Relaxed);
                self.state.store(PENDING, Ordering::Release);
                Ok(())
            }
        }
    }

    /// Where it is to start and with what in x0, if it has been started and has not arrived.
    pub fn started(&self) -> Option<(u64, u64)> {
        let pending = self.state.load(Ordering::Acquire) == PENDING;
        pending.then(|| (self.entry.load(Ordering::Relaxed), self.context.load(Ordering::Relaxed)))
    }

    /// It is on: by the core itself, before it enters.
    pub fn set_on(&self) {
        self.state.store(ON, Ordering::Release);
    }

    /// It is off: by the core itself, or while none of the partition's cores runs.
    pub fn set_off(&self) {
        self.state.store(OFF, Ordering::Release);
    }
}

/// Starts the partition on this core, as on a core that has just come out of reset.
///
/// # Safety
/// The partition's memory is loaded, its interrupt controller on this core is started, the vectors are installed, and
/// nothing on this stack is needed again.
pub unsafe fn enter(core: &'static CoreState, assignment: Assignment, entry: u64, arguments: &[u64; 4]) -> ! {
    guest_registers::prepare(assignment.record, assignment.vcpu);
    // SAFETY: Stage-2 and EL1 are set; the caller vouches for the rest.
    unsafe { vectors::enter_guest(core.stack_top(), entry, arguments) }
}

/// Goes on with the partition at `entry` with `context` in x0, with EL1 as out of reset and everything else as it is.
///
/// # Safety
/// The partition runs on this core, and nothing on this stack is needed again.
pub unsafe fn resume(core: &'static CoreState, entry: u64, context: u64) -> ! {
    guest_registers::reset_el1();
    // SAFETY: Stage-2 is set, EL1 just now; the caller vouches for the rest.
    unsafe { vectors::enter_guest(core.stack_top(), entry, &[context, 0, 0, 0]) }
}
