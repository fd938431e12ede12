//! EL2's Stage-1 tables: hand-computed words, refusals, derived roots, and random regions judged by the walker.

use proptest::prelude::*;
use septum_stage2::stage1::{self, Mapping, build, build_derived, derived_bytes, tables_bytes};
use septum_stage2::{
    Access, AccessKind, Attributes, BuildError, FaultKind, Geometry, Granule, Memory, Pa, PaRange, Reason, Refusal,
    RegisterError, Stage1Walker, TableBytes, Va,
};

use crate::regions::{BASE, Draft, Reach, drafts, fewest_tables, normal_form, place};

fn pa40() -> PaRange {
    PaRange::from_bits(40).unwrap()
}

fn mapping(va: u64, pa: u64, size: u64, access: Access, memory: Memory) -> Mapping {
    Mapping { va: Va::new(va), pa: Pa::new(pa), size, attributes: Attributes { access, memory } }
}

/// `drafts` placed in the lower half of EL2's addresses, with rights that EL2 may have.
pub fn el2_mappings(drafts: &[Draft]) -> Vec<Mapping> {
    let lower_half = Geometry::new(Granule::K4, pa40(), 38).unwrap();
    let allowed = |access: Access| Access { read: true, execute: access.execute && !access.write, ..access };
    let convert = |m: septum_stage2::Mapping| {
        mapping(m.ipa.get(), m.pa.get(), m.size, allowed(m.attributes.access), m.attributes.memory)
    };
    place(lower_half, drafts).into_iter().map(convert).collect()
}

/// The same with virtual addresses in the place of intermediate ones, for the model.
pub fn as_stage2(mappings: &[Mapping]) -> Vec<septum_stage2::Mapping> {
    let convert = |m: &Mapping| septum_stage2::Mapping {
        ipa: septum_stage2::Ipa::new(m.va.get()),
        pa: m.pa,
        size: m.size,
        attributes: m.attributes,
    };
    mappings.iter().map(convert).collect()
}

fn built(mappings: &[Mapping]) -> Vec<u8> {
    let count = tables_bytes(pa40(), mappings).unwrap();
    let mut bytes = vec![0xff; count.total_bytes as usize];
    build(pa40(), mappings, Pa::new(BASE), &mut bytes).unwrap();
    bytes
}

/// What the root at `root` reaches in `bytes`, through no more tables than fit there.
fn reach(bytes: &[u8], root: u64) -> Result<Reach, Refusal> {
    let mut reach = Reach::default();
    let memory = TableBytes { base: Pa::new(BASE), bytes };
    walker(root).leaves(&memory, bytes.len() as u64 / 4096, &mut reach)?;
    Ok(reach)
}

fn walker(root: u64) -> Stage1Walker {
    Stage1Walker::new(stage1::tcr(pa40()), root, stage1::MAIR, pa40()).unwrap()
}

#[test]
fn words_are_those_of_the_manual() {
    let bytes = built(&[
        mapping(0xc000_0000, 0x8020_0000, 0x1000, Access::RX, Memory::Normal),
        mapping(0xc000_1000, 0x8020_1000, 0x1000, Access::R, Memory::Normal),
        mapping(0xc000_2000, 0x8020_2000, 0x1000, Access::RW, Memory::Normal),
        mapping(0xc000_4000, 0x0900_0000, 0x1000, Access::RW, Memory::Device),
        mapping(0x10_0000_0000, 0x4000_0000, 0x4000_0000, Access::R, Memory::NonCacheable),
    ]);
    let word = |index: usize| u64::from_le_bytes(bytes[index * 8..][..8].try_into().unwrap());
    assert_eq!(word(3), 0x4000_1003);
    assert_eq!(word(64), 0x0040_0000_4000_06c9);
    assert_eq!(word(512), 0x4000_2003);
    assert_eq!(word(1024), 0x0000_0000_8020_07c7);
    assert_eq!(word(1025), 0x0040_0000_8020_17c7);
    assert_eq!(word(1026), 0x0040_0000_8020_2747);
    assert_eq!(word(1027), 0);
    assert_eq!(word(1028), 0x0040_0000_0900_0643);
    // T0SZ 25, write-back inner-shareable walks, PS 40 bits, RES1 bits 23 and 31.
    assert_eq!(stage1::tcr(pa40()), 0x8082_3519);
    assert_eq!(stage1::MAIR, 0x0044_ff04);
}

#[test]
fn nothing_is_writable_and_executable() {
    let refusal = |access, memory| tables_bytes(pa40(), &[mapping(0, 0, 0x1000, access, memory)]).unwrap_err();
    assert_eq!(refusal(Access::RWX, Memory::Normal), BuildError::WritableAndExecutable { index: 0 });
    assert_eq!(refusal(Access::RX, Memory::Device), BuildError::ExecutableDevice { index: 0 });
    let execute_only = Access { execute: true, ..Access::default() };
    assert_eq!(refusal(execute_only, Memory::Normal), BuildError::NoAccess { index: 0 });
}

#[test]
fn a_derived_root_refuses_the_slots_of_the_run_root() {
    let run = built(&[mapping(0xc000_0000, 0x8020_0000, 0x1000, Access::RX, Memory::Normal)]);
    let derived = |root: &[u8], va, size| {
        derived_bytes(root, pa40(), &[mapping(va, 0, size, Access::R, Memory::Normal)]).map(|count| count.tables)
    };
    assert_eq!(derived(&run[..4096], 0x1_0000_0000, 0x4000_0000), Ok(1));
    assert_eq!(derived(&run[..4096], 0xffff_f000, 0x1000), Err(BuildError::SlotTaken { index: 0, slot: 3 }));
    // It starts in the free slot 2 and ends in slot 3.
    assert_eq!(derived(&run[..4096], 0xbfff_f000, 0x2000), Err(BuildError::SlotTaken { index: 0, slot: 3 }));
    assert_eq!(derived(&run[..4088], 0, 0x1000), Err(BuildError::NotARoot));
}

#[test]
fn register_values_that_hardware_or_septum_does_not_take_are_refused() {
    let tcr = stage1::tcr(pa40());
    let refusal = |tcr, ttbr| Stage1Walker::new(tcr, ttbr, stage1::MAIR, pa40()).unwrap_err();
    for bit in (19..64).chain([6, 7]) {
        assert_eq!(refusal(tcr ^ 1 << bit, BASE), RegisterError::ControlBits(1 << bit));
    }
    assert_eq!(refusal(tcr + 0x10000, BASE), RegisterError::PhysicalSize(3));
    assert_eq!(refusal(tcr | 0b11 << 14, BASE), RegisterError::Granule);
    assert_eq!(refusal(tcr & !0x3f, BASE), RegisterError::InputSize(0));
    assert_eq!(refusal(tcr ^ 1 << 12, BASE), RegisterError::WalkAttributes);
    assert_eq!(refusal(tcr, BASE | 1), RegisterError::BaseBits(1));
    assert_eq!(refusal(tcr, BASE | 1 << 48), RegisterError::BaseBits(1 << 48));
    assert_eq!(refusal(tcr, BASE | 0x800), RegisterError::RootUnaligned(4096));
    assert_eq!(refusal(tcr, 1 << 40), RegisterError::RootBeyondPhysical);
}

#[test]
fn rights_in_table_descriptors_count_for_hardware_and_are_refused() {
    let mut bytes = built(&[mapping(0xc000_0000, 0x8020_0000, 0x1000, Access::RW, Memory::Normal)]);
    let va = Va::new(0xc000_0123);
    let write =
        |bytes: &[u8]| walker(BASE).translate(&TableBytes { base: Pa::new(BASE), bytes }, va, AccessKind::Write);
    assert_eq!(write(&bytes).unwrap().pa, Pa::new(0x8020_0123));
    // APTable[1], bit 62, of the root's entry 3.
    bytes[3 * 8 + 7] |= 0x40;
    assert_eq!(write(&bytes).unwrap_err().kind(), FaultKind::Permission);
    assert_eq!(reach(&bytes, BASE).err().unwrap().reason, Reason::UnusedBits(1 << 62));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_reaches_what_was_configured_and_nothing_else(drafts in drafts()) {
        let mappings = el2_mappings(&drafts);
        let bytes = built(&mappings);
        prop_assert_eq!(reach(&bytes, BASE).unwrap().mappings, normal_form(&as_stage2(&mappings)));
        // The model counts for half the addresses: a root of half the size, but one table too.
        let lower_half = Geometry::new(Granule::K4, pa40(), 38).unwrap();
        prop_assert_eq!(bytes.len() as u64 / 4096, fewest_tables(lower_half, &as_stage2(&mappings)));
    }

    #[test]
    fn a_derived_root_reaches_its_own_regions_and_the_run_root_s(run in drafts(), own in drafts()) {
        let run = el2_mappings(&run);
        let upper = |m: Mapping| Mapping { va: m.va.checked_add(1 << 38).unwrap(), ..m };
        let own: Vec<Mapping> = el2_mappings(&own).into_iter().map(upper).collect();
        let mut bytes = built(&run);
        let root = BASE + bytes.len() as u64;
        let count = derived_bytes(&bytes[..4096], pa40(), &own).unwrap();
        let mut derived = vec![0xff; count.total_bytes as usize];
        build_derived(&bytes[..4096], pa40(), &own, Pa::new(root), &mut derived).unwrap();
        bytes.extend(derived);
        let all: Vec<Mapping> = run.iter().chain(&own).copied().collect();
        prop_assert_eq!(reach(&bytes, root).unwrap().mappings, normal_form(&as_stage2(&all)));
        prop_assert_eq!(reach(&bytes, BASE).unwrap().mappings, normal_form(&as_stage2(&run)));
    }

    #[test]
    fn every_flipped_bit_of_a_descriptor_is_noticed(drafts in drafts(), pick in any::<prop::sample::Index>()) {
        let mappings: Vec<Mapping> =
            el2_mappings(&drafts).into_iter().filter(|m| m.va.get() + m.size <= 1 << 26).collect();
        let mut bytes = built(&mappings);
        let expected = normal_form(&as_stage2(&mappings));
        // Descriptors in use, and an empty one of the root beside them.
        let used: Vec<usize> =
            (0..bytes.len() / 8).filter(|index| bytes[index * 8..][..8] != [0; 8]).chain([511]).collect();
        let descriptor = *pick.get(&used);
        for bit in 0..64 {
            bytes[descriptor * 8 + bit / 8] ^= 1 << (bit % 8);
            let passes = reach(&bytes, BASE).is_ok_and(|reach| reach.mappings == expected);
            prop_assert!(!passes, "descriptor {}, bit {}", descriptor, bit);
            bytes[descriptor * 8 + bit / 8] ^= 1 << (bit % 8);
        }
    }
}
