//! `septum check`: every problem of a configuration.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use septum_compiler::check;
use septum_compiler::check::TEXT_BYTES_MAX;
use septum_compiler::problem::Problems;
use septum_compiler::problem::show::printable;
use septum_compiler::system::System;

use crate::failure::Failure;
use crate::files::ConfigFiles;
use crate::home::Home;
use crate::output::{self, OutputError};
use crate::regular_file;

/// How problems are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// As rustc shows errors, on stderr.
    #[default]
    Human,
    /// A JSON array, on stdout.
    Json,
}

/// A configuration that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {source}")]
struct ReadError {
    path: PathBuf,
    source: io::Error,
}

/// Checks `config` and says that it is right.
///
/// # Errors
/// It is not, or cannot be read: exit code 1. Something that it names could not be fetched: exit code 3.
pub fn run(home: &Home, config: &Path, format: Format) -> Result<(), Failure> {
    let system = checked(home, config, format).or_else(|failure| {
        if format == Format::Json && !matches!(failure, Failure::Reported | Failure::Unread) {
            output::show_line(unplaced(config, &failure))?;
        }
        Err(failure)
    })?;
    if format == Format::Human {
        output::show_line(summary(&system))?;
    }
    Ok(())
}

/// The system that `config` describes; its notes have been shown, or its problems if it is wrong.
///
/// # Errors
/// As [`run`].
pub fn checked(home: &Home, config: &Path, format: Format) -> Result<System, Failure> {
    let system = without_notes(home, config, format)?;
    show(&system.remarks, format)?;
    Ok(system)
}

/// As [`checked`], for who has no use for the notes.
///
/// # Errors
/// As [`run`].
pub fn without_notes(home: &Home, config: &Path, format: Format) -> Result<System, Failure> {
    let bytes = regular_file::read(config, TEXT_BYTES_MAX)
        .map_err(|source| Failure::input(ReadError { path: config.to_owned(), source }))?;
    let files = ConfigFiles::new(home, config);
    let checked = check::check_bytes(&printable(&config.to_string_lossy()), bytes, &files);
    match checked {
        Ok(system) => Ok(system),
        Err(problems) => match files.into_lack() {
            Some(lack) => Err(lack),
            None => Err(show(&problems, format).map_or_else(Failure::from, |()| Failure::Reported)),
        },
    }
}

fn show(problems: &Problems, format: Format) -> Result<(), OutputError> {
    match format {
        Format::Human => output::tell_styled(problems.human(io::stderr().is_terminal())),
        Format::Json => output::show(problems.json())?,
    }
    Ok(())
}

/// The JSON of what keeps `config` from being checked: it has no place in the text.
fn unplaced(config: &Path, failure: &Failure) -> serde_json::Value {
    serde_json::json!([{
        "severity": "error", "code": null, "message": failure.to_string(), "file": config.display().to_string(),
        "line": 1, "column": 1, "length": 0, "label": "", "labels": [], "help": null,
    }])
}

fn summary(system: &System) -> String {
    let names: Vec<_> = system.partitions.iter().map(|partition| partition.name.as_str()).collect();
    format!("{}: no problem found: board {}, partitions {}", system.config, system.board.name, names.join(", "))
}
