//! Where Septum's sources are: boards, partitions and EL2 are built from them.

use std::path::{Path, PathBuf};

/// The root of the source tree: the one around the current folder, else the one that this program was built
/// from.
pub fn root() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
    let here = std::env::current_dir().unwrap_or_default();
    let around = here.ancestors().find(|folder| is_tree(folder)).map(Path::to_owned);
    around.or_else(|| built_in.filter(|folder| is_tree(folder))).unwrap_or(here)
}

/// The path of `config` from the root of the tree that it lies in, else its file's name: the same from every current
/// folder and for every spelling, and in every copy of the tree.
pub fn config_name(config: &Path) -> PathBuf {
    let path = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let (folder, name) = (path.parent().unwrap_or(&path), path.file_name().unwrap_or_default());
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let root = folder.ancestors().find(|folder| is_tree(folder));
    root.and_then(|root| folder.strip_prefix(root).ok()).unwrap_or(Path::new("")).join(name)
}

fn is_tree(folder: &Path) -> bool {
    folder.join("hypervisor/el2/Cargo.toml").exists()
}
