//! The one way out to stdout and stderr: nothing here panics, whatever lies at the other end.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

/// What was to be shown cannot be.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Nobody reads it any more, as behind `| head -1`.
    #[error("nobody reads the output")]
    Closed,
    /// It cannot be written, as on a full disk.
    #[error("stdout cannot be written: {0}")]
    Unwritable(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Unwritable(error),
        }
    }
}

/// Shows `text` on stdout, whole: what cannot be written is known when this returns.
///
/// # Errors
/// Nobody reads it, or it cannot be written.
pub fn show(text: impl Display) -> Result<(), OutputError> {
    write(&mut io::stdout().lock(), text)
}

/// Shows `text` and a line's end on stdout.
///
/// # Errors
/// As [`show`].
pub fn show_line(text: impl Display) -> Result<(), OutputError> {
    show(format_args!("{text}\n"))
}

/// Tells the user something on stderr: who closes it does not want to know, and there is no other place to say so.
pub fn tell(text: impl Display) {
    let _ = io::stderr().lock().write_all(text.to_string().as_bytes());
}

/// Shows what clap answers in a command's place: help and version on stdout, a usage error on stderr.
///
/// # Errors
/// Nobody reads it, or it cannot be written.
pub fn answer(answer: &clap::Error) -> Result<(), OutputError> {
    answer.print()?;
    Ok(io::stdout().flush()?)
}

/// `what` as JSON for people and programs: indented, with a line's end.
pub fn json(what: &impl Serialize) -> String {
    // Strings and numbers only: there is nothing in it that JSON could not hold.
    let mut text = serde_json::to_string_pretty(what).unwrap_or_default();
    text.push('\n');
    text
}

fn write(out: &mut impl Write, text: impl Display) -> Result<(), OutputError> {
    out.write_all(text.to_string().as_bytes())?;
    Ok(out.flush()?)
}
