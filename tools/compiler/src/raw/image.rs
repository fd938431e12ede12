//! `image`: what a file of a partition's is.

use toml::de::DeValue;

use super::key::{Describe, Keyed as _, Kind, keys};
use super::{Read, Table, Value};
use crate::problem::Problems;

/// What a partition runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// A crate of partitions/.
    Crate(String),
    /// A file, relative to the configuration.
    Path(String),
    /// A guest from the cache, by name.
    Guest(String),
}

/// `{ guest = .. }`.
struct Guest;

keys!(Guest {
    /// A program that `setup` fetches.
    GUEST = "guest": String as "name", Needed, "\"linux-6.1\"";
});

impl Describe for Image {
    fn kind() -> Kind {
        Kind::Or(Box::new([Kind::Text, Kind::Table(Guest::KEYS)]))
    }
}

impl Read for Image {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        if let DeValue::String(text) = value.node() {
            let is_path = text.contains(['/', '.', '\\']);
            return Some(if is_path { Self::Path(text.to_string()) } else { Self::Crate(text.to_string()) });
        }
        if !value.node().is_table() {
            return value.wrong_type("a crate's name, a path, or { guest = .. }", problems);
        }
        let mut table = Table::<Guest>::open(value, "the image", value.span(), problems)?;
        let guest = table.required(Guest::GUEST, problems);
        table.close(problems);
        Some(Self::Guest(guest?.value))
    }
}
