//! What may stand in a table, declared once: by these declarations keys are read, documented, suggested and put into schemas.

use std::marker::PhantomData;

use crate::source::Spanned;

/// What may stand as a value.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// An integer from 0 to this.
    Integer(u64),
    /// Bytes: an integer, or a string with a unit.
    Size,
    /// One of these strings.
    Words(Vec<&'static str>),
    /// A list of such.
    List(Box<Self>),
    /// A table with these keys.
    Table(Keys),
    /// A table of tables with these keys, each under a name of the user's.
    Named(Keys),
    /// One or the other.
    Or(Box<[Self; 2]>),
}

/// What can tell as what it is written.
pub trait Describe {
    /// As what.
    fn kind() -> Kind;
}

/// A value that is written as one of some strings.
pub trait Words: Copy + 'static {
    /// The strings, with what they mean.
    const WORDS: &'static [(&'static str, Self)];
}

/// What holds where a key is not there.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// The file is refused.
    Needed,
    /// The same as if this TOML stood there.
    Default(&'static str),
    /// This, in words.
    Otherwise(&'static str),
}

/// A declared key.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// How it is written.
    pub name: &'static str,
    /// As what its value is written.
    pub kind: fn() -> Kind,
    /// What its numbers count, or its strings name.
    pub unit: Option<&'static str>,
    /// What holds without it.
    pub absent: Absent,
    /// A value, in TOML.
    pub example: &'static str,
    /// What it means, in a sentence; Markdown.
    pub doc: &'static str,
}

/// A key of the tables that are read as an `O`, with a value that is read as a `T`.
#[derive(Debug)]
pub struct Key<O, T> {
    row: Row,
    types: PhantomData<fn() -> (O, T)>,
}

impl<O, T> Clone for Key<O, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O, T> Copy for Key<O, T> {}

impl<O, T> Key<O, T> {
    /// The key that `row` describes: [`keys!`] makes them.
    pub const fn new(row: Row) -> Self {
        Self { row, types: PhantomData }
    }

    /// What describes it.
    pub const fn row(self) -> Row {
        self.row
    }

    /// How it is written.
    pub const fn name(self) -> &'static str {
        self.row.name
    }
}

/// Two keys that exclude each other.
#[derive(Clone, Copy, Debug)]
pub struct Exclusive {
    /// The one that is to be left out.
    pub key: &'static str,
    /// Because of this one.
    pub other: &'static str,
    /// Why.
    pub why: &'static str,
}

/// The keys of a table.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Each of them, in the order in which they are listed.
    pub rows: &'static [Row],
    /// Those of which at least one is needed.
    pub one_of: &'static [&'static str],
    /// Those that exclude each other.
    pub exclusive: &'static [Exclusive],
}

/// What is read from a table whose keys are declared.
pub trait Keyed {
    /// Its keys.
    const KEYS: Keys;
}

/// Declares the keys of the tables that are read as an `$owner`: constants of that type, by which a [`super::Table`] is
/// read, and the list of all of them.
///
/// A key is `NAME = "name": type as "unit", absent, "example";` below its sentence; behind them come the keys of which one
/// is needed, and the pairs that exclude each other, with the reason.
macro_rules! keys {
    ($owner:ty {
        $($(#[doc = $doc:literal])+
            $key:ident = $name:literal: $read:ty $(as $unit:literal)?, $absent:expr, $example:literal;)+
        $(one of $($one_of:literal),+;)?
        $($excluded:literal excludes $other:literal: $why:literal;)*
    }) => {
        impl $owner {
            $($(#[doc = $doc])+
            pub const $key: $crate::raw::key::Key<Self, $read> = {
                use $crate::raw::key::Absent::*;
                const UNIT: &[&str] = &[$($unit)?];
                $crate::raw::key::Key::new($crate::raw::key::Row {
                    name: $name,
                    kind: <$read as $crate::raw::key::Describe>::kind,
                    unit: UNIT.first().copied(),
                    absent: $absent,
                    example: $example,
                    doc: concat!($($doc),+).trim_ascii_start(),
                })
            };)+
        }

        impl $crate::raw::key::Keyed for $owner {
            const KEYS: $crate::raw::key::Keys = $crate::raw::key::Keys {
                rows: &[$(Self::$key.row()),+],
                one_of: &[$($($one_of),+)?],
                exclusive: &[$($crate::raw::key::Exclusive { key: $excluded, other: $other, why: $why }),*],
            };
        }
    };
}
pub(crate) use keys;

/// A table that is read as a `T`, key by key.
#[derive(Debug)]
pub struct Inner<T>(PhantomData<T>);

/// Tables that are read as a `T`, each under its name.
#[derive(Debug)]
pub struct Named<T>(PhantomData<T>);

impl<T: Keyed> Describe for Inner<T> {
    fn kind() -> Kind {
        Kind::Table(T::KEYS)
    }
}

impl<T: Keyed> Describe for Named<T> {
    fn kind() -> Kind {
        Kind::Named(T::KEYS)
    }
}

impl<T: Words> Describe for T {
    fn kind() -> Kind {
        Kind::Words(T::WORDS.iter().map(|(word, _)| *word).collect())
    }
}

impl<T: Describe> Describe for Vec<Spanned<T>> {
    fn kind() -> Kind {
        Kind::List(Box::new(T::kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problems;
    use crate::raw::{Table, Value, parse};
    use crate::source::{SourceFile, Span};

    struct Door;

    keys!(Door {
        /// Its width.
        WIDTH = "width": u32 as "mm", Needed, "900";
        /// Whether it is locked.
        LOCKED = "locked": bool, Default("true"), "false";
    });

    /// A key that is in no list.
    const COLOUR: Key<Door, String> = Key::new(Row { name: "colour", kind: String::kind, ..Door::WIDTH.row });

    /// Reads a door by `read`; the keys that it does not know are problems.
    fn door(text: &str, read: impl Fn(&mut Table<'_, Door>, &mut Problems)) -> Problems {
        let mut problems = Problems::default();
        let file = problems.sources.add(SourceFile { name: "door.toml".into(), text: text.into() });
        let node = parse(text, file, &mut problems).expect("TOML");
        let value = Value::root(file, &node);
        let mut table = Table::open(value, "the door", Span::new(file, 0..0), &mut problems).expect("a table");
        read(&mut table, &mut problems);
        table.close(&mut problems);
        problems
    }

    #[test]
    fn a_table_is_read_by_its_declarations() {
        let problems = door("width = 800\nlockd = false", |table, problems| {
            assert_eq!(table.required(Door::WIDTH, problems).map(|width| width.value), Some(800));
            assert_eq!(table.or_default(Door::LOCKED, problems), Some(true));
        });
        let messages: Vec<_> =
            problems.iter().map(|problem| (problem.message.as_str(), problem.help.as_deref())).collect();
        assert_eq!(messages, [("unknown key `lockd` in the door", Some("did you mean `locked`?"))]);
    }

    #[test]
    #[should_panic(expected = "locked is never read in the door")]
    fn a_key_that_is_declared_and_not_read_is_found() {
        door("width = 800", |table, problems| {
            table.required(Door::WIDTH, problems);
        });
    }

    #[test]
    #[should_panic(expected = "colour is not declared in the door")]
    fn a_key_that_is_read_and_not_declared_is_found() {
        door("width = 800", |table, problems| {
            table.required(Door::WIDTH, problems);
            table.or_default(Door::LOCKED, problems);
            table.optional(COLOUR, problems);
        });
    }
}
