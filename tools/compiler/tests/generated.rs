//! Generated boards with generated configurations: what the checker takes, the build makes an image of.
//!
//! The long run: `PROPTEST_CASES=100000 cargo test --package septum-compiler --test generated`.

#[path = "generated/board.rs"]
mod board;
#[path = "generated/config.rs"]
mod config;
#[path = "generated/dice.rs"]
mod dice;
#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use septum_compiler::check::{FileError, Files, Loaded, check_bytes};
use septum_compiler::problem::Problems;

use dice::Dice;

/// One board, and files whose names say what is in them: `raw-BYTES.bin`, `kernel-BYTES-MEMORY.img`,
/// `elf-ADDRESS-BYTES-MEMORY.elf`, `tree-MEMORY-BYTES-MORE.dtb`.
struct Generated(String);

impl Files for Generated {
    fn boards(&self) -> Vec<String> {
        vec!["generated".to_owned()]
    }

    fn board(&self, _: &str) -> Result<Loaded, FileError> {
        Ok(Loaded { bytes: self.0.clone().into_bytes(), path: PathBuf::from("board.toml") })
    }

    fn partitions(&self) -> Vec<String> {
        vec!["hello".to_owned()]
    }

    fn partition(&self, name: &str) -> Result<Loaded, FileError> {
        Ok(Loaded { bytes: files::partition_elf(), path: PathBuf::from(name) })
    }

    fn file(&self, path: &str, most: u64) -> Result<Loaded, FileError> {
        let numbers: Vec<u64> = path.split(['-', '.']).filter_map(|part| part.parse().ok()).collect();
        let bytes = match *numbers.as_slice() {
            [bytes] => vec![0x1f; bytes as usize],
            [bytes, memory] => files::kernel(bytes as usize, memory),
            [memory, bytes, more] if path.ends_with(".dtb") => tree(memory, bytes, more),
            [address, bytes, memory] => support::elf(&[(address, 7, vec![0x1f; bytes as usize], memory)]),
            _ => return Err(FileError::Missing),
        };
        if bytes.len() as u64 > most { Err(FileError::TooLarge) } else { Ok(Loaded { bytes, path: path.into() }) }
    }

    fn guests(&self) -> Vec<String> {
        Vec::new()
    }

    fn guest(&self, _: &str) -> Result<Loaded, FileError> {
        Err(FileError::Missing)
    }
}

/// A device tree with one memory and a property of `more` bytes.
fn tree(memory: u64, bytes: u64, more: u64) -> Vec<u8> {
    let cells = |wide: u64| [(wide >> 32) as u32, wide as u32];
    let property = |name: &str, values: &[u32]| DeviceTreeProperty::new_unchecked(name, values);
    let mut node = DeviceTreeNode::new_unchecked(format!("memory@{memory:x}"));
    node.add_property(DeviceTreeProperty::new_unchecked("device_type", "memory"));
    node.add_property(property("reg", &[cells(memory), cells(bytes)].concat()));
    let mut tree = DeviceTree::new();
    tree.root.add_property(property("#address-cells", &[2]));
    tree.root.add_property(property("#size-cells", &[2]));
    tree.root.add_property(property("more", &vec![7; more as usize / 4]));
    tree.root.add_child(node);
    tree.to_dtb()
}

/// The two texts that `numbers` stand for.
fn texts(numbers: &[u32]) -> (String, String) {
    let mut dice = Dice::new(numbers);
    let board = board::board(&mut dice);
    let config = config::config(&mut dice, &board);
    (board.text, config)
}

/// Whether there was an image; anything else than an image or problems is a failure.
fn try_out(board: &str, config: &str) -> Result<bool, TestCaseError> {
    match check_bytes("generated.toml", config.as_bytes().to_vec(), &Generated(board.to_owned())) {
        Ok(system) => {
            let image = septum_compiler::image::build(&system, &support::el2_elf());
            prop_assert!(image.is_ok(), "{}", image.expect_err("an error"));
            Ok(true)
        }
        Err(problems) => check_problems(&problems).map(|()| false),
    }
}

fn check_problems(problems: &Problems) -> Result<(), TestCaseError> {
    prop_assert!(!problems.is_empty());
    prop_assert!(!problems.human(true).is_empty());
    prop_assert!(problems.json().starts_with('['));
    Ok(())
}

#[test]
fn what_the_checker_takes_the_build_takes() {
    let (tried, built) = (AtomicU32::new(0), AtomicU32::new(0));
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&prop::collection::vec(any::<u32>(), 20..400), |numbers| {
        let (board, config) = texts(&numbers);
        tried.fetch_add(1, Ordering::Relaxed);
        built.fetch_add(u32::from(try_out(&board, &config)?), Ordering::Relaxed);
        Ok(())
    });
    if let Err(TestError::Fail(why, numbers)) = result {
        let (board, config) = texts(&numbers);
        panic!("{why}\n{board}\n{config}");
    }
    let (tried, built) = (tried.into_inner(), built.into_inner());
    println!("{built} of {tried} boards and configurations were right");
    assert!(built * 20 > tried, "only {built} of {tried} were right: corners behind the checker are not reached");
}

/// A board with `cores`, 100 GiB of RAM and 40 carve-outs.
fn large_board(cores: u64) -> String {
    let mpidrs = (0..cores).map(|core| format!("{core:#x}")).collect::<Vec<_>>().join(", ");
    let kept = (0..40_u64).map(|index| format!("k{index} = {{ at = {:#x}, size = 1 }}\n", (8 << 30) + (index << 21)));
    format!(
        "pa-bits = 40\ngranules = [\"4k\"]\nload = 0x4020_0000\nsmmu = false\ncores = [{mpidrs}]\n\
         power = {{ method = \"none\" }}\ncore-start = {{ method = \"psci-smc\" }}\nconsoles = [\"uart0\"]\n\
         ram = [{{ at = 0x4000_0000, size = \"100GiB\" }}]\n[gic]\nversion = \"v3\"\nspis = 988\n\
         distributor = {{ at = 0x0800_0000, size = 0x80_0000 }}\n\
         redistributors = {{ at = 0x1000_0000, size = {:#x} }}\n\
         [device.uart0]\nregisters = [{{ at = 0x0900_0000, size = 0x80_0000 }}]\nuart = {{ kind = \"pl011\" }}\n\
         [carve-out]\n{}",
        cores * 0x2_0000,
        kept.collect::<String>()
    )
}

/// `partitions` of one core each, with `memories` of 20 KiB, each of which needs tables of its own.
fn large_config(partitions: u64, memories: u64) -> String {
    let memory = |index: u64| {
        let ipa = 0x4000_0000 + index * 0x4000_1000;
        format!("memory.m{index} = {{ ipa = {ipa:#x}, size = 0x5000, access = \"rwx\" }}\n")
    };
    let memories: String = (0..memories).map(memory).collect();
    let partition = |index: u64| {
        format!("[partition.p{index}]\ncpus = [{index}]\nimage = \"./raw-4.bin\"\nentry = 0x4000_0000\n{memories}")
    };
    format!("board = \"generated\"\n{}", (0..partitions).map(partition).collect::<String>())
}

#[test]
fn the_largest_boards_and_configurations_build() {
    for (cores, partitions, memories) in [(496, 255, 1), (300, 255, 8), (8, 8, 250)] {
        let built = try_out(&large_board(cores), &large_config(partitions, memories));
        assert!(matches!(built, Ok(true)), "{built:?}: {cores} cores, {partitions} partitions, {memories} memories");
    }
}
