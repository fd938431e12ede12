//! Builds what runs on the board: EL2 and the partitions' crates, by the cargo that runs us.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::board_crate::BoardCrate;
use crate::failure::Failure;
use crate::process::{self, ProcessError};
use crate::setup;

/// How long a build may take before the user is told of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Nothing can be built.
#[derive(Debug, thiserror::Error)]
#[error("`{program}` cannot be started: {source}\nhelp: install Rust with rustup, or put cargo's folder into PATH")]
struct CargoMissing {
    program: String,
    source: io::Error,
}

/// Cargo, in one source tree.
#[derive(Clone, Debug)]
pub struct Cargo {
    tree: PathBuf,
}

impl Cargo {
    /// Cargo in `tree`.
    pub fn new(tree: &Path) -> Self {
        Self { tree: tree.to_owned() }
    }

    /// Builds EL2; gives its ELF's path.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn el2(&self) -> Result<PathBuf, Failure> {
        self.build(BoardCrate::EL2)
    }

    /// Builds the partition of the crate `name`; gives its ELF's path.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn partition(&self, name: &str) -> Result<PathBuf, Failure> {
        self.build(BoardCrate::partition(name))
    }

    /// Whether the tree holds a partition crate of that name.
    pub fn has_partition(&self, name: &str) -> bool {
        !name.contains(['/', '.']) && self.tree.join("partitions").join(name).join("Cargo.toml").exists()
    }

    fn build(&self, what: BoardCrate<'_>) -> Result<PathBuf, Failure> {
        let built = self.run(what);
        let built = match built {
            Err(ProcessError::Failed { stderr, .. }) if stderr.contains("target may not be installed") => {
                setup::rust(&self.tree)?;
                self.run(what)
            }
            other => other,
        };
        built.map_err(|error| match error {
            ProcessError::Start { program, source } => Failure::environment(CargoMissing { program, source }),
            failed @ ProcessError::Failed { .. } => Failure::input(failed),
        })?;
        Ok(what.elf(&self.target_folder()))
    }

    fn run(&self, what: BoardCrate<'_>) -> Result<(), ProcessError> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let command = what.command(cargo, &self.tree, &self.target_folder());
        output_with_notice(command, &format!("building {} for {}", what.package, what.target))
    }

    /// A target folder of its own: the tree's is locked by the cargo that runs us.
    fn target_folder(&self) -> PathBuf {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        self.tree.join(target).join("septum")
    }
}

/// Runs `command`, and tells the user what it does if that takes long.
fn output_with_notice(mut command: Command, what: &str) -> Result<(), ProcessError> {
    let (sender, receiver) = mpsc::channel();
    let running = thread::spawn(move || {
        let done = process::output(&mut command).map(|_| ());
        // Nobody waits for it once the notice is out.
        let _ = sender.send(());
        done
    });
    if receiver.recv_timeout(PATIENCE).is_err() {
        setup::say(what);
    }
    running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
