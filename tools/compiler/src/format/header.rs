//! The arm64 Image header in the first 64 bytes, as Linux' Documentation/arch/arm64/booting.rst lays it down.
//!
//! The two words of code at its start are EL2's own and stay. The image is static: `text_offset` leads from the start
//! of RAM to the load address, and flag bit 3 ("anywhere") is clear, so that U-Boot, Pi firmware and QEMU put it where
//! it belongs. `image_size` counts all memory of EL2, so that none of them puts a device tree there.

use septum_plan::boot;

use crate::board::Board;

/// `ARM\x64`, at [`MAGIC_OFFSET`].
pub const MAGIC: [u8; 4] = *b"ARM\x64";
/// Where the magic number stands.
pub const MAGIC_OFFSET: usize = 56;
/// Where `text_offset` stands: bytes from a 2 MiB aligned base near the start of RAM to the image.
pub const TEXT_OFFSET: usize = 8;
/// Where `image_size` stands.
pub const IMAGE_SIZE: usize = 16;
/// Where `flags` stand.
pub const FLAGS: usize = 24;
/// `res2` to `res4`; the word behind the magic number is reserved, too.
const RESERVED: std::ops::Range<usize> = 32..MAGIC_OFFSET;
/// The alignment of the base, and of the load address, in bytes.
pub const ALIGNMENT: u64 = 2 << 20;
/// Flags: little-endian, 4 KiB pages, near the start of RAM.
pub const FLAGS_STATIC: u64 = 0b0010;

/// Fills the header in `image`'s first bytes, the code words apart.
pub(crate) fn write(image: &mut [u8], board: &Board, memory_bytes: u64) {
    const _: () = assert!(MAGIC_OFFSET + MAGIC.len() <= boot::OFFSET);
    image[TEXT_OFFSET..boot::OFFSET].fill(0);
    for (offset, value) in [(TEXT_OFFSET, text_offset_of(board)), (IMAGE_SIZE, memory_bytes), (FLAGS, FLAGS_STATIC)] {
        image[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    }
    image[MAGIC_OFFSET..][..MAGIC.len()].copy_from_slice(&MAGIC);
}

/// Whether `image` starts with such a header.
pub(crate) fn is_present(image: &[u8]) -> bool {
    image.get(MAGIC_OFFSET..).is_some_and(|rest| rest.starts_with(&MAGIC))
}

/// Checks the fields that do not depend on the board; the error names the field.
pub(crate) fn check(image: &[u8], memory_bytes: u64) -> Result<(), &'static str> {
    if field(image, FLAGS) != Some(FLAGS_STATIC) {
        return Err("flags field");
    }
    let reserved = [RESERVED, MAGIC_OFFSET + MAGIC.len()..boot::OFFSET];
    if reserved.into_iter().any(|bytes| image.get(bytes).is_none_or(|bytes| bytes.iter().any(|byte| *byte != 0))) {
        return Err("reserved field, which must be zero");
    }
    (field(image, IMAGE_SIZE) == Some(memory_bytes)).then_some(()).ok_or("image_size")
}

/// `text_offset` as `image`'s header has it.
pub fn text_offset(image: &[u8]) -> Option<u64> {
    field(image, TEXT_OFFSET)
}

/// `text_offset` as `board` needs it.
pub fn text_offset_of(board: &Board) -> u64 {
    board.load.get() - base(board)
}

fn field(image: &[u8], offset: usize) -> Option<u64> {
    image.get(offset..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// The 2 MiB boundary at or below the start of RAM.
pub(crate) fn base(board: &Board) -> u64 {
    board.ram.first().map_or(0, |bank| bank.start.get()) & !(ALIGNMENT - 1)
}
