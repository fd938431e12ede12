//! The physical distributor: brought up once, by the first core; afterwards each interrupt has one owner.

use super::{GicError, PRIORITY_EL2, PRIORITY_GUEST, SPECIAL_FIRST, SPI_FIRST, offset, poll};
use crate::dev::Mmio;
use septum_plan::GicVersion;
use septum_plan::affinity::AFFINITY;

/// GICD_CTLR.EnableGrp0 (GICv2, and GICv3 with one Security state) or EnableGrp1 (GICv3's Non-secure view).
const ENABLE_GROUP_LOW: u32 = 1 << 0;
/// GICD_CTLR.EnableGrp1 (one Security state) or EnableGrp1A (Non-secure view).
const ENABLE_GROUP_1: u32 = 1 << 1;
/// GICD_CTLR.ARE or ARE_NS.
const AFFINITY_ROUTING: u32 = 1 << 4;
/// GICD_CTLR.RWP.
const WRITE_PENDING: u32 = 1 << 31;

/// Number of 32-interrupt words that the distributor has, SGIs and PPIs included (1 to 32): GICD_TYPER.ITLinesNumber.
pub fn words(gicd: &impl Mmio) -> u32 {
    (gicd.read(offset::TYPER) & 0x1f).wrapping_add(1)
}

/// Brings the distributor up: every SPI disabled, idle and at the guests' physical priority; affinity routing and group
/// 1 on GICv3. Level or edge stays as firmware left it until the owner says otherwise. Called once, before any
/// [`super::v2::init_core`] or [`super::v3::init_core`].
///
/// # Errors
/// [`GicError::WritePending`].
pub fn init(gicd: &impl Mmio, version: GicVersion) -> Result<(), GicError> {
    gicd.write(offset::CTLR, 0);
    settle(gicd, version)?;
    if version == GicVersion::V3 {
        // Changing ARE while a group is enabled is UNPREDICTABLE (IHI 0069H 12.9.4): first it alone, groups after.
        gicd.write(offset::CTLR, AFFINITY_ROUTING);
        settle(gicd, version)?;
    }
    for word in 1..words(gicd) {
        reset_word(gicd, version, word);
    }
    settle(gicd, version)?;
    gicd.write(offset::CTLR, enable_bits(version));
    settle(gicd, version)
}

fn enable_bits(version: GicVersion) -> u32 {
    match version {
        GicVersion::V2 => ENABLE_GROUP_LOW,
        GicVersion::V3 => AFFINITY_ROUTING | ENABLE_GROUP_1 | ENABLE_GROUP_LOW,
    }
}

fn reset_word(gicd: &impl Mmio, version: GicVersion, word: u32) {
    if version == GicVersion::V3 {
        // WI from the Non-secure side of two Security states, where firmware has given the SPIs to group 1.
        gicd.write(offset::word(offset::IGROUPR, word), !0);
        gicd.write(offset::word(offset::IGRPMODR, word), 0);
    }
    silence(gicd, word, !0);
    for four in 0..8 {
        gicd.write(offset::word(offset::IPRIORITYR, word << 3 | four), u32::from_ne_bytes([PRIORITY_GUEST; 4]));
    }
}

/// Disables the interrupts of `word` that are set in `mask`, and makes them neither pending nor active: the state in
/// which a partition finds its own at every start.
pub fn silence(gicd: &impl Mmio, word: u32, mask: u32) {
    gicd.write(offset::word(offset::ICENABLER, word), mask);
    gicd.write(offset::word(offset::ICPENDR, word), mask);
    gicd.write(offset::word(offset::ICACTIVER, word), mask);
}

/// Enables interrupt `intid` for EL2, with its priority.
pub fn enable(gicd: &impl Mmio, intid: u32) {
    gicd.write_byte(offset::byte(offset::IPRIORITYR, intid), PRIORITY_EL2);
    gicd.write(offset::word(offset::ISENABLER, intid >> 5), 1_u32.wrapping_shl(intid));
}

/// Sends SPI `intid` to one core: by its affinity on GICv3. Ignored for what is no SPI.
pub fn route(gicd: &impl Mmio, intid: u32, mpidr: u64) {
    if (SPI_FIRST..SPECIAL_FIRST).contains(&intid) {
        gicd.write_double(offset::byte(offset::IROUTER, intid << 3), mpidr & AFFINITY);
    }
}

/// Sends SPI `intid` to one of the cores whose interfaces are set in `interfaces`, on GICv2. Ignored for what is no SPI.
pub fn target(gicd: &impl Mmio, intid: u32, interfaces: u8) {
    if (SPI_FIRST..SPECIAL_FIRST).contains(&intid) {
        gicd.write_byte(offset::byte(offset::ITARGETSR, intid), interfaces);
    }
}

/// Waits until the last write has its effect (GICv3; GICv2 has no such bit).
fn settle(gicd: &impl Mmio, version: GicVersion) -> Result<(), GicError> {
    match version {
        GicVersion::V2 => Ok(()),
        GicVersion::V3 => poll(gicd, offset::CTLR, WRITE_PENDING, GicError::WritePending),
    }
}
