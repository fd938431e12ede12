//! The schemas say what the reader says: the same files are refused for their form, shipped, bad and changed at will.

#[path = "common/files.rs"]
mod files;
#[path = "common/json_schema.rs"]
mod json_schema;
#[path = "common/shipped.rs"]
mod shipped;
#[path = "common/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use septum_compiler::check::{Files, check_bytes};
use septum_compiler::problem::Code;
use septum_compiler::schema::{Subject, json, key_tables};
use serde_json::{Value, json};

use files::WithBoard;
use json_schema::allows;

/// The rules that a schema can tell: those that the reader keeps without looking further than the file.
const FORM: [Code; 10] = [
    Code::WrongType,
    Code::OutOfRange,
    Code::InvalidSize,
    Code::InvalidChoice,
    Code::MissingKey,
    Code::UnknownKey,
    Code::InvalidName,
    Code::NoPartition,
    Code::Exclusive,
    Code::NoMemory,
];

fn schema(subject: Subject) -> Value {
    serde_json::from_str(&json(subject)).expect("JSON")
}

fn from_toml(text: &str) -> Option<Value> {
    toml::from_str(text).ok()
}

fn bad() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn tree() -> files::Tree {
    let mut tree = files::shipped(bad());
    tree.boards.push(bad().join("boards"));
    tree
}

/// A file's problems of form, as the checker reports them of the configuration `config`, or of a board's file.
fn problems(config: &str, files: &dyn Files, subject: Subject) -> Vec<String> {
    let Err(problems) = check_bytes("config.toml", config.as_bytes().to_vec(), files) else { return Vec::new() };
    let file = |code: &septum_compiler::problem::Problem| problems.sources.file(code.primary.span.file).name.clone();
    let is_here = |name: String| (name == "config.toml") == (subject == Subject::Config);
    let form = problems.iter().filter(|problem| FORM.contains(&problem.code) && is_here(file(problem)));
    form.map(|problem| format!("{}: {}", problem.code.text(), problem.message)).collect()
}

/// Asserts that the schema refuses `value` if the reader does.
fn agree(schema: &Value, value: &Value, problems: &[String], what: &str) {
    let allowed = allows(schema, value);
    assert_eq!(allowed, problems.is_empty(), "{what}: the schema allows it: {allowed}; the reader says {problems:#?}");
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn configurations_are_refused_by_the_schema_for_what_the_reader_refuses_them_for() {
    let (schema, mut refused) = (schema(Subject::Config), 0);
    for path in toml_files(&bad()).into_iter().chain(shipped::configs()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let Some(value) = from_toml(&text) else { continue };
        let problems = problems(&text, &tree(), Subject::Config);
        refused += usize::from(!problems.is_empty());
        agree(&schema, &value, &problems, &path.to_string_lossy());
    }
    assert!(refused > 10, "only {refused} are refused");
}

/// The files, with one board of this text.
fn one_board(text: &str) -> WithBoard {
    WithBoard { tree: tree(), text: Some(text.as_bytes().to_vec()) }
}

fn board_problems(text: &str) -> Vec<String> {
    let config =
        "board = \"board\"\npartition.a = { cpus = [0], image = \"hello\", memory.m = { ipa = 0, size = 4096 } }";
    problems(config, &one_board(text), Subject::Board)
}

#[test]
fn boards_are_refused_by_the_schema_for_what_the_reader_refuses_them_for() {
    let (schema, mut refused, mut read) = (schema(Subject::Board), 0, 0);
    for folder in [bad().join("boards"), files::root().join("boards")] {
        for path in fs::read_dir(folder).expect("boards").map(|entry| entry.expect("an entry").path()) {
            let Ok(text) = fs::read_to_string(path.join("board.toml")) else { continue };
            let Some(value) = from_toml(&text) else { continue };
            let problems = board_problems(&text);
            (refused, read) = (refused + usize::from(!problems.is_empty()), read + 1);
            agree(&schema, &value, &problems, &path.to_string_lossy());
        }
    }
    assert!(refused >= 3 && read > 20, "{refused} of {read} are refused");
}

/// A configuration with every key.
const WHOLE_CONFIG: &str = r#"
board = "rpi4"
variant = "2GiB"
log = "uart0"
[partition.raw]
cpus = [0, 1]
image = "files/zeroes.bin"
entry = 0x4000_0000
load = 0x4000_0000
args = "words"
memory.ram = { ipa = 0x4000_0000, pa = 0x4000_0000, size = "2MiB", access = "rwx", keep = true }
memory.same = { identity = true, size = 0x1000 }
devices = ["gpio", { name = "uart2", ipa = 0x0900_0400, access = "r" }]
granule = "4k"
stage2 = "compact"
dma = "trusted"
device-tree = { ipa = 0x4010_0000 }
console = true
physical-timer = "trapped"
[partition.linux]
cpus = [2]
linux = { kernel = { guest = "linux-6.1" }, initrd = "files/initrd", bootargs = "quiet" }
dtb = "files/foreign.dtb"
memory.ram = { ipa = 0x4000_0000, size = "64MiB", access = "rwx" }
[partition.plain]
cpus = [3]
image = { guest = "u-boot-qemu_arm64" }
device-tree = false
console = { ipa = 0x0900_0000 }
memory.ram = { ipa = 0x4000_0000, size = "2MiB", access = "rwx" }
"#;

/// A board with every key but `ram`, which excludes `variant`.
const WHOLE_BOARD: &str = r#"
description = "words"
pa-bits = 40
granules = ["4k", "64k"]
cores = [0x0, 0x1]
load = 0x4020_0000
counter-hz = 8_000_000
smmu = false
core-start = { method = "spin-table", release = [0xd8, 0xe0] }
power = { method = "bcm2835-pm", registers = { at = 0x0910_0000, size = 0x114 } }
consoles = ["uart0"]
variant.small = { ram = [{ at = 0x4000_0000, size = "1GiB" }] }
carve-out.firmware = { at = 0x4000_0000, size = 0x1000 }
[gic]
version = "v2"
distributor = { at = 0x0800_0000, size = 0x1000 }
redistributors = { at = 0x080a_0000, size = 0x4_0000 }
cpu-interface = { at = 0x0801_0000, size = 0x2000 }
virtual-control = { at = 0x0803_0000, size = 0x2000 }
virtual-cpu = { at = 0x0804_0000, size = 0x2000 }
spis = 224
[device.uart0]
registers = [{ at = 0x0900_0000, size = 0x1000 }]
interrupts = [33]
bus-master = false
dma-reach = { at = 0x0, size = "1GiB" }
resets-board = false
compatible = ["arm,pl011"]
uart = { kind = "pl011", clock-hz = 24_000_000, baud = 115_200 }
[twin]
qemu = ["-M", "virt"]
serials = ["uart0"]
variants = ["small"]
dtb = "board.dtb"
"#;

/// What values are changed to: every type, and what lies near a right one.
fn odd_values() -> Vec<Value> {
    vec![
        json!(true),
        json!(false),
        json!(7),
        json!(-1),
        json!(0x1_0000_0000_u64),
        json!(1.0),
        json!(""),
        json!("4k"),
        json!("rw"),
        json!("none"),
        json!("2MiB"),
        json!("2 MB"),
        json!("_1_ KiB"),
        json!([]),
        json!(["4k"]),
        json!([7]),
        json!([[]]),
        json!({}),
        json!({ "guest": "x" }),
        json!({ "ipa": 0 }),
        json!({ "at": 0, "size": 1 }),
    ]
}

/// Names that keys are added by: of every table, of none, and no name at all.
const ODD_KEYS: [&str; 9] = ["ipa", "image", "linux", "dtb", "ram", "variant", "no-such-key", "no name", ""];

/// Every `value` that differs from it in one place, with the place.
fn changes(value: &Value) -> Vec<(String, Value)> {
    let mut found: Vec<_> = odd_values().into_iter().map(|odd| (format!(" = {odd}"), odd)).collect();
    let mut within = |place: String, part: &Value, with: &dyn Fn(Value) -> Value| {
        found.extend(changes(part).into_iter().map(|(at, part)| (format!("{place}{at}"), with(part))));
    };
    if let Value::Array(items) = value {
        for (index, item) in items.iter().enumerate() {
            within(format!("[{index}]"), item, &|item| {
                let mut items = items.clone();
                items[index] = item;
                Value::Array(items)
            });
        }
    }
    let Value::Object(table) = value else { return found };
    for (key, part) in table {
        within(format!(".{key}"), part, &|part| {
            let mut table = table.clone();
            table.insert(key.clone(), part);
            Value::Object(table)
        });
    }
    for key in table.keys() {
        let mut less = table.clone();
        less.remove(key);
        found.push((format!(" without {key}"), Value::Object(less)));
    }
    for key in ODD_KEYS.iter().filter(|key| !table.contains_key(**key)) {
        for odd in [json!(0), json!("x"), json!({}), json!([{ "at": 0, "size": 4096 }])] {
            let mut more = table.clone();
            more.insert((*key).to_owned(), odd);
            found.push((format!(" with {key}"), Value::Object(more)));
        }
    }
    found
}

/// `value` as TOML.
fn to_toml(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let pairs: Vec<_> =
                table.iter().map(|(key, value)| format!("{} = {}", json!(key), to_toml(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(to_toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// `value`, a table, as a TOML document.
fn to_document(value: &Value) -> Option<String> {
    let pairs = value.as_object()?.iter().map(|(key, value)| format!("{} = {}\n", json!(key), to_toml(value)));
    Some(pairs.collect())
}

/// Compares schema and reader over every change of `text`, which is right and has every key.
fn agree_on_changes(text: &str, subject: Subject, problems: impl Fn(&str) -> Vec<String>) {
    let (schema, whole) = (schema(subject), from_toml(text).expect("TOML"));
    agree(&schema, &whole, &problems(text), "unchanged");
    assert!(allows(&schema, &whole));
    let mut verdicts = [0, 0];
    for (place, changed) in changes(&whole) {
        let Some(text) = to_document(&changed) else { continue };
        let problems = problems(&text);
        agree(&schema, &changed, &problems, &place);
        verdicts[usize::from(problems.is_empty())] += 1;
    }
    assert!(verdicts.iter().all(|count| *count > 100), "refused and allowed: {verdicts:?}");
}

#[test]
fn a_configuration_changed_in_one_place_is_refused_by_both_or_by_none() {
    // What comes behind the reader takes long, and says nothing of form: without a board it does not begin.
    let files = one_board("");
    agree_on_changes(WHOLE_CONFIG, Subject::Config, |text| problems(text, &files, Subject::Config));
}

#[test]
fn a_board_changed_in_one_place_is_refused_by_both_or_by_none() {
    agree_on_changes(WHOLE_BOARD, Subject::Board, board_problems);
}

/// The keys in `value`.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        Value::Object(table) => table.iter().for_each(|(key, value)| {
            found.insert(key.clone());
            keys(value, found);
        }),
        _ => {}
    }
}

#[test]
fn what_is_changed_has_every_key() {
    for (text, subject) in [(WHOLE_CONFIG, Subject::Config), (WHOLE_BOARD, Subject::Board)] {
        let mut found = BTreeSet::new();
        keys(&from_toml(text).expect("TOML"), &mut found);
        let declared = key_tables(subject).into_iter().flat_map(|table| table.rows);
        let names: BTreeSet<_> =
            declared.map(|[name, ..]| name.trim_matches('`').trim_end_matches(".NAME").to_owned()).collect();
        let missing: Vec<_> = names.difference(&found).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

/// Calls `judge` with the schema of every key.
fn each_key(schema: &Value, judge: &mut dyn FnMut(&str, &Value)) {
    match schema {
        Value::Array(list) => list.iter().for_each(|schema| each_key(schema, judge)),
        Value::Object(rules) => {
            for (name, schema) in rules.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if schema.get("description").is_some() {
                    judge(name, schema);
                }
            }
            rules.values().for_each(|schema| each_key(schema, judge));
        }
        _ => {}
    }
}

#[test]
fn every_example_and_every_default_is_a_right_value() {
    for subject in [Subject::Config, Subject::Board] {
        let mut judged = 0;
        each_key(&schema(subject), &mut |name, schema| {
            let examples = schema["examples"].as_array().expect("examples");
            let values = examples.iter().chain(schema.get("default"));
            values.for_each(|value| assert!(allows(schema, value), "`{name}` cannot be {value}"));
            judged += 1;
        });
        assert!(judged > 20, "only {judged} keys");
    }
}

#[test]
fn every_key_stands_once_in_its_table_and_has_a_sentence() {
    for table in [Subject::Config, Subject::Board].into_iter().flat_map(key_tables) {
        let names: BTreeSet<_> = table.rows.iter().map(|[name, ..]| name).collect();
        assert_eq!(names.len(), table.rows.len(), "{}", table.name);
        for [name, _, _, _, doc] in &table.rows {
            assert!(doc.ends_with('.') && doc.len() > 3, "{name} of {}: {doc}", table.name);
        }
    }
}
