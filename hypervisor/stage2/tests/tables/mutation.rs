//! Damaged tables: each flipped bit must show, and no bytes may make a walk panic or run on.

use proptest::prelude::*;
use septum_stage2::{AccessKind, Geometry, Granule, Ipa, Leaf, Pa, PaRange, TableBytes, TablePage, Visitor, Walker};

use crate::regions::{BASE, Tables, drafts, normal_form, place};

/// Whether the damaged `tables` pass for the ones of `expected`.
fn passes(tables: &Tables, expected: &[septum_stage2::Mapping]) -> bool {
    tables.reach().is_ok_and(|reach| reach.mappings == expected)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_flipped_bit_of_a_descriptor_is_noticed(
        granule in prop::sample::select(Granule::ALL.to_vec()),
        pa_range in prop::sample::select(PaRange::ALL.to_vec()),
        drafts in drafts(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 4),
    ) {
        // 26 bits keep tables small enough to flip many bits; the physical size is any.
        let geometry = Geometry::new(granule, pa_range, 26).unwrap();
        let mappings = place(geometry, &drafts);
        let mut tables = Tables::of(geometry, &mappings);
        let expected = normal_form(&mappings);
        prop_assert!(passes(&tables, &expected));
        let reached = tables.reach().unwrap().tables;
        for pick in picks {
            let table = pick.get(&reached);
            let descriptor = (table.pa.get() - BASE) as usize / 8 + pick.index(table.bytes as usize / 8);
            for bit in 0..64 {
                tables.bytes[descriptor * 8 + bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!passes(&tables, &expected), "descriptor {}, bit {}", descriptor, bit);
                tables.bytes[descriptor * 8 + bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn a_walk_over_random_bytes_ends_within_its_budget(
        granule in prop::sample::select(Granule::ALL.to_vec()),
        pa_range in prop::sample::select(PaRange::ALL.to_vec()),
        seed in any::<u64>(),
        ipas in prop::collection::vec(any::<u64>(), 16),
    ) {
        let geometry = Geometry::whole(granule, pa_range);
        let memory = Noise { seed, base: geometry.root_alignment() };
        let walker = Walker::new(geometry.vtcr(), memory.base, pa_range).unwrap();
        let mut visits = Visits::default();
        prop_assert!(walker.leaves(&memory, 3, &mut visits).is_err());
        prop_assert!(visits.0 <= 3);
        for ipa in ipas {
            let ipa = Ipa::new(ipa >> (64 - geometry.ipa_bits()));
            if let Ok(found) = walker.translate(&memory, ipa, AccessKind::Read) {
                prop_assert!(found.access.read && found.pa.get() >> pa_range.bits() == 0);
            }
        }
    }
}

/// Memory that answers every address with a word that looks random, often a table descriptor.
struct Noise {
    seed: u64,
    base: u64,
}

impl septum_stage2::TableMemory for Noise {
    fn read(&self, pa: Pa) -> Option<u64> {
        let word = (pa.get() ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        (word & 0xff != 0).then_some(if word & 0x100 == 0 { self.base | 0b11 } else { word })
    }
}

#[derive(Default)]
struct Visits(u64);

impl Visitor<Ipa> for Visits {
    fn table(&mut self, _table: TablePage) {
        self.0 += 1;
    }

    fn leaf(&mut self, _leaf: Leaf<Ipa>) {}
}

#[test]
fn a_table_that_leads_to_itself_is_refused() {
    let geometry = Geometry::whole(Granule::K4, PaRange::from_bits(48).unwrap());
    let bytes: Vec<u8> = (0..512).flat_map(|_| (BASE | 0b11).to_le_bytes()).collect();
    let walker = Walker::new(geometry.vtcr(), BASE, geometry.pa_range()).unwrap();
    let memory = TableBytes { base: Pa::new(BASE), bytes: &bytes };
    let mut visits = Visits::default();
    let refusal = walker.leaves(&memory, 100, &mut visits).unwrap_err();
    // At level 3 the same word is a page whose attributes Septum does not use.
    assert_eq!((refusal.level, visits.0), (3, 4));
}
