//! The partition's other cores.

use core::ptr;

use crate::psci;

/// Bytes of stack of a further core.
pub const STACK_BYTES: usize = 0x4000;

/// Memory for a further core's stack.
#[repr(C, align(16))]
pub struct Stack([u8; STACK_BYTES]);

impl Stack {
    /// An unused stack.
    pub const fn new() -> Self {
        Self([0; STACK_BYTES])
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

/// What a further core begins with; start.s reads it.
#[repr(C)]
pub struct Start {
    /// One past the stack's highest byte.
    pub(crate) stack_top: u64,
    /// What it runs.
    pub(crate) function: fn(),
}

/// Why a core did not start: PSCI's result code (DEN0022 5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartError(pub i64);

impl Start {
    /// A core that runs `function` on `stack`; it ends when the function returns.
    pub fn new(stack: &'static mut Stack, function: fn()) -> Self {
        let top = ptr::from_mut(stack).wrapping_add(1);
        Self { stack_top: top.addr() as u64, function }
    }
}

unsafe extern "C" {
    /// In start.s; not to be called.
    fn septum_guest_start_secondary();
}

/// Switches virtual core `index` (from 1) on.
///
/// # Errors
/// PSCI's result code where EL2 refuses.
pub fn start(index: u64, start: &'static Start) -> Result<(), StartError> {
    let entry = septum_guest_start_secondary as *const () as u64;
    match psci::cpu_on(index, entry, ptr::from_ref(start).addr() as u64) {
        0 => Ok(()),
        code => Err(StartError(code)),
    }
}
