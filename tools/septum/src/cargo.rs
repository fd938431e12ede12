//! Builds what runs on the board: EL2 and the partitions' crates, by the cargo that runs us.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::failure::Failure;
use crate::process::{self, ProcessError};
use crate::setup;

/// EL2 may not touch floating-point registers: they are the partitions'.
const EL2_TARGET: &str = "aarch64-unknown-none-softfloat";
/// What partitions are built for.
const PARTITION_TARGET: &str = "aarch64-unknown-none";
/// EL2's package, and its binary.
const EL2_PACKAGE: &str = "septum-el2";
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
        self.build(EL2_PACKAGE, EL2_TARGET)
    }

    /// Builds the partition of the crate `name`; gives its ELF's path.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn partition(&self, name: &str) -> Result<PathBuf, Failure> {
        self.build(name, PARTITION_TARGET)
    }

    /// Whether the tree holds a partition crate of that name.
    pub fn has_partition(&self, name: &str) -> bool {
        !name.contains(['/', '.']) && self.tree.join("partitions").join(name).join("Cargo.toml").exists()
    }

    fn build(&self, package: &str, target: &str) -> Result<PathBuf, Failure> {
        let built = self.run(package, target);
        let built = match built {
            Err(ProcessError::Failed { stderr, .. }) if stderr.contains("target may not be installed") => {
                setup::rust(&self.tree)?;
                self.run(package, target)
            }
            other => other,
        };
        built.map_err(|error| match error {
            ProcessError::Start { program, source } => Failure::environment(CargoMissing { program, source }),
            failed @ ProcessError::Failed { .. } => Failure::input(failed),
        })?;
        Ok(self.target_folder().join(target).join("release").join(package))
    }

    fn run(&self, package: &str, target: &str) -> Result<(), ProcessError> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["build", "--quiet", "--release", "--package", package, "--bin", package, "--target", target]);
        command.arg("--target-dir").arg(self.target_folder()).current_dir(&self.tree);
        // Flags for the host's programs are not meant for the board's, and would replace those of .cargo/config.toml.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.arg("--config").arg(format!("target.{target}.rustflags={:?}", self.remapped()));
        output_with_notice(command, &format!("building {package} for {target}"))
    }

    /// Flags that keep the folders of this machine out of the ELFs, so that another checkout gives the same bytes. Cargo
    /// adds them to those of .cargo/config.toml.
    fn remapped(&self) -> Vec<String> {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
        let flag = |(from, to): (PathBuf, &str)| format!("--remap-path-prefix={}={to}", from.display());
        // Of several prefixes that match, rustc takes the last: a tree may lie below cargo's home, or the other way round.
        let mut prefixes: Vec<_> = home.map(|home| (home, "cargo")).into_iter().collect();
        prefixes.push((self.tree.clone(), "."));
        prefixes.sort_by_key(|(from, _)| from.as_os_str().len());
        prefixes.into_iter().map(flag).collect()
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
