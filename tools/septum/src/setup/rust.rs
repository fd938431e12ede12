//! The Rust targets and components that rust-toolchain.toml names, through rustup.

use std::path::Path;
use std::process::Command;

use crate::process::{self, ProcessError};

/// What rust-toolchain.toml asks for, as rustup's subcommands name it. A test compares this with the file.
const NEEDED: [(&str, &str); 2] = [("target", "aarch64-unknown-none-softfloat"), ("target", "aarch64-unknown-none")];

/// Adds the targets that the toolchain of `tree` lacks.
///
/// Without rustup nothing is done: the toolchain is then somebody else's care, and cargo will say what it lacks.
///
/// # Errors
/// rustup cannot fetch them.
pub fn obtain(tree: &Path, say: &dyn Fn(&str)) -> Result<(), ProcessError> {
    if !process::exists("rustup") {
        return Ok(());
    }
    for (kind, name) in NEEDED {
        if !installed(tree, kind)?.lines().any(|line| line == name) {
            say(&format!("rustup {kind} add {name}"));
            process::output(rustup(tree).args([kind, "add", name]))?;
        }
    }
    Ok(())
}

fn installed(tree: &Path, kind: &str) -> Result<String, ProcessError> {
    process::output(rustup(tree).args([kind, "list", "--installed"]))
}

fn rustup(tree: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(tree);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fetched_is_what_the_toolchain_file_names() {
        let file = include_str!("../../../../rust-toolchain.toml");
        let targets = file.lines().find(|line| line.starts_with("targets")).unwrap_or_default();
        let quoted: Vec<_> = targets.split('"').skip(1).step_by(2).collect();
        assert_eq!(quoted, NEEDED.map(|(_, name)| name));
    }
}
