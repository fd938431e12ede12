//! What the reader says of itself: a JSON schema for editors, and the tables of keys in docs/configuration.md.
//!
//! The schemas keep to draft 4, all of which taplo and the editors that use it understand.

use serde_json::{Map, Value, json};

use crate::board;
use crate::raw::NAME_MAX;
use crate::raw::config::Config;
use crate::raw::key::{Absent, Exclusive, Keyed as _, Keys, Kind, Row};

/// A kind of file that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A configuration.
    Config,
    /// A board's `board.toml`.
    Board,
}

impl Subject {
    /// The keys of its outermost table.
    const fn keys(self) -> Keys {
        match self {
            Self::Config => Config::KEYS,
            Self::Board => board::KEYS,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Config => "A configuration of Septum",
            Self::Board => "A board of Septum",
        }
    }
}

/// Most keys of a table that are named where it may stand.
const FIELDS_MAX: usize = 3;

/// The JSON schema of such files.
pub fn json(subject: Subject) -> String {
    let Value::Object(mut schema) = table(&subject.keys()) else { return String::new() };
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-04/schema#"));
    schema.insert("title".into(), json!(subject.title()));
    format!("{:#}\n", Value::Object(schema))
}

/// The schema of a table with these keys.
fn table(keys: &Keys) -> Value {
    let properties: Map<_, _> = keys.rows.iter().map(|row| (row.name.to_owned(), property(row))).collect();
    let needed: Vec<_> = keys.rows.iter().filter(|row| is_needed(row)).map(|row| row.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    // Draft 4 wants something in every list.
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    if !keys.one_of.is_empty() {
        schema["anyOf"] = keys.one_of.iter().map(|name| present(keys, &[name])).collect();
    }
    for Exclusive { key, .. } in keys.exclusive {
        let others = keys.exclusive.iter().filter(|pair| pair.key == *key);
        let both: Vec<_> = others.map(|pair| present(keys, &[key, pair.other])).collect();
        schema["dependencies"][key] = json!({ "not": { "anyOf": both } });
    }
    schema
}

const fn is_needed(row: &Row) -> bool {
    matches!(row.absent, Absent::Needed)
}

/// What holds of a table that has all keys of `names`, and in each more than the word for nothing.
fn present(keys: &Keys, names: &[&str]) -> Value {
    let rows = keys.rows.iter().filter(|row| names.contains(&row.name));
    let nothing = |row: &Row| Some((row.name.to_owned(), json!({ "not": { "enum": [nothing(&(row.kind)())?] } })));
    let properties: Map<_, _> = rows.filter_map(nothing).collect();
    match properties.is_empty() {
        true => json!({ "required": names }),
        false => json!({ "required": names, "properties": properties }),
    }
}

/// The value that means the same as no key at all.
fn nothing(kind: &Kind) -> Option<Value> {
    match kind {
        Kind::Flag => Some(json!(false)),
        Kind::Named(_) => Some(json!({})),
        Kind::Or(kinds) => kinds.iter().find_map(nothing),
        _ => None,
    }
}

/// The schema of a key's value, with what an editor shows of it.
fn property(row: &Row) -> Value {
    let kind = (row.kind)();
    let mut schema = value(&kind);
    if is_needed(row) && matches!(kind, Kind::Named(_)) {
        schema["minProperties"] = json!(1);
    }
    let absent = match row.absent {
        Absent::Needed => "Needed.".to_owned(),
        Absent::Default(_) | Absent::Otherwise(_) => format!("Unless said: {}.", absent(row)),
    };
    schema["description"] = json!(format!("{}\n\n{}. {absent}", row.doc, capital(&written(&kind, row.unit))));
    schema["examples"] = json!([toml(row.example)]);
    if let Absent::Default(text) = row.absent {
        schema["default"] = toml(text);
    }
    schema
}

/// The schema of a value alone.
fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer(most) => json!({ "type": "integer", "minimum": 0, "maximum": most }),
        Kind::Size => json!({
            "type": ["integer", "string"],
            "minimum": 0,
            "maximum": u64::MAX,
            "pattern": r"^_*[0-9][0-9_]*\s*(KiB|MiB|GiB|TiB)$",
        }),
        Kind::Words(words) => json!({ "enum": words }),
        Kind::List(item) => json!({ "type": "array", "items": value(item) }),
        Kind::Table(keys) => table(keys),
        Kind::Named(keys) => json!({
            "type": "object",
            "patternProperties": { format!("^[A-Za-z0-9_-]{{1,{NAME_MAX}}}$"): table(keys) },
            "additionalProperties": false,
        }),
        Kind::Or(kinds) => json!({ "anyOf": kinds.iter().map(value).collect::<Vec<_>>() }),
    }
}

/// A TOML value as JSON; `null` if it is none, which a test forbids.
fn toml(text: &str) -> Value {
    let document: Option<Value> = toml::from_str(&format!("value = {text}")).ok();
    document.map_or(Value::Null, |mut document| document["value"].take())
}

/// A table of keys in docs/configuration.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTable {
    /// The way to it: `partition.NAME.memory.NAME`; the outermost one is called as its file.
    pub name: String,
    /// Its keys: name, value, what holds unless it is said, example and meaning, in Markdown.
    pub rows: Vec<[String; 5]>,
}

/// The tables of keys of such files, each once, where it is met first.
pub fn key_tables(subject: Subject) -> Vec<KeyTable> {
    let mut found = Vec::new();
    let name = match subject {
        Subject::Config => "configuration",
        Subject::Board => "board",
    };
    collect(name, "", &subject.keys(), &mut found);
    found
}

fn collect(name: &str, path: &str, keys: &Keys, found: &mut Vec<KeyTable>) {
    let rows: Vec<_> = keys.rows.iter().map(cells).collect();
    if found.iter().any(|table| table.rows == rows) {
        return;
    }
    found.push(KeyTable { name: name.to_owned(), rows });
    for row in keys.rows {
        inner(&format!("{path}{}", row.name), &(row.kind)(), found);
    }
}

/// The tables in a value at `path`.
fn inner(path: &str, kind: &Kind, found: &mut Vec<KeyTable>) {
    match kind {
        Kind::Table(keys) => collect(path, &format!("{path}."), keys, found),
        Kind::Named(keys) => collect(&format!("{path}.NAME"), &format!("{path}.NAME."), keys, found),
        Kind::List(item) => inner(path, item, found),
        Kind::Or(kinds) => kinds.iter().for_each(|kind| inner(path, kind, found)),
        Kind::Text | Kind::Flag | Kind::Integer(_) | Kind::Size | Kind::Words(_) => {}
    }
}

fn cells(row: &Row) -> [String; 5] {
    let kind = (row.kind)();
    let name = if matches!(kind, Kind::Named(_)) { format!("`{}.NAME`", row.name) } else { format!("`{}`", row.name) };
    [name, written(&kind, row.unit), absent(row), format!("`{}`", row.example), row.doc.to_owned()]
}

fn absent(row: &Row) -> String {
    match row.absent {
        Absent::Needed => "needed".to_owned(),
        Absent::Default(text) => format!("`{text}`"),
        Absent::Otherwise(text) => text.to_owned(),
    }
}

/// How a value is written, in words.
fn written(kind: &Kind, unit: Option<&str>) -> String {
    let with_unit = |what: &str| unit.map_or(what.to_owned(), |unit| format!("{what} ({unit})"));
    match kind {
        Kind::Text => with_unit("string"),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Integer(_) => with_unit("integer"),
        Kind::Size => "size (bytes)".to_owned(),
        Kind::Words(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Kind::List(item) => format!("list, each: {}", written(item, unit)),
        Kind::Table(keys) => fields(keys),
        Kind::Named(keys) => format!("tables by name, each: {}", fields(keys)),
        Kind::Or(kinds) => kinds.iter().map(|kind| written(kind, unit)).collect::<Vec<_>>().join(", or "),
    }
}

/// The first few keys.
fn fields(keys: &Keys) -> String {
    let names: Vec<_> = keys.rows.iter().map(|row| row.name).take(FIELDS_MAX).collect();
    let more = if keys.rows.len() > FIELDS_MAX { ", .." } else { "" };
    format!("`{{ {}{more} }}`", names.join(", "))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(char::to_uppercase).into_iter().flatten().chain(letters).collect()
}
