//! Every shipped configuration is right, and what the checker makes of it builds and verifies.

#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use std::fs;
use std::path::PathBuf;

use septum_compiler::check::check;
use septum_compiler::source::SourceFile;
use septum_compiler::system::System;

fn configs() -> Vec<PathBuf> {
    let folder = fs::read_dir(files::root().join("configs")).expect("configs/");
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

fn checked(path: &PathBuf) -> System {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let config = SourceFile { name, text: fs::read_to_string(path).expect("a configuration") };
    let tree = files::shipped(files::root().join("configs"));
    check(&config, &tree).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_shipped_configuration_is_right() {
    assert!(configs().len() >= 9);
    configs().iter().for_each(|path| drop(checked(path)));
}

#[test]
fn the_same_configuration_gives_the_same_places() {
    for path in configs() {
        assert_eq!(format!("{:?}", checked(&path)), format!("{:?}", checked(&path)));
    }
}

#[test]
fn every_shipped_configuration_builds_in_the_memory_set_apart_for_it() {
    for path in configs() {
        let system = checked(&path);
        let image = septum_compiler::image::build(&system, &support::el2_elf());
        image.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
