//! Whatever the input: an image or problems, never a panic, and no refusal by what comes after the checker.
//!
//! The long run: `PROPTEST_CASES=100000 cargo test --package septum-compiler --test mutations`.

#[path = "common/files.rs"]
mod files;
#[path = "common/shipped.rs"]
mod shipped;
#[path = "common/support.rs"]
mod support;

use std::fs;

use proptest::prelude::*;
use septum_compiler::check::check_bytes;

use files::WithBoard;

/// Words that are likely to do harm somewhere.
const WORDS: [&str; 24] = [
    "0",
    "-1",
    "1",
    "0xffff_ffff_ffff_ffff",
    "0xffff_ffff_ffff_f000",
    "0x8000_0000_0000_0000",
    "123456789012345678901234567890",
    "\"16EiB\"",
    "\"16777215TiB\"",
    "true",
    "[]",
    "{}",
    "\"\"",
    "1.5",
    "identity = true,",
    "pa = 0x4000_0000,",
    "device-tree = true\n",
    "stage2 = \"compact\"\n",
    "granule = \"64k\"\n",
    "keep = true,",
    "\"rwx\"",
    "entry = 0xffff_ffff_ffff_fffc\n",
    "load = 0xffff_ffff_ffff_fffc\n",
    "[partition.x]\n",
];

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    Remove(prop::sample::Index, usize),
    Byte(prop::sample::Index, u8),
    Insert(prop::sample::Index, &'static str),
    Number(prop::sample::Index, &'static str),
    Line(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let word = || prop::sample::select(WORDS.to_vec());
    prop_oneof![
        1 => (any::<prop::sample::Index>(), 1..40_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (any::<prop::sample::Index>(), word()).prop_map(|(at, word)| Change::Insert(at, word)),
        4 => (any::<prop::sample::Index>(), word()).prop_map(|(at, word)| Change::Number(at, word)),
        1 => any::<prop::sample::Index>().prop_map(Change::Line),
    ]
}

fn apply(text: &mut Vec<u8>, change: &Change) {
    if text.is_empty() {
        return;
    }
    match change {
        Change::Remove(at, count) => {
            let start = at.index(text.len());
            text.drain(start..text.len().min(start + count));
        }
        Change::Byte(at, byte) => {
            let index = at.index(text.len());
            text[index] = *byte;
        }
        Change::Insert(at, word) => {
            let index = at.index(text.len());
            text.splice(index..index, word.bytes());
        }
        Change::Number(at, word) => replace_value(text, at, word),
        Change::Line(at) => {
            let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            lines.remove(at.index(lines.len()));
            *text = lines.join(&b'\n');
        }
    }
}

/// Puts `word` where a value stands: behind some `=`, up to the next `,`, `}` or line's end.
fn replace_value(text: &mut Vec<u8>, at: &prop::sample::Index, word: &str) {
    let values: Vec<_> =
        text.iter().enumerate().filter(|(_, byte)| **byte == b'=').map(|(index, _)| index + 1).collect();
    if values.is_empty() {
        return;
    }
    let start = values[at.index(values.len())];
    let end = text[start..].iter().position(|byte| b",}\n".contains(byte)).map_or(text.len(), |length| start + length);
    text.splice(start..end, word.bytes());
}

fn configurations() -> Vec<Vec<u8>> {
    shipped::configs().iter().map(|path| fs::read(path).expect("a configuration")).collect()
}

fn try_out(config: Vec<u8>, board: Option<Vec<u8>>) {
    let files = WithBoard { tree: files::shipped(files::root().join("configs")), text: board };
    match check_bytes("mutation.toml", config, &files) {
        // After the checker nothing can fail on the user's input.
        Ok(system) => {
            let image = septum_compiler::image::build(&system, &support::el2_elf());
            assert!(image.is_ok(), "{}", image.expect_err("an error"));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            assert!(!problems.human(true).is_empty());
            assert!(problems.json().starts_with('['));
        }
    }
}

fn mutated(original: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut text = original.to_vec();
    changes.iter().for_each(|change| apply(&mut text, change));
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_configuration_never_panics(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let configs = configurations();
        try_out(mutated(&configs[which.index(configs.len())], &changes), None);
    }

    #[test]
    fn a_changed_board_never_panics(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..6),
        beside in prop::collection::vec(change(), 0..3),
    ) {
        let configs = configurations();
        let config = &configs[which.index(configs.len())];
        let text = String::from_utf8_lossy(config);
        let name = text.split("board = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a board");
        let board = fs::read(files::root().join("boards").join(name).join("board.toml")).expect("a board's file");
        try_out(mutated(config, &beside), Some(mutated(&board, &changes)));
    }
}
