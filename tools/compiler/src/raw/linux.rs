//! What a partition runs: `image`, or `linux = { kernel, initrd, bootargs }`, and which other keys go with which.

use toml::de::DeValue;

use super::config::{Image, Partition};
use super::{Read, Table, Value};
use crate::problem::{Code, Problem, Problems};
use crate::source::{Span, Spanned};

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
        problems.add(problem);
    }
    let image = image.and_then(|(_, value)| value.read(problems));
    (image, linux.and_then(|(_, value)| value.read(problems)))
}

/// Most bytes of a kernel's command line: COMMAND_LINE_SIZE of Linux's arch/arm64/include/uapi/asm/setup.h is 2048 with
/// the NUL behind it.
pub(crate) const COMMAND_LINE_BYTES_MAX: usize = 2047;

/// Reports a command line of which the guest would see the beginning only: `bootargs`, or `args` beside a device tree.
pub(super) fn check_command_line(partition: &Partition, problems: &mut Problems) {
    let bootargs = partition.linux.as_ref().and_then(|linux| linux.value.bootargs.as_ref());
    let has_tree = partition.device_tree.is_some() || partition.dtb.is_some();
    let args = partition.args.as_ref().filter(|_| has_tree);
    for (key, text) in [("bootargs", bootargs), ("args", args)] {
        let Some(text) = text else { continue };
        let new = |what: String| {
            let message = format!("`{key}` of partition `{}` {what}", partition.name.value);
            Problem::new(Code::CommandLine, text.span, message)
        };
        if let Some(at) = text.value.find('\0') {
            let problem = new("contains a NUL character".into()).here(format!("byte {at} is NUL"));
            problems.add(problem.help("a device tree's text ends at the first NUL: the guest would not see the rest"));
        }
        let bytes = text.value.len();
        if key == "bootargs" && bytes > COMMAND_LINE_BYTES_MAX {
            let problem = new(format!("has {bytes} bytes"));
            problems
                .add(problem.here(format!("at most {COMMAND_LINE_BYTES_MAX}")).help("Linux drops the rest silently"));
        }
    }
}

/// Reports keys of `partition` that exclude each other.
pub(super) fn check_keys(partition: &Partition, problems: &mut Problems) {
    let linux = partition.linux.as_ref().map(|linux| linux.span);
    let tree = partition.device_tree.map(|tree| tree.span);
    let pairs = [
        ("image", span(partition.image.as_ref()), "linux", linux, "a partition runs one of them"),
        ("args", span(partition.args.as_ref()), "linux", linux, "a kernel's arguments are `bootargs` of `linux`"),
        ("entry", span(partition.entry.as_ref()), "linux", linux, "a kernel's header says where it starts"),
        ("load", span(partition.load.as_ref()), "linux", linux, "a kernel's header says where it goes"),
        ("device-tree", tree, "linux", linux, "a Linux guest has one anyway"),
        ("device-tree", tree, "dtb", span(partition.dtb.as_ref()), "it is either generated or the user's own"),
    ];
    for (key, span, other, other_span, why) in pairs {
        let (Some(span), Some(other_span)) = (span, other_span) else { continue };
        let name = &partition.name.value;
        let message = format!("`{key}` and `{other}` exclude each other in partition `{name}`");
        let problem = Problem::new(Code::Exclusive, span, message).here("leave it out");
        problems.add(problem.label(other_span, format!("because of `{other}`")).help(why));
    }
}

fn span<T>(value: Option<&Spanned<T>>) -> Option<Span> {
    value.map(|value| value.span)
}
