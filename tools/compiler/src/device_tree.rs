//! The device tree that a guest is given: what its partition has, at the addresses where it sees it, and nothing else.
//!
//! [`generate`] makes one; [`check()`] judges one that the user brings. Facts come from the checked board and partition only. Bindings: the Devicetree Specification 0.4 and Linux's
//! Documentation/devicetree/bindings.

mod build;
mod bus;
mod check;
mod devices;
mod layout;
mod machine;
mod node;
mod parse;

use std::ops::Range;

use dtoolkit::Node as _;
use dtoolkit::model::{DeviceTree, DeviceTreeNode};

use crate::board::Board;
use crate::system::Partition;
use build::Node;
pub use check::{Finding, Guest, Owner, Rule, TreeProblem, check, remarks};
pub use layout::Layout;
pub use parse::{ParseError, parse};

/// Why a tree cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTreeError {
    /// No memory of the partition may be read, written and executed, so a kernel could live nowhere.
    #[error("partition `{partition}` has no memory with access = \"rwx\" that its device tree could name")]
    NoMemory {
        /// The partition.
        partition: String,
    },
    /// A device's name cannot name a node.
    #[error("device `{device}` cannot be named in a device tree: at most 31 of a-z, A-Z, 0-9 and ,._+-")]
    Name {
        /// The device.
        device: String,
    },
}

/// What the guest's boot program or kernel is told under `/chosen`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The kernel's command line.
    pub bootargs: Option<String>,
    /// Where the initial RAM disk lies (IPAs).
    pub initrd: Option<Range<u64>>,
}

/// The flattened device tree of `partition` on `board`: memory that it may read, write and execute, its cores with
/// MPIDRs from 0, PSCI by HVC, its interrupt controller and timer, and its devices.
///
/// # Errors
/// Where a tree could not describe the partition.
pub fn generate(board: &Board, partition: &Partition, chosen: &Chosen) -> Result<Vec<u8>, DeviceTreeError> {
    let devices = devices::nodes(board, partition)?;
    let mut root = Node::root()
        .text("model", &format!("Septum partition {} on {}", partition.name, board.name))
        .text("compatible", "linux,dummy-virt")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .child(machine::chosen(Node::new("chosen"), chosen, devices.console.as_deref()))
        .children(machine::memory(partition)?)
        .child(machine::cpus(partition.cpus.len()))
        .child(machine::psci())
        .child(machine::timer(board, partition));
    if let Some(controller) = machine::interrupt_controller(board, partition) {
        root = root.cells("interrupt-parent", &[machine::GIC_PHANDLE]).child(controller);
    }
    let mut tree = DeviceTree::new();
    tree.root = root.children(devices.clocks).children(devices.nodes).finish();
    Ok(tree.to_dtb())
}

/// The user's own tree with `chosen` put in: what is given there replaces what the tree says.
///
/// # Errors
/// Where `tree` is no device tree.
pub fn with_chosen(tree: &[u8], chosen: &Chosen) -> Result<Vec<u8>, ParseError> {
    let mut tree = parse(tree)?;
    let mut node = DeviceTreeNode::new_unchecked("chosen");
    let name = chosen_of(&tree).map(|child| child.name().to_owned());
    if let Some(old) = name.and_then(|name| tree.root.remove_child(&name)) {
        old.properties().for_each(|property| node.add_property(property.clone()));
        old.children().for_each(|child| node.add_child(child.clone()));
    }
    tree.root.add_child(machine::chosen(Node::from(node), chosen, None).finish());
    Ok(tree.to_dtb())
}

/// The node of reservations with names.
const RESERVED: &str = "reserved-memory";

/// What programs find when they look for `/chosen`.
fn chosen_of(tree: &DeviceTree) -> Option<&DeviceTreeNode> {
    tree.root.children().find(|child| is_chosen(child))
}

/// Whether a child of the root is what programs find when they look for `/chosen`: libfdt takes the first node of the
/// name, with a unit address or without (fdt_nodename_eq_ of fdt_ro.c), and the specification knows none with one (3.6).
fn is_chosen(node: &DeviceTreeNode) -> bool {
    node.name().split('@').next() == Some("chosen")
}
