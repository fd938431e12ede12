//! What a configuration can name, from where it really lies: the tree or the tool itself, the disk, the cache.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::check::{FILE_BYTES_MAX, FileError, Files, Loaded, TEXT_BYTES_MAX};
use septum_compiler::problem::show::printable;

use crate::cargo::Cargo;
use crate::failure::Failure;
use crate::home::{self, Home};
use crate::regular_file;
use crate::setup::{self, guests};

/// The file of a board's folder that says what it is.
const BOARD: &str = "board.toml";
/// What a configuration that names a partition's crate needs.
const CRATES: &str = "a partition's crate is built from";

/// What one configuration can name.
#[derive(Debug)]
pub struct ConfigFiles {
    home: Home,
    config: PathBuf,
    /// The folder that relative paths of the configuration start from.
    folder: PathBuf,
    /// The partition crates that cargo has built or refused: each is built once, however many partitions run it. Each is
    /// built alone, too: cargo unifies the features of what it builds together, so that one partition's program would
    /// depend on what other partitions run.
    built: RefCell<BTreeMap<String, Result<PathBuf, FileError>>>,
    /// What the machine lacked, if anything: then it is not the configuration that is wrong.
    lack: RefCell<Option<Failure>>,
}

impl ConfigFiles {
    /// The files that the configuration at `config` can name, besides what `home` has.
    pub fn new(home: &Home, config: &Path) -> Self {
        let folder = config.parent().map(Path::to_owned).unwrap_or_default();
        Self {
            home: home.clone(),
            config: config.to_owned(),
            folder,
            built: RefCell::default(),
            lack: RefCell::new(None),
        }
    }

    /// What the machine lacked when something was asked for.
    pub fn into_lack(self) -> Option<Failure> {
        self.lack.into_inner()
    }

    /// Where boards of the user's own are: beside the configuration.
    fn own_boards(&self) -> PathBuf {
        self.folder.join("boards")
    }

    /// Whether the file `beside` the configuration is Septum's own for the board `name`: the configuration lies in the tree.
    fn is_septum_s(&self, beside: &Path, name: &str) -> bool {
        let own = self.home.boards().and_then(|folder| folder.join(name).join(BOARD).canonicalize().ok());
        own.is_some() && own == beside.canonicalize().ok()
    }

    /// The board `name` of Septum's own.
    fn septum_board(&self, name: &str) -> Result<Loaded, FileError> {
        let shown = Path::new("boards").join(name).join(BOARD);
        if let Some(bytes) = self.home.carried_board(name) {
            return Ok(Loaded { bytes: bytes.to_vec(), path: shown });
        }
        let folder = self.home.boards().ok_or(FileError::Missing)?;
        let Loaded { bytes, .. } = load(&folder.join(name).join(BOARD), TEXT_BYTES_MAX)?;
        Ok(Loaded { bytes, path: shown })
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

impl Files for ConfigFiles {
    fn config_name(&self, _typed: &str) -> String {
        printable(&home::config_name(&self.config).to_string_lossy()).into_owned()
    }

    fn boards(&self) -> Vec<String> {
        let folders = [Some(self.own_boards()), self.home.boards()].into_iter().flatten();
        let mut names: Vec<_> = folders.flat_map(|folder| folders_with(&folder, BOARD)).collect();
        names.extend(self.home.carried_boards().map(str::to_owned));
        names.sort();
        names.dedup();
        names
    }

    fn board(&self, name: &str) -> Result<Loaded, FileError> {
        if !self.boards().iter().any(|board| board == name) {
            return Err(FileError::Missing);
        }
        let beside = self.own_boards().join(name).join(BOARD);
        if beside.exists() && !self.is_septum_s(&beside, name) {
            load(&beside, TEXT_BYTES_MAX)
        } else {
            self.septum_board(name)
        }
    }

    fn board_remark(&self, name: &str) -> Option<String> {
        let beside = self.own_boards().join(name).join(BOARD);
        if !beside.exists() || self.is_septum_s(&beside, name) {
            return None;
        }
        let instead = match self.septum_board(name) {
            Ok(_) => ", in place of Septum's own of that name",
            Err(_) => "",
        };
        Some(format!("board `{name}` is boards/{name}/{BOARD} beside the configuration{instead}"))
    }

    fn partitions(&self) -> Vec<String> {
        let Ok(tree) = self.home.tree(CRATES) else { return Vec::new() };
        let crates = folders_with(&tree.join("partitions"), "src/main.rs");
        crates.into_iter().filter(|name| Cargo::new(tree).has_partition(name)).collect()
    }

    fn partition(&self, name: &str) -> Result<Loaded, FileError> {
        let tree = self.home.tree(CRATES).map_err(|error| self.unreadable(Failure::environment(error)))?;
        if !self.partitions().iter().any(|partition| partition == name) {
            return Err(FileError::Missing);
        }
        let build = || Cargo::new(tree).partition(name).map_err(|failure| self.unreadable(failure));
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
