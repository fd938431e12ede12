//! Scalars, lists, sizes and ranges.

use septum_stage2::{Access, Granule};
use toml::de::{DeInteger, DeValue};

use super::key::{Describe, Keyed as _, Kind, Words, keys};
use super::{Read, Table, Value, suggest};
use crate::problem::{Code, Problem, Problems};
use crate::source::Spanned;

impl Describe for String {
    fn kind() -> Kind {
        Kind::Text
    }
}

impl Read for String {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.node() {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => value.wrong_type("a string", problems),
        }
    }
}

impl Describe for bool {
    fn kind() -> Kind {
        Kind::Flag
    }
}

impl Read for bool {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.node() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => value.wrong_type("true or false", problems),
        }
    }
}

impl Describe for u64 {
    fn kind() -> Kind {
        Kind::Integer(Self::MAX)
    }
}

impl Read for u64 {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.node() {
            DeValue::Integer(integer) => integer_up_to(integer, u64::MAX, value, problems),
            _ => value.wrong_type("an integer", problems),
        }
    }
}

impl Describe for u32 {
    fn kind() -> Kind {
        Kind::Integer(Self::MAX.into())
    }
}

impl Read for u32 {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.node() {
            DeValue::Integer(integer) => {
                integer_up_to(integer, u64::from(Self::MAX), value, problems).and_then(|wide| wide.try_into().ok())
            }
            _ => value.wrong_type("an integer", problems),
        }
    }
}

fn integer_up_to(integer: &DeInteger<'_>, most: u64, value: Value<'_>, problems: &mut Problems) -> Option<u64> {
    let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| *number <= most);
    if number.is_none() {
        let message = format!("{} is out of range", value.title());
        let problem = Problem::new(Code::OutOfRange, value.span(), message);
        problems.add(problem.here(format!("must be from 0 to {most:#x}")));
    }
    number
}

impl<T: Read> Read for Vec<Spanned<T>> {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        let DeValue::Array(items) = value.node() else { return value.wrong_type("a list", problems) };
        let item = |node| Value { node, ..value }.read(problems);
        let read: Self = items.iter().filter_map(item).collect();
        // A list whose every item was unreadable is unreadable, not empty.
        (items.is_empty() || !read.is_empty()).then_some(read)
    }
}

/// Bytes: an integer, or a string with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Describe for Size {
    fn kind() -> Kind {
        Kind::Size
    }
}

impl Read for Size {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        match value.node() {
            DeValue::Integer(_) => u64::read(value, problems).map(Self),
            DeValue::String(text) => size_from_text(text).or_else(|| invalid_size(text, value, problems)).map(Self),
            _ => value.wrong_type("a size such as \"16MiB\"", problems),
        }
    }
}

fn size_from_text(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().ok()?;
    let shift = match unit.trim_start() {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

/// Whether `text` is an integer as TOML writes it.
pub(super) fn is_integer(text: &str) -> bool {
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find(|(prefix, _)| text.starts_with(prefix));
    let (digits, radix) = radix.map_or((text, 10), |(prefix, radix)| (&text[prefix.len()..], radix));
    digits.starts_with(|c: char| c.is_digit(radix)) && digits.chars().all(|c| c == '_' || c.is_digit(radix))
}

fn invalid_size(text: &str, value: Value<'_>, problems: &mut Problems) -> Option<u64> {
    let problem = Problem::new(Code::InvalidSize, value.span(), format!("\"{text}\" is no size"));
    let (here, help) = no_size(text);
    problems.add(problem.here(here).help(help));
    None
}

/// What is wrong with the size `text`, and what would be right.
fn no_size(text: &str) -> (String, String) {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.')).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let right = ["KiB", "MiB", "GiB", "TiB"].into_iter().find(|right| {
        let letters = unit.to_ascii_lowercase();
        let first = right[..1].to_ascii_lowercase();
        ["", "b", "ib"].iter().any(|rest| letters == first.clone() + rest)
    });
    let whole = number.starts_with(|c: char| c.is_ascii_digit()) && !number.contains('.');
    if is_integer(text) {
        return (
            "no unit".into(),
            format!("write an integer of bytes without quotes, {text}, or add KiB, MiB, GiB or TiB"),
        );
    }
    match right {
        Some(right) if whole && unit != right => {
            (format!("`{unit}` is no unit here"), format!("write \"{number}{right}\": units are powers of 1024"))
        }
        Some(right) if !whole && number.parse::<f64>().is_ok() => (
            "not a whole number".into(),
            format!("write it in a smaller unit than {right}: a size is a whole number of one"),
        ),
        Some(_) if whole => ("not below 2^64 bytes".into(), "no address is that large".into()),
        _ => (
            "not a whole number and a unit".into(),
            "write a whole number and KiB, MiB, GiB or TiB, as in \"16MiB\", or an integer of bytes".into(),
        ),
    }
}

/// A range of addresses, not yet checked for wrapping: `{ at = 0x4000_0000, size = "1GiB" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub at: u64,
    /// Bytes.
    pub size: u64,
}

keys!(Range {
    /// The first byte's address.
    AT = "at": u64 as "physical address", Needed, "0x4000_0000";
    /// How long it is.
    SIZE = "size": Size, Needed, "\"1GiB\"";
});

impl Describe for Range {
    fn kind() -> Kind {
        Kind::Table(Self::KEYS)
    }
}

impl Read for Range {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        let mut table = Table::open(value, value.title(), value.span(), problems)?;
        let at = table.required(Self::AT, problems);
        let size = table.required(Self::SIZE, problems);
        table.close(problems);
        Some(Self { at: at?.value, size: size?.value.0 })
    }
}

impl<T: Words> Read for T {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        let DeValue::String(text) = value.node() else {
            return value.wrong_type(&format!("one of {}", list(T::WORDS)), problems);
        };
        let found = T::WORDS.iter().find(|(word, _)| word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let problem =
                Problem::new(Code::InvalidChoice, value.span(), format!("{} cannot be \"{text}\"", value.title()));
            let known = || T::WORDS.iter().map(|(word, _)| *word);
            let near = known().find(|word| same_letters(word, text)).or_else(|| suggest(text, known()));
            let near = near.map(|word| format!("did you mean \"{word}\"?"));
            problems.add(problem.here(format!("must be one of {}", list(T::WORDS))).maybe_help(near));
        }
        found
    }
}

fn same_letters(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<_> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    sorted(one) == sorted(other)
}

fn list<T>(words: &[(&str, T)]) -> String {
    words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

impl Words for Granule {
    const WORDS: &'static [(&'static str, Self)] = &[("4k", Self::K4), ("16k", Self::K16), ("64k", Self::K64)];
}

impl Words for Access {
    const WORDS: &'static [(&'static str, Self)] =
        &[("r", Self::R), ("rw", Self::RW), ("rx", Self::RX), ("rwx", Self::RWX)];
}
