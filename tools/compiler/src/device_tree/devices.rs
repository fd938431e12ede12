//! The nodes of a partition's devices: its own of the board, and the emulated PL011.
//!
//! A guest never owns the board's clock controller, so each clock that a driver asks for is a fixed clock at the rate
//! that firmware left.

use std::collections::BTreeMap;

use septum_plan::{EmulatedKind, RegionKind};

use super::DeviceTreeError;
use super::build::Node;
use super::machine::{GIC_PHANDLE, shared_interrupts};
use crate::board::{Board, Device};
use crate::system::Partition;

/// The rate in Hz of a UART's clock where the board does not know it: what QEMU's machines say of theirs.
const UART_CLOCK_HZ: u32 = 24_000_000;

/// What a partition's devices add to its tree.
pub(super) struct Devices {
    /// The devices.
    pub nodes: Vec<Node>,
    /// The fixed clocks that they name.
    pub clocks: Vec<Node>,
    /// Path of the first UART.
    pub console: Option<String>,
}

/// Clock inputs that a driver asks for by name, and what else its binding demands, by `compatible`.
struct Binding {
    compatible: &'static str,
    also: Option<&'static str>,
    clock_names: &'static [&'static str],
}

const BINDINGS: [Binding; 3] = [
    Binding { compatible: "arm,pl011", also: Some("arm,primecell"), clock_names: &["uartclk", "apb_pclk"] },
    Binding { compatible: "fsl,imx6q-uart", also: None, clock_names: &["ipg", "per"] },
    Binding { compatible: "brcm,bcm2835-aux-uart", also: None, clock_names: &[] },
];

/// One device as the guest sees it.
struct Seen<'a> {
    name: &'a str,
    compatible: Vec<&'a str>,
    registers: Vec<(u64, u64)>,
    interrupts: &'a [u32],
    clock_hz: u32,
}

impl Seen<'_> {
    fn binding(&self) -> Option<&'static Binding> {
        BINDINGS.iter().find(|binding| self.compatible.contains(&binding.compatible))
    }

    fn node_name(&self) -> String {
        format!("{}@{:x}", self.name, self.registers.first().map_or(0, |block| block.0))
    }

    fn node(&self, with_interrupts: bool, clock: &mut impl FnMut(u32) -> u32) -> Option<Node> {
        let binding = self.binding();
        let also = binding.and_then(|binding| binding.also).filter(|also| !self.compatible.contains(also));
        let compatible: Vec<&str> = self.compatible.iter().copied().chain(also).collect();
        let registers: Vec<u64> = self.registers.iter().flat_map(|(ipa, size)| [*ipa, *size]).collect();
        let mut node = Node::checked(&self.node_name())?.texts("compatible", &compatible).wide("reg", &registers);
        if with_interrupts && !self.interrupts.is_empty() {
            node = node.cells("interrupts", &shared_interrupts(self.interrupts));
        }
        let names = binding.map_or(&[][..], |binding| binding.clock_names);
        if names.is_empty() {
            return Some(node);
        }
        let phandles = vec![clock(self.clock_hz); names.len()];
        Some(node.cells("clocks", &phandles).texts("clock-names", names))
    }
}

/// The nodes of `partition`'s devices. The emulated console comes first, so that the guest prints there.
pub(super) fn nodes(board: &Board, partition: &Partition) -> Result<Devices, DeviceTreeError> {
    let owned = board.devices.iter().filter_map(|device| seen(board, partition, device));
    let seen: Vec<Seen<'_>> = emulated_console(partition).into_iter().chain(owned).collect();
    let console =
        seen.iter().find(|device| device.binding().is_some()).map(|device| format!("/{}", device.node_name()));
    let mut rates = BTreeMap::new();
    let mut clock = |hz| {
        let next = GIC_PHANDLE + 1 + rates.len() as u32;
        *rates.entry(hz).or_insert(next)
    };
    let with_interrupts = partition.distributor().is_some();
    let node = |device: &Seen<'_>| {
        let name = || DeviceTreeError::Name { device: device.name.to_owned() };
        device.node(with_interrupts, &mut clock).ok_or_else(name)
    };
    let nodes = seen.iter().map(node).collect::<Result<_, _>>()?;
    Ok(Devices { nodes, clocks: rates.into_iter().map(fixed_clock).collect(), console })
}

fn fixed_clock((hz, phandle): (u32, u32)) -> Node {
    Node::new(format!("clock-{hz}"))
        .text("compatible", "fixed-clock")
        .cells("#clock-cells", &[0])
        .cells("clock-frequency", &[hz])
        .cells("phandle", &[phandle])
}

fn emulated_console(partition: &Partition) -> Option<Seen<'_>> {
    let console = partition.emulated.iter().find(|frame| frame.kind == EmulatedKind::Pl011)?;
    Some(Seen {
        name: "serial",
        compatible: vec!["arm,pl011"],
        registers: vec![(console.ipa, console.bytes)],
        interrupts: std::slice::from_ref(&console.intid),
        clock_hz: UART_CLOCK_HZ,
    })
}

/// `device` as `partition` sees it, where every register block of it is mapped by the region of its name.
fn seen<'a>(board: &Board, partition: &Partition, device: &'a Device) -> Option<Seen<'a>> {
    if device.compatible.is_empty() {
        return None;
    }
    let block = |(start, size): (u64, u64)| {
        let mut regions = partition.regions.iter().filter(|region| {
            region.kind == RegionKind::Device
                && region.has_device(&device.name)
                && region.pa.get() <= start
                && start + size <= region.pa.get() + region.size
        });
        regions.next().map(|region| (region.ipa.get() + (start - region.pa.get()), size))
    };
    let registers =
        device.registers.iter().map(|span| block((span.start.get(), span.size))).collect::<Option<Vec<_>>>()?;
    let known_rate = board.consoles.iter().find(|console| console.device == device.name);
    Some(Seen {
        name: &device.name,
        compatible: device.compatible.iter().map(String::as_str).collect(),
        registers,
        interrupts: &device.interrupts,
        clock_hz: known_rate.and_then(|console| console.clock_hz).unwrap_or(UART_CLOCK_HZ),
    })
}
