//! One core's identification registers against the plan. Every core is asked, because clusters differ.

use septum_plan::refusal::Refusal;
use septum_plan::{GicVersion, Plan};
use septum_stage2::{Granule, PaRange};

/// What a core says about itself: raw register values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identification {
    /// ID_AA64MMFR0_EL1.
    pub mmfr0: u64,
    /// ID_AA64PFR0_EL1.
    pub pfr0: u64,
    /// CNTFRQ_EL0, in Hz.
    pub counter_hz: u64,
}

/// What a core has otherwise than the plan needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Fewer physical address bits.
    PaRange {
        /// The core's bits.
        has: u32,
        /// The plan's bits.
        needs: u32,
    },
    /// A granule that a Stage-2 table uses is missing.
    Stage2Granule(Granule),
    /// EL2's own granule, 4 KiB, is missing at Stage 1.
    Stage1Granule,
    /// EL1 is not AArch64.
    El1State,
    /// Another counter frequency.
    Counter {
        /// The core's, in Hz.
        has: u64,
        /// The plan's, in Hz.
        needs: u32,
    },
    /// No system-register interface to the GIC, which a GICv3 plan needs.
    NoGicRegisters,
}

impl Mismatch {
    /// The refusal that says it.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::PaRange { .. } => Refusal::M01,
            Self::Stage2Granule(_) => Refusal::M02,
            Self::Stage1Granule => Refusal::M03,
            Self::El1State => Refusal::M04,
            Self::Counter { .. } => Refusal::M05,
            Self::NoGicRegisters => Refusal::M06,
        }
    }
}

/// The granules of [`septum_plan::PlanHeader::granules`], by bit.
const GRANULES: [Granule; 3] = Granule::ALL;

/// Compares a core with the plan.
///
/// # Errors
/// The first thing that the plan needs and the core lacks.
pub fn check(core: &Identification, plan: &Plan<'_>) -> Result<(), Mismatch> {
    let header = plan.header();
    pa_range(core, header.pa_range)?;
    for (bit, granule) in GRANULES.into_iter().enumerate() {
        let used = u32::from(header.granules).checked_shr(bit as u32).is_some_and(|bits| bits & 1 == 1);
        (!used || has_stage2_granule(core, granule)).then_some(()).ok_or(Mismatch::Stage2Granule(granule))?;
    }
    has_stage1_granule(core, Granule::K4).then_some(()).ok_or(Mismatch::Stage1Granule)?;
    // ID_AA64PFR0_EL1.EL1: 0b0001 AArch64 only, 0b0010 both.
    matches!(field(core.pfr0, 4), 1 | 2).then_some(()).ok_or(Mismatch::El1State)?;
    counter(core, header.counter_hz)?;
    (plan.gic() != GicVersion::V3 || has_gic_registers(core)).then_some(()).ok_or(Mismatch::NoGicRegisters)
}

/// ID_AA64PFR0_EL1.GIC (bits 27:24): whether the core has GICv3's system registers.
pub fn has_gic_registers(core: &Identification) -> bool {
    field(core.pfr0, 24) != 0
}

fn pa_range(core: &Identification, needs: u8) -> Result<(), Mismatch> {
    let has = bits(field(core.mmfr0, 0) as u8);
    let needs = bits(needs);
    if has < needs { Err(Mismatch::PaRange { has, needs }) } else { Ok(()) }
}

/// Physical bits of a PARange field; 0 for none.
fn bits(field: u8) -> u32 {
    PaRange::from_field(field).map_or(0, PaRange::bits)
}

fn counter(core: &Identification, needs: u32) -> Result<(), Mismatch> {
    if needs == 0 || core.counter_hz == u64::from(needs) {
        return Ok(());
    }
    Err(Mismatch::Counter { has: core.counter_hz, needs })
}

/// ID_AA64MMFR0_EL1.TGran4, TGran64, TGran16 (Arm ARM D24.2.64): note that "none" is 0b1111, 0b1111 and 0b0000.
fn has_stage1_granule(core: &Identification, granule: Granule) -> bool {
    match granule {
        Granule::K4 => field(core.mmfr0, 28) != 0xf,
        Granule::K64 => field(core.mmfr0, 24) != 0xf,
        Granule::K16 => field(core.mmfr0, 20) != 0,
    }
}

/// ID_AA64MMFR0_EL1.TGran4_2, TGran64_2, TGran16_2: 0 "as Stage 1", 1 "none", from 2 on "yes".
fn has_stage2_granule(core: &Identification, granule: Granule) -> bool {
    let stage2 = match granule {
        Granule::K4 => field(core.mmfr0, 40),
        Granule::K64 => field(core.mmfr0, 36),
        Granule::K16 => field(core.mmfr0, 32),
    };
    match stage2 {
        0 => has_stage1_granule(core, granule),
        1 => false,
        _ => true,
    }
}

/// The 4-bit field of an identification register whose lowest bit is `shift` (0 to 60).
fn field(register: u64, shift: u32) -> u64 {
    register.checked_shr(shift).unwrap_or(0) & 0xf
}

/// GICD_PIDR2.ArchRev (bits 7:4) of a distributor that fits the plan: 2 for GICv2 (IHI 0048B 4.3.19), 3 or 4 for GICv3
/// and GICv4 (IHI 0069 12.9).
pub fn distributor_fits(gic: GicVersion, pidr2: u32) -> bool {
    let revision = field(u64::from(pidr2), 4);
    match gic {
        GicVersion::V2 => revision == 2,
        GicVersion::V3 => matches!(revision, 3 | 4),
    }
}

/// Offset of GICD_PIDR2 in a distributor, in bytes: a GICv2 has it in its only 4 KiB, a GICv3 at the end of 64 KiB.
pub const fn pidr2_offset(gic: GicVersion) -> u32 {
    match gic {
        GicVersion::V2 => 0xfe8,
        GicVersion::V3 => 0xffe8,
    }
}
