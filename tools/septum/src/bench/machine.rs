//! A configuration, built, with the emulator that runs it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::system::System;

use crate::build::{self, Built};
use crate::check::{self, Format};
use crate::failure::Failure;
use crate::home::Home;
use crate::run::device_tree;
use crate::run::twin::{Machine, Running};
use crate::setup;
use crate::setup::emulator::Emulator;

use super::{BenchError, TREE};

/// A built configuration of a board that has a twin.
#[derive(Debug)]
pub struct Prepared {
    /// Its path.
    pub config: String,
    /// The folder that it was built into.
    pub folder: PathBuf,
    /// What was built.
    pub built: Built,
    emulator: Emulator,
    device_tree: Option<PathBuf>,
}

/// The system of `config`, a path in the tree. What is to be noted of the bench's own configurations and boards is known.
///
/// # Errors
/// It is wrong.
pub fn checked(home: &Home, config: &Path) -> Result<System, Failure> {
    let tree = home.tree(TREE).map_err(Failure::environment)?;
    check::without_notes(home, &tree.join(config), Format::Human)
}

impl Prepared {
    /// Builds `config`, a path in the tree.
    ///
    /// # Errors
    /// It cannot be built, its board has no twin, or the emulator cannot be had.
    pub fn new(home: &Home, config: &Path) -> Result<Self, Failure> {
        let system = checked(home, config)?;
        let no_twin = || Failure::input(BenchError::NoTwin { config: config.display().to_string() });
        Self::of(home, config, system)?.ok_or_else(no_twin)
    }

    /// Builds `config`, a path in the tree, which has been checked; `None` if its board has no twin.
    ///
    /// # Errors
    /// It cannot be built, or the emulator cannot be had.
    pub fn of(home: &Home, config: &Path, system: System) -> Result<Option<Self>, Failure> {
        if system.board.twin.is_none() {
            return Ok(None);
        }
        let tree = home.tree(TREE).map_err(Failure::environment)?;
        let folder = tree.join("target/septum/bench").join(build::name(config));
        let built = build::build_system(home, system, &folder)?;
        let Some(twin) = &built.system.board.twin else { return Ok(None) };
        let emulator = Emulator::obtain(&setup::say).map_err(Failure::environment)?;
        let device_tree = device_tree(home, &tree.join(config), &built.system.board.name, twin)?;
        let config = config.display().to_string();
        Ok(Some(Self { config, folder, built, emulator, device_tree }))
    }

    /// Starts the twin with more `arguments`, our end of the serial lines `serials`, and its stderr taken if `stderr`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, serials: &[u32], arguments: Vec<OsString>, stderr: bool) -> Result<Running, BenchError> {
        let no_twin = || BenchError::NoTwin { config: self.config.clone() };
        let twin = self.built.system.board.twin.as_ref().ok_or_else(no_twin)?;
        let (emulator, image, dtb) = (&self.emulator.program, &self.built.image, self.device_tree.clone());
        let machine = Machine { emulator, twin, image, dtb, serials, gdb: false, arguments, stderr };
        machine.start().map_err(BenchError::Machine)
    }

    /// QEMU's index of the serial line that carries the log.
    ///
    /// # Errors
    /// The twin does not show it.
    pub fn log_line(&self) -> Result<u32, BenchError> {
        let console = &self.built.system.console.device;
        let serials = self.built.system.board.twin.iter().flat_map(|twin| &twin.serials);
        let mut indices = serials.filter(|(name, _)| name == console).map(|(_, index)| *index);
        indices.next().ok_or_else(|| self.unfinished("its twin does not show the log"))
    }

    /// The bytes of a file of the build.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn image(&self) -> Result<Vec<u8>, BenchError> {
        std::fs::read(&self.built.image)
            .map_err(|error: io::Error| BenchError::File { path: self.built.image.clone(), reason: error.to_string() })
    }

    /// The error of a run that ended without `lack`.
    pub fn unfinished(&self, lack: &'static str) -> BenchError {
        BenchError::Unfinished { config: self.config.clone(), lack }
    }
}
