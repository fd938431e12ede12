//! The descent that both builders share: from sorted stretches of input addresses to the smallest tree of tables.
//!
//! Stage 2 and EL2's Stage 1 differ in the attribute bits of a leaf and in the shape of the root. Levels, block sizes,
//! the contiguous hint and the table descriptor are the same in both (Arm ARM D8), and so is this code. It runs
//! twice, into [`Count`] and into [`Write`], so that a count and what is then written cannot differ.

use crate::descriptor::{BLOCK, CONTIGUOUS, TABLE_OR_PAGE};
use crate::granule::Granule;

/// What the descent must know of a mapping. Mappings are sorted, disjoint and in range: the caller has checked.
pub(crate) trait Stretch {
    /// First input address.
    fn input(&self) -> u64;
    /// First output address.
    fn output(&self) -> u64;
    /// Bytes.
    fn size(&self) -> u64;
    /// Every leaf bit but address, type and contiguous.
    fn leaf(&self) -> u64;
    /// Input address past the last.
    fn end(&self) -> u64 {
        self.input() + self.size()
    }
}

/// The shape of a tree.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub granule: Granule,
    pub start_level: u32,
    pub input_bits: u32,
}

impl Shape {
    /// log2 of the bytes that an entry at `level` covers.
    pub const fn shift(self, level: u32) -> u32 {
        (3 - level) * self.granule.stride() + self.granule.shift()
    }

    /// Whether a block or page may stand at `level`: without FEAT_LPA2 there are no blocks above 1 GiB, 32 MiB and
    /// 512 MiB (AArch64.BlockDescSupported).
    const fn has_leaf(self, level: u32) -> bool {
        match self.granule {
            Granule::K4 => level >= 1,
            Granule::K16 | Granule::K64 => level >= 2,
        }
    }

    /// Bytes that one contiguous group of leaves at `level` covers (Arm ARM D8, "The Contiguous bit").
    const fn group_bytes(self, level: u32) -> u64 {
        let entries = match (self.granule, level) {
            (Granule::K4, _) => 16,
            (Granule::K16, 3) => 128,
            (Granule::K16 | Granule::K64, _) => 32,
        };
        entries << self.shift(level)
    }

    /// Descriptors in the root.
    const fn root_entries(self) -> usize {
        1 << (self.input_bits - self.shift(self.start_level))
    }

    /// Descriptors in every other table.
    const fn table_entries(self) -> usize {
        1 << self.granule.stride()
    }
}

/// Where descriptors go.
pub(crate) trait Sink {
    /// Why it can take no more.
    type Full;
    /// One more table: the index of its first descriptor, counted from the root's.
    fn take(&mut self) -> Result<usize, Self::Full>;
    /// The address of the table whose first descriptor is at `index`.
    fn address(&self, index: usize) -> u64;
    /// Sets the descriptor at `index`.
    fn put(&mut self, index: usize, descriptor: u64);
}

/// A sink that only counts.
#[derive(Default)]
pub(crate) struct Count {
    /// Tables below the root.
    pub tables: u64,
}

impl Sink for Count {
    type Full = core::convert::Infallible;

    fn take(&mut self) -> Result<usize, Self::Full> {
        self.tables += 1;
        Ok(0)
    }

    fn address(&self, _index: usize) -> u64 {
        0
    }

    fn put(&mut self, _index: usize, _descriptor: u64) {}
}

/// The bytes given to [`Write`] are used up.
pub(crate) struct OutOfSpace;

/// A sink that writes tables, each at a multiple of the granule from `base` on.
pub(crate) struct Write<'a> {
    descriptors: &'a mut [[u8; 8]],
    base: u64,
    table_entries: usize,
    next: usize,
}

impl<'a> Write<'a> {
    /// Tables in `out`, whose first byte will lie at `base`. `root` is the root's first content: zeroes, or another
    /// root's entries.
    pub fn new(shape: Shape, base: u64, out: &'a mut [u8], root: &[[u8; 8]]) -> Result<Self, OutOfSpace> {
        let (descriptors, _) = out.as_chunks_mut::<8>();
        let table_entries = shape.table_entries();
        let own = descriptors.get_mut(..shape.root_entries()).ok_or(OutOfSpace)?;
        own.fill([0; 8]);
        for (to, from) in own.iter_mut().zip(root) {
            *to = *from;
        }
        let next = shape.root_entries().next_multiple_of(table_entries);
        Ok(Self { descriptors, base, table_entries, next })
    }
}

impl Sink for Write<'_> {
    type Full = OutOfSpace;

    fn take(&mut self) -> Result<usize, OutOfSpace> {
        let index = self.next;
        let end = index + self.table_entries;
        self.descriptors.get_mut(index..end).ok_or(OutOfSpace)?.fill([0; 8]);
        self.next = end;
        Ok(index)
    }

    fn address(&self, index: usize) -> u64 {
        self.base + index as u64 * 8
    }

    fn put(&mut self, index: usize, descriptor: u64) {
        // In range: `index` lies in the root or in a table that `take` has reserved.
        if let Some(place) = self.descriptors.get_mut(index) {
            *place = descriptor.to_le_bytes();
        }
    }
}

/// Builds the tree of `mappings` into `sink`; its root's first descriptor is at index 0.
pub(crate) fn descend<M: Stretch, S: Sink>(shape: Shape, mappings: &[M], sink: &mut S) -> Result<(), S::Full> {
    let root = Table { first: 0, level: shape.start_level, base: 0, end: 1 << shape.input_bits };
    Descent { shape, sink }.fill(root, mappings)
}

/// A table being filled: its place in the sink and the input addresses [base..end) that it resolves.
#[derive(Clone, Copy)]
struct Table {
    first: usize,
    level: u32,
    base: u64,
    end: u64,
}

struct Descent<'a, S> {
    shape: Shape,
    sink: &'a mut S,
}

impl<S: Sink> Descent<'_, S> {
    /// Fills `table` with what of `mappings` lies in it; none of them ends at or before its base.
    fn fill<M: Stretch>(&mut self, table: Table, mappings: &[M]) -> Result<(), S::Full> {
        let mut rest = mappings;
        let mut done = table.base;
        while let Some((first, others)) = rest.split_first() {
            if first.end() <= done {
                rest = others;
                continue;
            }
            let next = done.max(first.input());
            if next >= table.end {
                break;
            }
            done = self.step(table, next, rest)?;
        }
        Ok(())
    }

    /// Writes the entry, or the contiguous group of entries, that resolves `address`, the lowest that is not done yet;
    /// returns the input address past it.
    fn step<M: Stretch>(&mut self, table: Table, address: u64, rest: &[M]) -> Result<u64, S::Full> {
        let bytes = 1 << self.shape.shift(table.level);
        let slot = address & !(bytes - 1);
        if self.shape.has_leaf(table.level) {
            let group = self.shape.group_bytes(table.level);
            if address & (group - 1) == 0
                && let Some(leaf) = covering(rest, address, group)
            {
                self.leaves(table, address, address + group, leaf | CONTIGUOUS);
                return Ok(address + group);
            }
            if let Some(leaf) = covering(rest, slot, bytes) {
                self.leaves(table, slot, slot + bytes, leaf);
                return Ok(slot + bytes);
            }
        }
        self.next_level(table, slot, rest)?;
        Ok(slot + bytes)
    }

    /// Writes leaves for [from..to); `leaf` holds the first one's output address.
    fn leaves(&mut self, table: Table, from: u64, to: u64, leaf: u64) {
        let shift = self.shape.shift(table.level);
        let kind = if table.level == 3 { TABLE_OR_PAGE } else { BLOCK };
        for index in 0..(to - from) >> shift {
            let place = table.first + ((from - table.base) >> shift) as usize + index as usize;
            self.sink.put(place, (leaf | kind) + (index << shift));
        }
    }

    /// Writes a table descriptor for the slot at `base` and fills that table.
    fn next_level<M: Stretch>(&mut self, table: Table, base: u64, rest: &[M]) -> Result<(), S::Full> {
        let shift = self.shape.shift(table.level);
        let first = self.sink.take()?;
        let place = table.first + ((base - table.base) >> shift) as usize;
        self.sink.put(place, self.sink.address(first) | TABLE_OR_PAGE);
        self.fill(Table { first, level: table.level + 1, base, end: base + (1 << shift) }, rest)
    }
}

/// The leaf, address included, that maps the `bytes` from `input` on, if the first of `rest`, joined with those that
/// continue it in input, output and attributes, covers them all and its output is aligned to `bytes`.
fn covering<M: Stretch>(rest: &[M], input: u64, bytes: u64) -> Option<u64> {
    let (first, others) = rest.split_first()?;
    let output = first.output() + input.checked_sub(first.input())?;
    if output & (bytes - 1) != 0 {
        return None;
    }
    let mut last = first;
    let mut others = others.iter();
    while last.end() < input + bytes {
        let next = others.next()?;
        if !continues(last, next) {
            return None;
        }
        last = next;
    }
    Some(output | first.leaf())
}

/// Whether `next` goes on where `last` ends, with the same attributes.
fn continues<M: Stretch>(last: &M, next: &M) -> bool {
    last.end() == next.input() && last.output() + last.size() == next.output() && last.leaf() == next.leaf()
}
