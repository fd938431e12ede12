//! What an installed tool carries: EL2, and Septum's own boards. A tool for working in the tree (`cargo septum`, the `dev`
//! profile) carries nothing: it takes them from the tree, as they are when it runs.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "src/board_crate.rs"]
mod board_crate;

use board_crate::BoardCrate;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the tool lies two folders deep");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to write"));
    let carries = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let source = if carries { carried(tree, &out) } else { in_tree(tree) };
    fs::write(out.join("carried.rs"), source).expect("cargo's folder can be written");
}

/// The source of a tool that carries nothing and knows its tree.
fn in_tree(tree: &Path) -> String {
    format!(
        "pub const TREE: Option<&str> = Some({tree:?});\npub const EL2: Option<&[u8]> = None;\n\
         pub const BOARDS: &[(&str, &[u8])] = &[];\n"
    )
}

/// The source of a tool that carries what it needs, and knows no tree.
fn carried(tree: &Path, out: &Path) -> String {
    for source in ["src/board_crate.rs", "../../boards", "../../hypervisor", "../../Cargo.lock", "../../Cargo.toml"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let el2 = build_el2(tree, out);
    let mut text = format!(
        "pub const TREE: Option<&str> = None;\npub const EL2: Option<&[u8]> = Some(include_bytes!({el2:?}));\n\
         pub const BOARDS: &[(&str, &[u8])] = &["
    );
    for (name, file) in boards(tree) {
        let _ = write!(text, "({name:?}, include_bytes!({file:?})), ");
    }
    text + "];\n"
}

/// Builds EL2 by another cargo, in a folder of its own; gives its ELF's path.
fn build_el2(tree: &Path, out: &Path) -> PathBuf {
    let folder = out.join("el2");
    // rustup's cargo takes the toolchain that the tree names, wherever this one was started; without rustup this one does.
    let rustup = env::var_os("RUSTUP_HOME").is_some() || env::var_os("RUSTUP_TOOLCHAIN").is_some();
    let own = env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
    let mut command = BoardCrate::EL2.command(if rustup { "cargo".into() } else { own }, tree, &folder);
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_this_build(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    let done = command.status().expect("cargo can be started");
    assert!(done.success(), "EL2 cannot be built: {done}");
    BoardCrate::EL2.elf(&folder)
}

/// Whether a variable tells of the crate or the toolchain that is built here, and not of the user's wishes.
fn is_of_this_build(name: &str) -> bool {
    let ours = ["CARGO_PKG_", "CARGO_CFG_", "CARGO_MANIFEST_", "CARGO_FEATURE_", "DEP_"];
    let alone = ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_MAKEFLAGS"];
    ours.iter().any(|prefix| name.starts_with(prefix)) || alone.contains(&name)
}

/// Septum's own boards: name, and file.
fn boards(tree: &Path) -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(tree.join("boards")).expect("the tree has boards").flatten();
    let mut boards: Vec<_> = folders
        .map(|folder| (folder.file_name().to_string_lossy().into_owned(), folder.path().join("board.toml")))
        .filter(|(_, file)| file.is_file())
        .collect();
    boards.sort();
    boards
}
