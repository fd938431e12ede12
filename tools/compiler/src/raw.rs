//! TOML text -> raw values with their places: no meaning yet, but every type right and every key known.
//!
//! Every key is declared ([`key`]), and a [`Table`] is read by the declarations of its own: what is left over when it is
//! closed is an unknown key. Reading never stops at the first problem: a value that cannot be read is reported and left
//! out.

pub mod config;
pub mod image;
pub mod key;
pub mod linux;
mod suggest;
mod value;

use std::marker::PhantomData;

use toml::de::{DeTable, DeValue};

pub use suggest::suggest;
pub use value::{Range, Size};

use crate::problem::{Code, Problem, Problems};
use crate::source::{FileId, Span, Spanned};
use key::{Absent, Inner, Key, Keyed, Named};

/// Most characters of a name: the log and the plan hold it for every message.
pub const NAME_MAX: usize = 31;

/// Reports a `name` that cannot be one of a `kind`: log, image and messages are to be read by people and by tools.
pub fn check_name(kind: &str, name: &Spanned<String>, problems: &mut Problems) {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let length = name.value.chars().count();
    if !(1..=NAME_MAX).contains(&length) || !name.value.chars().all(letter) {
        let problem = Problem::new(Code::InvalidName, name.span, format!("`{}` cannot name a {kind}", name.value));
        problems.add(problem.help(format!("use 1 to {NAME_MAX} letters, digits, `-` or `_`")));
    }
}

/// A TOML value, its place, and the words that messages name it by.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    file: FileId,
    node: &'a toml::Spanned<DeValue<'a>>,
    name: &'a str,
}

/// What can be read from a TOML value.
pub trait Read: Sized {
    /// Reads it, or reports what is wrong with it.
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self>;
}

/// Parses `text`; the first syntax error is reported, and then nothing else can be said: `None`.
pub fn parse<'a>(text: &'a str, file: FileId, problems: &mut Problems) -> Option<toml::Spanned<DeValue<'a>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    // Behind the first error the parser is guessing.
    if let Some(error) = errors.iter().min_by_key(|error| error.span().map_or(0, |span| span.start)) {
        problems.add(not_toml(text, file, error));
        return None;
    }
    let span = table.span();
    Some(toml::Spanned::new(span, DeValue::Table(table.into_inner())))
}

fn not_toml(text: &str, file: FileId, error: &toml::de::Error) -> Problem {
    let span = Span::new(file, clamp(text, error.span().unwrap_or(0..0)));
    let problem = Problem::new(Code::Syntax, span, format!("not TOML: {}", one_line(error.message())));
    let problem = problem.help("nothing else of this file has been checked");
    match first_of_two(text, span.range()).filter(|_| error.message().contains("duplicate key")) {
        Some(first) => problem.label(Span::new(file, first), "first given here"),
        None => problem,
    }
}

/// The place before `key` whose line begins as that of `key` does up to its end: for a key given twice, the first one.
fn first_of_two(text: &str, key: std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
    let before = text.get(..key.start)?;
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let begin = text.get(line..key.end)?;
    let ends = |at: usize| {
        !before[at + begin.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.')
    };
    let starts = |at: usize| at == 0 || before[..at].ends_with('\n');
    let (found, _) = before[..line].rmatch_indices(begin).find(|(at, _)| starts(*at) && ends(*at))?;
    Some(found + key.start - line..found + key.end - line)
}

fn clamp(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    start..text.ceil_char_boundary(span.end.clamp(start, text.len()))
}

fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join(", ")
}

impl<'a> Value<'a> {
    /// The document's outermost table.
    pub const fn root(file: FileId, node: &'a toml::Spanned<DeValue<'a>>) -> Self {
        Self { file, node, name: "" }
    }

    /// Where it was written.
    pub fn span(self) -> Span {
        Span::new(self.file, self.node.span())
    }

    /// Its TOML node.
    pub fn node(self) -> &'a DeValue<'a> {
        self.node.get_ref()
    }

    /// Reads it as a `T`, with its place.
    pub fn read<T: Read>(self, problems: &mut Problems) -> Option<Spanned<T>> {
        T::read(self, problems).map(|value| Spanned::new(value, self.span()))
    }

    /// Reports that it should have been `wanted`; always `None`.
    pub fn wrong_type<T>(self, wanted: &str, problems: &mut Problems) -> Option<T> {
        let found = self.node().type_str();
        let message = format!("{} must be {wanted}, not {}", self.title(), with_article(found));
        let problem = Problem::new(Code::WrongType, self.span(), message).here(format!("expected {wanted}"));
        problems.add(problem.maybe_help(self.instead(wanted)));
        None
    }

    /// How to write this as what is `wanted`, where it is plain what was meant.
    fn instead(self, wanted: &str) -> Option<String> {
        match (self.node(), wanted) {
            (DeValue::String(text), "an integer") if value::is_integer(text) => {
                Some(format!("write it without quotes: {text}"))
            }
            (DeValue::String(text), "true or false") if matches!(text.as_ref(), "true" | "false") => {
                Some(format!("write it without quotes: {text}"))
            }
            (DeValue::String(text), list) if list.starts_with("a list") => Some(format!("write [\"{text}\"]")),
            (DeValue::Integer(number), list) if list.starts_with("a list") && number.radix() == 10 => {
                Some(format!("write [{}]", number.as_str()))
            }
            (DeValue::Table(_), list) if list.starts_with("a list") => Some("write it in brackets: [{ .. }]".into()),
            _ => None,
        }
    }

    /// What messages call it: `key`, or "the file" for the outermost table.
    pub fn title(self) -> String {
        if self.name.is_empty() { "the file".into() } else { format!("`{}`", self.name) }
    }
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// A table that is read as an `O`, key by key.
#[derive(Debug)]
pub struct Table<'a, O> {
    file: FileId,
    span: Span,
    owner: String,
    entries: Vec<Entry<'a>>,
    taken: Vec<&'static str>,
    /// What is not there, as far as the text has it: a key that was misspelt is no missing one as well.
    missing: Vec<(Vec<&'static str>, Problem)>,
    /// Keys whose value was refused, or whose name was misspelt.
    refused: Vec<&'static str>,
    read_as: PhantomData<O>,
}

#[derive(Debug)]
struct Entry<'a> {
    key: &'a str,
    key_span: Span,
    node: &'a toml::Spanned<DeValue<'a>>,
}

/// What is in `value`, which must be a table, in the order of the text.
fn entries<'a>(value: Value<'a>, problems: &mut Problems) -> Option<Vec<Entry<'a>>> {
    let DeValue::Table(table) = value.node() else { return value.wrong_type("a table", problems) };
    let entry = |(key, node): (&'a toml::Spanned<_>, &'a _)| -> Entry<'a> {
        let key: &'a toml::Spanned<toml::de::DeString<'a>> = key;
        Entry { key: key.get_ref(), key_span: Span::new(value.file, key.span()), node }
    };
    let mut entries: Vec<_> = table.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.key_span);
    Some(entries)
}

impl<'a, O: Keyed> Table<'a, O> {
    /// Opens `value`, which must be a table; `owner` is what messages call it: "partition `control`". `span` is where
    /// a missing key is reported.
    pub fn open(value: Value<'a>, owner: impl Into<String>, span: Span, problems: &mut Problems) -> Option<Self> {
        Some(Self {
            file: value.file,
            span,
            owner: owner.into(),
            entries: entries(value, problems)?,
            taken: Vec::new(),
            missing: Vec::new(),
            refused: Vec::new(),
            read_as: PhantomData,
        })
    }

    /// What messages call it.
    pub fn title(&self) -> &str {
        &self.owner
    }

    /// Where problems of the whole table are reported.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The value of `key` with the key's own place.
    pub fn value<T>(&mut self, key: Key<O, T>) -> Option<(Span, Value<'a>)> {
        let key = key.name();
        self.taken.push(key);
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(at);
        Some((entry.key_span, Value { file: self.file, node: entry.node, name: key }))
    }

    /// The value of `key`, if it is there and readable.
    pub fn optional<T: Read>(&mut self, key: Key<O, T>, problems: &mut Problems) -> Option<Spanned<T>> {
        let (_, value) = self.value(key)?;
        let read = value.read(problems);
        if read.is_none() {
            self.refused.push(key.name());
        }
        read
    }

    /// The value of `key`, which must be there. `None` has been reported, or is when the table is closed.
    pub fn required<T: Read>(&mut self, key: Key<O, T>, problems: &mut Problems) -> Option<Spanned<T>> {
        self.required_value(key)?.1.read(problems)
    }

    fn required_value<T>(&mut self, key: Key<O, T>) -> Option<(Span, Value<'a>)> {
        let found = self.value(key);
        if found.is_none() {
            let key = key.name();
            let message = format!("{} has no `{key}`", self.owner);
            let problem = Problem::new(Code::MissingKey, self.span, message).here(format!("`{key}` is needed"));
            self.missing.push((vec![key], problem));
        }
        found
    }

    /// That none of `keys` is there is `problem`, unless one of them turns out to be misspelt.
    pub fn lacks(&mut self, keys: &[&'static str], problem: Problem) {
        self.missing.push((keys.to_vec(), problem));
    }

    /// The value of `key`, or what its declaration says where it is not there. `None` has been reported.
    pub fn or_default<T: Read>(&mut self, key: Key<O, T>, problems: &mut Problems) -> Option<T> {
        match self.value(key) {
            Some((_, value)) => {
                let read = T::read(value, problems);
                self.refused.extend(read.is_none().then_some(key.name()));
                read
            }
            None => default(key, self.file),
        }
    }

    /// The table `key`, if it is there.
    pub fn inner<T: Keyed>(&mut self, key: Key<O, Inner<T>>, problems: &mut Problems) -> Option<Table<'a, T>> {
        let (span, value) = self.value(key)?;
        Table::open(value, format!("`{}`", key.name()), span, problems)
    }

    /// The table `key`, which must be there. `None` has been reported, or is when this table is closed.
    pub fn required_inner<T: Keyed>(&mut self, key: Key<O, Inner<T>>, problems: &mut Problems) -> Option<Table<'a, T>> {
        let (span, value) = self.required_value(key)?;
        Table::open(value, format!("`{}`", key.name()), span, problems)
    }

    /// What stands in the table `key`, by name, in the order of the text.
    pub fn named<T>(&mut self, key: Key<O, Named<T>>, problems: &mut Problems) -> Vec<(Spanned<String>, Value<'a>)> {
        let Some((_, value)) = self.value(key) else { return Vec::new() };
        let named = |entry: Entry<'a>| {
            let name = Spanned::new(entry.key.to_owned(), entry.key_span);
            (name, Value { file: value.file, node: entry.node, name: entry.key })
        };
        entries(value, problems).unwrap_or_default().into_iter().map(named).collect()
    }

    /// Reports `key`, which is known no longer, with what to do instead.
    pub fn former(&mut self, key: &str, instead: &str, problems: &mut Problems) {
        let Some(at) = self.entries.iter().position(|entry| entry.key == key) else { return };
        let span = self.entries.remove(at).key_span;
        let message = format!("unknown key `{key}` in {}", self.owner);
        problems.add(Problem::new(Code::UnknownKey, span, message).here("no longer a key").help(instead));
    }

    /// Reports every key that is not declared, and those that are missing. The keys whose value was refused, or whose
    /// name was misspelt: they are not to be reported as missing, too.
    pub fn close(mut self, problems: &mut Problems) -> Vec<&'static str> {
        let known = || O::KEYS.rows.iter().map(|row| row.name);
        let unread = known().find(|key| !self.taken.contains(key));
        debug_assert!(unread.is_none(), "{} is never read in {}", unread.unwrap_or_default(), self.owner);
        let undeclared = self.taken.iter().find(|key| known().all(|known| known != **key));
        debug_assert!(undeclared.is_none(), "{} is not declared in {}", undeclared.unwrap_or(&""), self.owner);
        for entry in &self.entries {
            let message = format!("unknown key `{}` in {}", entry.key, self.owner);
            let meant = suggest(entry.key, known());
            let help = match meant {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys here: {}", known().collect::<Vec<_>>().join(", ")),
            };
            self.missing.retain(|(keys, _)| meant.is_none_or(|meant| !keys.contains(&meant)));
            self.refused.extend(meant);
            problems.add(Problem::new(Code::UnknownKey, entry.key_span, message).here("unknown key").help(help));
        }
        self.missing.into_iter().for_each(|(_, problem)| problems.add(problem));
        self.refused
    }
}

/// What `key` means where it is not there, if its declaration says that in TOML.
fn default<O, T: Read>(key: Key<O, T>, file: FileId) -> Option<T> {
    let Absent::Default(text) = key.row().absent else { return None };
    let text = format!("value = {text}");
    let document = DeTable::parse(&text).ok()?;
    let (_, node) = document.get_ref().iter().next()?;
    let read = T::read(Value { file, node, name: key.name() }, &mut Problems::default());
    debug_assert!(read.is_some(), "`{}` cannot be {text}, its default", key.name());
    read
}
