//! The shipped configurations, checked.
#![allow(dead_code, reason = "no test uses all of it")]

use std::fs;
use std::path::PathBuf;

use septum_compiler::check::check;
use septum_compiler::source::SourceFile;
use septum_compiler::system::System;

use crate::files;

/// All files of `configs/`, by name.
pub fn configs() -> Vec<PathBuf> {
    let folder = fs::read_dir(files::root().join("configs")).expect("configs/");
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

/// The checked form of the configuration at `path`.
pub fn checked(path: &PathBuf) -> System {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let config = SourceFile { name, text: fs::read_to_string(path).expect("a configuration") };
    let tree = files::shipped(files::root().join("configs"));
    check(&config, &tree).unwrap_or_else(|problems| panic!("{problems}"))
}

/// All of them, checked.
pub fn systems() -> Vec<System> {
    configs().iter().map(checked).collect()
}
