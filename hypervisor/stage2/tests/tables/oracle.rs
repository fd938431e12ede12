//! Tables built by the crate aarch64-paging, read by our walkers: neither side has seen the other's code.

use aarch64_paging::descriptor::{El23Attributes, PagingAttributes, PhysicalAddress, Stage2Attributes};
use aarch64_paging::paging::{Constraints, El2, MemoryRegion, RootTable, Stage2, TranslationRegime};
use aarch64_paging::target::TargetAllocator;
use proptest::prelude::*;
use septum_stage2::{Attributes, Geometry, Granule, Memory, Pa, PaRange, Stage1Walker, TableBytes, Walker, stage1};

use crate::regions::{BASE, Reach, drafts, normal_form, place};
use crate::stage1::{as_stage2, el2_mappings};

fn stage2_flags(attributes: Attributes) -> Stage2Attributes {
    type A = Stage2Attributes;
    let access = attributes.access;
    let memory = match attributes.memory {
        Memory::Normal => A::MEMATTR_NORMAL_INNER_WB | A::MEMATTR_NORMAL_OUTER_WB | A::SH_INNER,
        Memory::NonCacheable => A::MEMATTR_NORMAL_INNER_NC | A::MEMATTR_NORMAL_OUTER_NC | A::SH_OUTER,
        Memory::Device => A::MEMATTR_DEVICE_nGnRE | A::SH_OUTER,
    };
    let read = if access.read { A::S2AP_ACCESS_RO } else { A::empty() };
    let write = if access.write { A::S2AP_ACCESS_WO } else { A::empty() };
    let execute_never = if access.execute { A::empty() } else { A::XN };
    A::VALID | A::ACCESS_FLAG | memory | read | write | execute_never
}

fn el2_flags(attributes: Attributes) -> El23Attributes {
    type A = El23Attributes;
    // The indices are those of the MAIR that the test gives to the walker, not Septum's.
    let memory = match attributes.memory {
        Memory::Normal => A::ATTRIBUTE_INDEX_5 | A::INNER_SHAREABLE,
        Memory::NonCacheable => A::ATTRIBUTE_INDEX_0 | A::OUTER_SHAREABLE,
        Memory::Device => A::ATTRIBUTE_INDEX_7 | A::OUTER_SHAREABLE,
    };
    let write = if attributes.access.write { A::empty() } else { A::READ_ONLY };
    let execute_never = if attributes.access.execute { A::empty() } else { A::XN };
    A::VALID | A::ACCESSED | A::USER_RES1 | memory | write | execute_never
}

/// The bytes of tables that aarch64-paging builds from `level` on for (input, output, size, flags).
fn foreign_tables<R>(regime: R, level: usize, ranges: &[(u64, u64, u64, R::Attributes)]) -> Vec<u8>
where
    R: TranslationRegime<VaRange = ()>,
    R::Attributes: PagingAttributes,
{
    let mut root = RootTable::new(TargetAllocator::new(BASE), level, regime);
    for (input, output, size, flags) in ranges {
        let region = MemoryRegion::new(*input as usize, (input + size) as usize);
        root.map_range(&region, PhysicalAddress(*output as usize), *flags, Constraints::empty()).unwrap();
    }
    root.translation().as_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_stage_2_walker_reads_foreign_tables(
        // The oracle has 4 KiB pages and no concatenated roots: level 1 for 36 bits, level 0 for 44 and 48.
        (bits, level) in prop::sample::select(vec![(36, 1), (44, 0), (48, 0)]),
        drafts in drafts(),
    ) {
        let geometry = Geometry::whole(Granule::K4, PaRange::from_bits(bits).unwrap());
        prop_assert_eq!(geometry.start_level(), level);
        let mappings = place(geometry, &drafts);
        let ranges: Vec<_> =
            mappings.iter().map(|m| (m.ipa.get(), m.pa.get(), m.size, stage2_flags(m.attributes))).collect();
        let bytes = foreign_tables(Stage2, level as usize, &ranges);
        let walker = Walker::new(geometry.vtcr(), BASE, geometry.pa_range()).unwrap();
        let mut reach = Reach::default();
        walker.leaves(&TableBytes { base: Pa::new(BASE), bytes: &bytes }, u64::MAX, &mut reach).unwrap();
        prop_assert_eq!(reach.mappings, normal_form(&mappings));
    }

    #[test]
    fn the_stage_1_walker_reads_foreign_tables(drafts in drafts()) {
        let mappings = el2_mappings(&drafts);
        let ranges: Vec<_> =
            mappings.iter().map(|m| (m.va.get(), m.pa.get(), m.size, el2_flags(m.attributes))).collect();
        let bytes = foreign_tables(El2, 1, &ranges);
        let mair = 0x44 | 0xff << 40 | 0x04 << 56;
        let pa_range = PaRange::from_bits(40).unwrap();
        let walker = Stage1Walker::new(stage1::tcr(pa_range), BASE, mair, pa_range).unwrap();
        let mut reach = Reach::default();
        walker.leaves(&TableBytes { base: Pa::new(BASE), bytes: &bytes }, u64::MAX, &mut reach).unwrap();
        prop_assert_eq!(reach.mappings, normal_form(&as_stage2(&mappings)));
    }
}
