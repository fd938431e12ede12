//! The one way out to stdout and stderr: nothing here panics, whatever lies at the other end.

use std::fmt::Display;
use std::io::{self, Write};

use septum_compiler::problem::show::printable_line;
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

/// Shows `text` on stdout, whole: what cannot be written is known when this returns. What in it a terminal would obey is
/// shown as escapes: much of it comes from files that somebody else may have written.
///
/// # Errors
/// Nobody reads it, or it cannot be written.
pub fn show(text: impl Display) -> Result<(), OutputError> {
    write(&mut io::stdout().lock(), tame(&text.to_string()))
}

/// Shows `text` and a line's end on stdout.
///
/// # Errors
/// As [`show`].
pub fn show_line(text: impl Display) -> Result<(), OutputError> {
    show(format_args!("{text}\n"))
}

/// As [`show_line`], for the line of a run: what a guest writes for its terminal goes to the user's.
///
/// # Errors
/// As [`show`].
pub fn show_terminal_line(line: impl Display) -> Result<(), OutputError> {
    write(&mut io::stdout().lock(), format_args!("{line}\n"))
}

/// Tells the user something on stderr, as [`show`] does: who closes it does not want to know, and there is no other place
/// to say so.
pub fn tell(text: impl Display) {
    tell_styled(tame(&text.to_string()));
}

/// As [`tell`], where the text's own colours are the tool's.
pub fn tell_styled(text: impl Display) {
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

/// `text` line by line, without what a terminal would obey.
fn tame(text: &str) -> String {
    text.split('\n').map(printable_line).collect::<Vec<_>>().join("\n")
}

fn write(out: &mut impl Write, text: impl Display) -> Result<(), OutputError> {
    out.write_all(text.to_string().as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_tabs_stay_and_what_a_terminal_obeys_does_not() {
        assert_eq!(tame("a\tb\nc\u{1b}[2J\r\n"), "a\tb\nc\\u{1b}[2J\\r\n");
    }
}
