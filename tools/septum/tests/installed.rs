//! The installed tool, without a source tree and without Rust: it checks, builds and runs on the emulator.
//!
//! It is built as `cargo install` builds it, and then runs in an empty folder with neither cargo nor rustup in PATH.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where a machine has its own programs, without those of the user.
const SYSTEM_PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";
/// Longest that a run may take, in seconds: a guard against a board that hangs, not a measure of time.
const GUARD: &str = "180";
const CONFIG: &str = "board = \"mine\"\n[partition.one]\ncpus = [0]\nimage = \"./guest.elf\"\nargs = \"one lines=2 off\"\n\
                      memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n";

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The tool, built in the profile that `cargo install` takes, in a folder of its own.
fn tool() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--release", "--package", "septum", "--target-dir"]).arg(&folder);
    let built = cargo.current_dir(tree()).stdin(Stdio::null()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    folder.join("release/septum")
}

/// The cache with the emulator, wherever this machine has it.
fn cache() -> PathBuf {
    let under = |variable, tail: &str| env::var_os(variable).map(|base| PathBuf::from(base).join(tail));
    let own = env::var_os("SEPTUM_CACHE").map(PathBuf::from);
    own.or_else(|| under("XDG_CACHE_HOME", "septum")).or_else(|| under("HOME", ".cache/septum")).unwrap()
}

struct Desk {
    tool: PathBuf,
    folder: PathBuf,
}

impl Desk {
    /// An empty folder but for a configuration, its guest, and a board of the user's own.
    fn new(guest: &Path) -> Self {
        let folder = env::temp_dir().join(format!("septum-installed-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("boards/mine")).unwrap();
        fs::copy(tree().join("boards/qemu-virt/board.toml"), folder.join("boards/mine/board.toml")).unwrap();
        fs::copy(guest, folder.join("guest.elf")).unwrap();
        fs::write(folder.join("one.toml"), CONFIG).unwrap();
        fs::write(folder.join("crate.toml"), CONFIG.replace("./guest.elf", "hello").replace("mine", "qemu-virt"))
            .unwrap();
        Self { tool: tool(), folder }
    }

    fn septum(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.tool);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.env_clear().env("PATH", SYSTEM_PATH).env("HOME", &self.folder).env("SEPTUM_CACHE", cache());
        command.output().unwrap()
    }

    /// What a command that ends with `code` says.
    fn says(&self, arguments: &[&str], code: i32) -> String {
        let output = self.septum(arguments);
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn an_installed_tool_needs_neither_the_tree_nor_rust() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed-guest");
    let mut build = Command::new(env!("CARGO_BIN_EXE_septum"));
    build.current_dir(tree()).args(["build", "configs/virt-hello.toml", "--out"]).arg(&out);
    assert!(build.stdin(Stdio::null()).status().unwrap().success());
    let desk = Desk::new(&out.join("left.elf"));
    let bytes = fs::read(&desk.tool).unwrap();
    let here = tree().to_str().unwrap().as_bytes();
    assert!(!bytes.windows(here.len()).any(|window| window == here), "it knows the tree that it was built in");

    assert!(desk.says(&["check", "one.toml"], 0).contains("no problem found: board mine, partitions one"));
    assert!(desk.says(&["build", "one.toml"], 0).contains("out/one/septum.img"));
    let el2 = fs::read(desk.folder.join("out/one/el2.elf")).unwrap();
    assert!(el2 == fs::read(out.join("el2.elf")).unwrap(), "it carries another EL2 than its tree builds");
    assert!(desk.says(&["verify", "out/one/septum.img"], 0).contains("partitions share nothing"));
    let log = desk.says(&["run", "one.toml", "--timeout", GUARD], 0);
    assert!(log.contains("one| one: done") && log.contains("all partitions have ended"), "{log}");

    assert!(desk.says(&["check", "crate.toml"], 3).contains("run septum in a folder of it"));
    assert!(desk.says(&["bench"], 3).contains("Septum's source tree"));
}
