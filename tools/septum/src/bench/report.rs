//! The figures: rows, their table, their JSON, and what has changed since earlier ones.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// A figure, or three of one operation's samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The configuration that it was measured with, or `el2` for the binary's own.
    #[serde(default)]
    pub group: String,
    /// What was measured.
    pub name: String,
    /// Smallest sample.
    pub minimum: u64,
    /// Median.
    pub median: u64,
    /// Largest sample.
    pub maximum: u64,
}

impl Row {
    /// A figure that has one value only.
    pub fn single(name: &str, value: u64) -> Self {
        Self { group: String::new(), name: name.to_owned(), minimum: value, median: value, maximum: value }
    }

    fn is(&self, other: &Self) -> bool {
        self.group == other.group && self.name == other.name
    }
}

/// All figures, in the order of measuring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds `rows`, all of group `group`.
    pub fn extend(&mut self, group: &str, rows: Vec<Row>) {
        self.rows.extend(rows.into_iter().map(|row| Row { group: group.to_owned(), ..row }));
    }

    /// As JSON, which [`Report`] is read from again.
    pub fn to_json(&self) -> String {
        // Strings and integers always serialize.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// The rows whose median is another than in `before`, and those that only one of the two has.
    pub fn compared_with(&self, before: &Self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let old = before.rows.iter().find(|old| old.is(row)).map(|old| old.median);
            if old != Some(row.median) {
                let change = old.map_or_else(|| "new".to_owned(), |old| difference(old, row.median));
                // A String takes whatever is written.
                let _ = writeln!(text, "{:16} {:24} {:>10} {change}", row.group, row.name, row.median);
            }
        }
        for old in before.rows.iter().filter(|old| !self.rows.iter().any(|row| row.is(old))) {
            let _ = writeln!(text, "{:16} {:24} {:>10} (was {})", old.group, old.name, "gone", old.median);
        }
        if text.is_empty() { "nothing changed\n".to_owned() } else { text }
    }
}

/// Rows about boot have other counts whenever EL2's code or the plan changes a little; all others are paths that a guest
/// takes, and bytes and pages that everybody pays for.
const BOOT: &str = "boot";

impl Report {
    /// The rows, those about boot apart, that are larger than in `before`: what must not happen unnoticed.
    pub fn grown_since(&self, before: &Self) -> Vec<String> {
        let old = |row: &Row| before.rows.iter().find(|old| old.is(row)).map_or(u64::MAX, |old| old.median);
        let grown = self.rows.iter().filter(|row| !row.name.starts_with(BOOT) && row.median > old(row));
        grown.map(|row| format!("{} {}", row.group, row.name)).collect()
    }
}

fn difference(old: u64, new: u64) -> String {
    format!("{:+} (was {old})", i128::from(new) - i128::from(old))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:16} {:24} {:>10} {:>10} {:>10}", "configuration", "row", "minimum", "median", "maximum")?;
        self.rows.iter().try_for_each(|row| {
            writeln!(f, "{:16} {:24} {:>10} {:>10} {:>10}", row.group, row.name, row.minimum, row.median, row.maximum)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: &[(&str, u64)]) -> Report {
        let mut report = Report::default();
        report.extend("g", rows.iter().map(|(name, value)| Row::single(name, *value)).collect());
        report
    }

    #[test]
    fn a_comparison_shows_what_changed_what_is_new_and_what_is_gone() {
        let before = report(&[("same", 1), ("slower", 10), ("old", 3)]);
        let text = report(&[("same", 1), ("slower", 12), ("added", 5)]).compared_with(&before);
        let lines: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [
                vec!["g", "slower", "12", "+2", "(was", "10)"],
                vec!["g", "added", "5", "new"],
                vec!["g", "old", "gone", "(was", "3)"],
            ]
        );
        assert_eq!(before.compared_with(&before), "nothing changed\n");
    }

    #[test]
    fn a_row_that_is_larger_than_before_is_named_but_for_those_about_boot() {
        let before = report(&[("same", 1), ("slower", 10), ("quicker", 10), ("boot-payload", 5)]);
        let after = report(&[("same", 1), ("slower", 11), ("quicker", 9), ("boot-payload", 6), ("new", 1)]);
        assert_eq!(after.grown_since(&before), ["g slower"]);
        assert!(before.grown_since(&before).is_empty());
    }

    #[test]
    fn a_report_survives_its_json() {
        let report = report(&[("a", u64::MAX), ("b", 0)]);
        assert_eq!(serde_json::from_str::<Report>(&report.to_json()).unwrap(), report);
    }
}
