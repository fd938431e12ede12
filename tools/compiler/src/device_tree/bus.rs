//! Address spaces of a tree: how the numbers below a node become the CPU's addresses (Devicetree Specification 2.3.8).

use dtoolkit::model::DeviceTreeNode;
use std::ops::Range;

use super::node::{base_name, cells, number, text};

/// The address space below a node.
pub(super) struct Bus<'a> {
    parent: Option<&'a Bus<'a>>,
    address_cells: usize,
    size_cells: usize,
    translation: Translation,
}

/// How addresses go from a bus to its parent's.
enum Translation {
    /// The same numbers: the root, or an empty `ranges`.
    Same,
    /// Not at all: no `ranges`, or PCI.
    None,
    /// Windows: first address below, first address above, bytes.
    Windows(Vec<(u64, u64, u64)>),
}

impl Bus<'_> {
    /// The root's.
    pub(super) fn root(node: &DeviceTreeNode) -> Bus<'static> {
        let (address_cells, size_cells) = widths(node, (1, 1));
        Bus { parent: None, address_cells, size_cells, translation: Translation::Same }
    }

    /// The one below `node`, which stands on this one.
    pub(super) fn below(&self, node: &DeviceTreeNode) -> Bus<'_> {
        let (address_cells, size_cells) = widths(node, (self.address_cells, self.size_cells));
        let translation =
            if is_pci(node) { Translation::None } else { self.translation(node, address_cells, size_cells) };
        Bus { parent: Some(self), address_cells, size_cells, translation }
    }

    fn translation(&self, node: &DeviceTreeNode, address_cells: usize, size_cells: usize) -> Translation {
        let Some(cells) = cells(node, "ranges") else { return Translation::None };
        if cells.is_empty() {
            return Translation::Same;
        }
        let width = address_cells + self.address_cells + size_cells;
        let window = |entry: &[u32]| {
            let (below, rest) = entry.split_at(address_cells);
            let (above, size) = rest.split_at(self.address_cells);
            (join(below), join(above), join(size))
        };
        Translation::Windows(cells.chunks_exact(width.max(1)).map(window).collect())
    }

    /// The windows of the PCI host or bridge `node` on this bus through which the CPU reaches devices behind it; `None`
    /// where they cannot be read.
    pub(super) fn pci_windows(&self, node: &DeviceTreeNode) -> Option<Vec<Range<u64>>> {
        let Some(cells) = cells(node, "ranges") else { return Some(Vec::new()) };
        let (address_cells, size_cells) = widths(node, (self.address_cells, self.size_cells));
        let width = (address_cells + self.address_cells + size_cells).max(1);
        let window = |entry: &[u32]| {
            let (above, size) = entry[address_cells..].split_at(self.address_cells);
            Some(join(above)..join(above).checked_add(join(size))?)
        };
        cells.len().is_multiple_of(width).then(|| cells.chunks(width).map(window).collect())?
    }

    /// Whether numbers here are addresses that the CPU can reach at all.
    pub(super) fn reaches_the_cpu(&self) -> bool {
        self.size_cells > 0
            && !matches!(self.translation, Translation::None)
            && self.parent.is_none_or(|parent| parent.reaches_the_cpu())
    }

    /// Cells of an address and of a size.
    pub(super) fn widths(&self) -> (usize, usize) {
        (self.address_cells, self.size_cells)
    }

    /// The addresses in a `reg` without sizes, as cores have.
    pub(super) fn addresses(&self, cells: &[u32]) -> Vec<u64> {
        cells.chunks(self.address_cells.max(1)).map(join).collect()
    }

    /// The blocks in a `reg`, empty ones left out; `None` where its length is not that of whole blocks or one wraps.
    pub(super) fn blocks(&self, cells: &[u32]) -> Option<Vec<Range<u64>>> {
        let width = (self.address_cells + self.size_cells).max(1);
        if !cells.len().is_multiple_of(width) {
            return None;
        }
        let block = |entry: &[u32]| {
            let (address, size) = entry.split_at(self.address_cells);
            Some(join(address)..join(address).checked_add(join(size))?)
        };
        let blocks: Option<Vec<_>> = cells.chunks(width).map(block).collect();
        Some(blocks?.into_iter().filter(|block| !block.is_empty()).collect())
    }

    /// `block` in the CPU's addresses; `None` where it starts in no window. How long the window is does not matter:
    /// Linux translates a block's first address alone (of_translate_address of drivers/of/address.c).
    pub(super) fn to_cpu(&self, block: Range<u64>) -> Option<Range<u64>> {
        let above = match &self.translation {
            Translation::None => return None,
            Translation::Same => block,
            Translation::Windows(windows) => windows.iter().find_map(|window| through(window, &block))?,
        };
        match self.parent {
            Some(parent) => parent.to_cpu(above),
            None => Some(above),
        }
    }
}

fn through((below, above, size): &(u64, u64, u64), block: &Range<u64>) -> Option<Range<u64>> {
    let offset = block.start.checked_sub(*below).filter(|offset| offset < size)?;
    let start = above.wrapping_add(offset);
    Some(start..start.saturating_add(block.end - block.start))
}

/// Whether a node is a PCI host or bridge (of_bus_pci_match of Linux's drivers/of/address.c): the numbers below it are
/// no addresses of the CPU's.
pub(super) fn is_pci(node: &DeviceTreeNode) -> bool {
    let kind = text(node, "device_type").unwrap_or_default();
    ["pci", "pciex", "vci", "ht"].contains(&kind.as_str()) || base_name(node) == "pcie"
}

/// `#address-cells` and `#size-cells`. Where absent they are `inherited`, and 1 at the root, as Linux takes them
/// (of_bus_n_addr_cells of drivers/of/base.c); by the specification they would be 2 and 1 (2.3.5), but every tree that is
/// right says them. More than 4 make no sense and are cut.
fn widths(node: &DeviceTreeNode, inherited: (usize, usize)) -> (usize, usize) {
    let width = |name, inherited: usize| number(node, name).map_or(inherited, |cells| cells.min(4) as usize);
    (width("#address-cells", inherited.0), width("#size-cells", inherited.1))
}

/// A number of several cells; its low 64 bits.
fn join(cells: &[u32]) -> u64 {
    cells.iter().fold(0, |value, cell| value << 32 | u64::from(*cell))
}
