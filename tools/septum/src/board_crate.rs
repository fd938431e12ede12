//! How cargo builds what runs on the board: EL2 and the partitions' crates.
//!
//! The tool's own build uses this file too, for the EL2 that an installed tool carries: both must give the same bytes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The profile of what runs on the board, in the workspace's manifest.
const PROFILE: &str = "board";

/// A crate of the tree that runs on the board, with a binary of its own name.
#[derive(Clone, Copy, Debug)]
pub struct BoardCrate<'a> {
    /// Its package, and its binary.
    pub package: &'a str,
    /// The target that it is built for.
    pub target: &'static str,
}

impl<'a> BoardCrate<'a> {
    /// EL2, which may not touch floating-point registers: they are the partitions'.
    pub const EL2: Self = Self { package: "septum-el2", target: "aarch64-unknown-none-softfloat" };

    /// A partition's program.
    #[allow(dead_code, reason = "the tool's own build has no use for it")]
    pub const fn partition(package: &'a str) -> Self {
        Self { package, target: "aarch64-unknown-none" }
    }

    /// `cargo` told to build it from `tree` below `folder`.
    pub fn command(self, cargo: impl Into<PathBuf>, tree: &Path, folder: &Path) -> Command {
        let Self { package, target } = self;
        let mut command = Command::new(cargo.into());
        command.args(["build", "--quiet", "--profile", PROFILE, "--package", package, "--bin", package]);
        command.args(["--target", target]).arg("--target-dir").arg(folder).current_dir(tree);
        // Flags for the host's programs are not meant for the board's, and would replace those of .cargo/config.toml.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.arg("--config").arg(format!("target.{target}.rustflags={:?}", remapped(tree)));
        command
    }

    /// The ELF that [`Self::command`] makes below `folder`.
    pub fn elf(self, folder: &Path) -> PathBuf {
        folder.join(self.target).join(PROFILE).join(self.package)
    }
}

/// Flags that keep the folders of this machine out of the ELFs, so that another checkout gives the same bytes. Cargo adds
/// them to those of .cargo/config.toml.
fn remapped(tree: &Path) -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let flag = |(from, to): (PathBuf, &str)| format!("--remap-path-prefix={}={to}", from.display());
    // Of several prefixes that match, rustc takes the last: a tree may lie below cargo's home, or the other way round.
    let mut prefixes: Vec<_> = home.map(|home| (home, "cargo")).into_iter().collect();
    prefixes.push((tree.to_owned(), "."));
    prefixes.sort_by_key(|(from, _)| from.as_os_str().len());
    prefixes.into_iter().map(flag).collect()
}
