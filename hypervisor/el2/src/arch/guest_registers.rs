//! The state of a core at the first instruction of a partition: all of it, in this one place.
//!
//! | register | value | why |
//! |---|---|---|
//! | PC, PSTATE | entry; EL1h, AArch64, DAIF masked | Linux booting.rst: all interrupts masked |
//! | x0 to x3 | the plan's arguments; x4 to x30 are 0 | booting.rst: x0 = device tree, x1 to x3 = 0 |
//! | SCTLR_EL1 | RES1 bits: MMU, data and instruction cache off, little-endian | booting.rst |
//! | TCR_EL1 | EPD0, EPD1 | no walk while VTTBR_EL2 changes: errata 1530924 (A53), 1319367 (A72) |
//! | TTBR0/1_EL1, MAIR, AMAIR, VBAR, CONTEXTIDR, CPACR, CSSELR, ESR, FAR, AFSR0/1, PAR, ELR, SPSR, SP_EL0, SP_EL1, TPIDR\*, CNTKCTL, MDSCR | 0 | nothing of firmware's is left to see |
//! | HCR_EL2 | [`HCR`] | what is trapped |
//! | VTCR_EL2, VTTBR_EL2 | the plan's | Stage-2 |
//! | CPTR_EL2 | [`CPTR`] | FP and SIMD are the guest's; trace, SVE, SME, activity monitors trap |
//! | HSTR_EL2 | [`HSTR`] | AArch32's implementation-defined CP15 registers at EL0; those of AArch64 are TIDCP's |
//! | MDCR_EL2 | [`MDCR`] and PMCR_EL0.N in HPMN | debug, OS lock, performance monitors, SPE and trace trap |
//! | CNTHCTL_EL2 | counter readable, physical timer unless the plan traps it | booting.rst: CNTHCTL_EL2.EL1PCTEN; trapped, the timer is undefined (docs/registers.md) |
//! | CNTVOFF_EL2 | 0 on all cores | booting.rst: the same on all CPUs |
//! | CNTV_CTL_EL0, CNTP_CTL_EL0, PMCR_EL0, PMUSERENR_EL0 | 0 | no timer, no counter runs |
//! | CNTV_CVAL_EL0, CNTP_CVAL_EL0 | 0 | as for TTBR0_EL1 |
//! | V0 to V31, FPCR, FPSR | 0 | as for TTBR0_EL1: EL2 has no use for them, so they hold what ran before |
//! | VPIDR_EL2 | MIDR_EL1 | the guest applies the core's own errata |
//! | VMPIDR_EL2 | bit 31 (RES1) and the virtual core's index | contiguous from 0 in each partition |
//!
//! The GIC's virtual interface is `vdev::gic`'s. HFGxTR and other fine-grained traps are RES0 on all boards.

use core::arch::asm;

use aarch64_cpu::registers::{MIDR_EL1, Readable};
use septum_core::psci;
use septum_plan::PartitionRecord;
use septum_plan::record::flag;

/// HCR_EL2 while a guest runs (Arm ARM D24.2.55): VM; SWIO (set/way invalidation cleans too); PTW (no table walk in
/// device memory); FMO, IMO, AMO (interrupts and SErrors are EL2's); TID3 (identification registers); TSC (SMC); TIDCP
/// and TACR (implementation-defined registers); RW (AArch64); TLOR (LORegions); TERR (error records); APK, API and EnSCXT
/// (not trapped). What a core does not have is RES0.
pub const HCR: u64 = 1 | 1 << 1 | 1 << 2 | 0b111 << 3 | 0b1111 << 18 | 1 << 31 | 0b11 << 35 | 0b11 << 40 | 1 << 53;

/// HSTR_EL2 (D24.2.61): T11 and T15, AArch32's CP15 registers of CRn 11 and 15.
pub const HSTR: u64 = 1 << 11 | 1 << 15;

/// CPTR_EL2, E2H = 0 (D24.2.35): RES1 bits, among them TZ and TSM (SVE and SME trap); TTA (trace), TAM (activity
/// monitors). TFP, bit 10, is clear.
pub const CPTR: u64 = 0x33ff | 1 << 20 | 1 << 30;

/// MDCR_EL2 without HPMN (D24.2.112): TPMCR, TPM, TDA, TDOSA, TDRA, TPMS, HPMD (nothing counts at EL2), TTRF.
/// TDE is clear: a guest's own BRK is its own affair.
pub const MDCR: u64 = 1 << 5 | 1 << 6 | 0b111 << 9 | 1 << 14 | 1 << 17 | 1 << 19;

/// SCTLR_EL1 with all off: RES1 bits 29, 28, 23, 22, 20, 11 (Linux's INIT_SCTLR_EL1_MMU_OFF).
const SCTLR_EL1_OFF: u64 = 0x30d0_0800;
/// TCR_EL1.EPD0 and EPD1.
const TCR_EL1_NO_WALKS: u64 = 1 << 7 | 1 << 23;
/// MPIDR_EL1 bit 31, RES1.
const MPIDR_RES1: u64 = 1 << 31;
/// CNTHCTL_EL2.EL1PCTEN: the physical counter may be read.
const EL1PCTEN: u64 = 1;
/// CNTHCTL_EL2.EL1PCEN: the physical timer may be used.
const EL1PCEN: u64 = 1 << 1;

macro_rules! write {
    ($register:literal, $value:expr) => {
        // SAFETY: an EL1 register, or one that acts at EL1 only, while no guest runs on this core: see `prepare`.
        unsafe { asm!(concat!("msr ", $register, ", {:x}"), in(reg) $value, options(nostack, preserves_flags)) }
    };
}

macro_rules! zero {
    ($($register:literal)*) => { $(write!($register, 0_u64);)* };
}

/// Puts this core into the state above, but for the general-purpose registers, PC and PSTATE, which
/// [`crate::arch::vectors::enter_guest`] sets. `vcpu` is the index among `partition`'s virtual cores that this core is.
///
/// EL1 must not be in use on this core: it is either fresh or its partition has ended.
pub fn prepare(partition: &PartitionRecord, vcpu: u16) {
    reset_el1();
    zero!("cntv_ctl_el0" "cntp_ctl_el0" "cntv_cval_el0" "cntp_cval_el0");
    stage2(partition);
    traps(partition);
    write!("vpidr_el2", MIDR_EL1.get());
    write!("vmpidr_el2", MPIDR_RES1 | psci::affinity(vcpu));
    crate::arch::cpu::synchronize();
    reset_simd();
}

/// EL1's own registers, timers apart. Translation goes off first, behind a barrier: then no speculative walk can mix the
/// old context with the new Stage-2. EL1 must not be in use on this core, or the partition expects to lose it.
pub fn reset_el1() {
    write!("sctlr_el1", SCTLR_EL1_OFF);
    write!("tcr_el1", TCR_EL1_NO_WALKS);
    crate::arch::cpu::synchronize();
    zero!("ttbr0_el1" "ttbr1_el1" "mair_el1" "amair_el1" "vbar_el1" "contextidr_el1" "cpacr_el1" "csselr_el1");
    zero!("esr_el1" "far_el1" "afsr0_el1" "afsr1_el1" "par_el1" "elr_el1" "spsr_el1" "sp_el0" "sp_el1");
    zero!("tpidr_el0" "tpidr_el1" "tpidrro_el0" "cntkctl_el1" "mdscr_el1");
}

/// The FP and SIMD registers, which a core need not have (ID_AA64PFR0_EL1.FP = 0b1111). CPTR_EL2 must be in force.
fn reset_simd() {
    let features: u64;
    // SAFETY: an identification register.
    unsafe { asm!("mrs {}, id_aa64pfr0_el1", out(reg) features, options(nomem, nostack, preserves_flags)) };
    if features >> 16 & 0xf == 0xf {
        return;
    }
    // SAFETY: EL2 is built without these registers, they exist, CPTR_EL2.TFP is clear, and no guest runs on this core.
    unsafe {
        asm!(
            ".arch_extension fp",
            ".arch_extension simd",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "movi v\\n\\().2d, #0",
            ".endr",
            "msr fpcr, xzr",
            "msr fpsr, xzr",
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// VTCR_EL2 and VTTBR_EL2, and no translation of the VMID's last user.
fn stage2(partition: &PartitionRecord) {
    write!("vtcr_el2", partition.vtcr);
    write!("vttbr_el2", partition.vttbr);
    write!("hcr_el2", HCR);
    crate::arch::cpu::synchronize();
    // SAFETY: forgets translations of the current VMID only; the guest does not run yet.
    unsafe { asm!("tlbi vmalls12e1is", "dsb ish", "isb", options(nostack, preserves_flags)) };
}

fn traps(partition: &PartitionRecord) {
    let trapped = partition.flags & flag::TRAP_PHYSICAL_TIMER != 0;
    write!("cptr_el2", CPTR);
    write!("hstr_el2", HSTR);
    write!("mdcr_el2", MDCR | event_counters());
    write!("cnthctl_el2", if trapped { EL1PCTEN } else { EL1PCTEN | EL1PCEN });
    write!("cntvoff_el2", 0_u64);
}

/// PMCR_EL0.N (bits 15:11), which HPMN must not exceed and has after reset; 0 where there are no performance monitors.
fn event_counters() -> u64 {
    let (features, mut control): (u64, u64);
    // SAFETY: an identification register.
    unsafe { asm!("mrs {}, id_aa64dfr0_el1", out(reg) features, options(nomem, nostack, preserves_flags)) };
    if matches!(features >> 8 & 0xf, 0 | 0xf) {
        return 0;
    }
    // SAFETY: stops the counters, keeps EL0 off them and reads how many there are; PMUVer says that the registers exist.
    unsafe {
        asm!("msr pmcr_el0, xzr", "msr pmuserenr_el0, xzr", "mrs {}, pmcr_el0", out(reg) control,
            options(nostack, preserves_flags));
    }
    control >>= 11;
    control & 0x1f
}
