//! A user's own device tree against what its partition has, and against what a kernel reads of it at boot.
//!
//! Nodes that are disabled are left out, with everything below them; but a kernel looks for interrupt controllers,
//! clocks, timers, PSCI and cores wherever they are. Registers count where they are the CPU's: below buses that translate to the
//! root, and not below PCI, I2C, SPI and the like, whose `reg` is another number. What Linux 6.1 and 6.12 read is in
//! docs/guests.md.

mod chosen;
mod controller;
mod cores;
mod interrupts;
mod memory;
mod owner;

use dtoolkit::Node;
use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use std::fmt;
use std::ops::Range;

use super::bus::{Bus, is_pci};
use super::layout::Layout;
use super::node::{cells, enabled, number};
use super::{RESERVED, chosen_of, is_chosen};
use crate::board::Board;
use crate::system::Partition;
use interrupts::Controllers;
pub use owner::Owner;

/// What starts from a tree, and what it is given besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guest {
    /// A Linux kernel that the compiler places.
    pub linux: bool,
    /// The configuration gives a RAM disk.
    pub initrd: bool,
    /// The configuration gives a command line.
    pub bootargs: bool,
}

/// Something in a tree that its partition does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path of the node.
    pub node: String,
    /// The property that says so; empty where it is the node that does.
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
        /// Whether the node is disabled, which keeps no kernel from it.
        disabled: bool,
    },
    /// What does not go with how EL2 does it, or with what is loaded.
    Unfit {
        /// Which rule.
        rule: Rule,
        /// What is wrong, as the end of a sentence that the property begins.
        says: String,
        /// What would be right.
        right: String,
    },
    /// A value whose length or reference makes no sense.
    Malformed,
}

/// What a tree must get right besides naming only what the partition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// How cores start and sleep.
    Start,
    /// Which memory there is.
    Memory,
    /// Interrupt controller and timer.
    Controller,
    /// `/chosen`.
    Chosen,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.property {
            "" => write!(f, "node `{}` {}", self.node, self.problem),
            property => write!(f, "`{property}` of node `{}` {}", self.node, self.problem),
        }
    }
}

impl TreeProblem {
    /// Whose it is that is named, if anybody's.
    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Address { owner, .. } | Self::Interrupt { owner, .. } => owner.as_ref(),
            _ => None,
        }
    }

    /// The problem without its owner.
    pub fn named(&self) -> String {
        match self {
            Self::Address { range, .. } => format!("names [{:#x}..{:#x})", range.start, range.end),
            Self::Interrupt { intid, .. } => format!("names interrupt {intid}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for TreeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { .. } | Self::Interrupt { .. } => {
                let owner = self.owner().map_or(String::new(), |owner| format!(", {owner}"));
                write!(f, "{}{owner}", self.named())
            }
            Self::Core { mpidr, cores, .. } => {
                write!(f, "names core {mpidr:#x}; the partition has {}", cores::range(*cores))
            }
            Self::Malformed => f.write_str("cannot be read"),
            Self::Unfit { says, .. } => f.write_str(says),
        }
    }
}

/// Everything in `tree` that does not fit `partition`, one of `partitions` on `board`, from which `guest` starts.
pub fn check(
    board: &Board,
    partitions: &[Partition],
    partition: &Partition,
    guest: Guest,
    tree: &DeviceTree,
) -> Vec<Finding> {
    let cpus = tree.root.child("cpus");
    let checker = Checker {
        board,
        partitions,
        partition,
        guest,
        controllers: Controllers::of(&tree.root),
        layout: Layout::of(tree),
        tree_cores: cpus.map_or(0, cores::count).min(partition.cpus.len()),
    };
    let mut found = Found::default();
    checker.node(&tree.root, &Place { path: "", bus: &Bus::root(&tree.root), parent: None, live: true }, &mut found);
    checker.whole(tree, &mut found);
    found.list
}

/// What is no error in `tree`, and is to be said of it: reservations outside the partition's memory, and a console that
/// is not there.
pub fn remarks(partition: &Partition, tree: &DeviceTree) -> Vec<String> {
    let elsewhere = memory::reserved_elsewhere(tree, &partition.regions);
    let silent = chosen_of(tree).and_then(|node| chosen::silent(tree, node));
    let elsewhere = elsewhere.into_iter().map(|what| format!("{what} is not the partition's memory"));
    elsewhere.chain(silent.map(|what| format!("{what} leads to no node that is enabled"))).collect()
}

struct Checker<'a> {
    board: &'a Board,
    partitions: &'a [Partition],
    partition: &'a Partition,
    guest: Guest,
    controllers: Controllers,
    layout: Layout,
    /// How many cores the tree names, at most as many as the partition has.
    tree_cores: usize,
}

/// What was found, and what was come by that there should be one of.
#[derive(Default)]
struct Found {
    list: Vec<Finding>,
    gic: bool,
    timer: bool,
    psci: bool,
}

/// Where a node's children are.
struct Place<'a> {
    path: &'a str,
    /// Their address space.
    bus: &'a Bus<'a>,
    /// The phandle of the interrupt parent that they inherit.
    parent: Option<u32>,
    /// Whether all nodes above are enabled.
    live: bool,
}

impl Checker<'_> {
    /// Checks what is below `parent`.
    fn node(&self, parent: &DeviceTreeNode, place: &Place<'_>, found: &mut Found) {
        let interrupt_parent = number(parent, "interrupt-parent").or(place.parent);
        for child in parent.children() {
            let path = format!("{}/{}", place.path, child.name());
            let here = Place { path: &path, parent: interrupt_parent, ..*place };
            let own = enabled(child);
            let is_judged = own && self.special(child, &here, found);
            if own && (place.live || is_started_early(child)) && !is_judged {
                self.registers(child, &here, &mut found.list);
                self.interrupts(child, &here, owner::has_interrupt, &mut found.list);
            }
            let below = place.bus.below(child);
            let live = own && place.live;
            if place.path.is_empty() {
                self.of_the_root(child, &Place { bus: &below, live: own, ..here }, place.bus, found);
            }
            self.node(child, &Place { bus: &below, live, ..here }, found);
        }
    }

    /// Checks an enabled node that a kernel looks for wherever it is; whether it is one.
    fn special(&self, node: &DeviceTreeNode, here: &Place<'_>, found: &mut Found) -> bool {
        let (path, out) = (here.path, &mut found.list);
        if interrupts::gic_version(node).is_some() && self.partition.distributor().is_some() {
            found.gic = true;
            self.gic(node, path, here.bus, out);
            self.interrupts(node, here, |_, intid| controller::is_gics(intid), out);
        } else if controller::is_timer(node) {
            found.timer = true;
            let named = self.controllers.named_by(node, here.parent);
            self.timer(node, path, &named, out);
            self.interrupts(node, here, |_, intid| controller::is_timers(intid), out);
        } else if cores::is_psci(node) {
            found.psci = true;
            Self::psci(node, path, out);
        } else if cores::is_idle_state(node) {
            Self::idle_state(node, path, out);
        } else {
            return here.path.matches('/').count() == 1 && memory::is_memory(node);
        }
        true
    }

    /// Checks a child of the root's: cores, memory. Its children stand on `here.bus`, itself on `bus`.
    fn of_the_root(&self, node: &DeviceTreeNode, here: &Place<'_>, bus: &Bus<'_>, found: &mut Found) {
        match node.name() {
            "cpus" => self.cores(node, here.bus, &mut found.list),
            RESERVED => self.reserved(node, here.path, bus, &mut found.list),
            _ if memory::is_memory(node) && here.live => self.memory(node, here.path, bus, &mut found.list),
            _ => {}
        }
    }

    /// Checks what takes the whole tree: `/chosen`, and what a kernel cannot do without.
    fn whole(&self, tree: &DeviceTree, found: &mut Found) {
        let chosen: Vec<_> = tree.root.children().filter(|child| is_chosen(child)).collect();
        self.chosen(&chosen, &Bus::root(&tree.root), &mut found.list);
        if !self.guest.linux {
            return;
        }
        self.no_memory(&mut found.list);
        let gic = self.partition.distributor().is_some();
        let mut lack = |there: bool, rule, says: &str, right: &str| {
            if !there {
                found.list.push(unfit("/", "", rule, says, right));
            }
        };
        let says = "has no node of an interrupt controller, without which Linux panics";
        let right = "add the partition's, as in a generated tree";
        lack(found.gic || !gic, Rule::Controller, says, right);
        let says = "has no node of the architected timer, without which Linux panics";
        lack(found.timer, Rule::Controller, says, "add one with compatible = \"arm,armv8-timer\"");
        let says = "has no node of PSCI's, so no second core would start";
        let right = "add one with compatible = \"arm,psci-1.0\" and method = \"hvc\"";
        lack(found.psci || self.tree_cores < 2, Rule::Start, says, right);
        let says = "has no node `cpus`";
        lack(tree.root.child("cpus").is_some(), Rule::Start, says, "add it, with a node for each virtual core");
    }

    fn registers(&self, node: &DeviceTreeNode, here: &Place<'_>, out: &mut Vec<Finding>) {
        if is_pci(node) {
            match here.bus.pci_windows(node) {
                Some(windows) => self.addresses(windows, "ranges", here, out),
                None => out.push(finding(here.path, "ranges", TreeProblem::Malformed)),
            }
        }
        if node.property("reg").is_none() || !here.bus.reaches_the_cpu() {
            return;
        }
        match cells(node, "reg").and_then(|cells| here.bus.blocks(&cells)) {
            Some(blocks) => self.addresses(blocks, "reg", here, out),
            None => out.push(finding(here.path, "reg", TreeProblem::Malformed)),
        }
    }

    fn addresses(&self, blocks: Vec<Range<u64>>, property: &'static str, here: &Place<'_>, out: &mut Vec<Finding>) {
        for range in blocks.into_iter().filter_map(|block| here.bus.to_cpu(block)) {
            if !owner::has(self.partition, &range) {
                let owner = owner::of_addresses(self.board, self.partitions, &range);
                out.push(finding(here.path, property, TreeProblem::Address { range, owner }));
            }
        }
    }

    fn interrupts(
        &self,
        node: &DeviceTreeNode,
        here: &Place<'_>,
        allowed: impl Fn(&Partition, u32) -> bool,
        out: &mut Vec<Finding>,
    ) {
        for (property, named) in self.controllers.named_by(node, here.parent) {
            let Some(intids) = named else {
                out.push(finding(here.path, property, TreeProblem::Malformed));
                continue;
            };
            for intid in intids.into_iter().filter(|intid| !allowed(self.partition, *intid)) {
                let owner = owner::of_interrupt(self.board, self.partitions, intid);
                out.push(finding(here.path, property, TreeProblem::Interrupt { intid, owner }));
            }
        }
    }
}

/// Whether Linux starts a node before its devices, if it is enabled itself, whatever the nodes above say: interrupt
/// controllers, clocks and timers (of_irq_init, of_clk_init, timer_probe). Of those it starts the ones that it knows.
fn is_started_early(node: &DeviceTreeNode) -> bool {
    let name = node.name().split('@').next().unwrap_or("");
    name == "timer" || ["interrupt-controller", "#clock-cells"].iter().any(|key| node.property(key).is_some())
}

fn finding(path: &str, property: &'static str, problem: TreeProblem) -> Finding {
    Finding { node: path.to_owned(), property, problem }
}

fn unfit(path: &str, property: &'static str, rule: Rule, says: impl Into<String>, right: impl Into<String>) -> Finding {
    finding(path, property, TreeProblem::Unfit { rule, says: says.into(), right: right.into() })
}
