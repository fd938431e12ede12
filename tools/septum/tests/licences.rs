//! Every crate that Septum is built from may be used under MIT or Apache-2.0, and comes from where crates are published.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq};

/// Licences that ask no more than Septum's own do: to be named.
const ALLOWED: [&str; 8] = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "0BSD", "Unicode-3.0"];
/// Crates of the tool, none of what runs on the board, whose licence asks to pass on their own changed files: they are used
/// as published.
const FILES_STAY_OPEN: [&str; 2] = ["alterable_logger", "colored"];

/// The packages that are built for this machine and the boards.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked"]);
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-none", "aarch64-unknown-none-softfloat"] {
        cargo.args(["--filter-platform", target]);
    }
    let output = cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array_mut().unwrap().drain(..).collect()
}

fn is_allowed(name: &str, licence: &str) -> bool {
    let named = |required: &LicenseReq| {
        let id = required.license.id().map_or("", |id| id.name);
        ALLOWED.contains(&id) || id == "MPL-2.0" && FILES_STAY_OPEN.contains(&name)
    };
    // `A/B` is how old manifests say `A OR B`.
    Expression::parse(&licence.replace('/', " OR ")).is_ok_and(|expression| expression.evaluate(named))
}

#[test]
fn every_crates_licence_allows_septums() {
    let packages = packages();
    assert!(packages.len() > 50, "the search finds nothing");
    for package in packages {
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or("none"));
        assert!(is_allowed(name, licence), "`{name}` is under {licence}");
        let source = package["source"].as_str();
        assert!(source.is_none_or(|source| source.starts_with("registry+")), "`{name}` comes from {source:?}");
    }
}

#[test]
fn what_asks_for_more_is_refused() {
    for licence in ["GPL-3.0-only", "none", "MIT AND GPL-2.0-only", "MPL-2.0", "Apache-2.0 AND LGPL-2.1-or-later", ""] {
        assert!(!is_allowed("any", licence), "{licence}");
    }
    assert!(is_allowed("any", "MIT OR GPL-3.0-only") && is_allowed("any", "MIT/Apache-2.0"));
}
