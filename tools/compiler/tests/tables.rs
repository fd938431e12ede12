//! The documents' tables are the code's: what stands between `<!-- table NAME -->` and `<!-- end -->` is made from a list.
//!
//! `UPDATE_EXPECT=1 cargo test -p septum-compiler --test tables` writes the tables anew, to be reviewed as a diff.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use septum_compiler::schema::{KeyTable, Subject, key_tables};
use septum_plan::calls::{CODES, Call, FACTS, FIRMWARE_CALLS, Kind, Numbers, OWN_CALLS, Value};
use septum_plan::refusal::{PREFIX, Refusal};

/// What ends a table.
const END: &str = "<!-- end -->";

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs").join(name)
}

/// Compares the tables of `document` with `tables`, each a name and its text, or writes them there.
fn compare(document: &Path, tables: &[(&str, String)]) {
    let text = fs::read_to_string(document).unwrap();
    let named: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("<!-- table ")?.strip_suffix(" -->")).collect();
    assert_eq!(named, tables.iter().map(|(name, _)| *name).collect(), "the tables of {}", document.display());
    let mut made = text.clone();
    for (name, table) in tables {
        let begin = format!("<!-- table {name} -->\n");
        let (before, rest) = made.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("table {name} has no `{END}`"));
        made = format!("{before}{begin}{table}{END}{after}");
    }
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(document, made).unwrap();
        return;
    }
    let differs = text.lines().zip(made.lines()).find(|(is, should)| is != should);
    let update = "UPDATE_EXPECT=1 cargo test -p septum-compiler --test tables";
    assert!(text == made, "{} is not what the code says; `{update}` mends it. First: {differs:#?}", document.display());
}

/// A table with this head and these rows.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ")).replace("|  |", "| |");
    let rows: String = rows.into_iter().map(|row| line(&row.map(|cell| cell.replace('|', "\\|")))).collect();
    format!("{}{}\n{rows}", line(&head.map(str::to_owned)), ["|"; N].join("---") + "---|")
}

fn calls(calls: &[Call]) -> String {
    let row = |call: &Call| {
        let numbers: Vec<_> = call.numbers.iter().map(numbers).collect();
        let results = registers(0, call.results);
        let results = if results.is_empty() { "does not return".to_owned() } else { results };
        [call.name.to_owned(), numbers.join(", "), registers(1, call.arguments), results, call.sentence.to_owned()]
    };
    table(["name", "w0", "arguments", "answer", "what it does"], calls.iter().map(row))
}

fn numbers(numbers: &Numbers) -> String {
    if numbers.first == numbers.last {
        return format!("{:#010x}", numbers.first);
    }
    format!("{:#010x} to {:#010x}", numbers.first, numbers.last)
}

/// `values` in registers from `first` on.
fn registers(first: usize, values: &[Value]) -> String {
    let mut next = first;
    let mut places = Vec::new();
    for value in values {
        let letter = if value.kind == Kind::Word { 'w' } else { 'x' };
        let last = next + value.registers - 1;
        let to = if value.registers > 1 { format!(" to {letter}{last}") } else { String::new() };
        places.push(format!("{letter}{next}{to} = {}", value.meaning));
        next = last + 1;
    }
    places.join("; ")
}

#[test]
fn the_page_of_calls_is_the_table_of_calls() {
    let codes = CODES.iter().map(|(name, code, meaning)| [code.to_string(), (*name).to_owned(), (*meaning).to_owned()]);
    let facts = FACTS.iter().map(|fact| [fact.number.to_string(), fact.name.to_owned(), fact.meaning.to_owned()]);
    let tables = [
        ("calls::OWN_CALLS", calls(OWN_CALLS)),
        ("calls::FACTS", table(["x1", "name", "the fact in x1"], facts)),
        ("calls::FIRMWARE_CALLS", calls(FIRMWARE_CALLS)),
        ("calls::CODES", table(["x0", "name", "meaning"], codes)),
    ];
    compare(&document("abi.md"), &tables);
}

/// A record's format as a reader sees it: what stands for a number, an address or a name in the place of its type.
fn readable(text: &str) -> String {
    let mut pieces = text.split("{=");
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |before, piece| {
        let (kind, after) = piece.split_once('}').unwrap();
        let sign = match kind {
            "str" => "{name}",
            _ if kind.ends_with(":#x") => "{address}",
            _ => "{n}",
        };
        format!("{before}{sign}{after}")
    })
}

#[test]
fn the_page_of_refusals_is_the_list_of_refusals() {
    let row = |refusal: &Refusal| {
        let text = refusal.text().strip_prefix(PREFIX).unwrap_or(refusal.text());
        let number = format!("{} ", refusal.number());
        let text = readable(&text.replacen(&number, "", 1));
        let [text, compared, advice] = [&text, refusal.compared(), refusal.advice()].map(str::to_owned);
        [refusal.number().to_owned(), text, compared, advice]
    };
    let of = |stub: bool| {
        let refusals = Refusal::ALL.iter().filter(|refusal| refusal.number().starts_with('B') == stub);
        table(["number", "text", "compared", "what to do"], refusals.map(row))
    };
    compare(&document("boot.md"), &[("refusal::Refusal, boot stub", of(true)), ("refusal::Refusal, EL2", of(false))]);
}

#[test]
fn the_page_of_configurations_is_what_the_reader_says_of_itself() {
    let head = ["key", "value", "unless said", "example", "means"];
    let made = |keys: KeyTable| (keys.name, table(head, keys.rows));
    let made: Vec<_> = [Subject::Config, Subject::Board].into_iter().flat_map(key_tables).map(made).collect();
    let named: Vec<_> = made.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    compare(&document("configuration.md"), &named);
}
