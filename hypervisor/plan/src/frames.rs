//! Register frames of interrupt controllers and consoles: how long each is, and those that EL2 emulates.
//!
//! Everybody who asks what lies at an address of the interrupt controller asks here: the checker, the judge of device
//! trees, `explain`, `verify`, and EL2's own decoding.

use crate::{EmulatedKind, EmulatedRecord, GicVersion};

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

/// Most cores of a GICv2: its CPU interfaces, which three bits of GICD_TYPER.CPUNumber count and of which each byte of
/// GICD_ITARGETSR has a bit (IHI 0048B 4.3.2, 4.3.12).
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

/// Emulated registers as a partition sees them: what an [`EmulatedRecord`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What is emulated.
    pub kind: EmulatedKind,
    /// First byte (IPA).
    pub ipa: u64,
    /// Bytes.
    pub bytes: u64,
    /// INTID of its interrupt; 0 where it has none.
    pub intid: u32,
}

impl Frame {
    /// What `record` says; `None` where its kind is none.
    pub const fn of(record: &EmulatedRecord) -> Option<Self> {
        let EmulatedRecord { ipa, bytes, intid, kind, reserved: _ } = *record;
        match EmulatedKind::from_code(kind) {
            Some(kind) => Some(Self { kind, ipa, bytes, intid }),
            None => None,
        }
    }

    /// The record that says it.
    pub const fn record(self) -> EmulatedRecord {
        let Self { kind, ipa, bytes, intid } = self;
        EmulatedRecord { ipa, bytes, intid, kind: kind.code(), reserved: [0; 3] }
    }

    /// One past the last byte (IPA).
    pub const fn end(self) -> u64 {
        self.ipa.saturating_add(self.bytes)
    }

    /// Whether `ipa` is one of its bytes.
    pub const fn holds(self, ipa: u64) -> bool {
        self.ipa <= ipa && ipa < self.end()
    }
}

/// What of `kind` is among `records`.
pub fn of_kind(records: &[EmulatedRecord], kind: EmulatedKind) -> Option<&EmulatedRecord> {
    records.iter().find(|record| record.kind == kind.code())
}

/// What among `records` has the byte at `ipa`. Out of line: EL2 has little room, and asks in no hot path.
#[inline(never)]
pub fn at(records: &[EmulatedRecord], ipa: u64) -> Option<&EmulatedRecord> {
    records.iter().find(|record| ipa.checked_sub(record.ipa).is_some_and(|offset| offset < record.bytes))
}

/// Bytes of what is emulated: for a partition with `vcpus` virtual cores, and a controller of `version`.
pub const fn emulated_bytes(kind: EmulatedKind, version: GicVersion, vcpus: usize) -> u64 {
    match kind {
        EmulatedKind::Gicd => gicd_bytes(version),
        EmulatedKind::Gicr => GICR_BYTES.saturating_mul(vcpus as u64),
        EmulatedKind::Pl011 => PL011_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_its_bytes_and_no_others() {
        let bytes = emulated_bytes(EmulatedKind::Gicd, GicVersion::V2, 4);
        let frame = Frame { kind: EmulatedKind::Gicd, ipa: 0xff84_1000, bytes, intid: 0 };
        assert!(frame.holds(0xff84_1fff) && !frame.holds(0xff84_2000) && !frame.holds(0xff84_0fff));
    }

    #[test]
    fn a_gicv3_has_one_redistributor_for_each_virtual_core() {
        assert_eq!(emulated_bytes(EmulatedKind::Gicr, GicVersion::V3, 3), 0x6_0000);
        assert_eq!(emulated_bytes(EmulatedKind::Gicd, GicVersion::V3, 3), 0x1_0000);
    }

    #[test]
    fn a_record_says_what_its_frame_does() {
        let frame = Frame { kind: EmulatedKind::Pl011, ipa: 0x900_0000, bytes: PL011_BYTES, intid: 33 };
        assert_eq!(Frame::of(&frame.record()), Some(frame));
        assert_eq!(Frame::of(&EmulatedRecord { kind: 0, ..frame.record() }), None);
    }
}
