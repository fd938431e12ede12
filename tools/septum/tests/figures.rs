//! docs/performance.md states the figures of tools/septum/bench/figures.json.
//!
//! `UPDATE_EXPECT=1 cargo test -p septum --test figures` writes the page's tables anew, to be reviewed as a diff.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::{env, fs};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The figures: the group and name of a row, and its median.
struct Figures(Vec<(String, String, u64)>);

impl Figures {
    fn read() -> Self {
        let text = fs::read_to_string(tree().join("tools/septum/bench/figures.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let word = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = json["rows"].as_array().unwrap().iter();
        Self(rows.map(|row| (word(row, "group"), word(row, "name"), row["median"].as_u64().unwrap())).collect())
    }

    fn of(&self, group: &str, name: &str) -> Option<u64> {
        self.0.iter().find(|row| row.0 == group && row.1 == name).map(|row| row.2)
    }

    /// The figure of an operation on the GIC `version`: of the groups that the row names, else of one core, else of two.
    fn of_operation(&self, version: &str, row: &str, name: &str) -> Option<u64> {
        let groups = ["console", "one", "two"].map(|kind| (kind, format!("{version}-{kind}")));
        let mut groups = groups.iter().filter(|(kind, group)| {
            *kind != "console" || row.contains(&format!("`{group}`")) || row.contains("console = true")
        });
        groups.find_map(|(_, group)| self.of(group, name))
    }
}

/// `1,234`.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let rest = digits.as_bytes()[first..].chunks(3).map(|chunk| std::str::from_utf8(chunk).unwrap().to_owned());
    let first = (first > 0).then(|| digits[..first].to_owned());
    first.into_iter().chain(rest).collect::<Vec<_>>().join(",")
}

/// A row of a table as the figures have it, if it is one of a table that states figures.
fn stated(line: &str, figures: &Figures) -> Option<String> {
    let mut cells: Vec<String> =
        line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(|cell| cell.trim().to_owned()).collect();
    let quoted: Vec<String> = cells.get(1)?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    match (cells.len(), quoted.as_slice()) {
        (7, [name]) => {
            cells[5] = grouped(figures.of_operation("gicv3", line, name)?);
            cells[6] = figures.of_operation("gicv2", line, name).map_or_else(|| "none".to_owned(), grouped);
        }
        (6, [group, name]) if name == "code-and-read-only-data" => {
            cells[5] = format!("**{} KiB**", figures.of(group, name)? / 1024);
        }
        (6, [group, name]) => cells[5] = grouped(figures.of(group, name)?),
        (3, []) => {
            cells[1] = grouped(figures.of(&cells[0], "boot")?);
            cells[2] = grouped(figures.of(&cells[0], "boot-payload")?);
        }
        _ => return None,
    }
    Some(format!("| {} |", cells.join(" | ")).replace("|  |", "| |"))
}

#[test]
fn the_page_states_the_figures_of_the_tree() {
    let (figures, path) = (Figures::read(), tree().join("docs/performance.md"));
    let page = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = page.lines().map(|line| (line, stated(line, &figures))).collect();
    if env::var_os("UPDATE_EXPECT").is_some() {
        let lines = lines.into_iter().map(|(line, stated)| stated.unwrap_or_else(|| line.to_owned()) + "\n");
        fs::write(path, lines.collect::<String>()).unwrap();
        return;
    }
    let held = lines.iter().filter(|(_, stated)| stated.is_some()).count();
    assert!(held > 20, "only {held} rows are held against the figures");
    let wrong = lines.iter().filter_map(|(line, stated)| stated.as_ref().filter(|stated| stated != line));
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "docs/performance.md should say:\n{wrong:#?}");
}

#[test]
fn the_page_names_every_boot_that_is_measured_and_what_loading_costs() {
    let (figures, page) = (Figures::read(), fs::read_to_string(tree().join("docs/performance.md")).unwrap());
    for (group, ..) in figures.0.iter().filter(|(group, name, _)| group.ends_with("-hello") && name == "boot") {
        assert!(page.contains(&format!("\n| {group} | ")), "docs/performance.md has no row for {group}");
    }
    let payload = |group| figures.of(group, "boot-payload").unwrap();
    let (one, scrub) = (payload("gicv3-one"), payload("gicv3-scrub"));
    let boot = |group| figures.of(group, "boot").unwrap();
    for number in [one, scrub, scrub - one, boot("gicv3-one") - boot("gicv3-large")] {
        assert!(page.contains(&grouped(number)), "docs/performance.md does not say {}", grouped(number));
    }
}
