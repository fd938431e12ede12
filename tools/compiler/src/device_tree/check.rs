//! A user's own device tree against what its partition has: every register, interrupt and core in it.
//!
//! Nodes that are disabled are left out, with everything below them. Registers count where they are the CPU's: below
//! buses that translate to the root, and not below PCI, I2C, SPI and the like, whose `reg` is another number.

mod bus;
mod interrupts;
mod owner;

use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use dtoolkit::{Node, Property};
use std::fmt;
use std::ops::Range;

use crate::board::Board;
use crate::system::Partition;
use bus::Bus;
use interrupts::Controllers;
pub use owner::Owner;

/// Something in a tree that its partition does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path of the node.
    pub node: String,
    /// The property that says so.
    pub property: &'static str,
    /// What is wrong.
    pub problem: TreeProblem,
}

/// What is wrong with a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeProblem {
    /// Addresses that the partition does not have.
    Address {
        /// Which (IPA).
        range: Range<u64>,
        /// Whose they are on the board, if anybody's.
        owner: Option<Owner>,
    },
    /// An interrupt that the partition does not have.
    Interrupt {
        /// Its INTID.
        intid: u32,
        /// Whose it is on the board, if anybody's.
        owner: Option<Owner>,
    },
    /// A core that the partition does not have.
    Core {
        /// Its MPIDR in the tree.
        mpidr: u64,
        /// How many cores the partition has; their MPIDRs count from 0.
        cores: usize,
    },
    /// A value whose length or reference makes no sense.
    Malformed,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of node `{}` ", self.property, self.node)?;
        let owned = |owner: &Option<Owner>| owner.as_ref().map_or(String::new(), |owner| format!(", {owner}"));
        match &self.problem {
            TreeProblem::Address { range, owner } => {
                write!(f, "names [{:#x}..{:#x}){}", range.start, range.end, owned(owner))
            }
            TreeProblem::Interrupt { intid, owner } => write!(f, "names interrupt {intid}{}", owned(owner)),
            TreeProblem::Core { mpidr, cores: 1 } => write!(f, "names core {mpidr:#x}; the partition has only core 0"),
            TreeProblem::Core { mpidr, cores } => {
                write!(f, "names core {mpidr:#x}; the partition has cores 0 to {}", cores - 1)
            }
            TreeProblem::Malformed => f.write_str("cannot be read"),
        }
    }
}

/// Everything in `tree` that `partition`, one of `partitions` on `board`, does not have, in the order of the tree.
pub fn check(board: &Board, partitions: &[Partition], partition: &Partition, tree: &DeviceTree) -> Vec<Finding> {
    let checker = Checker { board, partitions, partition, controllers: Controllers::of(&tree.root) };
    let mut findings = Vec::new();
    checker.node(&tree.root, "", &Bus::root(&tree.root), None, &mut findings);
    findings
}

struct Checker<'a> {
    board: &'a Board,
    partitions: &'a [Partition],
    partition: &'a Partition,
    controllers: Controllers,
}

impl Checker<'_> {
    /// Checks what is below `parent`, at `path`; `bus` is the address space of its children.
    fn node(&self, parent: &DeviceTreeNode, path: &str, bus: &Bus<'_>, inherited: Option<u32>, out: &mut Vec<Finding>) {
        let interrupt_parent = number(parent, "interrupt-parent").or(inherited);
        for child in parent.children().filter(|child| enabled(child)) {
            let path = format!("{path}/{}", child.name());
            if parent.name() == "cpus" {
                self.core(child, &path, bus, out);
                continue;
            }
            self.registers(child, &path, bus, out);
            self.interrupts(child, &path, interrupt_parent, out);
            self.node(child, &path, &bus.below(child), interrupt_parent, out);
        }
    }

    fn core(&self, node: &DeviceTreeNode, path: &str, bus: &Bus<'_>, out: &mut Vec<Finding>) {
        let is_core = text(node, "device_type").is_some_and(|kind| kind == "cpu");
        let (true, Some(cells)) = (is_core, cells(node, "reg")) else { return };
        let cores = self.partition.cpus.len();
        for mpidr in bus.addresses(&cells) {
            if mpidr >= cores as u64 {
                out.push(finding(path, "reg", TreeProblem::Core { mpidr, cores }));
            }
        }
    }

    fn registers(&self, node: &DeviceTreeNode, path: &str, bus: &Bus<'_>, out: &mut Vec<Finding>) {
        if node.property("reg").is_none() || !bus.reaches_the_cpu() {
            return;
        }
        let Some(blocks) = cells(node, "reg").and_then(|cells| bus.blocks(&cells)) else {
            out.push(finding(path, "reg", TreeProblem::Malformed));
            return;
        };
        for range in blocks.into_iter().filter_map(|block| bus.to_cpu(block)) {
            if !owner::has(self.board, self.partition, &range) {
                let owner = owner::of_addresses(self.board, self.partitions, &range);
                out.push(finding(path, "reg", TreeProblem::Address { range, owner }));
            }
        }
    }

    fn interrupts(&self, node: &DeviceTreeNode, path: &str, parent: Option<u32>, out: &mut Vec<Finding>) {
        for (property, named) in self.controllers.named_by(node, parent) {
            let Some(intids) = named else {
                out.push(finding(path, property, TreeProblem::Malformed));
                continue;
            };
            for intid in intids.into_iter().filter(|intid| !owner::has_interrupt(self.partition, *intid)) {
                let owner = owner::of_interrupt(self.board, self.partitions, intid);
                out.push(finding(path, property, TreeProblem::Interrupt { intid, owner }));
            }
        }
    }
}

fn finding(path: &str, property: &'static str, problem: TreeProblem) -> Finding {
    Finding { node: path.to_owned(), property, problem }
}

/// Whether a node is there for the guest: `status` is absent, "okay" or "ok".
fn enabled(node: &DeviceTreeNode) -> bool {
    text(node, "status").is_none_or(|status| status == "okay" || status == "ok")
}

/// The property as 32-bit cells; `None` where it is absent or no multiple of four bytes.
fn cells(node: &DeviceTreeNode, name: &str) -> Option<Vec<u32>> {
    let property = node.property(name)?;
    let (words, rest) = property.value().as_chunks::<4>();
    rest.is_empty().then(|| words.iter().copied().map(u32::from_be_bytes).collect())
}

fn number(node: &DeviceTreeNode, name: &str) -> Option<u32> {
    cells(node, name)?.first().copied()
}

fn text(node: &DeviceTreeNode, name: &str) -> Option<String> {
    let property = node.property(name)?;
    let text = property.value().strip_suffix(b"\0")?;
    String::from_utf8(text.to_vec()).ok()
}
