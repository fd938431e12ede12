//! Register frames of interrupt controllers and consoles: how long each is, and which of them EL2 emulates where.
//!
//! Everybody who asks what lies at an address of the interrupt controller asks here: the checker, the judge of device
//! trees, `explain`, `verify`, and EL2's own decoding.

use crate::{GicVersion, PartitionRecord, record::NO_ADDRESS};

/// Bytes of a GICv2's GICD (IHI 0048B 4.1.2, table 4-1: offsets up to 0xffc).
pub const GICD_V2_BYTES: u64 = 0x1000;
/// Bytes of a GICv3's GICD (IHI 0069H 12.8, table 12-25: offsets up to 0xfffc).
pub const GICD_V3_BYTES: u64 = 0x1_0000;
/// Bytes of a GICv2's GICC and of its GICV: the second page holds the deactivate register (IHI 0048B 4.1.3, 5.4).
pub const GICC_BYTES: u64 = 0x2000;
/// Bytes of a GICv2's GICH (IHI 0048B 5.3).
pub const GICH_BYTES: u64 = 0x1000;
/// Bytes of one core's GICR without virtual LPIs: its frames RD_base and SGI_base (IHI 0069H 12.10).
pub const GICR_BYTES: u64 = 0x2_0000;
/// Bytes of a PL011's registers (DDI 0183G 3.2: offsets up to 0xffc).
pub const PL011_BYTES: u64 = 0x1000;

/// Bytes of the distributor GICD.
pub const fn gicd_bytes(version: GicVersion) -> u64 {
    match version {
        GicVersion::V2 => GICD_V2_BYTES,
        GicVersion::V3 => GICD_V3_BYTES,
    }
}

/// Most cores of a GICv2: its CPU interfaces (IHI 0048B 1.1).
pub const V2_CORES_MAX: usize = 8;

/// Where frames of the interrupt controller begin, as multiples of bytes. GICv3's are frames of 64 KiB, each on such a
/// boundary (IHI 0069H 12.8, 12.10). GICv2's places are the board's (IHI 0048B), but tables map pages of 4 KiB; GIC-400 has
/// them there (DDI 0471B 3.2).
pub const fn alignment(version: GicVersion) -> u64 {
    match version {
        GicVersion::V2 => 0x1000,
        GicVersion::V3 => 0x1_0000,
    }
}

/// What EL2 emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emulated {
    /// GICD.
    Distributor,
    /// GICR of every virtual core, one behind the other.
    Redistributors,
    /// A PL011.
    Console,
}

impl Emulated {
    /// What messages call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Distributor => "the distributor",
            Self::Redistributors => "the redistributors",
            Self::Console => "the console",
        }
    }
}

/// Emulated registers as a partition sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What is emulated.
    pub what: Emulated,
    /// First byte (IPA).
    pub ipa: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Frame {
    /// One past the last byte (IPA).
    pub const fn end(self) -> u64 {
        self.ipa.saturating_add(self.bytes)
    }

    /// Whether `ipa` is one of its bytes.
    pub const fn holds(self, ipa: u64) -> bool {
        self.ipa <= ipa && ipa < self.end()
    }
}

/// Where a partition sees what EL2 emulates for it (IPAs); `None`: nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// GICD.
    pub distributor: Option<u64>,
    /// The first virtual core's GICR; a GICv2 has none.
    pub redistributors: Option<u64>,
    /// The PL011.
    pub console: Option<u64>,
}

impl Places {
    /// Those of a partition in a plan.
    pub fn of(partition: &PartitionRecord) -> Self {
        let place = |ipa| (ipa != NO_ADDRESS).then_some(ipa);
        Self {
            distributor: place(partition.gicd_ipa),
            redistributors: place(partition.gicr_ipa),
            console: place(partition.console_ipa),
        }
    }

    /// The frames that a partition with `vcpus` virtual cores and a controller of `version` sees at these places.
    pub fn frames(self, version: GicVersion, vcpus: usize) -> impl Iterator<Item = Frame> {
        let redistributors = self.redistributors.filter(|_| matches!(version, GicVersion::V3));
        let frames = [
            (Emulated::Distributor, self.distributor, gicd_bytes(version)),
            (Emulated::Redistributors, redistributors, GICR_BYTES.saturating_mul(vcpus as u64)),
            (Emulated::Console, self.console, PL011_BYTES),
        ];
        frames.into_iter().filter_map(|(what, ipa, bytes)| Some(Frame { what, ipa: ipa?, bytes }))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn a_gicv2_has_a_distributor_of_one_page_and_no_redistributors() {
        let places = Places { distributor: Some(0xff84_1000), redistributors: Some(0x1000), console: None };
        let frames: std::vec::Vec<_> = places.frames(GicVersion::V2, 4).collect();
        assert_eq!(frames, [Frame { what: Emulated::Distributor, ipa: 0xff84_1000, bytes: 0x1000 }]);
        assert!(frames[0].holds(0xff84_1fff) && !frames[0].holds(0xff84_2000) && !frames[0].holds(0xff84_0fff));
    }

    #[test]
    fn a_gicv3_has_one_redistributor_for_each_virtual_core() {
        let places = Places { distributor: Some(0), redistributors: Some(0x80a_0000), console: Some(0x900_0000) };
        let ends: std::vec::Vec<_> = places.frames(GicVersion::V3, 3).map(Frame::end).collect();
        assert_eq!(ends, [0x1_0000, 0x810_0000, 0x900_1000]);
    }
}
