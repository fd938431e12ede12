//! Where the checker's files come from: the command line reads disks, tests read memory.

use std::path::{Path, PathBuf};

use crate::board::Board;
use crate::problem::show;

/// Most bytes of a configuration or a board's file.
pub const TEXT_BYTES_MAX: u64 = 4 << 20;
/// Most bytes of any other file, and of an image.
pub const FILE_BYTES_MAX: u64 = 4 << 30;

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

    /// The file at `path`, relative to the configuration, where it has at most `most` bytes.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    fn file(&self, path: &str, most: u64) -> Result<Loaded, FileError>;

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
    /// It has more bytes than can be of use.
    #[error("it is too long")]
    TooLarge,
}

/// Where partitions' programs come from, and how long one may be.
#[derive(Clone, Copy)]
pub(super) struct Programs<'a> {
    pub files: &'a dyn Files,
    /// The board, where it is known.
    pub board: Option<&'a Board>,
}

impl Programs<'_> {
    /// Most bytes of a program's file.
    pub fn most(self) -> u64 {
        self.ram().map_or(FILE_BYTES_MAX, |ram| ram.min(FILE_BYTES_MAX))
    }

    /// Why a longer one is refused.
    pub fn too_large(self) -> String {
        match self.board {
            Some(board) if self.ram() == Some(self.most()) => {
                format!("it is longer than all RAM of board `{}`, {}", board.name, show::size(self.most()))
            }
            _ => format!("it is longer than {}", show::size(FILE_BYTES_MAX)),
        }
    }

    fn ram(self) -> Option<u64> {
        Some(self.board?.ram.iter().fold(0, |sum, bank| bank.size.saturating_add(sum)))
    }
}
