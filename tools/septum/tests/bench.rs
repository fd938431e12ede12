//! No path of EL2 costs more than the figures in the tree say, measured on the emulator in instructions.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// The figures; `cargo septum bench --json > tools/septum/bench/figures.json` writes them anew.
const FIGURES: &str = "tools/septum/bench/figures.json";

#[test]
fn no_operation_costs_more_than_the_figures_in_the_tree() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_septum"));
    let output = bench.args(["bench", "--compare", FIGURES]).current_dir(tree).output().unwrap();
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "what has changed, by median:\n{shown}\n{said}");
}
