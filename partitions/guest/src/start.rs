//! The first instructions at EL1, the exception vectors, and the way to the partition's function.
//!
//! EL2 enters with the MMU off, interrupts masked, x0 = IPA of the `args` string, x1 = its length (0, 0: none). The
//! code turns MMU and caches on from a constant table before its first store, so no line is written with caches off.

use core::arch::global_asm;
use core::mem::offset_of;
use core::slice;

use crate::cores::Start;
use crate::exception::Frame;
use crate::identity;
use crate::{println, psci, taken};

/// SCTLR_EL1: RES1 bits 29, 28, 23, 22, 20 and 11; I, SA, C and M on; alignment checks off (Arm ARM D24.2.120).
const SCTLR: u64 = 0x30d0_0800 | 1 << 12 | 1 << 3 | 1 << 2 | 1;
/// CPACR_EL1.FPEN: floating point and SIMD trap nowhere.
const CPACR: u64 = 0b11 << 20;

global_asm!(
    include_str!("start.s"),
    table = sym identity::TABLE,
    mair = const identity::MAIR,
    tcr = const identity::TCR,
    cpacr = const CPACR,
    sctlr = const SCTLR,
    stack_top = const offset_of!(Start, stack_top),
    first = sym first,
    secondary = sym secondary,
);

global_asm!(
    include_str!("vectors.s"),
    frame_bytes = const size_of::<Frame>(),
    elr = const offset_of!(Frame, elr),
    fpcr = const offset_of!(Frame, fpcr),
    q = const offset_of!(Frame, q),
    taken = sym taken::taken,
);

unsafe extern "Rust" {
    /// What [`entry!`](crate::entry) defines.
    safe fn septum_guest_main(arguments: &'static str);
}

/// Calls the partition's function with the `args` string at IPA `text`, `length` bytes long.
extern "C" fn first(text: *const u8, length: usize) -> ! {
    let bytes = if text.is_null() || length == 0 {
        &[]
    } else {
        // SAFETY: EL2 enters with the place of a string that the compiler put into this partition's memory, apart
        // from the image, and that nothing writes.
        unsafe { slice::from_raw_parts(text, length) }
    };
    match core::str::from_utf8(bytes) {
        Ok(arguments) => septum_guest_main(arguments),
        Err(_) => println!("the arguments are not UTF-8"),
    }
    psci::system_off()
}

/// Where a core begins that [`crate::cores::start`] has switched on.
extern "C" fn secondary(start: &'static Start) -> ! {
    (start.function)();
    psci::cpu_off()
}
