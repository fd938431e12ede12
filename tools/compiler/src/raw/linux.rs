//! What a partition runs: `image`, or `linux = { kernel, initrd, bootargs }`.

use toml::de::DeValue;

use super::image::Image;
use super::key::{Describe, Keyed as _, Kind, keys};
use super::{Read, Table, Value};
use crate::problem::Problems;
use crate::source::Spanned;

/// `linux`: a kernel and what goes with it. Each file is [`Image::Path`] or [`Image::Guest`].
#[derive(Clone, Debug)]
pub struct Linux {
    /// `kernel`; `None` where it was missing or unreadable, which has been reported.
    pub kernel: Option<Spanned<Image>>,
    /// `initrd`.
    pub initrd: Option<Spanned<Image>>,
    /// `bootargs`.
    pub bootargs: Option<Spanned<String>>,
}

/// A file of a Linux guest: unlike an image, it is never a crate.
pub struct File(Image);

impl Describe for File {
    fn kind() -> Kind {
        Image::kind()
    }
}

impl Read for File {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.node() {
            DeValue::String(path) => Some(Self(Image::Path(path.to_string()))),
            DeValue::Table(_) => Image::read(value, problems).map(Self),
            _ => value.wrong_type("a path, or { guest = .. }", problems),
        }
    }
}

keys!(Linux {
    /// An arm64 Image.
    KERNEL = "kernel": File as "path, relative to the configuration", Needed, "\"Image\"";
    /// The initial RAM disk.
    INITRD = "initrd": File as "path, relative to the configuration", Otherwise("none"), "\"initramfs.cpio.gz\"";
    /// The kernel's command line, of at most 2047 bytes.
    BOOTARGS = "bootargs": String, Otherwise("none, or that of `dtb`"), "\"console=ttyAMA0\"";
});

impl Describe for Linux {
    fn kind() -> Kind {
        Kind::Table(Self::KEYS)
    }
}

impl Read for Linux {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut table = Table::open(value, "`linux`", value.span(), problems)?;
        let image = |file: Spanned<File>| file.map(|file| file.0);
        let linux = Self {
            kernel: table.required(Self::KERNEL, problems).map(image),
            initrd: table.optional(Self::INITRD, problems).map(image),
            bootargs: table.optional(Self::BOOTARGS, problems),
        };
        table.close(problems);
        Some(linux)
    }
}

/// Most bytes of a kernel's command line: COMMAND_LINE_SIZE of Linux's arch/arm64/include/uapi/asm/setup.h is 2048 with
/// the NUL behind it.
pub(crate) const COMMAND_LINE_BYTES_MAX: usize = 2047;
