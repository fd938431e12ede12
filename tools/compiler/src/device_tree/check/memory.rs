//! What a tree says of memory: a kernel uses what its memory nodes name for anything, and leaves what they reserve
//! alone (drivers/of/fdt.c and of_reserved_mem.c of Linux).

use dtoolkit::Node;
use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use septum_plan::RegionKind;
use septum_stage2::Access;
use std::ops::Range;

use super::super::bus::Bus;
use super::super::layout::memory_blocks;
use super::super::node::{base_name, cells, enabled, is_type, number};
use super::owner::range_of;
use super::{Checker, Finding, Rule, TreeProblem, finding, owner, unfit};
use crate::problem::show;
use crate::system::Region;

impl Checker<'_> {
    /// Checks a memory node of the root's.
    pub(super) fn memory(&self, node: &DeviceTreeNode, path: &str, bus: &Bus<'_>, out: &mut Vec<Finding>) {
        if !is_type(node, "memory") {
            let right = "say device_type = \"memory\"";
            out.push(unfit(path, "device_type", Rule::Memory, "is missing, so Linux passes the node over", right));
            return;
        }
        let (property, Some(blocks)) = memory_blocks(node, bus) else {
            out.push(finding(path, "reg", TreeProblem::Malformed));
            return;
        };
        for range in blocks {
            if !owner::covers(self.usable().map(range_of), &range) {
                out.push(self.not_usable(path, property, range));
            }
        }
    }

    /// The partition's memory that a kernel can use for anything.
    fn usable(&self) -> impl Iterator<Item = &Region> {
        let rwx = |region: &&Region| region.kind == RegionKind::Memory && region.access == Access::RWX;
        self.partition.regions.iter().filter(rwx)
    }

    fn usable_text(&self) -> String {
        let ranges: Vec<_> = self.usable().map(|region| show::range(region.ipa.get(), region.size)).collect();
        if ranges.is_empty() { "nothing: none has access = \"rwx\"".to_owned() } else { ranges.join(" and ") }
    }

    fn not_usable(&self, path: &str, property: &'static str, range: Range<u64>) -> Finding {
        if !owner::has(self.partition, &range) {
            let owner = owner::of_addresses(self.board, self.partitions, &range);
            return finding(path, property, TreeProblem::Address { range, owner });
        }
        let touched = |region: &&Region| {
            let rwx = region.kind == RegionKind::Memory && region.access == Access::RWX;
            !rwx && range_of(region).start < range.end && range.start < range_of(region).end
        };
        let what = self.partition.regions.iter().find(touched);
        let what = what.map_or("registers that EL2 emulates".to_owned(), |region| {
            format!("`{}`, which is {}", region.name, region.access)
        });
        let says = format!("names {}: {what}, and a kernel uses memory for anything", shown(&range));
        unfit(path, property, Rule::Memory, says, format!("name memory with access = \"rwx\": {}", self.usable_text()))
    }

    /// Checks `/reserved-memory`: its form, and where it lets Linux choose. `bus` is the root's.
    pub(super) fn reserved(&self, node: &DeviceTreeNode, path: &str, bus: &Bus<'_>, out: &mut Vec<Finding>) {
        let same = |name, own: usize| number(node, name).is_some_and(|cells| cells as usize == own);
        let (address_cells, size_cells) = bus.widths();
        if !same("#address-cells", address_cells)
            || !same("#size-cells", size_cells)
            || node.property("ranges").is_none()
        {
            let right = format!(
                "say #address-cells = <{address_cells}>, #size-cells = <{size_cells}>, as the root does, and an empty `ranges`"
            );
            let says = "is not the root's, so Linux ignores the whole node";
            out.push(unfit(path, "#address-cells", Rule::Memory, says, right));
        }
        for child in node.children().filter(|child| enabled(child) && child.property("alloc-ranges").is_some()) {
            let path = format!("{path}/{}", child.name());
            out.extend(self.alloc_ranges(child, &path, bus));
        }
    }

    /// Linux takes `size` bytes from the first of `alloc-ranges` that has them.
    fn alloc_ranges(&self, node: &DeviceTreeNode, path: &str, bus: &Bus<'_>) -> Option<Finding> {
        let property = "alloc-ranges";
        let Some(ranges) = cells(node, property).and_then(|cells| bus.blocks(&cells)) else {
            return Some(finding(path, property, TreeProblem::Malformed));
        };
        let size = cells(node, "size").map_or(0, |cells| bus.addresses(&cells).first().copied().unwrap_or(0));
        let has_room = |range: &Range<u64>| {
            let pieces = self.usable().flat_map(|region| self.layout.free_in(&range_of(region)));
            pieces
                .into_iter()
                .any(|piece| piece.end.min(range.end).saturating_sub(piece.start.max(range.start)) >= size)
        };
        if ranges.iter().any(has_room) {
            return None;
        }
        let ranges: Vec<_> = ranges.iter().map(shown).collect();
        let says = format!("names {}, where the partition has no {} free", ranges.join(", "), show::size(size));
        let right = format!("name some of {}, or leave it out", self.usable_text());
        Some(unfit(path, property, Rule::Memory, says, right))
    }

    /// What a kernel would lack altogether.
    pub(super) fn no_memory(&self, out: &mut Vec<Finding>) {
        let is_reported = out.iter().any(|finding| finding.node.starts_with("/memory"));
        if is_reported || self.usable().any(|region| !self.layout.free_in(&range_of(region)).is_empty()) {
            return;
        }
        let says = "has no memory for a kernel";
        let right = format!("add a node with device_type = \"memory\" and `reg` for {}", self.usable_text());
        out.push(unfit("/", "", Rule::Memory, says, right));
    }
}

/// What `tree` reserves by `/memreserve/` that is not `regions`' memory: reserving it changes nothing.
pub(super) fn reserved_elsewhere(tree: &DeviceTree, regions: &[Region]) -> Vec<String> {
    let memory = || regions.iter().filter(|region| region.kind != RegionKind::Device).map(range_of);
    let ranges = tree.memory_reservations.iter().map(|entry| entry.address()..entry.address() + entry.size());
    let elsewhere = ranges.filter(|range| !owner::covers(memory(), range));
    elsewhere.map(|range| format!("/memreserve/ {}", shown(&range))).collect()
}

/// Whether a child of the root is a memory node, or is meant to be one.
pub(super) fn is_memory(node: &DeviceTreeNode) -> bool {
    is_type(node, "memory") || base_name(node) == "memory"
}

pub(super) fn shown(range: &Range<u64>) -> String {
    show::range(range.start, range.end - range.start)
}
