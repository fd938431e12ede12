//! The exception vectors, what they save, and the way into a partition.
//!
//! A trap first saves just what a called function may change ([`CallerSaved`]) and tries the hot paths, which need no
//! more; only where those decline is the frame completed ([`TrapFrame`]) for everything else. EL2 runs with PSTATE.DAIF set,
//! so its own vectors are for its own faults alone; those go to the emergency stack.

use core::arch::asm;
use core::mem::size_of;

use septum_core::trap::instruction;

/// SPSR_EL2 for a partition's first instruction: EL1h, AArch64, DAIF set (Linux's booting rules).
const SPSR_EL1H_MASKED: u64 = 0b0101 | 0xf << 6;

/// The registers that a called function may change, as the partition left them.
#[repr(C)]
pub struct CallerSaved {
    /// x0 to x17.
    pub x: [u64; 18],
    x18: u64,
    x30: u64,
}

/// All that a trap saves.
#[repr(C)]
pub struct TrapFrame {
    /// What the hot paths see.
    pub caller_saved: CallerSaved,
    /// x19 to x29.
    callee_saved: [u64; 11],
    /// ELR_EL2: where the partition goes on.
    pub elr: u64,
    /// SPSR_EL2: in what state.
    pub spsr: u64,
    /// ESR_EL2: what the trap was.
    pub esr: u64,
}

impl TrapFrame {
    /// Lets the partition go on behind the instruction that was trapped.
    #[inline(never)]
    pub fn finish(&mut self) {
        (self.elr, self.spsr) = instruction::finish(self.elr, self.spsr, self.esr);
    }

    /// General-purpose register `index`; 31 is the zero register.
    pub fn register(&self, index: u8) -> u64 {
        match index {
            18 => self.caller_saved.x18,
            30 => self.caller_saved.x30,
            0..=17 => self.caller_saved.x.get(usize::from(index)).copied().unwrap_or(0),
            _ => self.callee_saved.get(usize::from(index).wrapping_sub(19)).copied().unwrap_or(0),
        }
    }

    /// Sets general-purpose register `index`; 31 is the zero register.
    pub fn set_register(&mut self, index: u8, value: u64) {
        let to = match index {
            18 => Some(&mut self.caller_saved.x18),
            30 => Some(&mut self.caller_saved.x30),
            0..=17 => self.caller_saved.x.get_mut(usize::from(index)),
            _ => self.callee_saved.get_mut(usize::from(index).wrapping_sub(19)),
        };
        if let Some(to) = to {
            *to = value;
        }
    }
}

/// What a fault of EL2 itself saves, on the emergency stack.
#[repr(C)]
pub struct OwnFault {
    /// x0 to x30.
    pub x: [u64; 31],
    /// SP_EL2.
    pub sp: u64,
    /// ELR_EL2.
    pub elr: u64,
    /// ESR_EL2.
    pub esr: u64,
    /// FAR_EL2.
    pub far: u64,
    /// SPSR_EL2.
    pub spsr: u64,
}

const _: () = assert!(size_of::<CallerSaved>() == 16 * 10 && size_of::<TrapFrame>() == 16 * 17);
const _: () = assert!(size_of::<OwnFault>() == 16 * 18);

/// What a hot path answers: the exception is dealt with. The vector finishes the instruction (`instruction::finish`)
/// unless it is a call.
pub const DONE: u64 = 0;
/// What a hot path answers: the rare path is to take it.
pub const DECLINED: u64 = 1;
/// What a hot path answers: a call that is dealt with and, being an SMC, is to be finished.
pub const FINISH: u64 = 2;

/// What the rare path is given as the exception's kind.
pub const SYNCHRONOUS: u64 = 0;
/// Also one of them.
pub const FIQ: u64 = 1;
/// Also one of them.
pub const SERROR: u64 = 2;
/// What a hot path has dealt with is to be finished, in AArch32.
pub const FINISH_AARCH32: u64 = 3;

/// What an interrupt's path is given where the vector has not acknowledged the interrupt: with a GICv2.
pub const NOT_ACKNOWLEDGED: u64 = u64::MAX;

/// What the assembly's operands are made of.
pub mod operands {
    pub use core::mem::{offset_of, size_of};

    pub use septum_core::trap::instruction::{A64_BYTES, BRANCH_TYPE, STEP};
    pub use septum_core::vdev::gic::access::SystemWrite;
    pub use septum_core::vdev::gic::sgi::Peers;
    pub use septum_core::vdev::gic::state::Mailbox;
    pub use septum_plan::space;

    pub use super::{FINISH_AARCH32, FIQ, NOT_ACKNOWLEDGED, OwnFault, SERROR, SYNCHRONOUS, TrapFrame};
}

/// Assembles the vectors, once. The caller's module has the functions that they call; `mailbox` and `peers` are where they
/// find these in a core's state page, in bytes.
macro_rules! assemble {
    (
        mailbox: $mailbox:expr,
        peers: $peers:expr,
        hot_call: $hot_call:ident,
        hot_access: $hot_access:ident,
        slow: $slow:ident,
        interrupt: $interrupt:ident,
        rare: $rare:ident,
        own_fault: $own_fault:ident $(,)?
    ) => {
        mod vectors {
            use crate::arch::vectors::operands::*;

            const MAILBOX: usize = $mailbox;
            const PEERS: usize = $peers;
            // The vectors add `MAILBOX` in one instruction, and find list registers by INTID at the mailbox's start.
            const _: () = assert!(MAILBOX < 1 << 12 && offset_of!(Mailbox, private) == 0);
            // They find mailboxes of peers at the state page's start.
            const _: () = assert!(PEERS == 0);

            core::arch::global_asm!(
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/arch/vectors.s")),
                FRAME_BYTES = const size_of::<TrapFrame>(),
                OWN_FAULT_BYTES = const size_of::<OwnFault>(),
                STATE_BYTES = const space::CORE_STATE_BYTES,
                MAILBOX = const MAILBOX,
                ALL_EMPTY = const offset_of!(Mailbox, all_empty),
                WORK = const offset_of!(Mailbox, work),
                SGI_PENDING = const offset_of!(Mailbox, sgi_pending),
                SGI_ENABLED = const offset_of!(Mailbox, sgi_enabled),
                IPI_WORD = const offset_of!(Mailbox, ipi_word),
                PEERS_ALLOWED = const PEERS + Peers::ALLOWED_OFFSET,
                ESR_SGI1R = const SystemWrite::ESR_SGI1R,
                NOT_ACKNOWLEDGED = const NOT_ACKNOWLEDGED as i64,
                A64_BYTES = const A64_BYTES,
                NOT_STEP = const !STEP,
                NOT_BRANCH_TYPE = const !BRANCH_TYPE,
                HOT_CALL = sym super::$hot_call,
                HOT_ACCESS = sym super::$hot_access,
                SLOW = sym super::$slow,
                SYNCHRONOUS = const SYNCHRONOUS,
                FIQ = const FIQ,
                SERROR = const SERROR,
                FINISH_AARCH32 = const FINISH_AARCH32,
                INTERRUPT = sym super::$interrupt,
                RARE = sym super::$rare,
                OWN_FAULT = sym super::$own_fault,
            );
        }
    };
}
pub(crate) use assemble;

unsafe extern "C" {
    static vectors: u8;
    fn enter_partition(arguments: &[u64; 4], stack_top: u64) -> !;
}

/// Makes the vectors this core's. From then on a fault of EL2 is reported instead of lost.
///
/// # Safety
/// This core's state page is set up: the vectors use TPIDR_EL2.
pub unsafe fn install() {
    let address = (&raw const vectors).addr();
    // SAFETY: `vectors` is a complete vector table, 2 KiB aligned; the caller vouches for what it uses.
    unsafe { asm!("msr vbar_el2, {}", "isb", in(reg) address, options(nostack, preserves_flags)) };
}

/// Starts this core's partition at `entry` (IPA) at EL1, x0 to x3 = `arguments`, every other general-purpose register
/// zero, exceptions masked, with EL2's stack empty.
///
/// # Safety
/// The partition's Stage-2 and EL1 state are set, its memory is loaded, [`install`] was called, and `stack_top` is this
/// core's. Nothing on the stack is needed any more.
pub unsafe fn enter_guest(stack_top: u64, entry: u64, arguments: &[u64; 4]) -> ! {
    // SAFETY: `enter_partition` reads the arguments before it leaves, and takes this core's own stack; the caller
    // vouches for the rest.
    unsafe {
        asm!("msr elr_el2, {}", "msr spsr_el2, {}", in(reg) entry, in(reg) SPSR_EL1H_MASKED,
            options(nostack, preserves_flags));
        enter_partition(arguments, stack_top)
    }
}
