//! What a partition gets for a system register that traps: the value that the architecture has for a feature that is
//! absent, or UNDEFINED where there is then no such register.
//!
//! docs/registers.md is the prose. Encodings are those of the Arm ARM (DDI 0487J, D22.3 and D24).

use septum_plan::GicVersion;
use septum_stage2::SystemRegisterAccess;

/// What to do about an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A read gives this; a write does nothing.
    Constant(u64),
    /// A read gives these bits of the core's own identification register.
    Identification(u64),
    /// MDSCR_EL1: the bits in [`MDSCR`] are the partition's, the others are zero and stay so.
    Mdscr,
    /// There is no such register: an exception at EL1.
    Undefined,
}

/// MDSCR_EL1's SS, TDCC and KDE: software step of its own code, which needs no debug hardware.
pub const MDSCR: u64 = 1 | 1 << 12 | 1 << 13;

/// Reads as zero, writes are ignored.
const RAZ_WI: Answer = Answer::Constant(0);
/// Breakpoints, and watchpoints: the fewest that the architecture lets a core have. They never match.
const COMPARATORS: u8 = 2;
/// OSLSR_EL1.OSLM: there is an OS lock, as there must be; it is never locked.
const OSLSR: u64 = 1 << 3;

/// ID_AA64DFR0_EL1: DebugVer 6 (Armv8), BRPs and WRPs as [`COMPARATORS`] says, no double lock; no performance monitors,
/// trace, statistical profiling, or anything newer.
const AA64DFR0: u64 = 6 | (COMPARATORS as u64 - 1) << 12 | (COMPARATORS as u64 - 1) << 20 | 0xf << 36;
/// ID_DFR0_EL1: CopDbg and CopSDbg; no performance monitors, no trace.
const DFR0: u64 = 0xff;
/// ID_PFR0_EL1 without AMU and RAS; the field GIC of ID_PFR1_EL1.
const PFR0: u64 = 0x0f0f_ffff;
const PFR1_GIC: u16 = 1 << 7;
/// ID_AA64PFR0_EL1: EL0 to EL3, FP, AdvSIMD, GIC, DIT, CSV2, CSV3. Not RAS, SVE, SEL2, MPAM, AMU, RME.
const AA64PFR0: u64 = 0xff0f_0000_0fff_ffff;
const AA64PFR0_GIC: u16 = 1 << 6;
/// ID_AA64PFR1_EL1: BT, SSBS, CSV2_frac. Not MTE, SME, NMI.
const AA64PFR1: u64 = 0xf_0000_00ff;
/// ID_AA64ISAR0_EL1 without TME; ISAR1 without XS and LS64; ISAR2: WFxT, RPRES, GPA3, APA3, BC, PAC_frac, CLRBHB.
const AA64ISAR0: u64 = !(0xf << 24);
const AA64ISAR1: u64 = 0x00ff_ffff_ffff_ffff;
const AA64ISAR2: u64 = 0xfff0_ffff;
/// ID_AA64MMFR0_EL1 without Stage-2's granules, FGT and ECV.
const AA64MMFR0: u64 = 0xf000_ffff_ffff;
/// ID_AA64MMFR1_EL1: HAFDBS, HPDS, PAN, SpecSEI, ETS, AFP, nTLBPA, ECBHB. Not what is EL2's, LO, CMOW.
const AA64MMFR1: u64 = 0xf00f_f0f0_0ff0_f00f;
/// ID_AA64MMFR2_EL1 without IESB, NV, FWB, EVT.
const AA64MMFR2: u64 = 0xf0ff_00ff_f0ff_0fff;

/// The answer to `access` of a partition whose interrupt controller is a `gic`.
pub fn answer(access: SystemRegisterAccess, gic: GicVersion) -> Answer {
    let SystemRegisterAccess { op0, op1, crn, crm, op2, read, .. } = access;
    match (op0, op1, crn, crm, op2) {
        (2, ..) => debug(op1, crn, crm, op2),
        (3, 0, 0, ..) if read => identification(crm, op2, matches!(gic, GicVersion::V3)),
        // ACTLR_EL1.
        (3, 0, 1, 0, 1) => RAZ_WI,
        // Performance monitors, statistical profiling, trace filter, error records, LORegions, activity monitors, the
        // trapped physical timer, and what is implementation-defined.
        _ => Answer::Undefined,
    }
}

/// Debug registers, and trace (op1 = 1), of which there is none.
const fn debug(op1: u8, crn: u8, crm: u8, op2: u8) -> Answer {
    match (op1, crn, crm, op2) {
        // DBGBVRn, DBGBCRn, DBGWVRn, DBGWCRn.
        (0, 0, 0..COMPARATORS, 4..=7) => RAZ_WI,
        (0, 0, 2, 2) => Answer::Mdscr,
        // OSDTRRX, MDCCINT, OSDTRTX, OSECCR.
        (0, 0, 0, 2) | (0, 0, 2, 0) | (0, 0, 3, 2) | (0, 0, 6, 2) => RAZ_WI,
        (0, 1, 1, 4) => Answer::Constant(OSLSR),
        // MDRAR, OSLAR, OSDLR, DBGPRCR.
        (0, 1, 0, 0) | (0, 1, 0 | 3 | 4, 4) => RAZ_WI,
        // DBGCLAIMSET, DBGCLAIMCLR, DBGAUTHSTATUS.
        (0, 7, 8 | 9 | 14, 6) => RAZ_WI,
        // MDCCSR, DBGDTR, DBGDTRRX and DBGDTRTX, all _EL0.
        (3, 0, 1 | 4 | 5, 0) => RAZ_WI,
        _ => Answer::Undefined,
    }
}

/// Group 3 of the identification registers (HCR_EL2.TID3): S3_0_C0_C1_0 to S3_0_C0_C7_7.
fn identification(crm: u8, op2: u8, gicv3: bool) -> Answer {
    let fields = SHOWN.get(usize::from(crm << 3 | op2 & 7)).copied().filter(|_| crm != 0);
    match (crm, op2, fields) {
        (_, _, None) => Answer::Undefined,
        (5, 0, _) => Answer::Constant(AA64DFR0),
        (1, 1, Some(fields)) if !gicv3 => Answer::Identification(spread(fields & !PFR1_GIC)),
        (4, 0, Some(fields)) if !gicv3 => Answer::Identification(spread(fields & !AA64PFR0_GIC)),
        (_, _, Some(fields)) => Answer::Identification(spread(fields)),
    }
}

/// What of each register is shown, in fields of four bits, by crm and op2; kept apart from the code because it is smaller
/// so.
const SHOWN: [u16; 64] = {
    let mut shown = [0; 64];
    let mut rest = shown.as_mut_slice();
    let mut index = 0;
    while let [first, others @ ..] = rest {
        *first = gather(mask(index >> 3, index & 7));
        (rest, index) = (others, index.wrapping_add(1));
    }
    shown
};

/// What EL2 traps, or what would need EL2 to switch it on, is hidden; so is what this list does not know. Reserved
/// encodings read as zero, and so do features that are absent.
const fn mask(crm: u8, op2: u8) -> u64 {
    match (crm, op2) {
        (1, 0) => PFR0,
        (1, 2) => DFR0,
        (1, 1 | 4..=7) | (2, _) | (3, 0..=2 | 4 | 6) => !0,
        (4, 0) => AA64PFR0,
        (4, 1) => AA64PFR1,
        (6, 0) => AA64ISAR0,
        (6, 1) => AA64ISAR1,
        (6, 2) => AA64ISAR2,
        (7, 0) => AA64MMFR0,
        (7, 1) => AA64MMFR1,
        (7, 2) => AA64MMFR2,
        _ => 0,
    }
}

/// A bit for each field of four bits that is set in `mask`.
const fn gather(mask: u64) -> u16 {
    let (mut fields, mut index) = (0, 0_u32);
    while index < 16 {
        let field = mask >> (index << 2) & 0xf;
        assert!(matches!(field, 0 | 0xf), "an identification register is shown field by field");
        fields |= (field as u16 & 1) << index;
        index = index.wrapping_add(1);
    }
    fields
}

/// The mask of which [`gather`] made `fields`.
fn spread(fields: u16) -> u64 {
    (0..16).rev().fold(0, |mask, index| mask << 4 | if fields >> index & 1 != 0 { 0xf } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8, read: bool) -> SystemRegisterAccess {
        SystemRegisterAccess { op0, op1, crn, crm, op2, register: 0, read }
    }

    fn read(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> Answer {
        answer(access(op0, op1, crn, crm, op2, true), GicVersion::V3)
    }

    fn write(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> Answer {
        answer(access(op0, op1, crn, crm, op2, false), GicVersion::V3)
    }

    /// Field `index` of four bits of what a read gives if the core itself says all ones.
    fn field(answer: Answer, index: u32) -> u64 {
        match answer {
            Answer::Constant(value) | Answer::Identification(value) => value >> (4 * index) & 0xf,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn debug_registers_that_every_core_has_are_raz_wi() {
        // MDCCINT, OSDTRRX, OSDTRTX, OSECCR, MDRAR, OSLAR, OSDLR, DBGPRCR, DBGCLAIMSET, DBGCLAIMCLR, DBGAUTHSTATUS.
        let registers = [
            (0, 2, 0),
            (0, 0, 2),
            (0, 3, 2),
            (0, 6, 2),
            (1, 0, 0),
            (1, 0, 4),
            (1, 3, 4),
            (1, 4, 4),
            (7, 8, 6),
            (7, 9, 6),
            (7, 14, 6),
        ];
        for (crn, crm, op2) in registers {
            assert_eq!(read(2, 0, crn, crm, op2), RAZ_WI, "S2_0_C{crn}_C{crm}_{op2}");
            assert_eq!(write(2, 0, crn, crm, op2), RAZ_WI, "S2_0_C{crn}_C{crm}_{op2}");
        }
        // MDCCSR, DBGDTR, DBGDTRRX of EL0.
        assert_eq!([1, 4, 5].map(|crm| read(2, 3, 0, crm, 0)), [RAZ_WI; 3]);
    }

    #[test]
    fn the_os_lock_is_there_and_open() {
        assert_eq!(read(2, 0, 1, 1, 4), Answer::Constant(0b1000));
    }

    #[test]
    fn there_are_as_many_comparators_as_the_identification_register_says() {
        let said = (field(read(3, 0, 0, 5, 0), 3), field(read(3, 0, 0, 5, 0), 5));
        assert_eq!(said, (1, 1), "two breakpoints and two watchpoints, the fewest that Armv8 allows");
        for (n, op2) in (0..16).flat_map(|n| (4..8).map(move |op2| (n, op2))) {
            let expected = if u64::from(n) <= said.0 { RAZ_WI } else { Answer::Undefined };
            assert_eq!(write(2, 0, 0, n, op2), expected, "n {n}, op2 {op2}");
        }
    }

    #[test]
    fn trace_and_branch_records_are_absent() {
        assert_eq!(read(2, 1, 0, 0, 0), Answer::Undefined, "TRCTRACEIDR");
        assert_eq!(read(2, 1, 7, 8, 6), Answer::Undefined, "TRCCLAIMSET");
        assert_eq!(read(2, 1, 9, 0, 0), Answer::Undefined, "BRBCR_EL1");
        assert_eq!(write(3, 0, 1, 2, 1), Answer::Undefined, "TRFCR_EL1");
        assert_eq!(field(read(3, 0, 0, 5, 0), 1), 0, "TraceVer");
    }

    #[test]
    fn performance_monitors_and_profiling_are_absent_and_said_to_be() {
        // PMCR, PMCNTENSET, PMCCNTR, PMUSERENR of EL0; PMINTENSET_EL1; PMSCR_EL1, PMBLIMITR_EL1; PMEVCNTR0, PMCCFILTR.
        let registers = [
            (3, 9, 12, 0),
            (3, 9, 12, 1),
            (3, 9, 13, 0),
            (3, 9, 14, 0),
            (0, 9, 14, 1),
            (0, 9, 9, 0),
            (0, 9, 10, 0),
            (3, 14, 8, 0),
            (3, 14, 15, 7),
        ];
        for (op1, crn, crm, op2) in registers {
            assert_eq!(read(3, op1, crn, crm, op2), Answer::Undefined, "S3_{op1}_C{crn}_C{crm}_{op2}");
            assert_eq!(write(3, op1, crn, crm, op2), Answer::Undefined, "S3_{op1}_C{crn}_C{crm}_{op2}");
        }
        let dfr0 = read(3, 0, 0, 5, 0);
        assert_eq!((field(dfr0, 2), field(dfr0, 8)), (0, 0), "PMUVer, PMSVer");
        assert_eq!(field(read(3, 0, 0, 1, 2), 6), 0, "ID_DFR0_EL1.PerfMon");
    }

    #[test]
    fn implementation_defined_registers_and_a_trapped_timer_are_undefined() {
        for (op1, crn) in [(0, 11), (1, 11), (7, 11), (0, 15), (1, 15), (7, 15)] {
            assert_eq!(read(3, op1, crn, 0, 2), Answer::Undefined);
        }
        assert_eq!([0, 1, 2].map(|op2| read(3, 3, 14, 2, op2)), [Answer::Undefined; 3], "CNTP_*_EL0");
        assert_eq!((read(3, 0, 1, 0, 1), write(3, 0, 1, 0, 1)), (RAZ_WI, RAZ_WI), "ACTLR_EL1");
    }

    #[test]
    fn what_traps_or_needs_el2_is_hidden() {
        let pfr0 = read(3, 0, 0, 4, 0);
        assert_eq!([7, 8, 9, 10, 11].map(|index| field(pfr0, index)), [0; 5], "RAS, SVE, SEL2, MPAM, AMU");
        assert_eq!([4, 5, 6].map(|index| field(pfr0, index)), [0xf; 3], "FP, AdvSIMD, GIC");
        let pfr1 = read(3, 0, 0, 4, 1);
        assert_eq!([2, 6, 9].map(|index| field(pfr1, index)), [0; 3], "MTE, SME, NMI");
        assert_eq!(field(read(3, 0, 0, 7, 1), 4), 0, "LO");
        assert_eq!(field(read(3, 0, 0, 7, 2), 3), 0, "IESB");
        assert_eq!(field(read(3, 0, 0, 7, 0), 0), 0xf, "PARange");
        assert_eq!(
            [0, 1, 2, 3].map(|index| field(read(3, 0, 0, 7, 2), index)),
            [0xf, 0xf, 0xf, 0],
            "CnP, UAO, LSM, IESB"
        );
    }

    #[test]
    fn only_a_gicv3_s_interface_is_in_system_registers() {
        let of = |crm, op2, gic| answer(access(3, 0, 0, crm, op2, true), gic);
        assert_eq!((field(of(4, 0, GicVersion::V2), 6), field(of(4, 0, GicVersion::V3), 6)), (0, 0xf));
        assert_eq!((field(of(1, 1, GicVersion::V2), 7), field(of(1, 1, GicVersion::V3), 7)), (0, 0xf));
    }

    #[test]
    fn reserved_identification_registers_read_as_zero_and_none_is_written() {
        assert_eq!(read(3, 0, 0, 7, 7), Answer::Identification(0));
        assert_eq!(read(3, 0, 0, 4, 4), Answer::Identification(0), "ID_AA64ZFR0_EL1");
        assert_eq!(write(3, 0, 0, 4, 0), Answer::Undefined);
        assert_eq!(read(3, 0, 0, 8, 0), Answer::Undefined);
    }

    #[test]
    fn mdscr_keeps_software_step() {
        assert_eq!(write(2, 0, 0, 2, 2), Answer::Mdscr);
        // MDE and HDE are what would use comparators and halt the core.
        assert_eq!(MDSCR & (1 << 15 | 1 << 14), 0);
    }
}
