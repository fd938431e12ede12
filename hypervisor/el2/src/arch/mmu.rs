//! Which of the compiled roots this core's EL2 walks. EL2 never writes a table.

use core::arch::asm;

/// Makes `root` this core's TTBR0_EL2 and forgets what the last one translated.
///
/// # Safety
/// `root` is a root of the plan that this EL2 booted with: it maps everything that the run root maps, as the run root
/// does. Nobody on this core uses a reference into what only the root before it mapped.
pub unsafe fn set_root(root: u64) {
    // SAFETY: by the caller's promise code, stack and all that Rust holds stay mapped; the barriers order the switch
    // against the accesses on both sides, and the old root's entries are gone before the next access (Arm ARM D8.14).
    unsafe {
        asm!(
            "dsb ish",
            "msr ttbr0_el2, {}",
            "isb",
            "tlbi alle2",
            "dsb nsh",
            "isb",
            in(reg) root,
            options(nostack, preserves_flags)
        )
    };
}
