//! Where the checker's files come from: the command line reads disks, tests read memory.

use std::path::{Path, PathBuf};

/// Everything that a configuration can name.
pub trait Files {
    /// What the image calls the configuration that the user named `typed`. How it was typed, from where, and where the
    /// tree lies must not matter: the image's bytes depend on it.
    fn config_name(&self, typed: &str) -> String {
        Path::new(typed).file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The boards that there are, for suggestions.
    fn boards(&self) -> Vec<String>;

    /// The text of board `name`'s file.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    fn board(&self, name: &str) -> Result<Loaded, FileError>;

    /// What is to be said of the file that [`Files::board`] gave for `name`, where that is not Septum's own.
    fn board_remark(&self, _name: &str) -> Option<String> {
        None
    }

    /// The partition crates that there are, for suggestions.
    fn partitions(&self) -> Vec<String>;

    /// The ELF of partition crate `name`.
    ///
    /// # Errors
    /// Where there is no such crate, or it does not build.
    fn partition(&self, name: &str) -> Result<Loaded, FileError>;

    /// The file at `path`, relative to the configuration.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    fn file(&self, path: &str) -> Result<Loaded, FileError>;

    /// The guests that can be fetched, for suggestions.
    fn guests(&self) -> Vec<String>;

    /// The image of the cached guest `name`.
    ///
    /// # Errors
    /// Where there is no such guest, or it cannot be fetched.
    fn guest(&self, name: &str) -> Result<Loaded, FileError>;
}

/// A file's bytes.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Where it lies.
    pub path: PathBuf,
}

/// Why there are no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Nothing has that name.
    #[error("it does not exist")]
    Missing,
    /// It is there and cannot be read, built or fetched: why, in one line.
    #[error("{0}")]
    Unreadable(String),
}
