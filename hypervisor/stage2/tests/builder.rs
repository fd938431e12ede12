//! The Stage-2 builder's bytes and refusals, by hand-computed values.
#![allow(clippy::unwrap_used)]

use septum_stage2::{
    Access, Attributes, BuildError, Geometry, Granule, Ipa, Mapping, Memory, Pa, PaRange, TableCount, build,
    tables_bytes,
};

const RW: Attributes = Attributes { access: Access::RW, memory: Memory::Normal };
const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

fn mapping(ipa: u64, pa: u64, size: u64, attributes: Attributes) -> Mapping {
    Mapping { ipa: Ipa::new(ipa), pa: Pa::new(pa), size, attributes }
}

fn geometry(granule: Granule, bits: u32) -> Geometry {
    Geometry::whole(granule, PaRange::from_bits(bits).unwrap())
}

fn words(geometry: Geometry, mappings: &[Mapping], base: u64) -> Vec<u64> {
    let count = tables_bytes(geometry, mappings).unwrap();
    let mut out = vec![0xff; count.total_bytes as usize];
    build(geometry, mappings, Pa::new(base), &mut out).unwrap();
    out.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
}

#[test]
fn an_aligned_gibibyte_is_one_level_1_block_of_a_concatenated_root() {
    let tables = words(geometry(Granule::K4, 40), &[mapping(GIB, 2 * GIB, GIB, RW)], 0x8000_0000);
    assert_eq!(tables.len(), 1024);
    // XN = 0b10, AF, SH = inner, S2AP = rw, MemAttr = write-back, block.
    assert_eq!(tables[1], 0x0040_0000_8000_07fd);
    assert_eq!(tables.iter().filter(|entry| **entry != 0).count(), 1);
}

#[test]
fn sixteen_pages_that_line_up_carry_the_contiguous_hint() {
    let device = Attributes { access: Access::RW, memory: Memory::Device };
    let tables = words(geometry(Granule::K4, 44), &[mapping(0x9000_0000, 0xfe20_0000, 0x11000, device)], 0x1000);
    // One root of 256 bytes, padded to a page, and levels 1 to 3.
    assert_eq!(tables.len(), 4 * 512);
    assert_eq!(tables[0], 0x2003);
    assert_eq!(tables[512 + 2], 0x3003);
    assert_eq!(tables[1024 + 128], 0x4003);
    let leaf = 0x0040_0000_0000_0600 | 0b11 << 6 | 0b0001 << 2 | 0b11;
    for page in 0..16 {
        assert_eq!(tables[1536 + page], leaf | 1 << 52 | (0xfe20_0000 + page as u64 * 0x1000));
    }
    assert_eq!(tables[1536 + 16], leaf | 0xfe21_0000);
    assert_eq!(tables[1536 + 17], 0);
}

#[test]
fn mappings_that_continue_each_other_share_a_block() {
    let halves = [mapping(0, 2 * MIB, MIB, RW), mapping(MIB, 3 * MIB, MIB, RW)];
    let joined = tables_bytes(geometry(Granule::K4, 32), &halves).unwrap();
    assert_eq!(joined, TableCount { tables: 4, root_bytes: 16384, total_bytes: 16384, alignment: 16384 });
    let apart = [halves[0], mapping(MIB, 3 * MIB, MIB, Attributes { access: Access::R, ..RW })];
    assert_eq!(tables_bytes(geometry(Granule::K4, 32), &apart).unwrap().tables, 5);
}

#[test]
fn each_refusal_names_its_mapping() {
    let g = geometry(Granule::K4, 36);
    let refusal = |second: Mapping| tables_bytes(g, &[mapping(0, 0, 0x2000, RW), second]).unwrap_err();
    let index = 1;
    assert_eq!(refusal(mapping(0x4000, 0, 0, RW)), BuildError::Empty { index });
    for (ipa, pa, size) in [(0x4800, 0, 0x1000), (0x4000, 0x10, 0x1000), (0x4000, 0, 0x1001)] {
        assert_eq!(refusal(mapping(ipa, pa, size, RW)), BuildError::Unaligned { index, granule: 4096 });
    }
    let last = 0xf_ffff_f000;
    assert_eq!(refusal(mapping(last, 0, 0x2000, RW)), BuildError::BeyondInput { index, bits: 36 });
    assert_eq!(refusal(mapping(u64::MAX - 0xfff, 0, 0x1000, RW)), BuildError::BeyondInput { index, bits: 36 });
    assert_eq!(refusal(mapping(0x4000, last, 0x2000, RW)), BuildError::BeyondOutput { index, bits: 36 });
    assert_eq!(refusal(mapping(0x4000, !0xfff, 0x2000, RW)), BuildError::BeyondOutput { index, bits: 36 });
    assert_eq!(refusal(mapping(0x1000, 0, 0x2000, RW)), BuildError::NotSorted { index });
    let with = |access, memory| refusal(mapping(0x4000, 0, 0x1000, Attributes { access, memory }));
    assert_eq!(with(Access::default(), Memory::Normal), BuildError::NoAccess { index });
    assert_eq!(with(Access::RX, Memory::Device), BuildError::ExecutableDevice { index });
}

#[test]
fn a_place_that_does_not_suit_is_refused_and_left_alone() {
    let g = geometry(Granule::K4, 40);
    let page = [mapping(0, 0, 0x1000, RW)];
    let mut out = vec![0xff; 4 * 4096];
    let mut at = |base, bytes: usize| build(g, &page, Pa::new(base), &mut out[..bytes]).unwrap_err();
    assert_eq!(at(0x1000, 16384), BuildError::UnalignedBase { base: Pa::new(0x1000), alignment: 8192 });
    assert_eq!(at(0x2000, 16383), BuildError::OutOfSpace { needed: 16384 });
    let top = Pa::new((1 << 40) - 0x2000);
    assert_eq!(at(top.get(), 16384), BuildError::BaseBeyondOutput { base: top, bits: 40 });
    assert!(out.iter().all(|byte| *byte == 0xff));
}
