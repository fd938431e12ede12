//! The memory that a kernel finds by a tree: what is named, less what is reserved (drivers/of/fdt.c of Linux).

use dtoolkit::Node;
use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use std::ops::Range;

use super::bus::Bus;
use super::node::{cells, enabled, is_type};
use super::{RESERVED, chosen_of};

/// Memory by a tree (IPAs).
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// What its memory nodes name, as far as `linux,usable-memory-range` leaves it.
    memory: Vec<Range<u64>>,
    /// What it reserves: `/memreserve/`, and `/reserved-memory` with a place.
    reserved: Vec<Range<u64>>,
}

impl Layout {
    /// As `tree` has it.
    pub fn of(tree: &DeviceTree) -> Self {
        let bus = Bus::root(&tree.root);
        let nodes = tree.root.children().filter(|node| is_type(node, "memory") && enabled(node));
        let mut memory: Vec<_> = nodes.flat_map(|node| memory_blocks(node, &bus).1.unwrap_or_default()).collect();
        let capped = chosen_of(tree).and_then(|node| bus.blocks(&cells(node, "linux,usable-memory-range")?));
        if let Some(ranges) = capped.filter(|ranges| !ranges.is_empty()) {
            memory = memory.iter().flat_map(|own| ranges.iter().filter_map(|range| common(own, range))).collect();
        }
        memory.sort_by_key(|range| range.start);
        Self { memory, reserved: reserved(tree, &bus) }
    }

    /// What is reserved (IPAs).
    pub fn reserved(&self) -> &[Range<u64>] {
        &self.reserved
    }

    /// The pieces of `region` that a kernel may use, by rising address.
    pub fn free_in(&self, region: &Range<u64>) -> Vec<Range<u64>> {
        let mut pieces: Vec<Range<u64>> = Vec::new();
        for piece in self.memory.iter().filter_map(|memory| common(memory, region)) {
            match pieces.last_mut().filter(|last| last.end >= piece.start) {
                Some(last) => last.end = last.end.max(piece.end),
                None => pieces.push(piece),
            }
        }
        self.reserved.iter().fold(pieces, |pieces, hole| {
            let around = |piece: Range<u64>| match common(&piece, hole) {
                None => vec![piece],
                Some(hole) => vec![piece.start..hole.start, hole.end..piece.end],
            };
            pieces.into_iter().flat_map(around).filter(|piece| !piece.is_empty()).collect()
        })
    }
}

/// The property of a memory node that counts, and its blocks; `None` where they cannot be read.
pub(super) fn memory_blocks(node: &DeviceTreeNode, bus: &Bus<'_>) -> (&'static str, Option<Vec<Range<u64>>>) {
    let usable = "linux,usable-memory";
    let property = if node.property(usable).is_some() { usable } else { "reg" };
    (property, cells(node, property).and_then(|cells| bus.blocks(&cells)))
}

fn reserved(tree: &DeviceTree, bus: &Bus<'_>) -> Vec<Range<u64>> {
    let listed = tree.memory_reservations.iter().map(|entry| {
        let start = entry.address();
        start..start.saturating_add(entry.size())
    });
    let node = tree.root.children().find(|node| node.name() == RESERVED);
    let children = node.into_iter().flat_map(|node| node.children().filter(|child| enabled(child)));
    let placed = children.filter_map(|child| bus.blocks(&cells(child, "reg")?)).flatten();
    listed.chain(placed).collect()
}

/// What two ranges have in common.
fn common(one: &Range<u64>, other: &Range<u64>) -> Option<Range<u64>> {
    let range = one.start.max(other.start)..one.end.min(other.end);
    (!range.is_empty()).then_some(range)
}
