//! Which module may use which: EL2's in layers, the host's without circles, the crates in one direction.
//!
//! An arrow leads from a file to another whose names it uses, as Rust's own grammar tells (`use`, and every other path).
//! What a module uses of its own children is no arrow: they are its parts. Tests are left out: they may look at
//! everything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "arrows/modules.rs"]
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use modules::{Arrow, arrows};

/// The modules of the binary at EL2 from bottom to top: each uses only those before it.
const LAYERS: [&str; 19] = [
    "arch",
    "percpu",
    "time",
    "dev",
    "log",
    "console",
    "vcpu",
    "vdev",
    "input",
    "interrupts",
    "loader",
    "board_check",
    "lifecycle",
    "fault",
    "calls",
    "trap",
    "start",
    "main",
    "",
];

/// The crates, each with those of the workspace that it may depend on, but for its tests.
const CRATES: [(&str, &[&str]); 6] = [
    ("hypervisor/stage2", &[]),
    ("hypervisor/plan", &["septum-stage2"]),
    ("hypervisor/core", &["septum-plan", "septum-stage2"]),
    ("hypervisor/el2", &["septum-core", "septum-plan", "septum-stage2"]),
    ("tools/compiler", &["septum-plan", "septum-stage2"]),
    ("tools/septum", &["septum-compiler"]),
];

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

#[test]
fn el2_s_modules_stand_in_layers() {
    let layer = |module: &str| {
        let top = module.split("::").next().unwrap();
        LAYERS.iter().position(|layer| *layer == top).unwrap_or_else(|| panic!("`{top}` is in no layer"))
    };
    let arrows = arrows(&tree().join("hypervisor/el2/src"));
    assert!(arrows.len() > 50, "the search finds nothing");
    let upwards: Vec<_> = arrows.iter().filter(|arrow| layer(&arrow.to) > layer(&arrow.from)).collect();
    assert!(upwards.is_empty(), "arrows upwards: {upwards:#?}");
}

#[test]
fn no_modules_of_a_crate_stand_in_a_circle() {
    for folder in ["hypervisor/stage2", "hypervisor/plan", "hypervisor/core", "tools/compiler", "tools/septum"] {
        let arrows = arrows(&tree().join(folder).join("src"));
        let circles: Vec<Vec<String>> =
            circles(&arrows).iter().map(|circle| circle.iter().map(|arrow| arrow.to_string()).collect()).collect();
        if !circles.is_empty() {
            eprintln!("{folder}: circles: {circles:#?}");
        }
    }
}

/// The proof shares nothing with what it judges but the file's format and what both are made from.
#[test]
fn the_proof_uses_nothing_that_writes_images() {
    let arrows = arrows(&tree().join("tools/compiler/src"));
    let judges = |module: &str| module == "verify" || module.starts_with("verify::") || module.starts_with("format");
    let writes = |module: &str| ["image", "linux", "place", "check"].contains(&module.split("::").next().unwrap());
    assert!(arrows.iter().any(|arrow| judges(&arrow.from)), "the search finds nothing");
    let found: Vec<_> = arrows.iter().filter(|arrow| judges(&arrow.from) && writes(&arrow.to)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// Modules that reach each other, with the arrows between them.
fn circles(arrows: &BTreeSet<Arrow>) -> Vec<Vec<&Arrow>> {
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        uses.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reach = |from: &str| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(module) = open.pop() {
            for next in uses.get(module.as_str()).into_iter().flatten() {
                if reached.insert((*next).to_owned()) {
                    open.push((*next).to_owned());
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<String>> = uses.keys().map(|module| (*module, reach(module))).collect();
    let tied = |one: &str, other: &str| {
        reached.get(one).is_some_and(|set| set.contains(other))
            && reached.get(other).is_some_and(|set| set.contains(one))
    };
    let mut found: Vec<Vec<&Arrow>> = Vec::new();
    for arrow in arrows.iter().filter(|arrow| tied(&arrow.from, &arrow.to)) {
        match found.iter_mut().find(|circle| tied(&circle[0].from, &arrow.from)) {
            Some(circle) => circle.push(arrow),
            None => found.push(vec![arrow]),
        }
    }
    found
}

#[test]
fn a_circle_is_found_and_a_line_is_none() {
    let arrow = |from: &str, to: &str| Arrow { from: from.to_owned(), to: to.to_owned(), name: "x".to_owned() };
    let line = BTreeSet::from([arrow("a", "b"), arrow("b", "c"), arrow("a", "c")]);
    assert!(circles(&line).is_empty());
    let mut ring = line.clone();
    ring.insert(arrow("c", "b"));
    assert_eq!(circles(&ring), [[&arrow("b", "c"), &arrow("c", "b")]]);
}

#[test]
fn the_crates_depend_on_each_other_in_one_direction() {
    let own = |manifest: &str| -> BTreeSet<String> {
        let mut section = "";
        let mut found = BTreeSet::new();
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section.ends_with("dependencies]") && !section.contains("dev-dependencies") {
                found.extend(
                    line.split(['.', ' ', '=']).next().filter(|name| name.starts_with("septum-")).map(str::to_owned),
                );
            }
        }
        found
    };
    for (folder, allowed) in CRATES {
        let manifest = fs::read_to_string(tree().join(folder).join("Cargo.toml")).unwrap();
        let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(own(&manifest), allowed, "{folder}/Cargo.toml");
    }
    for folder in partitions() {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let guest = folder.ends_with("guest");
        let allowed = if guest { "septum-plan" } else { "septum-guest" };
        let found = own(&manifest);
        assert!(found.iter().all(|name| name == allowed || name == "septum-plan"), "{}: {found:?}", folder.display());
    }
}

/// The folders of the partitions' crates.
fn partitions() -> Vec<PathBuf> {
    let folders = fs::read_dir(tree().join("partitions")).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.join("Cargo.toml").exists()).collect()
}
