//! Other programs: run quietly, and quoted when they fail.

use std::io;
use std::process::{Command, Output, Stdio};

/// Why another program did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`{command}` failed ({status}):\n{stderr}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// What it wrote on stderr.
        stderr: String,
    },
}

/// Runs `command` without a terminal and gives what it printed on stdout.
///
/// # Errors
/// It cannot be started, or ends with anything but 0.
pub fn output(command: &mut Command) -> Result<String, ProcessError> {
    output_from(command, Stdio::null())
}

/// As [`output`], reading `stdin`.
///
/// # Errors
/// As [`output`].
pub fn output_from(command: &mut Command, stdin: Stdio) -> Result<String, ProcessError> {
    let done = command.stdin(stdin).output().map_err(|source| start_error(command, source))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(failed(command, &done))
    }
}

/// Whether a program of that name can be started.
pub fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").stdin(Stdio::null()).output().is_ok()
}

/// The error of a program that could not be started.
pub fn start_error(command: &Command, source: io::Error) -> ProcessError {
    ProcessError::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn failed(command: &Command, done: &Output) -> ProcessError {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    ProcessError::Failed {
        command: words.join(" "),
        status: done.status.to_string(),
        stderr: String::from_utf8_lossy(&done.stderr).trim_end().to_owned(),
    }
}
