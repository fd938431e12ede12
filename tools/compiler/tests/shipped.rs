//! Every shipped configuration is right, and what the checker makes of it builds and verifies.

#[path = "common/files.rs"]
mod files;
#[path = "common/shipped.rs"]
mod shipped;
#[path = "common/support.rs"]
mod support;

use shipped::{checked, configs};

#[test]
fn every_shipped_configuration_is_right() {
    assert!(configs().len() >= 9);
    configs().iter().for_each(|path| drop(checked(path)));
}

#[test]
fn the_same_configuration_gives_the_same_places() {
    for path in configs() {
        let text = || format!("{:?}", checked(&path));
        assert!(text() == text(), "{} is placed differently the second time", path.display());
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
