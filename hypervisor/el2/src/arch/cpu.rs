//! What any core can be asked or told without touching its translation regime.

use core::arch::asm;

use aarch64_cpu::registers::{CNTFRQ_EL0, ID_AA64MMFR0_EL1, ID_AA64PFR0_EL1, Readable};
use septum_core::board_check::core::Identification;

/// Stops this core for good: it sleeps until an interrupt is pending, takes none, and sleeps again. WFI, not WFE: under
/// QEMU's TCG a WFE is only a yield, and a parked core would starve the others.
pub fn park() -> ! {
    loop {
        // SAFETY: masking all exceptions and waiting change nothing that Rust relies on; not `nomem`, so that no
        // earlier store is delayed past the sleep.
        unsafe { asm!("msr daifset, #0xf", "wfi", options(nostack)) };
    }
}

/// This core's identification registers, as far as the plan has an opinion on them.
pub fn identification() -> Identification {
    Identification { mmfr0: ID_AA64MMFR0_EL1.get(), pfr0: ID_AA64PFR0_EL1.get(), counter_hz: CNTFRQ_EL0.get() }
}

/// Identification register S3_0_C0_C`crm`_`op2`, of AArch32's (`crm` 1 to 3) or of the first four in each row of AArch64's
/// (4 to 7); what is given for others means nothing.
pub fn identification_register(crm: u8, op2: u8) -> u64 {
    let (crm, op2) = (u64::from(crm), u64::from(op2));
    let index = if crm < 4 { crm << 3 | op2 & 7 } else { (crm << 2 | op2 & 3).wrapping_add(16) };
    if !(8..48).contains(&index) {
        return 0;
    }
    let value: u64;
    // SAFETY: MRS names its register in the instruction, so there is one for each, of 8 bytes with its branch, from
    // index 8 on, the rows of eight first; `index` is one of theirs. Reading these registers has no side effect.
    unsafe {
        asm!(
            "adr {address}, 2f - 64",
            "add {address}, {address}, {index}, lsl #3",
            "br {address}",
            "2:",
            ".irp m, 1, 2, 3",
            ".irp n, 0, 1, 2, 3, 4, 5, 6, 7",
            "mrs {value}, S3_0_C0_C\\m\\()_\\n",
            "b 3f",
            ".endr",
            ".endr",
            ".irp m, 4, 5, 6, 7",
            ".irp n, 0, 1, 2, 3",
            "mrs {value}, S3_0_C0_C\\m\\()_\\n",
            "b 3f",
            ".endr",
            ".endr",
            "3:",
            index = in(reg) index,
            address = out(reg) _,
            value = out(reg) value,
            options(nomem, nostack, preserves_flags)
        );
    }
    value
}

/// Sleeps until an interrupt is pending, although none is taken at EL2.
pub fn wait_for_interrupt() {
    // SAFETY: waiting only delays; not `nomem`, so memory is read anew behind it, and the DSB has what was stored before
    // it seen by whoever is to wake this core.
    unsafe { asm!("dsb ish", "wfi", options(nostack, preserves_flags)) };
}

/// Waits until all accesses before it are done, those of devices too, before any after it.
pub fn complete() {
    // SAFETY: a barrier; not `nomem`, so that memory accesses stay on their side of it.
    unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
}

/// Waits until system-register writes before it have their effect.
pub fn synchronize() {
    // SAFETY: a barrier; not `nomem`, so that memory accesses stay on their side of it.
    unsafe { asm!("isb", options(nostack, preserves_flags)) };
}
