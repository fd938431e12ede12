//! `unsafe` stands in the files that docs/unsafe.md lists, and the crates of unguarded registers under EL2's `arch/` only.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// Every Rust file below `folder`, but what is built.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !["target", "out"].contains(&name.as_str()) {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// The files, by path in the tree, of which `test` holds for a line, comments apart.
fn files_with(test: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut found = Vec::new();
    ["hypervisor", "partitions", "tools"].iter().for_each(|folder| sources(&tree().join(folder), &mut found));
    let holds = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().any(|line| test(line.split("//").next().unwrap()))
    };
    let name = |path: PathBuf| path.strip_prefix(tree()).unwrap().to_string_lossy().into_owned();
    found.into_iter().filter(holds).map(name).collect()
}

/// Whether the keyword stands in `code`: as a word of its own, not in a string of this file's kind.
fn is_unsafe(code: &str) -> bool {
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait", "[unsafe("]
        .iter()
        .any(|form| code.contains(form) && !code.contains(&format!("\"{form}\"")))
}

#[test]
fn unsafe_stands_in_the_listed_files_only() {
    let list = fs::read_to_string(tree().join("docs/unsafe.md")).unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let listed: BTreeSet<String> = rows.map(|(file, _)| file.to_owned()).collect();
    let present = files_with(is_unsafe);
    assert!(present.len() > 20, "the search finds nothing: {present:?}");
    let unlisted: Vec<_> = present.difference(&listed).collect();
    let vanished: Vec<_> = listed.difference(&present).collect();
    assert!(
        unlisted.is_empty() && vanished.is_empty(),
        "not listed in docs/unsafe.md: {unlisted:#?}; listed there for nothing: {vanished:#?}"
    );
}

#[test]
fn unguarded_registers_are_named_under_arch_only() {
    let names = [concat!("aarch64", "_cpu::"), concat!("arm", "_sysregs::"), concat!("asm", "!(")];
    let present = files_with(|code| names.iter().any(|name| code.contains(name)));
    let outside = present.iter().filter(|file| file.starts_with("hypervisor/el2/src/"));
    let outside: Vec<_> = outside.filter(|file| !file.starts_with("hypervisor/el2/src/arch/")).collect();
    assert!(present.iter().any(|file| file.starts_with("hypervisor/el2/src/arch/")), "the search finds nothing");
    assert!(outside.is_empty(), "{outside:#?}");
}
