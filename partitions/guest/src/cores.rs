//! The partition's other cores.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use septum_plan::virtual_affinity;

use crate::psci;

/// Bytes of stack of a further core.
const STACK_BYTES: usize = 0x4000;
/// Most cores besides the first that this runtime has memory for.
pub const FURTHER_CORES_MAX: usize = 7;

/// What a further core begins with; start.s reads it.
#[repr(C)]
pub(crate) struct Start {
    /// One past the stack's highest byte.
    pub(crate) stack_top: u64,
    /// What it runs.
    pub(crate) function: fn(),
}

/// A further core's memory.
#[repr(C, align(16))]
struct Core {
    stack: UnsafeCell<[u8; STACK_BYTES]>,
    start: UnsafeCell<Start>,
    /// The core's index; 0, which is the first core's, for none.
    owner: AtomicU64,
}

// SAFETY: `start` is written by the one caller of `start`, while the core that has it is off, and only read by that core;
// `stack` is that core's alone.
unsafe impl Sync for Core {}

static CORES: [Core; FURTHER_CORES_MAX] = [const {
    Core {
        stack: UnsafeCell::new([0; STACK_BYTES]),
        start: UnsafeCell::new(Start { stack_top: 0, function: || () }),
        owner: AtomicU64::new(0),
    }
}; FURTHER_CORES_MAX];

/// Why a core did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// The runtime has no memory for yet another core.
    NoMemory,
    /// EL2 refused; PSCI's result code (DEN0022 5.2.2).
    Refused(i64),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory => f.write_str("there is no stack for this core"),
            Self::Refused(code) => write!(f, "CPU_ON was refused with {code}"),
        }
    }
}

impl core::error::Error for StartError {}

unsafe extern "C" {
    /// In start.s; not to be called.
    fn septum_guest_start_secondary();
}

/// Switches virtual core `index` on, which is off, again and again if need be; at most [`FURTHER_CORES_MAX`] different ones.
/// It runs `function` and then ends. To be called by one core at a time.
///
/// # Errors
/// Where the core cannot be had.
pub fn start(index: u64, function: fn()) -> Result<(), StartError> {
    let affinity = virtual_affinity(index as usize);
    let own = CORES.iter().find(|core| core.owner.load(Ordering::Relaxed) == index).filter(|_| psci::is_off(affinity));
    let take = |core: &&Core| core.owner.compare_exchange(0, index, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    let core = own.or_else(|| CORES.iter().find(take)).ok_or(StartError::NoMemory)?;
    let stack_top = core.stack.get().wrapping_add(1).addr() as u64;
    // SAFETY: nobody had it before, or the core that had is off: nobody reads or writes its start but this function.
    unsafe { core.start.get().write(Start { stack_top, function }) };
    let entry = septum_guest_start_secondary as *const () as u64;
    match psci::cpu_on(affinity, entry, core.start.get().addr() as u64) {
        0 => Ok(()),
        code => {
            core.owner.store(0, Ordering::Relaxed);
            Err(StartError::Refused(code))
        }
    }
}
