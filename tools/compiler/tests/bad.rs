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
use septum_compiler::problem::{Code, Problem, Problems};

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
    let name = path.file_name().expect("a name").to_string_lossy();
    checked(&name, fs::read(path).expect("a configuration")).unwrap_or_else(|| panic!("{name} is right"))
}

/// What is to be said of the configuration `bytes`, if anything: problems, or notes.
fn checked(name: &str, bytes: Vec<u8>) -> Option<Problems> {
    let mut tree = files::shipped(folder());
    tree.boards.push(folder().join("boards"));
    let problems = check_bytes(name, bytes, &tree).map_or_else(|problems| problems, |system| system.remarks);
    let any = problems.all().next().is_some();
    any.then_some(problems)
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
    // Which board is whose is the command line's: tools/septum/tests/commands.rs.
    let elsewhere = [Code::BoardBeside];
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !found.contains(code) && !elsewhere.contains(code)).collect();
    assert!(missing.is_empty(), "no bad configuration breaks {missing:?}");
}

#[test]
fn every_rule_has_a_code_of_its_own() {
    let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.text()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
}

fn codes(problems: &Problems) -> Vec<Code> {
    problems.all().map(|problem| problem.code).collect()
}

/// The address that `problem` says to use, if it does.
fn offered(problem: &Problem) -> Option<&str> {
    let help = problem.help.as_ref()?;
    let rest = help.strip_prefix("use ").or(help.strip_prefix("move it to ")).filter(|rest| rest.starts_with("0x"))?;
    rest.split([',', ' ']).next()
}

#[test]
fn an_address_that_a_help_offers_breaks_no_other_rule() {
    let mut tried = 0;
    for path in configurations() {
        let before = problems(&path);
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (problem, address) in before.iter().filter_map(|problem| Some((problem, offered(problem)?))) {
            if !text[problem.primary.span.range()].starts_with("0x") {
                // The address is to be added, not to be changed.
                continue;
            }
            let mut mended = text.clone();
            mended.replace_range(problem.primary.span.range(), address);
            let after = checked("mended.toml", mended.into_bytes()).unwrap_or_default();
            let place = problem.primary.span.start;
            let still = after.iter().find(|after| after.primary.span.start == place && after.code == problem.code);
            assert!(still.is_none() && after.len() < before.len(), "{}, {address}: {after}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 5, "only {tried} helps offer an address");
}

#[test]
fn every_problem_says_where_in_json() {
    for path in configurations() {
        let problems = problems(&path);
        let json: serde_json::Value = serde_json::from_str(&problems.json()).expect("JSON");
        let list = json.as_array().expect("a list");
        assert_eq!(list.len(), problems.all().count());
        for problem in list {
            let severity =
                if problem["code"].as_str().is_some_and(|code| code.starts_with('N')) { "note" } else { "error" };
            assert_eq!(problem["severity"], severity, "{problem}");
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
