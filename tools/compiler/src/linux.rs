//! A Linux guest: kernel, initial RAM disk and device tree placed in its partition's memory.
//!
//! The rules are those of Linux's Documentation/arch/arm64/booting.rst; each is named where it is kept.

pub mod initramfs;

use std::ops::Range;

use septum_plan::RegionKind;
use septum_stage2::{Access, Granule, Ipa};

use crate::board::Board;
use crate::device_tree::{self, Chosen, DeviceTreeError, Layout};
use crate::payload::LinuxImage;
use crate::system::{Partition, Region, Segment};

/// "The Image must be placed text_offset bytes from a 2MB aligned base address."
const KERNEL_ALIGNMENT: u64 = 0x20_0000;
/// The largest page that a kernel may have, so that the RAM disk shares no page with anything.
const INITRD_ALIGNMENT: u64 = 0x1_0000;
/// The tree gets a 2 MiB block of its own: "it must not exceed 2 megabytes in size", and the kernel maps it by blocks.
const TREE_ALIGNMENT: u64 = 0x20_0000;
/// The most bytes of a device tree.
pub(crate) const TREE_BYTES_MAX: u64 = 0x20_0000;
/// Offset of the header's flags.
const FLAGS_OFFSET: usize = 24;

/// What a Linux guest consists of.
#[derive(Clone, Copy, Debug)]
pub struct Linux<'a> {
    /// The kernel.
    pub kernel: &'a LinuxImage,
    /// The initial RAM disk's bytes.
    pub initrd: Option<&'a [u8]>,
    /// The kernel's command line.
    pub bootargs: Option<&'a str>,
    /// The user's own device tree, checked already; without one a tree is generated.
    pub tree: Option<&'a [u8]>,
}

/// Where everything of it goes.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Kernel, RAM disk and tree, by rising address.
    pub segments: Vec<Segment>,
    /// The kernel's first byte.
    pub entry: Ipa,
    /// x0 to x3: the tree's address, then zeroes.
    pub arguments: [u64; 4],
}

/// What is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The kernel.
    Kernel,
    /// The initial RAM disk.
    Initrd,
    /// The device tree.
    Tree,
}

impl Part {
    /// How messages call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Initrd => "initial RAM disk",
            Self::Tree => "device tree",
        }
    }
}

/// Why a Linux guest cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinuxError {
    /// No memory may be read, written and executed.
    #[error("a Linux guest needs memory with access = \"rwx\"")]
    NoMemory,
    /// Kernel, RAM disk and tree together are too large.
    #[error("the {} would end at {end:#x}, past the end of memory `{memory}` at {limit:#x}", .part.name())]
    DoesNotFit {
        /// Which of them.
        part: Part,
        /// The memory.
        memory: String,
        /// Where it would end (IPA).
        end: u64,
        /// Where the memory ends, or what the tree leaves free of it (IPA).
        limit: u64,
        /// Whether it is the tree that leaves no more.
        by_tree: bool,
    },
    /// The kernel's pages are of a size that the board's cores do not have.
    #[error("the kernel is built for {0} pages, which this board's cores do not have")]
    Pages(Granule),
    /// The tree is larger than Linux takes.
    #[error("the device tree has {0} bytes; Linux takes at most {TREE_BYTES_MAX}")]
    TreeTooLarge(u64),
    /// The user's own tree cannot be read.
    #[error("the device tree cannot be read: {0}")]
    Tree(#[from] device_tree::ParseError),
    /// No tree can be generated.
    #[error(transparent)]
    Generate(#[from] DeviceTreeError),
}

/// Places `linux` in `partition`'s memory: the kernel at its start, the RAM disk behind it, the tree behind that; clear of
/// what a tree of the user's own reserves, and inside what it names as memory.
///
/// # Errors
/// Where it does not fit, or the kernel cannot run on the board.
pub fn place(board: &Board, partition: &Partition, linux: &Linux<'_>) -> Result<Placement, LinuxError> {
    check_pages(board, linux.kernel)?;
    let room = Room::new(partition, linux.tree)?;
    let kernel = room.fit(Part::Kernel, 0, (KERNEL_ALIGNMENT, linux.kernel.text_offset), linux.kernel.image_size)?;
    let initrd = linux.initrd.map(|bytes| place_initrd(&room, kernel.end, bytes)).transpose()?;
    let free = initrd.as_ref().map_or(kernel.end, |initrd| initrd.end);
    let tree = tree(board, partition, linux, initrd.clone())?;
    let at = room.fit(Part::Tree, free, (TREE_ALIGNMENT, 0), tree.len() as u64)?;
    let kernel_zeroes = linux.kernel.image_size.saturating_sub(linux.kernel.bytes.len() as u64);
    let mut segments = vec![segment(kernel.start, &linux.kernel.bytes, kernel_zeroes)];
    segments.extend(initrd.zip(linux.initrd).map(|(at, bytes)| segment(at.start, bytes, 0)));
    segments.push(segment(at.start, &tree, 0));
    Ok(Placement { segments, entry: Ipa::new(kernel.start), arguments: [at.start, 0, 0, 0] })
}

fn usable(region: &Region) -> bool {
    region.kind == RegionKind::Memory && region.access == Access::RWX
}

fn segment(ipa: u64, bytes: &[u8], zero_bytes: u64) -> Segment {
    Segment::new(ipa, bytes.to_vec(), zero_bytes)
}

/// "initrd must reside entirely within a 1 GB aligned physical memory window of up to 32 GB that covers the kernel":
/// right behind the kernel it does.
fn place_initrd(room: &Room<'_>, after: u64, bytes: &[u8]) -> Result<Range<u64>, LinuxError> {
    room.fit(Part::Initrd, after, (INITRD_ALIGNMENT, 0), bytes.len() as u64)
}

/// A memory as far as the guest's tree leaves it free: all of it by a generated tree.
struct Room<'a> {
    memory: &'a Region,
    pieces: Vec<Range<u64>>,
}

impl<'a> Room<'a> {
    /// The first memory with every right of which the guest's own tree, if it has one, leaves something.
    fn new(partition: &'a Partition, tree: Option<&[u8]>) -> Result<Self, LinuxError> {
        let layout = tree.map(device_tree::parse).transpose()?.map(|tree| Layout::of(&tree));
        let room = |memory: &'a Region| {
            let whole = memory.ipa.get()..memory.ipa.get().saturating_add(memory.size);
            let pieces = layout.as_ref().map_or(vec![whole.clone()], |layout| layout.free_in(&whole));
            Self { memory, pieces }
        };
        let mut rooms = partition.regions.iter().filter(|region| usable(region)).map(room);
        let first = rooms.next().ok_or(LinuxError::NoMemory)?;
        Ok(if first.pieces.is_empty() { rooms.find(|room| !room.pieces.is_empty()).unwrap_or(first) } else { first })
    }

    /// The first `size` bytes from `from` on that start at an offset from an aligned address, in one piece.
    fn fit(&self, part: Part, from: u64, (alignment, offset): (u64, u64), size: u64) -> Result<Range<u64>, LinuxError> {
        let in_piece = |piece: &Range<u64>| {
            let start = from.max(piece.start).next_multiple_of(alignment).saturating_add(offset);
            (start..start.saturating_add(size), piece.end)
        };
        let mut places = self.pieces.iter().filter(|piece| piece.end > from).map(in_piece);
        if let Some((place, _)) = places.clone().find(|(place, limit)| place.end <= *limit) {
            return Ok(place);
        }
        let end_of_memory = self.memory.ipa.get().saturating_add(self.memory.size);
        let (place, limit) = places.next().unwrap_or((from..from.saturating_add(size), end_of_memory));
        let (memory, by_tree) = (self.memory.name.clone(), limit < end_of_memory);
        Err(LinuxError::DoesNotFit { part, memory, end: place.end, limit, by_tree })
    }
}

/// Flags bits 2:1 of the header: the kernel's page size, 0 where it does not say.
fn check_pages(board: &Board, kernel: &LinuxImage) -> Result<(), LinuxError> {
    let flags = kernel.bytes.get(FLAGS_OFFSET).copied().unwrap_or(0);
    let pages = match flags >> 1 & 0b11 {
        0 => return Ok(()),
        1 => Granule::K4,
        2 => Granule::K16,
        _ => Granule::K64,
    };
    if board.granules.contains(&pages) { Ok(()) } else { Err(LinuxError::Pages(pages)) }
}

fn tree(
    board: &Board,
    partition: &Partition,
    linux: &Linux<'_>,
    initrd: Option<Range<u64>>,
) -> Result<Vec<u8>, LinuxError> {
    let chosen = Chosen { bootargs: linux.bootargs.map(str::to_owned), initrd };
    let tree = match linux.tree {
        Some(own) => device_tree::with_chosen(own, &chosen)?,
        None => device_tree::generate(board, partition, &chosen)?,
    };
    if tree.len() as u64 > TREE_BYTES_MAX {
        return Err(LinuxError::TreeTooLarge(tree.len() as u64));
    }
    Ok(tree)
}
