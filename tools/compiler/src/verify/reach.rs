//! What a set of tables reaches, as the walker lists it: leaves that continue each other joined to stretches.

use septum_stage2::walk::{Leaf, TablePage, Visitor};
use septum_stage2::{Access, Ipa, Memory, Va};

use super::range::Range;

/// A stretch of addresses that is mapped alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// First input address: IPA at Stage 2, virtual at EL2's Stage 1.
    pub input: u64,
    /// First physical address.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// Rights.
    pub access: Access,
    /// Memory type.
    pub memory: Memory,
}

impl Reach {
    /// Its input addresses.
    pub const fn inputs(&self) -> Range {
        Range::new(self.input, self.size)
    }

    /// Its physical addresses.
    pub const fn outputs(&self) -> Range {
        Range::new(self.pa, self.size)
    }

    const fn continues(&self, previous: &Self) -> bool {
        previous.input + previous.size == self.input && previous.pa + previous.size == self.pa
    }

    fn is_like(&self, other: &Self) -> bool {
        self.access == other.access && self.memory == other.memory
    }

    /// The part from input `start` to `end`, if there is one.
    pub fn part(&self, range: Range) -> Option<Self> {
        let (start, end) = (self.input.max(range.start), self.inputs().end.min(range.end));
        (start < end).then(|| Self { input: start, pa: self.pa + (start - self.input), size: end - start, ..*self })
    }
}

impl std::fmt::Display for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pa, access, memory, .. } = self;
        let memory = match memory {
            Memory::Normal => "memory",
            Memory::NonCacheable => "non-cacheable memory",
            Memory::Device => "device",
        };
        write!(f, "{} -> {pa:#x} ({access}, {memory})", self.inputs())
    }
}

/// Everything that one root reaches, by rising input address.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Stretches, as long as they can be.
    pub stretches: Vec<Reach>,
    /// Tables on the way.
    pub tables: Vec<TablePage>,
}

impl Reached {
    fn add(&mut self, reach: Reach) {
        match self.stretches.last_mut() {
            Some(last) if reach.continues(last) && reach.is_like(last) => last.size += reach.size,
            _ => self.stretches.push(reach),
        }
    }

    /// The stretch that has `input`, if it is mapped.
    pub fn find(&self, input: u64) -> Option<&Reach> {
        let after = self.stretches.partition_point(|reach| reach.input <= input);
        let reach = self.stretches.get(after.checked_sub(1)?)?;
        (input < reach.inputs().end).then_some(reach)
    }

    /// The physical address behind `input`.
    pub fn pa_of(&self, input: u64) -> Option<u64> {
        self.find(input).map(|reach| reach.pa + (input - reach.input))
    }

    /// The stretches, cut to `range` of input addresses.
    pub fn within(&self, range: Range) -> impl Iterator<Item = Reach> {
        let first = self.stretches.partition_point(|reach| reach.inputs().end <= range.start);
        let rest = self.stretches.get(first..).unwrap_or(&[]);
        rest.iter().take_while(move |reach| reach.input < range.end).filter_map(move |reach| reach.part(range))
    }
}

macro_rules! visitor {
    ($input:ident) => {
        impl Visitor<$input> for Reached {
            fn table(&mut self, table: TablePage) {
                self.tables.push(table);
            }

            fn leaf(&mut self, leaf: Leaf<$input>) {
                let (input, pa) = (leaf.input.get(), leaf.output.get());
                self.add(Reach { input, pa, size: leaf.size, access: leaf.access, memory: leaf.memory });
            }
        }
    };
}

visitor!(Ipa);
visitor!(Va);
