//! Every rule has a configuration in bad/ that breaks it, beside the exact message that its user gets.
//!
//! `UPDATE_EXPECT=1 cargo test -p septum-compiler --test bad` writes the messages anew, to be reviewed as a diff.

#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use septum_compiler::check::check_bytes;
use septum_compiler::problem::{Code, Problems};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn configurations() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("tests/bad");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

fn problems(path: &Path) -> Problems {
    let mut tree = files::shipped(folder());
    tree.boards.push(folder().join("boards"));
    let name = path.file_name().expect("a name").to_string_lossy();
    let bytes = fs::read(path).expect("a configuration");
    match check_bytes(&name, bytes, &tree) {
        Ok(_) => panic!("{name} is right"),
        Err(problems) => problems,
    }
}

#[test]
fn every_bad_configuration_gets_its_message() {
    let update = env::var_os("UPDATE_EXPECT").is_some();
    let mut wrong = Vec::new();
    for path in configurations() {
        let (message, expected) = (problems(&path).human(false), path.with_extension("stderr"));
        if update {
            fs::write(&expected, &message).expect("tests/bad is writable");
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&message) {
            wrong.push(format!("{} gets:\n{message}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_is_broken_by_some_bad_configuration() {
    let paths = configurations();
    let found: BTreeSet<Code> = paths.iter().flat_map(|path| codes(&problems(path))).collect();
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !found.contains(code)).collect();
    assert!(missing.is_empty(), "no bad configuration breaks {missing:?}");
}

#[test]
fn every_rule_has_a_code_of_its_own() {
    let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.text()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
}

fn codes(problems: &Problems) -> Vec<Code> {
    problems.iter().map(|problem| problem.code).collect()
}

#[test]
fn every_problem_says_where_in_json() {
    for path in configurations() {
        let problems = problems(&path);
        let json: serde_json::Value = serde_json::from_str(&problems.json()).expect("JSON");
        let list = json.as_array().expect("a list");
        assert_eq!(list.len(), problems.len());
        for problem in list {
            assert!(problem["line"].as_u64().is_some_and(|line| line >= 1), "{problem}");
            assert!(problem["column"].as_u64().is_some_and(|column| column >= 1), "{problem}");
            assert!(problem["code"].as_str().is_some_and(|code| code.len() == 5), "{problem}");
            assert!(problem["message"].as_str().is_some_and(|message| !message.is_empty()), "{problem}");
        }
    }
}

#[test]
fn every_rule_is_in_the_configuration_page() {
    let page = fs::read_to_string(files::root().join("docs/configuration.md")).expect("docs/configuration.md");
    for code in Code::ALL {
        let row = format!("| {} | {} |", code.text(), code.rule().trim());
        assert!(page.contains(&row), "docs/configuration.md lacks `{row}`");
    }
}
