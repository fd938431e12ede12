//! Every row of the design's table, and every number of input bits.

use septum_stage2::{Geometry, Granule, Ipa, PaRange, RegisterError, TableBytes, TablePage, Visitor, Walker};

use crate::regions::entry_shift;

/// Start level, T0SZ, root tables, root bytes.
type Row = (u32, u32, u64, u64);

/// PA bits, then the rows for 4k, 16k and 64k.
const ROWS: [(u32, [Row; 3]); 6] = [
    (32, [(2, 32, 4, 16384), (2, 32, 1, 1024), (3, 32, 8, 524_288)]),
    (36, [(1, 28, 1, 512), (2, 28, 1, 16384), (2, 28, 1, 1024)]),
    (40, [(1, 24, 2, 8192), (2, 24, 16, 262_144), (2, 24, 1, 16384)]),
    (42, [(1, 22, 8, 32768), (1, 22, 1, 512), (2, 22, 1, 65536)]),
    (44, [(0, 20, 1, 256), (1, 20, 1, 2048), (2, 20, 4, 262_144)]),
    (48, [(0, 16, 1, 4096), (1, 16, 2, 32768), (1, 16, 1, 512)]),
];

#[test]
fn each_physical_size_and_granule_has_the_root_of_the_design() {
    for (bits, row) in ROWS {
        for (granule, expected) in Granule::ALL.into_iter().zip(row) {
            let g = Geometry::whole(granule, PaRange::from_bits(bits).unwrap());
            let found = (g.start_level(), g.t0sz(), g.root_tables(), g.root_bytes());
            assert_eq!(found, expected, "{bits} bits, {granule}");
            assert_eq!(g.root_alignment(), g.root_bytes());
        }
    }
}

#[test]
fn fifty_two_bits_are_used_as_forty_eight() {
    assert_eq!(PaRange::from_bits(52), PaRange::from_bits(48));
    assert_eq!(PaRange::from_field(6), PaRange::from_bits(48));
}

/// The root as the walker sees it.
#[derive(Default)]
struct Root(Option<TablePage>);

impl Visitor<Ipa> for Root {
    fn table(&mut self, table: TablePage) {
        self.0 = Some(table);
    }

    fn leaf(&mut self, leaf: septum_stage2::Leaf<Ipa>) {
        panic!("an empty table has no leaf: {leaf:?}");
    }
}

#[test]
fn the_walker_accepts_each_register_value_and_sees_the_same_root() {
    for granule in Granule::ALL {
        for pa_range in PaRange::ALL {
            for bits in 25..=pa_range.bits() {
                let g = Geometry::new(granule, pa_range, bits).unwrap();
                let base = g.root_alignment();
                let walker = Walker::new(g.vtcr(), base, pa_range).unwrap();
                assert_eq!((walker.ipa_bits(), walker.granule_bytes()), (bits, granule.bytes()));
                let bytes = vec![0; g.root_bytes() as usize];
                let mut root = Root::default();
                let memory = TableBytes { base: septum_stage2::Pa::new(base), bytes: &bytes };
                walker.leaves(&memory, 1, &mut root).unwrap();
                let root = root.0.unwrap();
                assert_eq!((root.level, root.bytes), (g.start_level(), g.root_bytes()));
            }
        }
    }
}

#[test]
fn no_deeper_start_level_is_possible() {
    for granule in Granule::ALL {
        for bits in 25..=48 {
            let g = Geometry::new(granule, PaRange::from_bits(48).unwrap(), bits).unwrap();
            let deepest = if granule == Granule::K4 { 2 } else { 3 };
            if g.start_level() < deepest {
                let entries = 1_u64 << (bits - entry_shift(granule, g.start_level() + 1));
                assert!(entries * 8 > 16 * granule.bytes(), "{granule}, {bits} bits");
            }
        }
    }
}

#[test]
fn register_values_that_hardware_or_septum_does_not_take_are_refused() {
    let pa40 = PaRange::from_bits(40).unwrap();
    let vtcr = Geometry::whole(Granule::K4, pa40).vtcr();
    let refusal = |vtcr: u64, vttbr: u64| Walker::new(vtcr, vttbr, pa40).unwrap_err();
    for bit in (19..64).filter(|bit| *bit != 31) {
        assert_eq!(refusal(vtcr | 1 << bit, 0x2000), RegisterError::ControlBits(1 << bit));
    }
    assert_eq!(refusal(vtcr & !(1 << 31), 0x2000), RegisterError::ControlBits(1 << 31));
    assert_eq!(refusal(vtcr | 0b11 << 14, 0x2000), RegisterError::Granule);
    assert_eq!(refusal(vtcr | 0b101 << 16, 0x2000), RegisterError::PhysicalSize(7));
    assert_eq!(refusal(vtcr + 0x10000, 0x2000), RegisterError::PhysicalSize(3));
    assert_eq!(refusal(vtcr & !0x3f | 40, 0x2000), RegisterError::InputSize(40));
    assert_eq!(refusal(vtcr & !0x3f | 15, 0x2000), RegisterError::InputSize(15));
    assert_eq!(refusal(vtcr & !0x3f | 23, 0x2000), RegisterError::InputBeyondPhysical(41));
    // SL0 = 2 is level 0, which 40-bit cores lack; SL0 = 3 needs FEAT_TTST.
    assert_eq!(refusal(vtcr & !0xc0 | 2 << 6, 0x2000), RegisterError::InvalidStartLevel(2));
    assert_eq!(refusal(vtcr | 3 << 6, 0x2000), RegisterError::InvalidStartLevel(3));
    // From level 2 a 40-bit input would need 1024 tables, from level 1 a 30-bit one needs none.
    assert_eq!(refusal(vtcr & !0xc0, 0x2000), RegisterError::InconsistentStartLevel(0));
    assert_eq!(refusal(vtcr & !0x3f | 34, 0x2000), RegisterError::InconsistentStartLevel(1));
    for bit in 8..14 {
        assert_eq!(refusal(vtcr ^ 1 << bit, 0x2000), RegisterError::WalkAttributes);
    }
    assert_eq!(refusal(vtcr, 0x3000), RegisterError::RootUnaligned(8192));
    assert_eq!(refusal(vtcr, 0x2001), RegisterError::BaseBits(1));
    assert_eq!(refusal(vtcr, 1 << 56 | 0x2000), RegisterError::BaseBits(1 << 56));
    assert_eq!(refusal(vtcr, 1 << 40), RegisterError::RootBeyondPhysical);
}
