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

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use septum_compiler::check::{FileError, Files, Loaded, check_bytes};
use septum_compiler::problem::Problems;

use dice::Dice;

/// One board, and files whose names say what is in them: `raw-BYTES.bin`, `kernel-BYTES-MEMORY.img`.
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
