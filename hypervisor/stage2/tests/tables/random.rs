//! Random regions, for each of the 18 pairs of granule and physical size, whole and compact.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use septum_stage2::{Access, AccessKind, FaultKind, Geometry, Granule, Ipa, Mapping, PaRange, Translation};

use crate::regions::{Draft, Tables, drafts, fewest_tables, normal_form, place};

/// Runs `property` on random regions for each pair of granule and physical size.
fn for_all_pairs(cases: u32, property: impl Fn(Geometry, &[Mapping]) -> Result<(), TestCaseError>) {
    for granule in Granule::ALL {
        for pa_range in PaRange::ALL {
            let whole = pa_range.bits();
            // Half of the cases cover PARange, the others fewer bits.
            let bits = prop_oneof![Just(whole), 25..=whole];
            let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
            let result = runner.run(&(bits, drafts()), |(bits, drafts): (u32, Vec<Draft>)| {
                let geometry = Geometry::new(granule, pa_range, bits).unwrap();
                property(geometry, &place(geometry, &drafts))
            });
            result.unwrap_or_else(|error| panic!("{granule}, {whole} bits: {error}"));
        }
    }
}

#[test]
fn a_walk_reaches_what_was_configured_and_nothing_else_through_the_fewest_tables() {
    for_all_pairs(64, |geometry, mappings| {
        let tables = Tables::of(geometry, mappings);
        let reach = tables.reach().map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert_eq!(&reach.mappings, &normal_form(mappings));
        prop_assert_eq!(tables.tables, fewest_tables(geometry, mappings));
        // Every table is reached once, the root's concatenated tables as one.
        let granule = geometry.granule().bytes();
        prop_assert_eq!(reach.tables.iter().map(|table| table.bytes.div_ceil(granule)).sum::<u64>(), tables.tables);
        Ok(())
    });
}

#[test]
fn every_access_goes_where_the_regions_say_or_faults() {
    for_all_pairs(64, |geometry, mappings| {
        let tables = Tables::of(geometry, mappings);
        let end = 1 << geometry.ipa_bits();
        let edges = mappings.iter().flat_map(|m| [m.ipa.get(), m.ipa.get() + m.size / 2, m.ipa.get() + m.size]);
        for ipa in edges.flat_map(|edge| [edge.saturating_sub(1), edge]).chain([0, end - 1, end, u64::MAX]) {
            for kind in [AccessKind::Read, AccessKind::Write, AccessKind::Fetch] {
                let found = tables.walker().translate(&tables.memory(), Ipa::new(ipa), kind);
                prop_assert_eq!(found.map(seen).map_err(|fault| fault.kind()), expected(mappings, ipa, kind));
            }
        }
        Ok(())
    });
}

type Seen = (u64, Access, Option<septum_stage2::Memory>);

fn seen(translation: Translation) -> Seen {
    (translation.pa.get(), translation.access, translation.memory)
}

fn expected(mappings: &[Mapping], ipa: u64, kind: AccessKind) -> Result<Seen, FaultKind> {
    let hit = mappings.iter().find(|m| m.ipa.get() <= ipa && ipa - m.ipa.get() < m.size);
    let mapping = hit.ok_or(FaultKind::Translation)?;
    let access = mapping.attributes.access;
    let allowed = match kind {
        AccessKind::Read => access.read,
        AccessKind::Write => access.write,
        AccessKind::Fetch => access.execute,
    };
    let pa = mapping.pa.get() + (ipa - mapping.ipa.get());
    if allowed { Ok((pa, access, Some(mapping.attributes.memory))) } else { Err(FaultKind::Permission) }
}
