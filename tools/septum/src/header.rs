//! `septum header`: the C header of the calls that EL2 answers to partitions.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::c_header;

use crate::failure::Failure;
use crate::output;

/// The header cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {source}")]
struct Unwritable {
    path: PathBuf,
    source: io::Error,
}

/// Writes the header to `file`, or shows it.
///
/// # Errors
/// It cannot be written.
pub fn run(file: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(output::show(c_header::text())?) };
    let unwritable = |source| Failure::input(Unwritable { path: path.to_owned(), source });
    fs::write(path, c_header::text()).map_err(unwritable)
}
