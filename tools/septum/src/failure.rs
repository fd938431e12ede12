//! Why a command did not do what it was asked, sorted by what the caller can do about it: that is the exit code.

use std::error::Error;
use std::process::ExitCode;

use crate::output::{self, OutputError};

/// A command's failure.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The input is wrong, or what ran did not do what was waited for. Exit code 1.
    #[error(transparent)]
    Input(Box<dyn Error>),
    /// As [`Failure::Input`], and everything there is to say has been said. Exit code 1.
    #[error("")]
    Reported,
    /// The command line is wrong, and clap has said how. Exit code 2.
    #[error("")]
    Usage,
    /// Something is missing that only the machine's owner can provide. Exit code 3.
    #[error(transparent)]
    Environment(Box<dyn Error>),
    /// Nobody reads the output any more: the end, without a word. Exit code 141, as a shell shows it for tools that SIGPIPE
    /// (13) ends.
    #[error("")]
    Unread,
}

impl Failure {
    /// A wrong input.
    pub fn input(error: impl Error + 'static) -> Self {
        Self::Input(Box::new(error))
    }

    /// A lack of the machine.
    pub fn environment(error: impl Error + 'static) -> Self {
        Self::Environment(Box::new(error))
    }

    /// Prints what is to be said, on stderr, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        if !matches!(self, Self::Reported | Self::Usage | Self::Unread) {
            output::tell(format_args!("error: {self}\n"));
        }
        ExitCode::from(self.code())
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Reported => 1,
            Self::Usage => 2,
            Self::Environment(_) => 3,
            Self::Unread => 128 + 13,
        }
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Closed => Self::Unread,
            unwritable @ OutputError::Unwritable(_) => Self::environment(unwritable),
        }
    }
}
