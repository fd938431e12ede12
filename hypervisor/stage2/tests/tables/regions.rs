//! What tests say of regions without a builder: normal form, the number of tables, and random sets of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use septum_stage2::{
    Access, Attributes, Geometry, Granule, Ipa, Leaf, Mapping, Memory, Pa, Refusal, TableBytes, TablePage, Va, Visitor,
    Walker, build, tables_bytes,
};

/// Where tests put tables: aligned to every root, below every physical size.
pub const BASE: u64 = 0x4000_0000;

/// Mappings and the tables that were built for them.
pub struct Tables {
    pub geometry: Geometry,
    pub bytes: Vec<u8>,
    pub tables: u64,
}

impl Tables {
    pub fn of(geometry: Geometry, mappings: &[Mapping]) -> Self {
        let count = tables_bytes(geometry, mappings).unwrap();
        // Filled with ones: whatever the builder leaves alone must not matter.
        let mut bytes = vec![0xff; count.total_bytes as usize];
        let built = build(geometry, mappings, Pa::new(BASE), &mut bytes).unwrap();
        assert_eq!((built.root.get(), built.count), (BASE, count));
        Self { geometry, bytes, tables: count.tables }
    }

    pub fn memory(&self) -> TableBytes<'_> {
        TableBytes { base: Pa::new(BASE), bytes: &self.bytes }
    }

    pub fn walker(&self) -> Walker {
        Walker::new(self.geometry.vtcr(), BASE | 5 << 48, self.geometry.pa_range()).unwrap()
    }

    /// All that the tables reach, and the tables that were seen on the way.
    pub fn reach(&self) -> Result<Reach, Refusal> {
        let mut reach = Reach::default();
        self.walker().leaves(&self.memory(), self.tables, &mut reach)?;
        Ok(reach)
    }
}

/// What a walk reaches, joined where it continues.
#[derive(Default)]
pub struct Reach {
    pub mappings: Vec<Mapping>,
    pub tables: Vec<TablePage>,
}

impl Reach {
    fn add(&mut self, input: u64, leaf: Leaf<()>) {
        let attributes = Attributes { access: leaf.access, memory: leaf.memory };
        push(&mut self.mappings, Mapping { ipa: Ipa::new(input), pa: leaf.output, size: leaf.size, attributes });
    }
}

/// `leaf` without its input address.
fn anonymous<Input>(leaf: Leaf<Input>) -> Leaf<()> {
    let Leaf { output, size, level, access, memory, contiguous, .. } = leaf;
    Leaf { input: (), output, size, level, access, memory, contiguous }
}

impl Visitor<Ipa> for Reach {
    fn table(&mut self, table: TablePage) {
        self.tables.push(table);
    }

    fn leaf(&mut self, leaf: Leaf<Ipa>) {
        self.add(leaf.input.get(), anonymous(leaf));
    }
}

/// Stage 1's virtual addresses stand in the place of the intermediate ones.
impl Visitor<Va> for Reach {
    fn table(&mut self, table: TablePage) {
        self.tables.push(table);
    }

    fn leaf(&mut self, leaf: Leaf<Va>) {
        self.add(leaf.input.get(), anonymous(leaf));
    }
}

/// Adds `next`, to the last mapping if it continues that.
fn push(mappings: &mut Vec<Mapping>, next: Mapping) {
    if let Some(last) = mappings.last_mut() {
        let continues = last.ipa.checked_add(last.size) == Some(next.ipa)
            && last.pa.checked_add(last.size) == Some(next.pa)
            && last.attributes == next.attributes;
        if continues {
            last.size += next.size;
            return;
        }
    }
    mappings.push(next);
}

/// The same regions with as few mappings as they need.
pub fn normal_form(mappings: &[Mapping]) -> Vec<Mapping> {
    let mut joined = Vec::new();
    mappings.iter().for_each(|mapping| push(&mut joined, *mapping));
    joined
}

/// log2 of the bytes that an entry at `level` covers, from the Arm ARM's tables of address bits per level.
pub fn entry_shift(granule: Granule, level: u32) -> u32 {
    let shifts = match granule {
        Granule::K4 => [39, 30, 21, 12],
        Granule::K16 => [47, 36, 25, 14],
        Granule::K64 => [55, 42, 29, 16],
    };
    shifts[level as usize]
}

/// The fewest tables that can map `mappings`: each slot of each level that is used, but cannot be one leaf, has a table.
pub fn fewest_tables(geometry: Geometry, mappings: &[Mapping]) -> u64 {
    let mut slots = BTreeSet::new();
    for level in geometry.start_level()..3 {
        let shift = entry_shift(geometry.granule(), level);
        let blocks = shift <= if geometry.granule() == Granule::K4 { 30 } else { 29 };
        for mapping in normal_form(mappings) {
            let (start, end) = (mapping.ipa.get(), mapping.ipa.get() + mapping.size);
            let aligned = start.wrapping_sub(mapping.pa.get()).trailing_zeros() >= shift;
            let is_leaf = |slot: u64| blocks && aligned && slot << shift >= start && (slot + 1) << shift <= end;
            slots
                .extend((start >> shift..=(end - 1) >> shift).filter(|slot| !is_leaf(*slot)).map(|slot| (level, slot)));
        }
    }
    let root = (1 << geometry.ipa_bits()) >> entry_shift(geometry.granule(), geometry.start_level());
    (root * 8_u64).div_ceil(geometry.granule().bytes()) + slots.len() as u64
}

/// A random region before it has a place: a gap before it, its size and where its physical address lies.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Size of gap and region: this many of that unit, plus this many pages.
    gap: (usize, u64, u64),
    size: (usize, u64, u64),
    /// The physical address, before it is cut to the physical size.
    pa: u64,
    /// Equal to the IPA modulo this unit.
    alignment: usize,
    attributes: Attributes,
    /// What it takes over from the region before: 1 goes on where that ends, 2 has its attributes too.
    follows: u8,
}

prop_compose! {
    fn attributes()(rights in 1_u8..8, kind in 0..3) -> Attributes {
        let memory = [Memory::Normal, Memory::NonCacheable, Memory::Device][kind as usize];
        let access = Access { read: rights & 1 != 0, write: rights & 2 != 0, execute: rights & 4 != 0 };
        if memory == Memory::Device { Attributes { access: Access::RW, memory } } else { Attributes { access, memory } }
    }
}

prop_compose! {
    fn draft()(
        gap in (0_usize..5, 0_u64..3, prop_oneof![Just(0), 0_u64..40]),
        size in (0_usize..4, 0_u64..3, prop_oneof![Just(0), 1_u64..40]),
        pa in any::<u64>(),
        alignment in 0_usize..5,
        attributes in attributes(),
        follows in 0_u8..5,
    ) -> Draft {
        Draft { gap, size, pa, alignment, attributes, follows }
    }
}

/// Up to eight drafts.
pub fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    prop::collection::vec(draft(), 1..8)
}

/// The sizes around which tables change: page, contiguous pages, block, contiguous blocks, the entry above.
fn unit(granule: Granule, index: usize) -> u64 {
    let shifts = match granule {
        Granule::K4 => [12, 16, 21, 25, 30],
        Granule::K16 => [14, 21, 25, 30, 36],
        Granule::K64 => [16, 21, 29, 34, 42],
    };
    1 << shifts[index]
}

/// The drafts that fit into `geometry`, placed.
pub fn place(geometry: Geometry, drafts: &[Draft]) -> Vec<Mapping> {
    let granule = geometry.granule();
    let bytes = |(index, units, pages): (usize, u64, u64)| unit(granule, index) * units + granule.bytes() * pages;
    let pa_bits = geometry.pa_range().bits();
    let mut mappings: Vec<Mapping> = Vec::new();
    for draft in drafts {
        let last = mappings.last().copied();
        let follows = last.filter(|_| matches!(draft.follows, 1 | 2));
        let next = last.map_or(0, |last| last.ipa.get() + last.size);
        let ipa = if follows.is_some() { next } else { next + bytes(draft.gap) };
        let alignment = unit(granule, draft.alignment);
        // A large region off its alignment would take thousands of tables: slow, and no other code.
        let size = bytes(draft.size).min(alignment * 4096).max(granule.bytes());
        let random = (draft.pa & ((1 << pa_bits) - 1) & !(alignment - 1)) | (ipa & (alignment - 1));
        let pa = follows.map_or(random, |last| last.pa.get() + last.size);
        let attributes = follows.filter(|_| draft.follows == 2).map_or(draft.attributes, |last| last.attributes);
        if ipa + size <= 1 << geometry.ipa_bits() && pa + size <= 1 << pa_bits {
            mappings.push(Mapping { ipa: Ipa::new(ipa), pa: Pa::new(pa), size, attributes });
        }
    }
    mappings
}
