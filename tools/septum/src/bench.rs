//! `septum bench`: what EL2 costs, in instructions, pages and bytes, from runs that are the same each time.
//!
//! * [`guest`]: the partition `bench` measures operations from inside, with a counter that ticks once per instruction;
//! * [`boot`]: the emulator's trace of executed instructions, from EL2's first to the partition's first;
//! * [`pages`]: what EL2's memory holds after a run, against what lay there before;
//! * [`size`]: bytes of the linked binary, and of the tables.
//!
//! What the rows mean, their goals and how to read them: docs/performance.md.

mod boot;
mod guest;
mod machine;
mod pages;
mod report;
mod size;

use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::check::TEXT_BYTES_MAX;

use crate::failure::Failure;
use crate::home::Home;
use crate::output;
use crate::regular_file;
use crate::setup;
use machine::Prepared;
use report::Report;

/// What all this needs.
pub const TREE: &str = "what `bench` measures lies in";
/// The configurations that are measured for their own sake, in this folder of the tree.
const FOLDER: &str = "tools/septum/bench";
/// Which of them measure operations.
const OPERATIONS: [&str; 6] = ["gicv3-one", "gicv3-two", "gicv3-console", "gicv2-one", "gicv2-two", "gicv2-console"];
/// Which of them boot, for the rows about boot: the first two differ in the partition's memory only. All keep their
/// memory, but for 4 MiB of `gicv3-scrub`, so that its loading beside that of `gicv3-one` says what zeroing costs.
const BOOTS: [&str; 5] = ["gicv3-one", "gicv3-large", "gicv3-scrub", "gicv3-two", "gicv2-one"];
/// The one whose written pages are counted: two cores.
const PAGES: &str = "gicv3-two";
/// How the names of the shipped configurations end whose boot is counted: one for each board, as far as it has a twin.
const BOARDS: &str = "-hello.toml";

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The emulator cannot be started, or is lost.
    #[error("QEMU: {0}")]
    Machine(#[from] io::Error),
    /// A run ended without what it is for.
    #[error("{config}: {lack}")]
    Unfinished {
        /// The configuration.
        config: String,
        /// What did not come.
        lack: &'static str,
    },
    /// The board has no emulator.
    #[error("{config}: its board has no QEMU twin")]
    NoTwin {
        /// The configuration.
        config: String,
    },
    /// Something costs more than it did.
    #[error("more than in `{path}`: {}", rows.join(", "))]
    Grown {
        /// The figures of before.
        path: PathBuf,
        /// What has grown.
        rows: Vec<String>,
    },
    /// A file cannot be used.
    #[error("`{path}`: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Measures everything and prints it: as a table, as JSON, or beside what `compare`, an earlier JSON, holds.
///
/// # Errors
/// Something cannot be built or run, `compare` cannot be read, or something costs more than it says (boot apart).
pub fn run(home: &Home, json: bool, compare: Option<&Path>) -> Result<(), Failure> {
    let before = compare.map(|path| read(path).map(|before| (path, before))).transpose().map_err(Failure::input)?;
    let report = measure(home)?;
    match (json, before) {
        (true, _) => output::show(report.to_json())?,
        (false, Some((path, before))) => compare_with(&report, path, &before)?,
        (false, None) => output::show(report)?,
    }
    Ok(())
}

fn compare_with(report: &Report, path: &Path, before: &Report) -> Result<(), Failure> {
    output::show(report.compared_with(before))?;
    let rows = report.grown_since(before);
    let grown = || Failure::input(BenchError::Grown { path: path.to_owned(), rows: rows.clone() });
    rows.is_empty().then_some(()).ok_or_else(grown)
}

fn read(path: &Path) -> Result<Report, BenchError> {
    let unusable = |reason: String| BenchError::File { path: path.to_owned(), reason };
    let text = regular_file::read(path, TEXT_BYTES_MAX).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| unusable(error.to_string()))
}

fn measure(home: &Home) -> Result<Report, Failure> {
    let own = |name: &str| Prepared::new(home, &Path::new(FOLDER).join(name).with_extension("toml"));
    let mut report = Report::default();
    setup::say(
        "measuring takes some minutes: each configuration is built and run on the emulator, one after the other",
    );
    for name in OPERATIONS {
        setup::say(&format!("operations: {name}"));
        report.extend(name, guest::measure(&own(name)?).map_err(Failure::input)?);
    }
    for name in BOOTS {
        setup::say(&format!("boot and tables: {name}"));
        let prepared = own(name)?;
        report.extend(name, boot::measure(&prepared).map_err(Failure::input)?);
        report.extend(name, size::tables(&prepared).map_err(Failure::input)?);
    }
    for name in boards(home)? {
        let config = Path::new("configs").join(&name).with_extension("toml");
        let system = machine::checked(home, &config)?;
        let what = if system.board.twin.is_some() { "boot" } else { "not measured, as its board has no QEMU twin" };
        setup::say(&format!("{what}: {name}"));
        if let Some(prepared) = Prepared::of(home, &config, system)? {
            report.extend(&name, boot::measure(&prepared).map_err(Failure::input)?);
        }
    }
    setup::say(&format!("pages that EL2 writes: {PAGES}"));
    let prepared = own(PAGES)?;
    report.extend(PAGES, pages::measure(&prepared).map_err(Failure::input)?);
    report.extend("el2", size::binary(&prepared.built.el2).map_err(Failure::input)?);
    Ok(report)
}

/// The shipped configurations of [`BOARDS`], by name.
fn boards(home: &Home) -> Result<Vec<String>, Failure> {
    let folder = home.tree(TREE).map_err(Failure::environment)?.join("configs");
    let unusable = |error: io::Error| BenchError::File { path: folder.clone(), reason: error.to_string() };
    let entries = std::fs::read_dir(&folder).map_err(unusable).map_err(Failure::environment)?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(BOARDS)).collect();
    names.sort();
    Ok(names.iter().map(|name| name.trim_end_matches(".toml").to_owned()).collect())
}
