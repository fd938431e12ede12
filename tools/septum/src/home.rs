//! Where EL2, Septum's own boards, and the partitions' crates come from: a source tree, or what an installed tool carries.
//!
//! A tool that carries EL2 never takes another one: image and log belong to the EL2 of its own build, and a tree around the
//! current folder may be of another state. Of such a tree it takes the partitions' crates alone, whose calls are a stable
//! interface.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use septum_compiler::check::FILE_BYTES_MAX;
use sha2::{Digest, Sha256};

use crate::cache::Cache;
use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::regular_file;

/// What the tool's own build has put into it.
mod carried {
    include!(concat!(env!("OUT_DIR"), "/carried.rs"));
}

/// Something needs Septum's sources.
#[derive(Debug, thiserror::Error)]
#[error("{what} Septum's source tree\nhelp: run septum in a folder of it")]
pub struct NoTree {
    what: &'static str,
}

/// EL2 has been built and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {source}")]
struct Unreadable {
    path: PathBuf,
    source: std::io::Error,
}

/// Where things come from.
#[derive(Clone, Debug)]
pub struct Home {
    tree: Option<PathBuf>,
}

impl Home {
    /// The source tree around the current folder, if there is one; else the one that this tool was built in, unless it
    /// carries what it needs.
    pub fn find() -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let around = here.ancestors().find(|folder| is_tree(folder)).map(Path::to_owned);
        let own = || carried::TREE.map(PathBuf::from).filter(|folder| is_tree(folder));
        Self { tree: around.or_else(own) }
    }

    /// The source tree.
    ///
    /// # Errors
    /// There is none; `what` needs it, as the beginning of a sentence.
    pub fn tree(&self, what: &'static str) -> Result<&Path, NoTree> {
        self.tree.as_deref().ok_or(NoTree { what })
    }

    /// The source tree, if there is one.
    pub fn any_tree(&self) -> Option<&Path> {
        self.tree.as_deref()
    }

    /// EL2's ELF.
    ///
    /// # Errors
    /// It has to be built, and cannot be.
    pub fn el2(&self) -> Result<Cow<'static, [u8]>, Failure> {
        if let Some(elf) = carried::EL2 {
            return Ok(Cow::Borrowed(elf));
        }
        let path = Cargo::new(self.tree("EL2 is built from").map_err(Failure::environment)?).el2()?;
        let bytes = regular_file::read(&path, FILE_BYTES_MAX);
        bytes.map(Cow::Owned).map_err(|source| Failure::input(Unreadable { path, source }))
    }

    /// The folder of Septum's own boards, where they are not carried.
    pub fn boards(&self) -> Option<PathBuf> {
        let tree = self.tree.as_ref().filter(|_| carried::EL2.is_none());
        tree.map(|tree| tree.join("boards"))
    }

    /// The names of the boards that are carried.
    pub fn carried_boards(&self) -> impl Iterator<Item = &'static str> {
        carried::BOARDS.iter().map(|(name, _)| *name)
    }

    /// The file of the board `name`, where it is carried.
    pub fn carried_board(&self, name: &str) -> Option<&'static [u8]> {
        carried::BOARDS.iter().find(|(own, _)| *own == name).map(|(_, bytes)| *bytes)
    }

    /// A folder for what `run` builds of `config`, the same each time: in the tree's target folder, or in the cache.
    ///
    /// # Errors
    /// There is no place for the cache.
    pub fn run_folder(&self, config: &Path) -> Result<PathBuf, Failure> {
        let name = config.file_stem().map(PathBuf::from).unwrap_or_default();
        if let Some(tree) = self.tree.as_ref().filter(|_| carried::EL2.is_none()) {
            return Ok(tree.join("target/septum/run").join(name));
        }
        // Configurations of one name lie in many folders.
        let whole = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        let digest = Sha256::digest(whole.as_os_str().as_encoded_bytes());
        let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let cache = Cache::open().map_err(Failure::environment)?;
        Ok(cache.path("run").join(digits).join(name))
    }
}

/// The path of `config` from the root of the tree that it lies in, else its file's name: the same from every current
/// folder and for every spelling, and in every copy of the tree.
pub fn config_name(config: &Path) -> PathBuf {
    let path = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let (folder, name) = (path.parent().unwrap_or(&path), path.file_name().unwrap_or_default());
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let root = folder.ancestors().find(|folder| is_tree(folder));
    root.and_then(|root| folder.strip_prefix(root).ok()).unwrap_or(Path::new("")).join(name)
}

fn is_tree(folder: &Path) -> bool {
    folder.join("hypervisor/el2/Cargo.toml").exists()
}
