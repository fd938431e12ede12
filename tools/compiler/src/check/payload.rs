//! What partitions run: their files as they were fetched, and what becomes of them in memory.

use std::path::PathBuf;

use dtoolkit::model::DeviceTree;
use septum_stage2::Access;

use crate::payload::{LinuxImage, Payload};
use crate::source::Span;
use crate::system::Segment;

/// The alignment of what the compiler itself puts into a partition's memory, in bytes.
const PLACED_ALIGNMENT: u64 = 16;

/// A file that has been recognised.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    /// What it is.
    pub payload: Payload,
    /// Where it lies.
    pub path: PathBuf,
}

impl Fetched {
    /// Bytes that it takes in the image file, at most.
    pub fn bytes(&self) -> u64 {
        match &self.payload {
            Payload::Elf(elf) => elf.segments.iter().map(|segment| segment.bytes.len() as u64).sum(),
            Payload::LinuxImage(image) => image.bytes.len() as u64,
            Payload::Raw(bytes) => bytes.len() as u64,
        }
    }
}

/// What is loaded into a partition, and how it starts.
#[derive(Clone, Debug, Default)]
pub(super) struct Fitted {
    /// Where the first core starts.
    pub entry: u64,
    /// What is loaded.
    pub segments: Vec<Segment>,
    /// What is in use: the segments, and what the program says that it takes besides. (first, one past the last)
    pub taken: Vec<(u64, u64)>,
    /// x0 to x3.
    pub arguments: [u64; 4],
    /// The ELF, where it is one.
    pub elf: Option<PathBuf>,
}

/// A memory of a partition with its IPA known.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// Its name.
    pub name: &'a str,
    /// First byte.
    pub ipa: u64,
    /// Bytes.
    pub size: u64,
    /// What the partition may do there.
    pub access: Access,
    /// Where the configuration asks for it.
    pub span: Span,
    /// Where it says that the partition sees it where it lies, if it does not say where that is.
    pub unplaced: Option<Span>,
}

impl View<'_> {
    /// Whether `size` bytes from `start` on lie in it.
    pub fn holds(&self, start: u64, size: u64) -> bool {
        let inside = start.checked_sub(self.ipa).and_then(|offset| self.size.checked_sub(offset));
        inside.is_some_and(|rest| size <= rest && (size > 0 || rest > 0))
    }
}

/// The files of a Linux guest.
#[derive(Clone, Debug)]
pub(super) struct LinuxFiles {
    /// The kernel.
    pub kernel: LinuxImage,
    /// The initial RAM disk.
    pub initrd: Option<Vec<u8>>,
}

impl LinuxFiles {
    /// Bytes that they take in the image file, at most.
    pub fn bytes(&self) -> u64 {
        self.kernel.bytes.len() as u64 + self.initrd.as_ref().map_or(0, |initrd| initrd.len() as u64)
    }
}

/// The user's own device tree.
#[derive(Debug)]
pub(super) struct OwnTree {
    /// The file's bytes.
    pub content: Vec<u8>,
    /// What they say.
    pub tree: DeviceTree,
    /// Where the configuration names it.
    pub span: Span,
}

impl OwnTree {
    /// Bytes that it takes in the image file, at most: what is put into it is counted apart.
    pub fn bytes(&self) -> u64 {
        self.content.len() as u64
    }
}

impl Fitted {
    /// Puts `bytes` at the highest free place of the memory that holds the entry, else of another; where.
    pub fn put(&mut self, views: &[View<'_>], bytes: Vec<u8>) -> Option<u64> {
        let size = bytes.len() as u64;
        let home = views.iter().filter(|view| view.holds(self.entry, 4));
        let others = views.iter().filter(|view| !view.holds(self.entry, 4));
        let ipa = home.chain(others).find_map(|view| highest_free(view, &self.taken, size))?;
        self.add(ipa, bytes);
        Some(ipa)
    }

    /// Adds a segment whose place is known to be free.
    pub fn add(&mut self, ipa: u64, bytes: Vec<u8>) {
        self.taken.push((ipa, ipa + bytes.len() as u64));
        self.segments.push(Segment::new(ipa, bytes, 0));
    }
}

fn highest_free(view: &View<'_>, taken: &[(u64, u64)], size: u64) -> Option<u64> {
    let mut end = view.ipa + view.size;
    loop {
        let start = end.checked_sub(size)? / PLACED_ALIGNMENT * PLACED_ALIGNMENT;
        if start < view.ipa {
            return None;
        }
        match taken.iter().find(|(first, last)| *first < start + size && start < *last) {
            None => return Some(start),
            Some((first, _)) => end = *first,
        }
    }
}
