//! Cores, PSCI and idle states: they start and sleep as EL2 does it (arch/arm64/kernel/{smp,cpu_ops}.c and
//! drivers/firmware/psci of Linux).

use dtoolkit::Node;
use dtoolkit::model::DeviceTreeNode;
use septum_plan::{vcpu_of_affinity, virtual_affinity};

use super::super::bus::Bus;
use super::super::node::{base_name, cells, compatible, enabled, is_type, number, text};
use super::{Checker, Finding, Rule, TreeProblem, finding, unfit};

/// `compatible` of PSCI 0.2 and later, whose function numbers are those of the standard.
const PSCI: [&str; 2] = ["arm,psci-1.0", "arm,psci-0.2"];
/// `compatible` of PSCI 0.1, whose tree gives function numbers of its own.
const PSCI_0_1: &str = "arm,psci";
/// Bits of a power state of the original format that are zero: 31:26 and 23:17 (DEN0022D 5.4).
const POWER_STATE_ZERO: u32 = 0xfcfe_0000;

/// Whether a node of `/cpus` is a core to Linux (of_get_next_cpu_node of drivers/of/base.c): one that is disabled is,
/// as whoever disabled it may expect it to be started; one that failed is not.
pub(super) fn is_core(node: &DeviceTreeNode) -> bool {
    let failed = text(node, "status").is_some_and(|status| status == "fail" || status.starts_with("fail-"));
    !failed && (base_name(node) == "cpu" || is_type(node, "cpu"))
}

impl Checker<'_> {
    /// Checks `/cpus`, whose children's `reg` `bus` reads.
    pub(super) fn cores(&self, cpus: &DeviceTreeNode, bus: &Bus<'_>, out: &mut Vec<Finding>) {
        let mut seen = Vec::new();
        for core in cpus.children().filter(|child| is_core(child)) {
            let path = format!("/cpus/{}", core.name());
            let affinity = cells(core, "reg").and_then(|cells| bus.addresses(&cells).first().copied());
            let Some(affinity) = affinity else {
                out.push(finding(&path, "reg", TreeProblem::Malformed));
                continue;
            };
            let cores = self.partition.cpus.len();
            let Some(vcpu) = vcpu_of_affinity(affinity, cores) else {
                let disabled = !enabled(core);
                out.push(finding(&path, "reg", TreeProblem::Core { mpidr: affinity, cores, disabled }));
                continue;
            };
            if seen.contains(&vcpu) {
                let says = format!("names core {affinity:#x}, as a node before it does");
                out.push(unfit(&path, "reg", Rule::Start, says, "keep one node for each core"));
            }
            seen.push(vcpu);
            out.extend(self.enable_method(core, &path, vcpu));
        }
        if self.guest.linux && !seen.contains(&0) {
            let says = "names no core 0, which starts the kernel";
            let right = "give each virtual core a node, from reg = <0> on, with enable-method = \"psci\"";
            out.push(unfit("/cpus", "", Rule::Start, says, right));
        }
    }

    fn enable_method(&self, core: &DeviceTreeNode, path: &str, vcpu: usize) -> Option<Finding> {
        let says = match text(core, "enable-method") {
            Some(method) if method == "psci" => return None,
            Some(method) => format!("is \"{method}\", but EL2 starts cores by PSCI alone"),
            None if self.guest.linux && vcpu != 0 => "is missing, so the core would not start".to_owned(),
            None => return None,
        };
        let table = core.property("cpu-release-addr").map_or("", |_| ", and leave `cpu-release-addr` out");
        Some(unfit(path, "enable-method", Rule::Start, says, format!("say enable-method = \"psci\"{table}")))
    }

    /// Checks a node of PSCI.
    pub(super) fn psci(node: &DeviceTreeNode, path: &str, out: &mut Vec<Finding>) {
        if compatible(node, &PSCI).is_none() {
            let says = "is of PSCI 0.1, whose function numbers are not EL2's";
            let right = "say compatible = \"arm,psci-1.0\", \"arm,psci-0.2\"";
            out.push(unfit(path, "compatible", Rule::Start, says, right));
        }
        let says = match text(node, "method") {
            Some(method) if method == "hvc" || method == "smc" => return,
            Some(method) => format!("is \"{method}\", by which EL2 is not called"),
            None => "is missing".to_owned(),
        };
        out.push(unfit(path, "method", Rule::Start, says, "say method = \"hvc\" (\"smc\" reaches EL2, too)"));
    }

    /// Checks an idle state: EL2 takes every power state of the original format.
    pub(super) fn idle_state(node: &DeviceTreeNode, path: &str, out: &mut Vec<Finding>) {
        let property = "arm,psci-suspend-param";
        let says = match number(node, property) {
            Some(state) if state & POWER_STATE_ZERO == 0 => return,
            Some(state) => format!("is {state:#x}, which is no power state of PSCI's original format"),
            None => "is missing".to_owned(),
        };
        let right = "give a power state with bits 31:26 and 23:17 zero, or take the idle state out";
        out.push(unfit(path, property, Rule::Start, says, right));
    }
}

/// Whether a node is PSCI's, of any version.
pub(super) fn is_psci(node: &DeviceTreeNode) -> bool {
    compatible(node, &PSCI).or_else(|| compatible(node, &[PSCI_0_1])).is_some()
}

/// Whether a node is an idle state of cores or of a power domain of cores.
pub(super) fn is_idle_state(node: &DeviceTreeNode) -> bool {
    compatible(node, &["arm,idle-state", "domain-idle-state"]).is_some()
}

/// How many cores `cpus` names.
pub(super) fn count(cpus: &DeviceTreeNode) -> usize {
    cpus.children().filter(|child| is_core(child)).count()
}

/// How messages name the cores of a partition that has `cores` of them.
pub(super) fn range(cores: usize) -> String {
    match cores {
        0 | 1 => "only core 0".to_owned(),
        2..=9 => format!("cores 0 to {}", cores - 1),
        _ => format!("cores 0 to {:#x}", virtual_affinity(cores - 1)),
    }
}
