//! Interrupts that a node names, as INTIDs: `interrupts`, `interrupts-extended` and `interrupt-map`, as far as they go
//! to the GIC itself. What goes to another controller is checked at that controller's own node.

use std::collections::BTreeMap;

use dtoolkit::model::DeviceTreeNode;
use dtoolkit::{Node, Property};

use super::{cells, number};

/// INTIDs, or `None` where a property cannot be read.
type Named = Option<Vec<u32>>;

/// A tree's interrupt controllers, by phandle.
pub(super) struct Controllers {
    known: BTreeMap<u32, Controller>,
}

#[derive(Clone, Copy)]
struct Controller {
    interrupt_cells: usize,
    address_cells: usize,
    is_gic: bool,
}

impl Controllers {
    /// All below `root`.
    pub(super) fn of(root: &DeviceTreeNode) -> Self {
        let mut known = BTreeMap::new();
        collect(root, &mut known);
        Self { known }
    }

    /// What `node` names, by property; `parent` is the phandle of the interrupt parent that it inherits.
    pub(super) fn named_by(&self, node: &DeviceTreeNode, parent: Option<u32>) -> Vec<(&'static str, Named)> {
        let mut named = Vec::new();
        if let Some(cells) = present(node, "interrupts-extended") {
            named.push(("interrupts-extended", cells.and_then(|cells| self.extended(&cells))));
        } else if let Some(cells) = present(node, "interrupts") {
            let parent = number(node, "interrupt-parent").or(parent);
            named.push(("interrupts", cells.and_then(|cells| self.plain(&cells, parent))));
        }
        if let Some(cells) = present(node, "interrupt-map") {
            named.push(("interrupt-map", cells.and_then(|cells| self.map(node, &cells))));
        }
        named
    }

    fn plain(&self, cells: &[u32], parent: Option<u32>) -> Named {
        let controller = self.known.get(&parent?)?;
        if controller.interrupt_cells == 0 || !cells.len().is_multiple_of(controller.interrupt_cells) {
            return None;
        }
        Some(cells.chunks(controller.interrupt_cells).filter_map(|specifier| controller.intid(specifier)).collect())
    }

    fn extended(&self, mut cells: &[u32]) -> Named {
        let mut named = Vec::new();
        while let Some((phandle, rest)) = cells.split_first() {
            let controller = self.known.get(phandle)?;
            let (specifier, rest) = rest.split_at_checked(controller.interrupt_cells)?;
            named.extend(controller.intid(specifier));
            cells = rest;
        }
        Some(named)
    }

    /// Entries of child unit address, child specifier, parent's phandle, parent's unit address, parent's specifier.
    fn map(&self, node: &DeviceTreeNode, mut cells: &[u32]) -> Named {
        let own = number(node, "#address-cells").unwrap_or(2) as usize + number(node, "#interrupt-cells")? as usize;
        let mut named = Vec::new();
        while !cells.is_empty() {
            let (phandle, rest) = cells.get(own..)?.split_first()?;
            let controller = self.known.get(phandle)?;
            let (specifier, rest) =
                rest.get(controller.address_cells..)?.split_at_checked(controller.interrupt_cells)?;
            named.extend(controller.intid(specifier));
            cells = rest;
        }
        Some(named)
    }
}

impl Controller {
    /// The INTID of a GIC's specifier (arm,gic.yaml): type, number, flags. `None` for another controller's.
    fn intid(self, specifier: &[u32]) -> Option<u32> {
        match specifier {
            [0, number, ..] if self.is_gic => number.checked_add(32),
            [1, number, ..] if self.is_gic => number.checked_add(16),
            _ => None,
        }
    }
}

fn collect(node: &DeviceTreeNode, known: &mut BTreeMap<u32, Controller>) {
    if let (Some(phandle), Some(interrupt_cells)) = (number(node, "phandle"), number(node, "#interrupt-cells")) {
        let controller = Controller {
            interrupt_cells: interrupt_cells as usize,
            address_cells: number(node, "#address-cells").unwrap_or(0) as usize,
            is_gic: is_gic(node),
        };
        known.insert(phandle, controller);
    }
    for child in node.children() {
        collect(child, known);
    }
}

/// Whether a node is a GIC by one of the `compatible` strings of arm,gic.yaml and arm,gic-v3.yaml.
fn is_gic(node: &DeviceTreeNode) -> bool {
    let gics = ["arm,gic-400", "arm,gic-v3", "arm,cortex-a15-gic", "arm,cortex-a7-gic", "arm,cortex-a9-gic"];
    let Some(compatible) = node.property("compatible") else { return false };
    compatible.value().split(|byte| *byte == 0).any(|name| gics.iter().any(|gic| gic.as_bytes() == name))
}

/// The property's cells, `Some(None)` where it is there but has no whole cells.
fn present(node: &DeviceTreeNode, name: &str) -> Option<Option<Vec<u32>>> {
    node.property(name).map(|_| cells(node, name))
}
