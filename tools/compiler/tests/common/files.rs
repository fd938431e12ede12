//! The checker's files as tests give them: boards and paths from disk, partition crates as small ELFs from memory.
#![allow(dead_code, reason = "no test uses all of it")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::check::{FileError, Files, Loaded};

use crate::support;

/// Boards of `boards`, each folder searched in turn, and files beside the configurations in `configs`.
pub struct Tree {
    pub boards: Vec<PathBuf>,
    pub configs: PathBuf,
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the repository").to_owned()
}

/// The shipped boards, for configurations in `configs`.
pub fn shipped(configs: PathBuf) -> Tree {
    Tree { boards: vec![root().join("boards")], configs }
}

/// A partition crate as the guest's linker script lays it out.
pub fn partition_elf() -> Vec<u8> {
    support::elf(&[
        (0x4000_0000, 5, vec![0x1f; 0x5000], 0x5000),
        (0x4000_5000, 4, vec![7; 0x1000], 0x1000),
        (0x4000_6000, 6, vec![], 0x8000),
        (0x4000_e000, 6, vec![9; 0x100], 0x2100),
    ])
}

/// An arm64 Image with the header of one that is built for 4 KiB pages and may lie anywhere.
pub fn kernel(bytes: usize, image_size: u64) -> Vec<u8> {
    let mut kernel = vec![0x1f; bytes];
    kernel[..64].fill(0);
    kernel[16..24].copy_from_slice(&image_size.to_le_bytes());
    kernel[24] = 0xa;
    kernel[56..60].copy_from_slice(b"ARM\x64");
    kernel
}

fn read(path: PathBuf) -> Result<Loaded, FileError> {
    match fs::read(&path) {
        Ok(bytes) => Ok(Loaded { bytes, path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FileError::Missing),
        Err(error) => Err(FileError::Unreadable(error.to_string())),
    }
}

impl Files for Tree {
    fn boards(&self) -> Vec<String> {
        let entries = self.boards.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let boards = entries.filter(|entry| entry.path().join("board.toml").exists());
        let mut names: Vec<_> = boards.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    fn board(&self, name: &str) -> Result<Loaded, FileError> {
        let files = self.boards.iter().map(|folder| folder.join(name).join("board.toml"));
        let found = files.filter(|file| file.exists()).map(read).next().unwrap_or(Err(FileError::Missing))?;
        Ok(Loaded { path: PathBuf::from(format!("boards/{name}/board.toml")), ..found })
    }

    fn partitions(&self) -> Vec<String> {
        ["hello", "prober", "ticker"].map(str::to_owned).into()
    }

    fn partition(&self, name: &str) -> Result<Loaded, FileError> {
        match self.partitions().iter().any(|known| known == name) {
            true => Ok(Loaded { bytes: partition_elf(), path: PathBuf::from(name) }),
            false => Err(FileError::Missing),
        }
    }

    fn file(&self, path: &str, most: u64) -> Result<Loaded, FileError> {
        read(self.configs.join(path)).and_then(|loaded| match loaded.bytes.len() as u64 > most {
            true => Err(FileError::TooLarge),
            false => Ok(loaded),
        })
    }

    fn guests(&self) -> Vec<String> {
        ["u-boot-qemu_arm64", "linux-6.1", "linux-6.1-rt", "linux-6.12", "busybox-initramfs"].map(str::to_owned).into()
    }

    fn guest(&self, name: &str) -> Result<Loaded, FileError> {
        match name {
            // As large as the real one, which tests do not fetch.
            "u-boot-qemu_arm64" => Ok(Loaded { bytes: vec![0x1f; 971_304], path: PathBuf::from(name) }),
            "busybox-initramfs" => {
                Ok(Loaded { bytes: [b"070701".to_vec(), vec![0x30; 1_847_994]].concat(), path: PathBuf::from(name) })
            }
            linux if self.guests().iter().any(|known| known == linux) => {
                Ok(Loaded { bytes: kernel(0x10_0000, 0x220_0000), path: PathBuf::from(name) })
            }
            _ => Err(FileError::Missing),
        }
    }
}

/// What `tree` has, but for the text of the board, whichever is named.
pub struct WithBoard {
    pub tree: Tree,
    pub text: Option<Vec<u8>>,
}

impl Files for WithBoard {
    fn boards(&self) -> Vec<String> {
        // A board of the test's own may be called so.
        let own = self.text.iter().map(|_| "board".to_owned());
        self.tree.boards().into_iter().chain(own).collect()
    }

    fn board(&self, name: &str) -> Result<Loaded, FileError> {
        match &self.text {
            Some(text) => Ok(Loaded { bytes: text.clone(), path: PathBuf::from("board.toml") }),
            None => self.tree.board(name),
        }
    }

    fn partitions(&self) -> Vec<String> {
        self.tree.partitions()
    }

    fn partition(&self, name: &str) -> Result<Loaded, FileError> {
        self.tree.partition(name)
    }

    fn file(&self, path: &str, most: u64) -> Result<Loaded, FileError> {
        self.tree.file(path, most)
    }

    fn guests(&self) -> Vec<String> {
        self.tree.guests()
    }

    fn guest(&self, name: &str) -> Result<Loaded, FileError> {
        self.tree.guest(name)
    }
}
