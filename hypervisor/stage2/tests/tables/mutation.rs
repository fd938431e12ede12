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
    fn a_walk_over_tables_strewn_with_words_ends_within_its_budget(
        granule in prop::sample::select(Granule::ALL.to_vec()),
        drafts in drafts(),
        words in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>(), any::<prop::sample::Index>()), 1..9),
    ) {
        let geometry = Geometry::new(granule, PaRange::from_bits(44).unwrap(), 36).unwrap();
        let mut tables = Tables::of(geometry, &place(geometry, &drafts));
        let pages = tables.bytes.len() / granule.bytes() as usize;
        for (place, word, page) in words {
            // Half of the words are random, the others lead to one of the tables, perhaps back up.
            let table = BASE | 0b11 | (page.index(pages.max(1)) as u64 * granule.bytes());
            let word = if word & 1 << 63 == 0 { table } else { word };
            let index = place.index(tables.bytes.len() / 8);
            tables.bytes[index * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        let mut visits = Visits::default();
        let result = tables.walker().leaves(&tables.memory(), tables.tables, &mut visits);
        prop_assert!(visits.tables <= tables.tables);
        // What the enumeration lets pass, a walk finds again.
        for leaf in visits.leaves.iter().filter(|leaf| leaf.access.read).take(if result.is_ok() { 64 } else { 0 }) {
            let last = Ipa::new(leaf.input.get() + leaf.size - 1);
            let found = tables.walker().translate(&tables.memory(), last, AccessKind::Read).unwrap();
            prop_assert_eq!((found.pa.get(), found.access), (leaf.output.get() + leaf.size - 1, leaf.access));
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
        prop_assert!(visits.tables <= 3);
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
struct Visits {
    tables: u64,
    leaves: Vec<Leaf<Ipa>>,
}

impl Visitor<Ipa> for Visits {
    fn table(&mut self, _table: TablePage) {
        self.tables += 1;
    }

    fn leaf(&mut self, leaf: Leaf<Ipa>) {
        self.leaves.push(leaf);
    }
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
    assert_eq!((refusal.level, visits.tables), (3, 4));
}
