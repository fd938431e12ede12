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

fn is_tree(folder: &Path) -> bool {
    folder.join("hypervisor/el2/Cargo.toml").exists()
}
