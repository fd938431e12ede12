//! What `/chosen` says: one node, and what it names is there (drivers/of/{base,fdt}.c of Linux).

use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use dtoolkit::{Node, Property};
use septum_plan::RegionKind;

use super::super::bus::Bus;
use super::super::node::{cells, enabled, text};
use super::memory::shown;
use super::owner::range_of;
use super::{Checker, Finding, Rule, TreeProblem, finding, owner, unfit};
use crate::raw::linux::COMMAND_LINE_BYTES_MAX;

/// Properties that say where firmware left something for a kernel that it started.
const UEFI: [&str; 3] = ["linux,uefi-system-table", "linux,uefi-mmap-start", "linux,uefi-screen-info"];

impl Checker<'_> {
    /// Checks all nodes of the name, of which there should be one.
    pub(super) fn chosen(&self, nodes: &[&DeviceTreeNode], bus: &Bus<'_>, out: &mut Vec<Finding>) {
        let Some(node) = nodes.first() else { return };
        let path = format!("/{}", node.name());
        if let Some(other) = nodes.get(1) {
            let says = format!("is there twice, as `{path}` and `/{}`", other.name());
            out.push(unfit(&path, "", Rule::Chosen, says, "keep one node `chosen`"));
        }
        self.ram_disk(node, &path, out);
        for property in ["linux,elfcorehdr", "linux,usable-memory-range"] {
            if node.property(property).is_some() {
                self.ranges(node, &path, property, bus, out);
            }
        }
        for property in UEFI.into_iter().filter(|property| node.property(property).is_some()) {
            out.push(unfit(&path, property, Rule::Chosen, "names what no UEFI firmware has left", "take it out"));
        }
        let length = node.property("bootargs").map_or(0, |bootargs| bootargs.value().len().saturating_sub(1));
        if self.guest.linux && !self.guest.bootargs && length > COMMAND_LINE_BYTES_MAX {
            let says = format!("has {length} bytes, of which Linux drops all after the first {COMMAND_LINE_BYTES_MAX}");
            out.push(unfit(&path, "bootargs", Rule::Chosen, says, "shorten it, or give `bootargs` in `linux`"));
        }
    }

    /// A RAM disk's place in the tree, unless the configuration's takes that.
    fn ram_disk(&self, node: &DeviceTreeNode, path: &str, out: &mut Vec<Finding>) {
        let (start, end) = ("linux,initrd-start", "linux,initrd-end");
        let number = |name| {
            let cells = cells(node, name).filter(|cells| (1..=2).contains(&cells.len()))?;
            Some(cells.iter().fold(0, |value, cell| value << 32 | u64::from(*cell)))
        };
        let is_there = node.property(start).is_some() || node.property(end).is_some();
        if self.guest.initrd || !is_there {
            return;
        }
        let ends = number(start).zip(number(end)).filter(|(start, end)| start <= end);
        let Some(range) = ends.map(|(start, end)| start..end) else {
            out.push(finding(path, start, TreeProblem::Malformed));
            return;
        };
        if self.guest.linux {
            let says = format!("says that a RAM disk lies at {}, and none is loaded", shown(&range));
            let right = "give `initrd` in `linux`, or take `linux,initrd-start` and `linux,initrd-end` out";
            out.push(unfit(path, start, Rule::Chosen, says, right));
        } else if !range.is_empty() && !owner::has(self.partition, &range) {
            let owner = owner::of_addresses(self.board, self.partitions, &range);
            out.push(finding(path, start, TreeProblem::Address { range, owner }));
        }
    }

    /// Ranges of memory that a kernel takes as they are.
    fn ranges(&self, node: &DeviceTreeNode, path: &str, property: &'static str, bus: &Bus<'_>, out: &mut Vec<Finding>) {
        let Some(ranges) = cells(node, property).and_then(|cells| bus.blocks(&cells)) else {
            out.push(finding(path, property, TreeProblem::Malformed));
            return;
        };
        let memory = || self.partition.regions.iter().filter(|region| region.kind != RegionKind::Device).map(range_of);
        for range in ranges.into_iter().filter(|range| !owner::covers(memory(), range)) {
            let owner = owner::of_addresses(self.board, self.partitions, &range);
            out.push(finding(path, property, TreeProblem::Address { range, owner }));
        }
    }
}

/// The node that `stdout-path` of `chosen` names, where that is not there for the guest: Linux is silent then.
pub(super) fn silent(tree: &DeviceTree, chosen: &DeviceTreeNode) -> Option<String> {
    let path = text(chosen, "stdout-path").or_else(|| text(chosen, "linux,stdout-path"))?;
    let name = path.split(':').next().unwrap_or_default();
    let (first, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
    let target = match first {
        "" => name.to_owned(),
        alias => text(tree.root.child("aliases")?, alias).map_or(String::new(), |path| path + rest),
    };
    let mut node = &tree.root;
    for part in target.split('/').filter(|part| !part.is_empty()) {
        match node.child(part).filter(|child| enabled(child)) {
            Some(child) => node = child,
            None => return Some(format!("stdout-path = \"{path}\"")),
        }
    }
    target.is_empty().then(|| format!("stdout-path = \"{path}\""))
}
