//! `run --image`: an image that somebody built before, looked at before a board starts it.
//!
//! What the board itself would refuse, or stop a partition for, is only warned of: that is what one may want to see.

use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::check::FILE_BYTES_MAX;
use septum_compiler::format::reader::{ImageError, Reader};
use septum_compiler::format::{difference, origin};
use septum_compiler::system::{Partition, System};
use septum_compiler::verify;

use crate::build::{self, Built};
use crate::regular_file;

/// Why an image is not run.
#[derive(Debug, thiserror::Error)]
pub enum OtherImageError {
    /// It cannot be read.
    #[error("`--image {path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is none.
    #[error("`--image {path}`: {source}")]
    NoImage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ImageError,
    },
    /// It is for another board than the machine that would be started.
    #[error("`--image {path}` is for board `{found}`, but {config} is for board `{expected}`, whose twin would run it")]
    Board {
        /// The file.
        path: PathBuf,
        /// The image's board.
        found: String,
        /// The configuration.
        config: String,
        /// The configuration's board.
        expected: String,
    },
    /// Its log cannot be read.
    #[error(
        "`--image {path}`: its EL2 is another build than this tree's{beside}: its log would be read wrongly\n\
         help: put the `el2.elf` that was built with it beside it"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is known of an ELF beside it.
        beside: &'static str,
    },
}

/// An image's file, read.
#[derive(Debug)]
pub struct OtherImage {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl OtherImage {
    /// Reads the image at `path`.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn read(path: &Path) -> Result<Self, OtherImageError> {
        let path = path.to_owned();
        match regular_file::read(&path, FILE_BYTES_MAX) {
            Ok(bytes) => Ok(Self { path, bytes }),
            Err(source) => Err(OtherImageError::Read { path, source }),
        }
    }

    /// What the user should know before the image runs on the board of `system`, whose configuration gives the image
    /// `today`.
    ///
    /// # Errors
    /// It is no image, or for another board.
    pub fn warnings(&self, system: &System, today: &Path) -> Result<Vec<String>, OtherImageError> {
        let reader = match Reader::new(&self.bytes) {
            Ok(reader) => reader,
            Err(source) if is_foreign(&source) => return Err(self.no_image(source)),
            Err(error) => return Ok(vec![self.warning(&format!("{error}; the board should refuse it"))]),
        };
        let plan = reader.plan().map_err(|error| self.no_image(error))?;
        let (board, config) = (plan.board(), plan.config());
        if board != system.board.name {
            return Err(self.of_board(board, system));
        }
        let other = (file_name(config) != file_name(&system.config)).then(|| {
            let own = &system.config;
            self.warning(&format!("made from {config}, not from {own}: names and lines below may be wrong"))
        });
        let today = other.is_none().then(|| regular_file::read(today, FILE_BYTES_MAX).unwrap_or_default());
        let edited = today.and_then(|today| difference::between(&self.bytes, &today)).map(|found| {
            let own = &system.config;
            self.warning(&format!("made from another state of {own}: {found}; names and lines below may be wrong"))
        });
        let damaged = verify::verify(&self.bytes).err().map(|error| self.warning(&error.to_string()));
        Ok(other.into_iter().chain(edited).chain(damaged).collect())
    }

    /// Puts the ELFs that the image was made of into `built`, as the keys to its log and its partitions' addresses: those
    /// beside the image, else this tree's. Says which partition has none; its addresses stay bare then.
    ///
    /// # Errors
    /// No ELF of EL2 is the image's.
    pub fn choose_keys(&self, built: &mut Built) -> Result<Vec<String>, OtherImageError> {
        let beside = self.path.with_file_name(build::EL2);
        let is_key = |path: &PathBuf| {
            regular_file::read(path, FILE_BYTES_MAX).is_ok_and(|elf| origin::is_el2_of(&elf, &self.bytes))
        };
        let Some(el2) = [&beside, &built.el2].into_iter().find(|path| is_key(path)) else {
            let beside = if beside.is_file() { " and than `el2.elf` beside it" } else { "" };
            return Err(OtherImageError::NoKey { path: self.path.clone(), beside });
        };
        built.el2 = el2.clone();
        let Ok(reader) = Reader::new(&self.bytes) else { return Ok(Vec::new()) };
        let partitions = built.system.partitions.iter_mut();
        Ok(partitions.filter_map(|partition| self.choose_program(partition, &reader)).collect())
    }

    /// As [`Self::choose_keys`], for one partition.
    fn choose_program(&self, partition: &mut Partition, reader: &Reader<'_>) -> Option<String> {
        let own = partition.elf.take()?;
        if !has_partition(reader, &partition.name) {
            // It has others, which has been said.
            return None;
        }
        let beside = self.path.with_file_name(build::program(&partition.name));
        let is_key = |path: &PathBuf| {
            regular_file::read(path, FILE_BYTES_MAX)
                .is_ok_and(|elf| origin::is_program_of(&elf, reader, &partition.name))
        };
        partition.elf = [beside, own].into_iter().find(is_key);
        partition.elf.is_none().then(|| {
            let name = &partition.name;
            self.warning(&format!(
                "`{name}` in it is another program than this tree's: its functions, lines and own records are not shown"
            ))
        })
    }

    fn warning(&self, what: &str) -> String {
        format!("warning: {}: {what}", self.path.display())
    }

    fn no_image(&self, source: ImageError) -> OtherImageError {
        OtherImageError::NoImage { path: self.path.clone(), source }
    }

    fn of_board(&self, board: &str, system: &System) -> OtherImageError {
        let (config, expected) = (system.config.clone(), system.board.name.clone());
        OtherImageError::Board { path: self.path.clone(), found: board.to_owned(), config, expected }
    }
}

fn has_partition(reader: &Reader<'_>, name: &str) -> bool {
    reader.plan().is_ok_and(|plan| plan.partitions().iter().any(|partition| plan.text(partition.name) == name))
}

/// Whether the bytes were never Septum's, as opposed to damaged ones.
const fn is_foreign(error: &ImageError) -> bool {
    matches!(error, ImageError::TooShort | ImageError::Header | ImageError::BootBlock)
}

/// A path without its folders: an image may have been built from another one.
fn file_name(path: &str) -> Option<&std::ffi::OsStr> {
    Path::new(path).file_name()
}
