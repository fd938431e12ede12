//! The arm64 Linux Image, as Documentation/arch/arm64/booting.rst describes its header.

use super::PayloadError;

/// `ARM\x64`.
pub(super) const MAGIC: [u8; 4] = *b"ARM\x64";
/// Where the magic number stands.
pub(super) const MAGIC_OFFSET: usize = 56;

/// Bytes of the header.
pub(crate) const HEADER_BYTES: u64 = 64;

/// Where kernels before 3.17 go, whose header says nothing.
const OLD_TEXT_OFFSET: u64 = 0x8_0000;
/// Flag bit 0: the kernel is big-endian.
const BIG_ENDIAN: u64 = 1;
/// Offset of the PE header's offset, for kernels with an EFI stub.
const PE_POINTER: usize = 0x3c;

/// An arm64 kernel, or anything else with its header (U-Boot, say).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinuxImage {
    /// Bytes from a 2 MiB boundary to where it goes; its first byte is its entry.
    pub text_offset: u64,
    /// Bytes of memory that it takes from there on, at least those of the file.
    pub image_size: u64,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Reads an Image whose magic number is right.
pub(super) fn read(bytes: &[u8]) -> Result<LinuxImage, PayloadError> {
    let found = bytes.len() as u64;
    if found < HEADER_BYTES {
        return Err(PayloadError::Truncated { needed: HEADER_BYTES, found });
    }
    let word = |offset| u64_at(bytes, offset).ok_or(PayloadError::Truncated { needed: HEADER_BYTES, found });
    let (text_offset, image_size, flags) = (word(8)?, word(16)?, word(24)?);
    if flags & BIG_ENDIAN != 0 {
        return Err(PayloadError::BigEndian);
    }
    if let Some(needed) = pe_end(bytes).filter(|needed| *needed > found) {
        return Err(PayloadError::Truncated { needed, found });
    }
    // "image_size = 0: text_offset is 0x80000 and the size is unknown" (booting.rst, on kernels before 3.17).
    let text_offset = if image_size == 0 { OLD_TEXT_OFFSET } else { text_offset };
    Ok(LinuxImage { text_offset, image_size: image_size.max(found), bytes: bytes.to_vec() })
}

/// Where the last section of the EFI stub's PE header ends in the file, for those that have one.
fn pe_end(bytes: &[u8]) -> Option<u64> {
    let pe = u32_at(bytes, PE_POINTER)? as usize;
    if !bytes.get(pe..)?.starts_with(b"PE\0\0") {
        return None;
    }
    let sections = u16_at(bytes, pe.checked_add(6)?)?;
    let first = pe.checked_add(24)?.checked_add(u16_at(bytes, pe + 20)? as usize)?;
    let ends = (0..sections as usize).map_while(|index| {
        let section = first + index * 40;
        Some(u64::from(u32_at(bytes, section + 16)?) + u64::from(u32_at(bytes, section + 20)?))
    });
    ends.max()
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}
