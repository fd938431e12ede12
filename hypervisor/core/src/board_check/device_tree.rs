//! The firmware's device tree against the plan: RAM present, nobody's memory reserved by firmware, cores present.
//!
//! One pass over fdt-rs's tokens; nothing is stored but the RAM ranges. A tree that fdt-rs cannot read (it limits node
//! names to 29 characters) is no mismatch: the caller reports it as not checked.

use core::ops::ControlFlow;

use fdt_rs::base::DevTree;
use fdt_rs::base::parse::ParsedTok;
use fdt_rs::prelude::FallibleIterator;
use septum_plan::record::{OWNER_BOARD, RegionKind};
use septum_plan::{Plan, RegionRecord};

/// Most RAM ranges that are compared; boards have one to four.
const RAM_RANGES_MAX: usize = 16;

/// A half-open range of physical addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// Past the last byte.
    pub end: u64,
}

impl Range {
    fn new(start: u64, size: u64) -> Self {
        Self { start, end: start.saturating_add(size) }
    }

    fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn contains(self, address: u64) -> bool {
        self.start <= address && address < self.end
    }
}

/// Why a tree and a plan do not go together, or why that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch<'a> {
    /// The tree cannot be read; nothing is known.
    Unreadable,
    /// D01: memory of the plan that firmware does not list as RAM.
    NoRam {
        /// Whose memory.
        region: &'a RegionRecord,
        /// The first address that is not RAM.
        first: u64,
    },
    /// D02: memory of the plan that firmware keeps for itself.
    Reserved {
        /// Whose memory.
        region: &'a RegionRecord,
        /// The node below /reserved-memory, or `/memreserve/`.
        name: &'a str,
        /// What firmware keeps.
        range: Range,
    },
    /// D03: fewer of the plan's cores below /cpus than the plan has.
    Cores {
        /// Found.
        has: u32,
        /// The plan's.
        needs: u32,
    },
}

/// Compares `tree`, which lies at the physical address `tree_pa`, with `plan`.
///
/// # Errors
/// The first mismatch, or [`Mismatch::Unreadable`].
pub fn check<'a>(tree: &DevTree<'a>, tree_pa: u64, plan: &Plan<'a>) -> Result<(), Mismatch<'a>> {
    reserve_map(tree, tree_pa, plan)?;
    let mut reader = Reader::new(plan);
    let mut tokens = tree.parse_iter();
    let names = tree.buf().get(tree.off_dt_strings()..).ok_or(Mismatch::Unreadable)?;
    // fdt-rs leaves it to its caller that a token is left; a debug build of it asserts that.
    while tokens.offset.saturating_add(size_of::<u32>()) < tree.buf().len()
        && let Some(token) = tokens.next().map_err(|_| Mismatch::Unreadable)?
        && reader.token(token, names)?.is_continue()
    {}
    reader.finish()
}

/// The memory reservation block: pairs of 64-bit address and size, up to one of zeroes. Read here, since fdt-rs's
/// iterator over it hands out nothing that can be read.
fn reserve_map<'a>(tree: &DevTree<'a>, tree_pa: u64, plan: &Plan<'a>) -> Result<(), Mismatch<'a>> {
    let map = tree.buf().get(tree.off_mem_rsvmap()..).ok_or(Mismatch::Unreadable)?;
    for range in ranges(map, Cells { address: 2, size: 2 }).take_while(|range| *range != Range::default()) {
        // Boot loaders reserve the tree itself, which nobody needs any more once the partitions start.
        if !range.contains(tree_pa) {
            reserved(plan, "/memreserve/", range)?;
        }
    }
    Ok(())
}

/// Memory that the plan uses: partitions', channels' and EL2's own.
fn used<'a>(plan: &Plan<'a>) -> impl Iterator<Item = &'a RegionRecord> + use<'a> {
    plan.regions().iter().filter(|region| {
        let kind = RegionKind::from_code(region.kind);
        region.owner != OWNER_BOARD && matches!(kind, Some(RegionKind::Memory | RegionKind::Channel | RegionKind::El2))
    })
}

fn reserved<'a>(plan: &Plan<'a>, name: &'a str, range: Range) -> Result<(), Mismatch<'a>> {
    match used(plan).find(|region| Range::new(region.pa, region.size).overlaps(range)) {
        Some(region) => Err(Mismatch::Reserved { region, name, range }),
        None => Ok(()),
    }
}

/// What the node below the root is, in which the pass is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Root,
    Memory,
    Reserved,
    Cpus,
    Other,
}

/// Cells of an address and of a size in `reg`.
#[derive(Clone, Copy)]
struct Cells {
    address: usize,
    size: usize,
}

/// The defaults of the Devicetree Specification (2.3.5).
const CELLS: Cells = Cells { address: 2, size: 1 };

/// What has been seen of a node below a section.
#[derive(Clone, Copy, Default)]
struct Child<'a> {
    name: &'a [u8],
    reg: &'a [u8],
    no_map: bool,
}

struct Reader<'a, 'p> {
    plan: &'p Plan<'a>,
    depth: usize,
    section: Section,
    root: Cells,
    cells: Cells,
    child: Child<'a>,
    ram: [Range; RAM_RANGES_MAX],
    ram_count: usize,
    cores: u32,
}

impl<'a, 'p> Reader<'a, 'p> {
    fn new(plan: &'p Plan<'a>) -> Self {
        Self {
            plan,
            depth: 0,
            section: Section::Root,
            root: CELLS,
            cells: CELLS,
            child: Child::default(),
            ram: [Range::default(); RAM_RANGES_MAX],
            ram_count: 0,
            cores: 0,
        }
    }

    /// One token; `Break` after the root's end.
    fn token(&mut self, token: ParsedTok<'a>, names: &[u8]) -> Result<ControlFlow<()>, Mismatch<'a>> {
        match token {
            ParsedTok::BeginNode(node) => self.begin(node.name),
            ParsedTok::Prop(property) => {
                if let Some(name) = names.get(property.name_offset..) {
                    self.property(name, property.prop_buf)?;
                }
            }
            ParsedTok::EndNode => return self.end(),
            ParsedTok::Nop => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn begin(&mut self, name: &'a [u8]) {
        self.depth = self.depth.saturating_add(1);
        match self.depth {
            2 => {
                self.section = section(name);
                self.cells = if self.section == Section::Memory { self.root } else { CELLS };
            }
            3 => self.child = Child { name, ..Child::default() },
            _ => {}
        }
    }

    fn end(&mut self) -> Result<ControlFlow<()>, Mismatch<'a>> {
        if self.depth == 3 {
            self.end_child()?;
        }
        if self.depth == 2 {
            self.section = Section::Root;
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(if self.depth == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn end_child(&mut self) -> Result<(), Mismatch<'a>> {
        let child = self.child;
        match self.section {
            Section::Reserved if child.no_map => {
                let name = core::str::from_utf8(child.name).unwrap_or("?");
                ranges(child.reg, self.cells).try_for_each(|range| reserved(self.plan, name, range))
            }
            Section::Cpus if child.name.starts_with(b"cpu@") => {
                let known = |mpidr| self.plan.cores().iter().any(|core| core.mpidr == mpidr);
                if number(child.reg, self.cells.address).is_some_and(known) {
                    self.cores = self.cores.saturating_add(1);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// `name` begins with the property's name and its closing zero.
    fn property(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Mismatch<'a>> {
        match self.depth {
            1 => set_cells(&mut self.root, name, value),
            _ if self.section == Section::Other => {}
            2 if self.section == Section::Memory && name.starts_with(b"reg\0") => return self.add_ram(value),
            2 => set_cells(&mut self.cells, name, value),
            3 if name.starts_with(b"reg\0") => self.child.reg = value,
            3 if name.starts_with(b"no-map\0") => self.child.no_map = true,
            _ => {}
        }
        Ok(())
    }

    fn add_ram(&mut self, reg: &[u8]) -> Result<(), Mismatch<'a>> {
        for range in ranges(reg, self.cells) {
            *self.ram.get_mut(self.ram_count).ok_or(Mismatch::Unreadable)? = range;
            self.ram_count = self.ram_count.saturating_add(1);
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), Mismatch<'a>> {
        if self.depth != 0 {
            return Err(Mismatch::Unreadable);
        }
        for region in used(self.plan) {
            let first = self.first_hole(Range::new(region.pa, region.size));
            first.map_or(Ok(()), |first| Err(Mismatch::NoRam { region, first }))?;
        }
        let needs = self.plan.cores().len() as u32;
        if self.cores < needs { Err(Mismatch::Cores { has: self.cores, needs }) } else { Ok(()) }
    }

    /// The first address of `range` that no RAM range has.
    fn first_hole(&self, range: Range) -> Option<u64> {
        let mut first = range.start;
        while first < range.end {
            match self.ram.iter().find(|ram| ram.contains(first)) {
                Some(ram) => first = ram.end,
                None => return Some(first),
            }
        }
        None
    }
}

fn section(name: &[u8]) -> Section {
    match name {
        b"reserved-memory" => Section::Reserved,
        b"cpus" => Section::Cpus,
        b"memory" => Section::Memory,
        name if name.starts_with(b"memory@") => Section::Memory,
        _ => Section::Other,
    }
}

fn set_cells(cells: &mut Cells, name: &[u8], value: &[u8]) {
    let count = number(value, 1).map_or(0, |count| count as usize);
    if name.starts_with(b"#address-cells\0") {
        cells.address = count;
    } else if name.starts_with(b"#size-cells\0") {
        cells.size = count;
    }
}

/// The `(address, size)` pairs of a `reg`; none where the cells are not 1 or 2 each.
fn ranges(reg: &[u8], cells: Cells) -> impl Iterator<Item = Range> {
    let usable = matches!((cells.address, cells.size), (1 | 2, 1 | 2));
    let (address, pair) = match usable {
        true => (cells.address.saturating_mul(4), cells.address.saturating_add(cells.size).saturating_mul(4)),
        false => (4, usize::MAX),
    };
    reg.chunks_exact(pair).filter_map(move |pair| {
        let (start, size) = pair.split_at_checked(address)?;
        Some(Range::new(number(start, start.len().checked_div(4)?)?, number(size, size.len().checked_div(4)?)?))
    })
}

/// The big-endian number of `cells` cells (1 or 2) at the front of `bytes`.
fn number(bytes: &[u8], cells: usize) -> Option<u64> {
    match cells {
        1 => bytes.first_chunk().map(|bytes| u64::from(u32::from_be_bytes(*bytes))),
        2 => bytes.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)),
        _ => None,
    }
}
