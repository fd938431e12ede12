//! The interrupt controller's and the timer's nodes: those that the partition sees (drivers/irqchip/irq-gic.c,
//! irq-gic-v3.c and drivers/clocksource/arm_arch_timer.c of Linux).

use dtoolkit::Node;
use dtoolkit::model::DeviceTreeNode;
use septum_plan::frames::{Frame, GICC_BYTES, GICR_BYTES};
use septum_plan::{EmulatedKind, GicVersion};
use std::ops::Range;

use super::super::bus::Bus;
use super::super::node::{cells, compatible, number, texts};
use super::interrupts::{Named, gic_version};
use super::{Checker, Finding, Rule, TreeProblem, finding, unfit};
use crate::problem::show;

/// The maintenance interrupt: EL2's, but Linux only hands it to KVM, which does not run at EL1.
const MAINTENANCE: u32 = 25;
/// What a timer's node may name: secure physical, EL1 physical, virtual, EL2 physical, EL2 virtual (DDI 0487, D12.2).
const TIMERS: [u32; 5] = [29, 30, 27, 26, 28];
/// The same by `interrupt-names` (arm,arch_timer.yaml), in the order without names.
const TIMER_NAMES: [&str; 5] = ["sec-phys", "phys", "virt", "hyp-phys", "hyp-virt"];

impl Checker<'_> {
    /// Checks the node of a GIC, whose `reg` stands on `bus`.
    pub(super) fn gic(&self, node: &DeviceTreeNode, path: &str, bus: &Bus<'_>, out: &mut Vec<Finding>) {
        let own = self.board.gic.version;
        if gic_version(node).is_some_and(|version| version != own) {
            let says = "is not the board's interrupt controller";
            let right = match own {
                GicVersion::V2 => "say compatible = \"arm,gic-400\"",
                GicVersion::V3 => "say compatible = \"arm,gic-v3\"",
            };
            out.push(unfit(path, "compatible", Rule::Controller, says, right));
            return;
        }
        match cells(node, "reg").and_then(|cells| bus.blocks(&cells)) {
            None => out.push(finding(path, "reg", TreeProblem::Malformed)),
            Some(blocks) => {
                let found: Vec<_> = blocks.into_iter().filter_map(|block| bus.to_cpu(block)).collect();
                out.extend(self.gic_frames(path, &found));
            }
        }
        self.gic_properties(node, path, out);
    }

    /// What is wrong with the frames `found` in a GIC's `reg`.
    fn gic_frames(&self, path: &str, found: &[Range<u64>]) -> Option<Finding> {
        let version = self.board.gic.version;
        let range = |frame: Frame| frame.ipa..frame.end();
        let distributor = range(self.partition.distributor()?);
        let (second, least) = match version {
            GicVersion::V2 => {
                let first = self.partition.cpu_interface?.get();
                (first..first.saturating_add(GICC_BYTES), GICC_BYTES / 2)
            }
            GicVersion::V3 => {
                let redistributors = range(self.partition.emulated_of(EmulatedKind::Gicr)?);
                (redistributors, GICR_BYTES * self.tree_cores.max(1) as u64)
            }
        };
        let fits = |block: &Range<u64>| {
            block.start == second.start && block.end <= second.end && block.end - block.start >= least
        };
        let right = match found {
            [first, next] if *first == distributor && fits(next) => return None,
            [first, next] if *first == distributor && next.start == second.start => {
                let what = match version {
                    GicVersion::V2 => "8 KiB of CPU interface",
                    GicVersion::V3 => "one redistributor of 128 KiB for each of the partition's cores",
                };
                format!("make the second block {:#x} bytes long: {what}", second.end - second.start)
            }
            [first, next, _, ..] if *first == distributor && fits(next) => {
                "leave out what comes after the first two blocks: the virtual interface is EL2's".to_owned()
            }
            _ => {
                let [one, two] = [&distributor, &second].map(|range| show::range(range.start, range.end - range.start));
                format!("the partition sees {one} and {two}: name just these two blocks")
            }
        };
        let found: Vec<_> = found.iter().map(|range| show::range(range.start, range.end - range.start)).collect();
        let says = if found.is_empty() { "names nothing".to_owned() } else { format!("names {}", found.join(", ")) };
        Some(unfit(path, "reg", Rule::Controller, says, right))
    }

    fn gic_properties(&self, node: &DeviceTreeNode, path: &str, out: &mut Vec<Finding>) {
        let mut wrong = |property, says: String, right: &str| {
            out.push(unfit(path, property, Rule::Controller, says, right));
        };
        if self.guest.linux && node.property("interrupt-controller").is_none() {
            wrong("interrupt-controller", "is missing, so Linux passes the node over".into(), "add it");
        }
        if let Some(count) = number(node, "#interrupt-cells").filter(|count| *count < 3) {
            wrong("#interrupt-cells", format!("is {count}"), "say #interrupt-cells = <3>");
        }
        if let Some(count) = number(node, "#redistributor-regions").filter(|count| *count > 1) {
            let says = format!("is {count}, but all redistributors lie in one block");
            wrong("#redistributor-regions", says, "leave it out");
        }
        let stride = cells(node, "redistributor-stride").map(|cells| cells.last().copied().unwrap_or(0));
        if let Some(stride) = stride.filter(|stride| u64::from(*stride) != GICR_BYTES) {
            wrong("redistributor-stride", format!("is {stride:#x}"), "leave it out: redistributors follow each other");
        }
        if node.property("mbi-ranges").is_some() {
            let says = "names message-based interrupts, which no partition has".to_owned();
            wrong("mbi-ranges", says, "leave it out");
        }
    }

    /// Checks an architected timer's node, which names `interrupts`.
    pub(super) fn timer(&self, node: &DeviceTreeNode, path: &str, interrupts: &[Named], out: &mut Vec<Finding>) {
        for (property, intids) in interrupts {
            let Some(intids) = intids else { continue };
            out.extend(self.timer_slots(node, path, property, intids));
        }
        if self.guest.linux && interrupts.is_empty() && self.partition.distributor().is_some() {
            let says = "is missing, so Linux has no clock";
            out.push(unfit(path, "interrupts", Rule::Controller, says, TIMER_RIGHT));
        }
        let hz = number(node, "clock-frequency").zip(self.board.counter_hz);
        if let Some((said, is)) = hz.filter(|(said, is)| said != is) {
            let says = format!("is {said} Hz, which Linux believes; the board's counter has {is} Hz");
            out.push(unfit(path, "clock-frequency", Rule::Controller, says, "leave it out: CNTFRQ_EL0 says it"));
        }
    }

    /// Whether Linux would take another interrupt for the EL1 physical or the virtual timer's.
    fn timer_slots(
        &self,
        node: &DeviceTreeNode,
        path: &str,
        property: &'static str,
        intids: &[u32],
    ) -> Option<Finding> {
        let names = texts(node, "interrupt-names");
        let slot = |name: &str| match names.is_empty() {
            true => TIMER_NAMES.iter().position(|known| *known == name),
            false => names.iter().position(|own| own == name),
        };
        let taken = |index: usize| slot(TIMER_NAMES[index]).and_then(|slot| intids.get(slot).copied());
        let says = match (taken(2), taken(1)) {
            (Some(27), Some(30) | None) => return None,
            (Some(27), Some(other)) => format!("gives interrupt {other} as the EL1 physical timer's, which is 30"),
            (Some(other), _) => format!("gives interrupt {other} as the virtual timer's, which is 27"),
            (None, _) => "does not give the virtual timer's, interrupt 27".to_owned(),
        };
        Some(unfit(path, property, Rule::Controller, says, TIMER_RIGHT))
    }
}

const TIMER_RIGHT: &str =
    "say interrupts = <1 13 4>, <1 14 4>, <1 11 4>, <1 10 4>: secure physical, EL1 physical, virtual, EL2";

/// Whether a GIC's node may name `intid`.
pub(super) fn is_gics(intid: u32) -> bool {
    intid == MAINTENANCE
}

/// Whether a node is an architected timer's.
pub(super) fn is_timer(node: &DeviceTreeNode) -> bool {
    compatible(node, &["arm,armv8-timer", "arm,armv7-timer"]).is_some()
}

/// Whether a timer's node may name `intid`.
pub(super) fn is_timers(intid: u32) -> bool {
    TIMERS.contains(&intid)
}
