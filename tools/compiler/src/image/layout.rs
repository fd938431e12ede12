//! Where each part of an image lies, as offsets from its first byte.
//!
//! ```text
//! 0              EL2: boot page, text, rodata, data, zeroed data
//! plan           plan records and strings     \
//! stage2[i]      partition i's Stage-2 tables  > the sealed range
//! stage1         EL2's own tables             /
//! payloads[i][j] partition i's segment j, each on pages of its own
//! file_bytes     the file ends
//! cores          per core: stack, state, log ring; not in the file
//! memory_bytes   EL2's memory ends
//! ```

use septum_plan::space;

use crate::el2_elf::PAGE;

/// Bytes that start at a multiple of some alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Bytes.
    pub size: u64,
    /// A power of two, at least 1.
    pub alignment: u64,
}

/// What has to find room.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Bytes of EL2's memory, a multiple of [`PAGE`].
    pub el2: u64,
    /// Bytes of the plan's records and strings, a multiple of [`PAGE`].
    pub plan: u64,
    /// Per partition: its Stage-2 tables.
    pub stage2: Vec<Block>,
    /// Bytes of EL2's tables.
    pub stage1: u64,
    /// Per partition, per segment: bytes in the file.
    pub payloads: Vec<Vec<u64>>,
    /// Cores of the board.
    pub cores: u64,
}

/// Offsets from the image's first byte; lengths in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The plan, where the sealed range starts.
    pub plan: u64,
    /// Per partition: its Stage-2 tables, the root first.
    pub stage2: Vec<u64>,
    /// EL2's tables.
    pub stage1: u64,
    /// Length of the sealed range.
    pub sealed_bytes: u64,
    /// Per partition, per segment: its bytes.
    pub payloads: Vec<Vec<u64>>,
    /// Per partition: first byte and length of all its payload pages.
    pub payload_pages: Vec<(u64, u64)>,
    /// Length of the file, a multiple of [`PAGE`].
    pub file_bytes: u64,
    /// Length of EL2's memory.
    pub memory_bytes: u64,
}

impl Layout {
    /// Puts everything behind each other. The image itself starts on a 2 MiB boundary, so that an offset's alignment
    /// is its physical address's alignment.
    pub fn new(needs: &Needs) -> Self {
        let plan = needs.el2;
        let mut end = plan + needs.plan;
        let stage2 = place_tables(&needs.stage2, &mut end);
        let stage1 = end.next_multiple_of(PAGE);
        let sealed_end = stage1 + needs.stage1.next_multiple_of(PAGE);
        let mut end = sealed_end;
        let mut payloads = Vec::new();
        let mut payload_pages = Vec::new();
        for sizes in &needs.payloads {
            let first = end;
            payloads.push(sizes.iter().map(|size| advance(&mut end, size.next_multiple_of(PAGE))).collect());
            payload_pages.push((first, end - first));
        }
        Self {
            plan,
            stage2,
            stage1,
            sealed_bytes: sealed_end - plan,
            payloads,
            payload_pages,
            file_bytes: end,
            memory_bytes: end + needs.cores * space::CORE_MEMORY_BYTES,
        }
    }

    /// Where core `index`'s memory starts.
    pub const fn core(&self, index: u64) -> u64 {
        self.file_bytes + index * space::CORE_MEMORY_BYTES
    }
}

/// Places the blocks with the largest alignment first, which keeps the padding small; the answer is in `blocks`' order.
fn place_tables(blocks: &[Block], end: &mut u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|index| (u64::MAX - blocks[*index].alignment, *index));
    let mut offsets = vec![0; blocks.len()];
    for index in order {
        *end = end.next_multiple_of(blocks[index].alignment);
        offsets[index] = advance(end, blocks[index].size);
    }
    offsets
}

fn advance(end: &mut u64, size: u64) -> u64 {
    let start = *end;
    *end += size;
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_aligned_and_nothing_overlaps() {
        let blocks = [(512, 512), (0x8_0000, 0x8_0000), (0x3000, 0x2000), (0x1000, 0x1000)];
        let needs = Needs {
            el2: 0x7000,
            plan: 0x1000,
            stage2: blocks.map(|(size, alignment)| Block { size, alignment }).to_vec(),
            stage1: 0x5000,
            payloads: vec![vec![1, 0x1001], vec![], vec![0]],
            cores: 4,
        };
        let layout = Layout::new(&needs);
        let mut spans = vec![(0, needs.el2), (layout.plan, needs.plan), (layout.stage1, needs.stage1)];
        for (offset, block) in layout.stage2.iter().zip(&needs.stage2) {
            assert!(offset.is_multiple_of(block.alignment));
            spans.push((*offset, block.size));
        }
        spans.push((layout.payloads[0][0], 1));
        spans.push((layout.payloads[0][1], 0x1001));
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{spans:x?}");
        assert_eq!(layout.payload_pages[0], (layout.payloads[0][0], 0x3000));
        assert_eq!(layout.payload_pages[1].1, 0);
        assert_eq!(layout.memory_bytes - layout.file_bytes, 4 * space::CORE_MEMORY_BYTES);
    }
}
