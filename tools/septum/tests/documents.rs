//! The documents name what is there: every link and every path of the tree that they mention leads somewhere.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the tree: what starts with one of them, in backquotes, is a path.
const FOLDERS: [&str; 6] = ["boards/", "configs/", "docs/", "hypervisor/", "partitions/", "tools/"];

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// Every Markdown file of the tree.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && !["target", "out"].contains(&name.as_str()) {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The targets of `[text](target)` links into the tree.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).filter_map(|target| target.split('#').next())
}

/// Paths of the tree in backquotes. Other projects have folders of the same names: a path is ours if its first two
/// parts are.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2).filter(|quote| !quote.contains([' ', '*', '<', '{', '\n']));
    quoted.filter(|quote| {
        let two: PathBuf = Path::new(quote).components().take(2).collect();
        FOLDERS.iter().any(|folder| quote.starts_with(folder)) && tree().join(two).exists()
    })
}

#[test]
fn every_link_and_path_leads_somewhere() {
    let mut found = Vec::new();
    documents(tree(), &mut found);
    let mut dangling = Vec::new();
    for document in found {
        let text = fs::read_to_string(&document).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        let folder = document.parent().unwrap();
        let bad_links = links(&prose).filter(|target| !folder.join(target).exists());
        let bad_paths = paths(&prose).filter(|path| !tree().join(path).exists());
        dangling.extend(bad_links.chain(bad_paths).map(|target| format!("{}: {target}", document.display())));
    }
    assert!(dangling.is_empty(), "{dangling:#?}");
}

/// What a document's log shows as `in FUNCTION at PATH:LINE`.
fn frames(text: &str) -> impl Iterator<Item = (&str, &str, usize)> {
    let frames = text.lines().filter_map(|line| line.split_once("septum= in ")?.1.split_once(" at "));
    frames.filter_map(|(function, place)| {
        let (path, line) = place.split_once(':')?;
        Some((function.rsplit("::").next()?, path, line.parse().ok()?))
    })
}

#[test]
fn every_frame_of_a_shown_log_lies_in_its_function() {
    let mut found = Vec::new();
    documents(tree(), &mut found);
    let mut seen = 0;
    for document in found {
        let text = fs::read_to_string(&document).unwrap();
        for (function, path, line) in frames(&text) {
            let source = fs::read_to_string(tree().join(path)).unwrap();
            let before: Vec<_> = source.lines().take(line).collect();
            let nearest = before.iter().rev().find(|line| line.contains("fn "));
            let inside = nearest.is_some_and(|line| line.contains(&format!("fn {function}(")));
            assert!(inside, "{}: {path}:{line} is not in `{function}`", document.display());
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} frames");
}

#[test]
fn every_decision_has_its_number_and_status() {
    let mut found = Vec::new();
    documents(&tree().join("docs/decisions"), &mut found);
    let mut numbers: Vec<_> = found.iter().filter(|path| !path.ends_with("README.md")).collect();
    numbers.sort();
    for (index, path) in numbers.iter().enumerate() {
        let (number, text) = (format!("{:04}", index + 1), fs::read_to_string(path).unwrap());
        let file = path.file_name().unwrap().to_string_lossy();
        assert!(file.starts_with(&format!("{number}-")), "{file}: the next number is {number}");
        assert!(text.starts_with(&format!("# {number}: ")), "{file}: its title has no number");
        let head = text.lines().nth(2).unwrap_or("");
        let replaced = head.strip_prefix("Status: replaced by ").is_some_and(|rest| rest[..4].parse::<u16>().is_ok());
        assert!(head.starts_with("Status: in force. Taken 20") || replaced, "{file}: {head}");
        assert!(text.replace('\n', " ").contains(". Code: `"), "{file}: it does not say what code it rules");
    }
}
