//! Interrupts that a node names, as INTIDs: `interrupts`, `interrupts-extended` and `interrupt-map`, as far as they go
//! to the GIC itself. What goes to another controller is checked at that controller's own node.

use std::collections::BTreeMap;

use dtoolkit::Node;
use dtoolkit::model::DeviceTreeNode;
use septum_plan::GicVersion;

use super::super::node::{cells, compatible, number};

/// INTIDs of the first shared, private, extended shared and extended private interrupt (arm,gic-v3.yaml; IHI 0069H 2.2).
const FIRST_INTID: [u32; 4] = [32, 16, 4096, 1056];

/// INTIDs, or `None` where a property cannot be read.
type Intids = Option<Vec<u32>>;
/// What a property names.
pub(super) type Named = (&'static str, Intids);

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
    pub(super) fn named_by(&self, node: &DeviceTreeNode, parent: Option<u32>) -> Vec<Named> {
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

    fn plain(&self, cells: &[u32], parent: Option<u32>) -> Intids {
        let controller = self.known.get(&parent?)?;
        if controller.interrupt_cells == 0 || !cells.len().is_multiple_of(controller.interrupt_cells) {
            return None;
        }
        let intids = cells.chunks(controller.interrupt_cells).map(|specifier| controller.intid(specifier));
        Some(intids.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn extended(&self, mut cells: &[u32]) -> Intids {
        let mut named = Vec::new();
        while let Some((phandle, rest)) = cells.split_first() {
            let controller = self.known.get(phandle)?;
            let (specifier, rest) = rest.split_at_checked(controller.interrupt_cells)?;
            named.extend(controller.intid(specifier)?);
            cells = rest;
        }
        Some(named)
    }

    /// Entries of child unit address, child specifier, parent's phandle, parent's unit address, parent's specifier.
    fn map(&self, node: &DeviceTreeNode, mut cells: &[u32]) -> Intids {
        let own = number(node, "#address-cells").unwrap_or(2) as usize + number(node, "#interrupt-cells")? as usize;
        let mut named = Vec::new();
        while !cells.is_empty() {
            let (phandle, rest) = cells.get(own..)?.split_first()?;
            let controller = self.known.get(phandle)?;
            let (specifier, rest) =
                rest.get(controller.address_cells..)?.split_at_checked(controller.interrupt_cells)?;
            named.extend(controller.intid(specifier)?);
            cells = rest;
        }
        Some(named)
    }
}

impl Controller {
    /// The INTID of a GIC's specifier (arm,gic-v3.yaml): type, number, flags. `Some(None)` for another controller's, `None`
    /// where a GIC knows no such one.
    fn intid(self, specifier: &[u32]) -> Option<Option<u32>> {
        if !self.is_gic {
            return Some(None);
        }
        let [kind, number, _, ..] = specifier else { return None };
        let first = FIRST_INTID.get(*kind as usize)?;
        Some(Some(first.saturating_add(*number)))
    }
}

fn collect(node: &DeviceTreeNode, known: &mut BTreeMap<u32, Controller>) {
    let phandle = number(node, "phandle").or_else(|| number(node, "linux,phandle"));
    if let (Some(phandle), Some(interrupt_cells)) = (phandle, number(node, "#interrupt-cells")) {
        let controller = Controller {
            interrupt_cells: interrupt_cells as usize,
            address_cells: number(node, "#address-cells").unwrap_or(0) as usize,
            is_gic: gic_version(node).is_some(),
        };
        known.insert(phandle, controller);
    }
    for child in node.children() {
        collect(child, known);
    }
}

/// Of which version a node is a GIC, by the `compatible` strings that drivers/irqchip/irq-gic.c and irq-gic-v3.c know.
pub(super) fn gic_version(node: &DeviceTreeNode) -> Option<GicVersion> {
    let v2 = [
        "arm,gic-400",
        "arm,cortex-a15-gic",
        "arm,cortex-a9-gic",
        "arm,cortex-a7-gic",
        "arm,arm11mp-gic",
        "arm,arm1176jzf-devchip-gic",
        "arm,eb11mp-gic",
        "arm,tc11mp-gic",
        "arm,pl390",
        "qcom,msm-8660-qgic",
        "qcom,msm-qgic2",
    ];
    if compatible(node, &["arm,gic-v3", "qcom,msm8996-gic-v3"]).is_some() {
        return Some(GicVersion::V3);
    }
    compatible(node, &v2).map(|_| GicVersion::V2)
}

/// The property's cells, `Some(None)` where it is there but has no whole cells.
fn present(node: &DeviceTreeNode, name: &str) -> Option<Option<Vec<u32>>> {
    node.property(name).map(|_| cells(node, name))
}
