//! What a partition runs: `image`, or `linux = { kernel, initrd, bootargs }`.

use toml::de::DeValue;

use super::image::Image;
use super::{Read, Table, Value};
use crate::problem::{Code, Problem, Problems};
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
struct File(Image);

impl Read for File {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.node() {
            DeValue::String(path) => Some(Self(Image::Path(path.to_string()))),
            DeValue::Table(_) => Image::read(value, problems).map(Self),
            _ => value.wrong_type("a path, or { guest = .. }", problems),
        }
    }
}

impl Read for Linux {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut table = Table::open(value, "`linux`", value.span(), problems)?;
        let image = |file: Spanned<File>| file.map(|file| file.0);
        let linux = Self {
            kernel: table.required("kernel", problems).map(image),
            initrd: table.optional("initrd", problems).map(image),
            bootargs: table.optional("bootargs", problems),
        };
        table.close(problems);
        Some(linux)
    }
}

/// `image` or `linux`: one of them.
pub(super) fn read_program(
    table: &mut Table<'_>,
    problems: &mut Problems,
) -> (Option<Spanned<Image>>, Option<Spanned<Linux>>) {
    let (image, linux) = (table.value("image"), table.value("linux"));
    if image.is_none() && linux.is_none() {
        let message = format!("{} has no `image`", table.title());
        let problem = Problem::new(Code::MissingKey, table.span(), message).here("`image` or `linux` is needed");
        table.lacks(&["image", "linux"], problem);
    }
    let image = image.and_then(|(_, value)| value.read(problems));
    (image, linux.and_then(|(_, value)| value.read(problems)))
}

/// Most bytes of a kernel's command line: COMMAND_LINE_SIZE of Linux's arch/arm64/include/uapi/asm/setup.h is 2048 with
/// the NUL behind it.
pub(crate) const COMMAND_LINE_BYTES_MAX: usize = 2047;
