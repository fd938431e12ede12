//! The nodes that every guest has: chosen, memory, cores, PSCI, timer, interrupt controller.

use septum_plan::frames::{GICC_BYTES, GICD_V2_BYTES, GICD_V3_BYTES};
use septum_plan::{EmulatedKind, GicVersion, RegionKind, virtual_affinity};
use septum_stage2::Access;

use super::build::Node;
use super::{Chosen, DeviceTreeError};
use crate::board::Board;
use crate::system::{Partition, Region};

/// The interrupt controller's phandle; clocks have the ones after it.
pub(super) const GIC_PHANDLE: u32 = 1;

/// First cell of an interrupt specifier: a shared peripheral interrupt, numbered from INTID 32 (arm,gic.yaml).
const SPI: u32 = 0;
/// First cell of an interrupt specifier: a private peripheral interrupt, numbered from INTID 16.
const PPI: u32 = 1;
/// Third cell: active high, level-sensitive.
const LEVEL_HIGH: u32 = 4;
/// The timers' PPIs in the order of arm,arch_timer.yaml: secure physical, physical, virtual, hypervisor.
const TIMER_PPIS: [u32; 4] = [13, 14, 11, 10];

/// `/chosen` made of `node`; `console` is the path of the node that the guest prints to.
pub(super) fn chosen(mut node: Node, chosen: &Chosen, console: Option<&str>) -> Node {
    if let Some(bootargs) = &chosen.bootargs {
        node = node.text("bootargs", bootargs);
    }
    if let Some(initrd) = &chosen.initrd {
        node = node.wide("linux,initrd-start", &[initrd.start]).wide("linux,initrd-end", &[initrd.end]);
    }
    match console {
        Some(path) => node.text("stdout-path", path),
        None => node,
    }
}

/// The `/memory@..` nodes, by rising address: what a kernel may use for anything, so only memory with every right.
/// Other memory is for whoever knows its address.
pub(super) fn memory(partition: &Partition) -> Result<Vec<Node>, DeviceTreeError> {
    let usable = |region: &&Region| region.kind == RegionKind::Memory && region.access == Access::RWX;
    let node = |region: &Region| {
        Node::new(format!("memory@{:x}", region.ipa.get()))
            .text("device_type", "memory")
            .wide("reg", &[region.ipa.get(), region.size])
    };
    let nodes: Vec<Node> = partition.regions.iter().filter(usable).map(node).collect();
    if nodes.is_empty() { Err(DeviceTreeError::NoMemory { partition: partition.name.clone() }) } else { Ok(nodes) }
}

/// `/cpus`: `count` virtual cores with the affinities that EL2 shows them, started by PSCI.
pub(super) fn cpus(count: usize) -> Node {
    let cpu = |index: usize| {
        let affinity = virtual_affinity(index);
        Node::new(format!("cpu@{affinity:x}"))
            .text("device_type", "cpu")
            .text("compatible", "arm,armv8")
            // Aff3 is zero for every index (septum_plan::affinity).
            .cells("reg", &[affinity as u32])
            .text("enable-method", "psci")
    };
    let node = Node::new("cpus").cells("#address-cells", &[1]).cells("#size-cells", &[0]);
    node.children((0..count).map(cpu).collect())
}

/// `/psci`, called by HVC.
pub(super) fn psci() -> Node {
    Node::new("psci").texts("compatible", &["arm,psci-1.0", "arm,psci-0.2"]).text("method", "hvc")
}

/// `/timer`, the architected one; without interrupts where the partition has no interrupt controller.
pub(super) fn timer(board: &Board, partition: &Partition) -> Node {
    let node = Node::new("timer").text("compatible", "arm,armv8-timer");
    if partition.distributor().is_none() {
        return node;
    }
    let flags = private_flags(board.gic.version, partition.cpus.len());
    let specifiers: Vec<u32> = TIMER_PPIS.iter().flat_map(|ppi| [PPI, *ppi, flags]).collect();
    node.cells("interrupts", &specifiers).flag("always-on")
}

/// Third cell of a private interrupt: a GICv2 also says in bits 15:8 which cores it reaches.
fn private_flags(version: GicVersion, cores: usize) -> u32 {
    match version {
        GicVersion::V2 => LEVEL_HIGH | ((1 << cores.min(8)) - 1) << 8,
        GicVersion::V3 => LEVEL_HIGH,
    }
}

/// The specifiers of SPIs given by INTID.
pub(super) fn shared_interrupts(interrupts: &[u32]) -> Vec<u32> {
    interrupts.iter().flat_map(|intid| [SPI, intid.saturating_sub(32), LEVEL_HIGH]).collect()
}

/// `/interrupt-controller@..`, where the partition has one.
pub(super) fn interrupt_controller(board: &Board, partition: &Partition) -> Option<Node> {
    let distributor = partition.distributor()?.ipa;
    let node = Node::new(format!("interrupt-controller@{distributor:x}"))
        .flag("interrupt-controller")
        .cells("#interrupt-cells", &[3])
        .cells("#address-cells", &[0])
        .cells("phandle", &[GIC_PHANDLE]);
    Some(match board.gic.version {
        GicVersion::V2 => {
            let interface = partition.cpu_interface?.get();
            node.text("compatible", "arm,gic-400").wide("reg", &[distributor, GICD_V2_BYTES, interface, GICC_BYTES])
        }
        GicVersion::V3 => {
            let redistributors = partition.emulated_of(EmulatedKind::Gicr)?;
            node.text("compatible", "arm,gic-v3")
                .cells("#redistributor-regions", &[1])
                .wide("reg", &[distributor, GICD_V3_BYTES, redistributors.ipa, redistributors.bytes])
        }
    })
}
