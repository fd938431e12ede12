//! What a partition runs, read from a file: an AArch64 ELF, an arm64 Linux Image, or raw bytes.
//!
//! Nothing here knows partitions or memory: the checker decides whether what is read fits where it goes.

mod elf;
mod initrd;
mod linux;

pub use elf::{Elf, ElfSegment};
pub(crate) use initrd::not_initrd;
pub(crate) use linux::HEADER_BYTES;
pub use linux::LinuxImage;

/// A file's content, by its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// An AArch64 ELF: it says itself where it goes and starts.
    Elf(Elf),
    /// An arm64 Linux Image: it goes to a 2 MiB boundary plus its text offset, and starts there.
    LinuxImage(LinuxImage),
    /// Anything else: the configuration says where it goes and starts.
    Raw(Vec<u8>),
}

/// Why a file is no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// No bytes.
    #[error("the file is empty")]
    Empty,
    /// For another processor; which.
    #[error("it is for {0}, not for AArch64")]
    Machine(String),
    /// Big-endian.
    #[error("it is big-endian; Septum's partitions start little-endian")]
    BigEndian,
    /// Packed; how, and what to do.
    #[error("it is {0}, which must be unpacked first")]
    Compressed(&'static str),
    /// No program at all; what, and what would do.
    #[error("it is {0}")]
    NoProgram(&'static str),
    /// The file ends before what its header announces.
    #[error("it is cut short: its header speaks of {needed} bytes, the file has {found}")]
    Truncated {
        /// Bytes that the header speaks of.
        needed: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// An ELF whose headers contradict themselves.
    #[error("its ELF headers are damaged")]
    Damaged,
    /// An ELF that is not a program: an object file, a core dump.
    #[error("it is an ELF, but no linked program")]
    NotLinked,
    /// An ELF that wants a dynamic loader.
    #[error("it is dynamically linked; link it statically")]
    Dynamic,
    /// An ELF without a loadable byte.
    #[error("it has no loadable segment")]
    NoSegment,
    /// Two segments of an ELF overlap; the second's address.
    #[error("its segment at {0:#x} overlaps another one")]
    Overlap(u64),
    /// A segment of an ELF wraps past 2^64; its address.
    #[error("its segment at {0:#x} wraps past the end of the address space")]
    Wraps(u64),
}

/// Reads a payload.
///
/// # Errors
/// Where the file is empty, damaged, packed or for another machine. What has no known format is [`Payload::Raw`].
pub fn read(bytes: &[u8]) -> Result<Payload, PayloadError> {
    if bytes.is_empty() {
        return Err(PayloadError::Empty);
    }
    if bytes.starts_with(b"\x7fELF") {
        return elf::read(bytes).map(Payload::Elf);
    }
    if has(bytes, linux::MAGIC_OFFSET, &linux::MAGIC) {
        return linux::read(bytes).map(Payload::LinuxImage);
    }
    foreign(bytes)?;
    Ok(Payload::Raw(bytes.to_vec()))
}

/// Refuses, by name, what is surely not AArch64 code although its user may take it for a kernel.
fn foreign(bytes: &[u8]) -> Result<(), PayloadError> {
    let packed = [
        (0, &b"\x1f\x8b"[..], "gzip-compressed"),
        (0, b"\xfd7zXZ\0", "xz-compressed"),
        (0, b"\x28\xb5\x2f\xfd", "zstd-compressed"),
        (0, b"BZh", "bzip2-compressed"),
        (0, b"\x02\x21\x4c\x18", "lz4-compressed"),
        (4, b"zimg", "a compressed EFI kernel (zboot; the kernel's own Image is inside)"),
        (0, b"\x27\x05\x19\x56", "a U-Boot uImage (dumpimage takes the kernel out)"),
    ];
    if let Some((.., what)) = packed.iter().find(|(offset, magic, _)| has(bytes, *offset, magic)) {
        return Err(PayloadError::Compressed(what));
    }
    if let Some(what) = container(bytes) {
        return Err(what);
    }
    let machines = [
        (0x24, &b"\x18\x28\x6f\x01"[..], "32-bit Arm (a zImage)"),
        (0x202, b"HdrS", "x86 (a bzImage)"),
        (56, b"RSC\x05", "RISC-V"),
    ];
    match machines.iter().find(|(offset, magic, _)| has(bytes, *offset, magic)) {
        Some((.., machine)) => Err(PayloadError::Machine((*machine).to_owned())),
        None => Ok(()),
    }
}

/// Files that hold a kernel among others, and those of the same format that hold none.
fn container(bytes: &[u8]) -> Option<PayloadError> {
    // Devicetree Specification 5.2: the magic number. U-Boot's FIT is a tree with a node `/images`.
    if bytes.starts_with(b"\xd0\x0d\xfe\xed") {
        let node = b"\0\0\0\x01images\0";
        return Some(match bytes.windows(node.len()).any(|window| window == node) {
            true => PayloadError::Compressed("a FIT image (dumpimage -T flat_dt -p N takes part N out)"),
            false => PayloadError::NoProgram("a device tree; the key `dtb` takes it"),
        });
    }
    // ar(5); deb(5): the first member is `debian-binary`.
    if bytes.starts_with(b"!<arch>\n") {
        return Some(match has(bytes, 8, b"debian-binary") {
            true => PayloadError::Compressed("a Debian package (dpkg-deb -x; the kernel is in its boot/)"),
            false => PayloadError::NoProgram("a static library; link it to a program"),
        });
    }
    None
}

fn has(bytes: &[u8], offset: usize, magic: &[u8]) -> bool {
    bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}
