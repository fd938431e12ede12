//! Reads any flattened device tree (Devicetree Specification 0.4, chapter 5), whatever its bytes.
//!
//! dtoolkit refuses the long property names of real boards (`snps,gfladj-refclk-lpm-sel-quirk`), or reads without
//! checking; a user's file needs both: every real tree read, every damaged one refused.

use dtoolkit::memreserve::MemoryReservation;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

const MAGIC: u32 = 0xd00d_feed;
/// The oldest version that readers of version 17 understand.
const COMPATIBLE_VERSION: u32 = 16;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;
/// Nodes inside nodes that are read: more than any tree has, few enough for the stack.
const DEPTH_MAX: usize = 64;

/// Why bytes are no device tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The magic number is missing.
    #[error("it is no flattened device tree (magic number)")]
    Magic,
    /// It needs a newer reader; its `last_comp_version`.
    #[error("it has version {0}, which is not 16 or 17")]
    Version(u32),
    /// The header or a token speaks of bytes that are not there; where.
    #[error("it is cut short or damaged at byte {0:#x}")]
    Damaged(usize),
    /// Too many nodes inside each other.
    #[error("its nodes are nested deeper than {DEPTH_MAX}")]
    TooDeep,
}

/// The tree in `bytes`, with its memory reservations.
///
/// # Errors
/// Where the bytes are no tree. No bytes make this panic.
pub fn parse(bytes: &[u8]) -> Result<DeviceTree, ParseError> {
    let header = |index: usize| word(bytes, index * 4).ok_or(ParseError::Magic);
    if header(0)? != MAGIC {
        return Err(ParseError::Magic);
    }
    if header(6)? > COMPATIBLE_VERSION + 1 || header(5)? < COMPATIBLE_VERSION {
        return Err(ParseError::Version(header(6)?));
    }
    let strings = bytes.get(header(3)? as usize..).ok_or(ParseError::Damaged(12))?;
    let mut reader = Reader { bytes, strings, at: header(2)? as usize };
    reader.expect(BEGIN_NODE)?;
    let mut tree = DeviceTree::new();
    tree.memory_reservations = reservations(bytes, header(4)? as usize)?;
    tree.root = reader.node(0)?;
    reader.expect(END)?;
    Ok(tree)
}

/// The memory reservations from byte `at` on (5.3): addresses and sizes up to a pair of zeroes. One of no bytes is left
/// out: it reserves nothing, and Linux takes it for the list's end (early_init_fdt_scan_reserved_mem of drivers/of/fdt.c).
fn reservations(bytes: &[u8], mut at: usize) -> Result<Vec<MemoryReservation>, ParseError> {
    let number = |at: usize| Some(u64::from(word(bytes, at)?) << 32 | u64::from(word(bytes, at + 4)?));
    let mut list = Vec::new();
    loop {
        let damaged = ParseError::Damaged(at);
        let (address, size) = (number(at).ok_or(damaged)?, number(at + 8).ok_or(damaged)?);
        if (address, size) == (0, 0) {
            return Ok(list);
        }
        address.checked_add(size).ok_or(damaged)?;
        list.extend((size > 0).then(|| MemoryReservation::new(address, size)));
        at += 16;
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    strings: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The rest of a node after its BEGIN_NODE token.
    fn node(&mut self, depth: usize) -> Result<DeviceTreeNode, ParseError> {
        if depth == DEPTH_MAX {
            return Err(ParseError::TooDeep);
        }
        let name = text(self.bytes, self.at).ok_or(ParseError::Damaged(self.at))?;
        self.skip(name.len() + 1)?;
        let mut node = DeviceTreeNode::new_unchecked(name);
        loop {
            match self.token()? {
                BEGIN_NODE => node.add_child(self.node(depth + 1)?),
                PROPERTY => node.add_property(self.property()?),
                END_NODE => return Ok(node),
                _ => return Err(ParseError::Damaged(self.at)),
            }
        }
    }

    fn property(&mut self) -> Result<DeviceTreeProperty, ParseError> {
        let damaged = ParseError::Damaged(self.at);
        let length = word(self.bytes, self.at).ok_or(damaged)? as usize;
        let name = word(self.bytes, self.at + 4).and_then(|offset| text(self.strings, offset as usize));
        let value = self.bytes.get(self.at + 8..).and_then(|rest| rest.get(..length)).ok_or(damaged)?;
        let property = DeviceTreeProperty::new_unchecked(name.ok_or(damaged)?, value);
        self.skip(8 + length)?;
        Ok(property)
    }

    /// The next token that is no NOP.
    fn token(&mut self) -> Result<u32, ParseError> {
        loop {
            let token = word(self.bytes, self.at).ok_or(ParseError::Damaged(self.at))?;
            self.at += 4;
            if token != NOP {
                return Ok(token);
            }
        }
    }

    fn expect(&mut self, wanted: u32) -> Result<(), ParseError> {
        let at = self.at;
        if self.token()? == wanted { Ok(()) } else { Err(ParseError::Damaged(at)) }
    }

    /// Moves past `length` bytes to the next token, which is 4-byte aligned.
    fn skip(&mut self, length: usize) -> Result<(), ParseError> {
        self.at = self.at.saturating_add(length).next_multiple_of(4);
        if self.at <= self.bytes.len() { Ok(()) } else { Err(ParseError::Damaged(self.bytes.len())) }
    }
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_be_bytes)
}

fn text(bytes: &[u8], offset: usize) -> Option<&str> {
    let rest = bytes.get(offset..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&rest[..end]).ok()
}
