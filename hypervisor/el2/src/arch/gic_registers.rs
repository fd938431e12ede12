//! The interrupt controller's system registers: GICv3's, as this core reaches them.
//!
//! ICC_* at EL2 are the physical CPU interface, ICH_* the virtual one's control (IHI 0069H 12.2 and 12.4). Most have no
//! name that every assembler knows, so they stand by encoding where needed. None of the `asm!` is `nomem`: an access
//! stays in order with the memory accesses around it.

use core::arch::asm;
use septum_core::dev::gic::{CpuInterface, GicError, MASK_GUESTS};

macro_rules! readable {
    ($($name:ident = $encoding:literal, $what:literal;)*) => {$(
        #[doc = concat!("Reads ", $what, ".")]
        #[inline(always)]
        pub fn $name() -> u64 {
            let value: u64;
            // SAFETY: reading this register has no effect on memory.
            unsafe { asm!(concat!("mrs {}, ", $encoding), out(reg) value, options(nostack, preserves_flags)) };
            value
        }
    )*};
}

macro_rules! writable {
    ($($name:ident = $encoding:literal, $what:literal;)*) => {$(
        #[doc = concat!("Writes ", $what, ".")]
        #[inline(always)]
        pub fn $name(value: u64) {
            // SAFETY: this register governs interrupts only, no memory and no register that Rust uses.
            unsafe { asm!(concat!("msr ", $encoding, ", {}"), in(reg) value, options(nostack, preserves_flags)) };
        }
    )*};
}

readable! {
    read_sre_el2 = "S3_4_C12_C9_5", "ICC_SRE_EL2";
    read_hcr = "S3_4_C12_C11_0", "ICH_HCR_EL2";
    read_vmcr = "S3_4_C12_C11_7", "ICH_VMCR_EL2";
    vtr = "S3_4_C12_C11_1", "ICH_VTR_EL2: number of list registers and more";
    elrsr = "S3_4_C12_C11_5", "ICH_ELRSR_EL2: a set bit for each list register that holds nothing";
    eisr = "S3_4_C12_C11_3", "ICH_EISR_EL2: a set bit for each list register whose end is to be reported";
}

writable! {
    write_sre_el2 = "S3_4_C12_C9_5", "ICC_SRE_EL2";
    write_sre_el1 = "S3_0_C12_C12_5", "ICC_SRE_EL1";
    write_ctlr = "S3_0_C12_C12_4", "ICC_CTLR_EL1";
    write_pmr = "S3_0_C4_C6_0", "ICC_PMR_EL1";
    write_bpr1 = "S3_0_C12_C12_3", "ICC_BPR1_EL1";
    write_igrpen1 = "S3_0_C12_C12_7", "ICC_IGRPEN1_EL1";
    write_hcr = "S3_4_C12_C11_0", "ICH_HCR_EL2";
    write_vmcr = "S3_4_C12_C11_7", "ICH_VMCR_EL2";
    write_ap0r0 = "S3_4_C12_C8_0", "ICH_AP0R0_EL2";
    write_ap1r0 = "S3_4_C12_C9_0", "ICH_AP1R0_EL2";
}

/// Makes what was stored before visible to the other cores before anything after, device writes among them.
#[inline(always)]
pub fn publish() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb ishst", options(nostack, preserves_flags)) };
}

/// Waits until system-register writes before it have their effect.
#[inline(always)]
fn isb() {
    // SAFETY: a barrier.
    unsafe { asm!("isb", options(nostack, preserves_flags)) };
}

/// ICC_SRE_EL2: SRE, DFB, DIB, Enable (EL1 may use ICC_SRE_EL1 without a trap).
const SRE_ALL: u64 = 0xf;
/// ICC_SRE_EL1: SRE, DFB, DIB: a guest has the system registers from the start.
const SRE_EL1: u64 = 0x7;
/// ICC_CTLR_EL1.EOImode.
const EOI_MODE: u64 = 1 << 1;

/// GICv3's CPU interface of the calling core, by system registers.
#[derive(Clone, Copy, Debug)]
pub struct SystemInterface;

impl SystemInterface {
    /// Brings the CPU interface up: split end of interrupt, EL2's interrupts admitted, group 1 on.
    ///
    /// # Errors
    /// [`GicError::NoSystemRegisters`].
    pub fn init_core(self) -> Result<(), GicError> {
        write_sre_el2(SRE_ALL);
        isb();
        if read_sre_el2() & 1 == 0 {
            return Err(GicError::NoSystemRegisters);
        }
        write_pmr(MASK_GUESTS.into());
        write_bpr1(0);
        write_ctlr(EOI_MODE);
        write_igrpen1(1);
        isb();
        Ok(())
    }

    /// Signals no interrupt to this core any more.
    pub fn close_core(self) {
        write_igrpen1(0);
        isb();
    }
}

impl CpuInterface for SystemInterface {
    #[inline(always)]
    fn acknowledge(&self) -> u32 {
        let value: u64;
        // SAFETY: acknowledging makes an interrupt active; the caller ends it. DSB: GICv3 wants the acknowledge to be
        // seen before the device is touched (IHI 0069H 12.2.14); the handler's own barrier is the return to EL1.
        unsafe { asm!("mrs {}, S3_0_C12_C12_0", out(reg) value, options(nostack, preserves_flags)) };
        value as u32
    }

    #[inline(always)]
    fn end(&self, acknowledged: u32) {
        // SAFETY: drops the priority of an interrupt that `acknowledge` gave (ICC_EOIR1_EL1).
        unsafe { asm!("msr S3_0_C12_C12_1, {:x}", in(reg) u64::from(acknowledged), options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn deactivate(&self, acknowledged: u32) {
        // SAFETY: deactivates an interrupt that EL2 has handled (ICC_DIR_EL1).
        unsafe { asm!("msr S3_0_C12_C11_1, {:x}", in(reg) u64::from(acknowledged), options(nostack, preserves_flags)) };
    }

    #[inline(always)]
    fn send(&self, ipi_word: u64) {
        // SAFETY: the barrier makes what was stored before visible to the target (IHI 0069H 12.2.20 asks for it), then
        // ICC_SGI1R_EL1 raises EL2's own interrupt there; the next context synchronization, such as the return to the
        // partition, sees to it that it does.
        unsafe { asm!("dsb ishst", "msr S3_0_C12_C11_5, {}", in(reg) ipi_word, options(nostack, preserves_flags)) };
    }
}

/// Empties this core's virtual interface and disables it: list registers, active priorities, control.
pub fn reset_virtual_interface() {
    write_sre_el1(SRE_EL1);
    write_hcr(0);
    write_vmcr(0);
    write_ap0r0(0);
    write_ap1r0(0);
    for index in 0..list_registers() {
        write_list_register(index, 0);
    }
    isb();
}

/// Number of list registers: ICH_VTR_EL2.ListRegs, at most 16.
pub fn list_registers() -> u32 {
    ((vtr() & 0xf) as u32).wrapping_add(1)
}

/// `ICH_LR<n>_EL2` are sixteen registers, named in the instruction: one arm for each.
macro_rules! list_registers {
    ($($number:literal $encoding:literal,)*) => {
        /// `ICH_LR<index>_EL2`; 0 for what is no list register.
        #[inline(never)]
        pub fn read_list_register(index: u32) -> u64 {
            let mut value = 0;
            match index {
                $($number => {
                    // SAFETY: reading it has no effect on memory; `list_registers` bounds the callers' indices.
                    unsafe { asm!(concat!("mrs {}, ", $encoding), out(reg) value, options(nostack, preserves_flags)) };
                })*
                _ => {}
            }
            value
        }

        /// Writes `ICH_LR<index>_EL2`; nothing for what is no list register.
        #[inline(never)]
        pub fn write_list_register(index: u32, value: u64) {
            match index {
                $($number => {
                    // SAFETY: it governs virtual interrupts only; `list_registers` bounds the callers' indices.
                    unsafe { asm!(concat!("msr ", $encoding, ", {}"), in(reg) value, options(nostack, preserves_flags)) };
                })*
                _ => {}
            }
        }
    };
}

list_registers! {
    0 "S3_4_C12_C12_0", 1 "S3_4_C12_C12_1", 2 "S3_4_C12_C12_2", 3 "S3_4_C12_C12_3",
    4 "S3_4_C12_C12_4", 5 "S3_4_C12_C12_5", 6 "S3_4_C12_C12_6", 7 "S3_4_C12_C12_7",
    8 "S3_4_C12_C13_0", 9 "S3_4_C12_C13_1", 10 "S3_4_C12_C13_2", 11 "S3_4_C12_C13_3",
    12 "S3_4_C12_C13_4", 13 "S3_4_C12_C13_5", 14 "S3_4_C12_C13_6", 15 "S3_4_C12_C13_7",
}
