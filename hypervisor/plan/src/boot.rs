//! The boot block: what the boot stub must know before it can turn the MMU on.
//!
//! It lies in the image's first page, right behind the 64-byte arm64 Image header. EL2's ELF holds it as zeroes; the
//! compiler fills it in. The stub checks its seal, then the sealed range's, before it uses any other field.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::DeviceRecord;

/// Offset of the boot block in the image, in bytes: the length of the arm64 Image header.
pub const OFFSET: usize = 64;
/// `SEPTBOOT`, little-endian.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SEPTBOOT");

/// Facts for the boot stub. All addresses are physical unless their name ends in `_va`; sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct BootBlock {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`crate::record::VERSION`]. Magic and version keep their places for ever: a reader of any version finds them.
    pub version: u32,
    /// Zero; the boot stub compares it with the version, as one word.
    pub reserved: u32,
    /// Where the image's first byte must lie; the stub moves the image there.
    pub load: u64,
    /// Bytes of the image file, to be moved.
    pub image_bytes: u64,
    /// Bytes of memory from `load` on that are EL2's: the image and the cores' areas.
    pub memory_bytes: u64,
    /// The plan's first byte, 4 KiB aligned; the sealed range starts here.
    pub plan: u64,
    /// Bytes of plan and tables: the sealed range.
    pub sealed_bytes: u64,
    /// The seal of the sealed range.
    pub sealed: u64,
    /// TTBR0_EL2 of the boot root: the run root plus all RAM read-only, and the spin table where there is one.
    pub boot_root: u64,
    /// TTBR0_EL2 of the run root.
    pub run_root: u64,
    /// TCR_EL2.
    pub tcr: u64,
    /// MAIR_EL2.
    pub mair: u64,
    /// The plan's record of the console, for the stub's own messages.
    pub console: DeviceRecord,
    /// [`crate::seal()`] of all the fields above.
    pub seal: u64,
}

impl BootBlock {
    /// The block with its `seal` made right.
    pub fn sealed(mut self) -> Self {
        self.seal = self.own_seal();
        self
    }

    /// The seal that this block's other fields have.
    pub fn own_seal(&self) -> u64 {
        let bytes = self.as_bytes();
        let covered = bytes.len() - size_of::<u64>();
        crate::seal(bytes.get(..covered).unwrap_or(bytes))
    }
}

/// The words of an image that each image has of its own: the Image header's fields, behind two words of code, and the boot
/// block. In EL2's ELF they are zeroes.
const OWN_WORDS: core::ops::Range<usize> = 1..(OFFSET + size_of::<BootBlock>()) / size_of::<u64>();

/// The seal of EL2's own bytes: of `image`, an image up to its plan, without the words that each image has of its own.
pub fn el2_seal(image: &[u8]) -> u64 {
    let words = image.as_chunks::<8>().0.iter().enumerate().filter(|(index, _)| !OWN_WORDS.contains(index));
    words.fold(crate::seal::SEED, |seal, (_, word)| crate::seal::step(seal, u64::from_le_bytes(*word)))
}

const _: () = assert!(size_of::<BootBlock>() == 160);
