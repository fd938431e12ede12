//! `septum schema`: the JSON schema by which an editor knows the keys of a configuration, or of a board's file.

use septum_compiler::schema::{self, Subject};

use crate::failure::Failure;
use crate::output;

/// What the schema is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Of {
    /// Configurations
    #[default]
    Config,
    /// Boards' files, boards/NAME/board.toml
    Board,
}

/// Shows the schema.
///
/// # Errors
/// Nobody reads it.
pub fn run(of: Of) -> Result<(), Failure> {
    let subject = match of {
        Of::Config => Subject::Config,
        Of::Board => Subject::Board,
    };
    Ok(output::show(schema::json(subject))?)
}
