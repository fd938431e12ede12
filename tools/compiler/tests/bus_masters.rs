//! Who owns a bus master reaches all memory past its tables: every statement of reach says so.
#![allow(clippy::unwrap_used)]

#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use septum_compiler::check::check;
use septum_compiler::image::{self, BuildError};
use septum_compiler::problem::Problem;
use septum_compiler::source::SourceFile;
use septum_compiler::system::System;
use septum_compiler::verify::{VerifyError, Violation, verify};
use septum_compiler::{explain, inspect, report};
use serde_json::json;

/// `lin` owns the SD card's controller; `other` has memory.
fn system() -> System {
    let text = "board = \"rpi4\"\nvariant = \"2GiB\"\n\
        [partition.lin]\ncpus = [1]\nimage = \"hello\"\ndevices = [\"emmc2\", \"i2c1\"]\ndma = \"trusted\"\n\
        memory.ram = { ipa = 0x4000_0000, identity = true, size = \"2MiB\", access = \"rwx\" }\n\
        [partition.other]\ncpus = [0]\nimage = \"hello\"\n\
        memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n";
    let config = SourceFile { name: "test.toml".into(), text: text.into() };
    check(&config, &files::shipped(files::root())).unwrap_or_else(|problems| panic!("{problems}"))
}

fn build(system: &System) -> Vec<u8> {
    image::build(system, &support::el2_elf()).unwrap().into_bytes()
}

/// The notes on `system`, with the lines that they point at.
fn notes(system: &System) -> Vec<(u32, String)> {
    let line = |note: &Problem| system.remarks.sources.position(note.primary.span).line;
    system.remarks.notes().map(|note| (line(note), note.message.clone())).collect()
}

#[test]
fn memory_beyond_a_bus_master_s_reach_is_remarked_upon() {
    let remark = "bus master `emmc2` of partition `lin` reaches only [0x0..0x4000_0000) of memory, and not all of `ram` \
                  [0x4000_0000..0x4020_0000): its driver must keep buffers within that";
    let system = system();
    assert_eq!(notes(&system), [(6, remark.to_owned())]);
    let page = report::html(&build(&system), &[remark.to_owned()]).unwrap();
    assert!(page.contains("reaches only [0x0..0x4000_0000) of memory"), "{page}");
    assert_eq!(remarks("0x3000_0000", "emmc2"), [], "within the first GiB");
    assert_eq!(remarks("0x4000_0000", "genet"), [], "it reaches all");
    assert_eq!(remarks("0x4000_0000", "pcie"), [], "within 3 GiB");
}

#[test]
fn a_device_that_resets_the_board_is_remarked_upon() {
    let of = |device: &str| {
        let text = format!(
            "board = \"imx8mp-evk\"\n[partition.a]\ncpus = [0]\nimage = {{ guest = \"u-boot-qemu_arm64\" }}\nentry = 0x5000_0000\n\
             memory.ram = {{ ipa = 0x5000_0000, size = \"2MiB\", access = \"rwx\" }}\ndevices = [\"{device}\"]\n"
        );
        let config = SourceFile { name: "test.toml".into(), text };
        notes(&check(&config, &files::shipped(files::root())).unwrap_or_else(|problems| panic!("{problems}")))
    };
    let remark = "device `wdog1` lets partition `a` reset the whole board, and every partition with it";
    assert_eq!(of("wdog1"), [(7, remark.to_owned())]);
    assert_eq!(of("uart3"), []);
}

/// The remarks on a partition with `device` and 2 MiB of memory at `place`.
fn remarks(place: &str, device: &str) -> Vec<(u32, String)> {
    let text = format!(
        "board = \"rpi4\"\nvariant = \"2GiB\"\n\
         [partition.lin]\ncpus = [1]\nimage = {{ guest = \"u-boot-qemu_arm64\" }}\nentry = {place}\n\
         devices = [\"{device}\"]\ndma = \"trusted\"\n\
         memory.ram = {{ ipa = {place}, identity = true, size = \"2MiB\", access = \"rwx\" }}\n"
    );
    let config = SourceFile { name: "test.toml".into(), text };
    notes(&check(&config, &files::shipped(files::root())).unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn inspection_report_and_proof_name_the_bus_masters_and_their_owner() {
    let image = build(&system());
    let inspection = inspect::inspect(&image).unwrap();
    let words = "bus masters `emmc2`: they reach all memory past these tables";
    let text = report::text(&inspection);
    assert_eq!(text.matches(words).count(), 1, "{text}");
    assert_eq!(report::html(&image, &[]).unwrap().matches(words).count(), 1);
    let verified = verify(&image).unwrap();
    let masters = verified.partitions.iter().map(|partition| partition.bus_masters.clone());
    assert_eq!(masters.collect::<Vec<_>>(), [vec!["emmc2".to_owned()], vec![]]);
    assert_eq!(verified.exception, ", separated except through the bus masters of `lin`: emmc2");
    let shown = serde_json::to_value(inspection).unwrap();
    let regions = |partition: usize| shown["partitions"][partition]["regions"].as_array().unwrap().clone();
    let flagged = [0, 1].map(|index| {
        let flagged = regions(index).into_iter().filter(|region| region["bus_master"] == json!(true));
        flagged.map(|region| region["name"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(flagged, [vec![json!("emmc2")], vec![]]);
}

#[test]
fn an_address_is_explained_with_those_who_reach_it_past_their_tables() {
    let system = system();
    let line = "  reached, as all memory, through the bus masters of `lin`: `emmc2`\n";
    let others = system.partitions[1].regions.iter().find(|region| region.name == "ram").unwrap().pa.get();
    for address in [others, system.el2.start.get(), 0x7000_0000] {
        let answer = explain::address(&system, address).to_string();
        assert!(answer.contains(line) && !answer.contains("no partition can reach it"), "{answer}");
    }
}

/// A file from elsewhere may leave out that a device masters the bus: tables do not tell.
#[test]
fn the_proof_names_the_devices_whose_word_it_takes() {
    let mut system = system();
    let devices = |system: &System| verify(&build(system)).unwrap().other_devices;
    assert_eq!(devices(&system), ["`i2c1` of `lin`"]);
    system.partitions[0].regions.iter_mut().for_each(|region| region.bus_master = false);
    let mut found = devices(&system);
    found.sort();
    assert_eq!(found, ["`emmc2` of `lin`", "`i2c1` of `lin`"]);
}

#[test]
fn an_smmu_that_nobody_programs_holds_no_bus_master_back() {
    let board = files::root().join("tools/compiler/tests/bad");
    let mut tree = files::shipped(files::root());
    tree.boards.push(board.join("boards"));
    let text = "board = \"with-smmu\"\n\
        [partition.lin]\ncpus = [1]\nimage = \"hello\"\ndevices = [\"disk\"]\ndma = \"trusted\"\n\
        memory.ram = { ipa = 0x4000_0000, identity = true, size = \"2MiB\", access = \"rwx\" }\n";
    let config = SourceFile { name: "test.toml".into(), text: text.into() };
    let system = check(&config, &tree).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(system.board.smmu);
    let exception = verify(&build(&system)).unwrap().exception;
    assert_eq!(exception, ", separated except through the bus masters of `lin`: disk");
}

#[test]
fn the_proof_refuses_memory_that_a_bus_master_finds_elsewhere() {
    let mut system = system();
    // As the checker would let pass if it did not look: another partition's device, told to be a bus master.
    system.partitions[1].regions.iter_mut().for_each(|region| region.bus_master = region.name == "gicv");
    match image::build(&system, &support::el2_elf()) {
        Err(BuildError::Unproven(VerifyError::Violations(violations))) => assert_eq!(
            violations,
            [Violation::Moved { partition: "other".into(), master: "gicv".into(), region: "ram".into() }]
        ),
        other => panic!("{other:?}"),
    }
}
