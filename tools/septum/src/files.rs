//! What a configuration can name, from where it really lies: the tree, the disk, the cache.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::check::{FILE_BYTES_MAX, FileError, Files, Loaded, TEXT_BYTES_MAX};
use septum_compiler::problem::show::printable;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::regular_file;
use crate::setup::{self, guests};
use crate::tree;

/// The files of one source tree, for one configuration.
#[derive(Debug)]
pub struct TreeFiles {
    tree: PathBuf,
    config: PathBuf,
    /// The folder that relative paths of the configuration start from.
    folder: PathBuf,
    cargo: Cargo,
    /// The partition crates that cargo has built or refused: each is built once, however many partitions run it. Each is
    /// built alone, too: cargo unifies the features of what it builds together, so that one partition's program would
    /// depend on what other partitions run.
    built: RefCell<BTreeMap<String, Result<PathBuf, FileError>>>,
    /// What the machine lacked, if anything: then it is not the configuration that is wrong.
    lack: RefCell<Option<Failure>>,
}

impl TreeFiles {
    /// The files of `tree`, for the configuration at `config`.
    pub fn new(tree: &Path, config: &Path) -> Self {
        let folder = config.parent().map(Path::to_owned).unwrap_or_default();
        Self {
            tree: tree.to_owned(),
            config: config.to_owned(),
            folder,
            cargo: Cargo::new(tree),
            built: RefCell::default(),
            lack: RefCell::new(None),
        }
    }

    /// What the machine lacked when something was asked for.
    pub fn into_lack(self) -> Option<Failure> {
        self.lack.into_inner()
    }

    /// Where boards are looked for: beside the configuration, for boards of the user's own, then in the tree.
    fn board_folders(&self) -> [PathBuf; 2] {
        [self.folder.join("boards"), self.tree.join("boards")]
    }

    /// Takes a failure down, and gives it in the checker's words.
    fn unreadable(&self, failure: Failure) -> FileError {
        let text = failure.to_string();
        if matches!(failure, Failure::Environment(_)) {
            self.lack.replace(Some(failure));
        }
        FileError::Unreadable(text)
    }
}

impl Files for TreeFiles {
    fn config_name(&self, _typed: &str) -> String {
        printable(&tree::config_name(&self.config).to_string_lossy()).into_owned()
    }

    fn boards(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.board_folders().iter().flat_map(|folder| folders_with(folder, "board.toml")).collect();
        names.sort();
        names.dedup();
        names
    }

    fn board(&self, name: &str) -> Result<Loaded, FileError> {
        if !self.boards().iter().any(|board| board == name) {
            return Err(FileError::Missing);
        }
        let files = self.board_folders().map(|folder| folder.join(name).join("board.toml"));
        let path = files.into_iter().find(|file| file.exists()).ok_or(FileError::Missing)?;
        let loaded = load(&path, TEXT_BYTES_MAX)?;
        // Messages name the tree's own boards as the tree does.
        let shown = path.strip_prefix(&self.tree).map_or(loaded.path, Path::to_owned);
        Ok(Loaded { path: shown, bytes: loaded.bytes })
    }

    fn board_remark(&self, name: &str) -> Option<String> {
        let file = |folder: PathBuf| folder.join(name).join("board.toml").canonicalize().ok();
        let [beside, own] = self.board_folders().map(file);
        let instead = match own {
            own if own == beside => return None,
            Some(_) => ", in place of Septum's own of that name",
            None => "",
        };
        beside.map(|_| format!("board `{name}` is boards/{name}/board.toml beside the configuration{instead}"))
    }

    fn partitions(&self) -> Vec<String> {
        let crates = folders_with(&self.tree.join("partitions"), "src/main.rs");
        crates.into_iter().filter(|name| self.cargo.has_partition(name)).collect()
    }

    fn partition(&self, name: &str) -> Result<Loaded, FileError> {
        if !self.partitions().iter().any(|partition| partition == name) {
            return Err(FileError::Missing);
        }
        let build = || self.cargo.partition(name).map_err(|failure| self.unreadable(failure));
        let elf = self.built.borrow_mut().entry(name.to_owned()).or_insert_with(build).clone()?;
        load(&elf, FILE_BYTES_MAX)
    }

    fn file(&self, path: &str, most: u64) -> Result<Loaded, FileError> {
        load(&self.folder.join(path), most)
    }

    fn guests(&self) -> Vec<String> {
        guests::names().map(str::to_owned).collect()
    }

    fn guest(&self, name: &str) -> Result<Loaded, FileError> {
        match guests::content(name, &setup::say) {
            Ok(Some(loaded)) => Ok(loaded),
            Ok(None) => Err(FileError::Missing),
            Err(error) => Err(self.unreadable(Failure::environment(error))),
        }
    }
}

/// The names of the folders in `folder` that hold `file`, sorted.
fn folders_with(folder: &Path, file: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let holding = entries.filter(|entry| entry.path().join(file).exists());
    let mut names: Vec<_> = holding.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn load(path: &Path, most: u64) -> Result<Loaded, FileError> {
    regular_file::read(path, most).map(|bytes| Loaded { bytes, path: path.to_owned() }).map_err(|error| {
        match error.kind() {
            io::ErrorKind::NotFound => FileError::Missing,
            io::ErrorKind::FileTooLarge => FileError::TooLarge,
            _ => FileError::Unreadable(error.to_string()),
        }
    })
}
