//! What the user sees of a run: one line after the other, each with its time and speaker.

use std::fmt;

use septum_compiler::problem::show::{printable, printable_line};

/// What kind of text a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Console text of a partition, through EL2.
    Console,
    /// A partition's own defmt record.
    Record,
    /// EL2's own record.
    Hypervisor,
    /// Text of a serial line that a partition owns, or plain text between log records.
    Serial,
    /// An explanation of the line before, by the tools.
    Note,
}

impl Kind {
    const fn mark(self) -> char {
        match self {
            Self::Console => '|',
            Self::Record => '#',
            Self::Hypervisor => ':',
            Self::Serial => '>',
            Self::Note => '=',
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Seconds since the counter started, if the line has a time.
    pub time: Option<String>,
    /// Who says it: a partition, `septum`, or a serial line.
    pub speaker: String,
    /// What kind of text it is.
    pub kind: Kind,
    /// `error`, `warn`, ..
    pub level: Option<String>,
    /// The text.
    pub text: String,
    /// Whether it is a piece of a console line that goes on.
    pub goes_on: bool,
}

impl Line {
    /// A whole line without time and level.
    pub fn plain(speaker: &str, kind: Kind, text: impl Into<String>) -> Self {
        Self { time: None, speaker: speaker.to_owned(), kind, level: None, text: text.into(), goes_on: false }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.as_deref().unwrap_or("");
        write!(f, "{time:>12} {:>10}{} ", printable(&self.speaker), self.kind.mark())?;
        if let Some(level) = &self.level {
            write!(f, "{level}: ")?;
        }
        match self.kind {
            // Names in them are the image's, records a guest's; and whose line it is must be beyond doubt.
            Kind::Hypervisor | Kind::Note | Kind::Record => f.write_str(&printable_line(&self.text)),
            Kind::Console | Kind::Serial => f.write_str(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_console_moves_the_cursor_or_begins_a_line() {
        let text = "x\u{1b}[2J\n  septum: all partitions have ended";
        for kind in [Kind::Hypervisor, Kind::Note, Kind::Record] {
            let shown = Line::plain("a\u{1b}b", kind, text).to_string();
            assert!(!shown.contains(['\u{1b}', '\n']) && shown.contains("x\\u{1b}[2J\\n  septum"), "{shown}");
        }
        let console = Line::plain("a", Kind::Console, "\u{1b}[1mbold").to_string();
        assert!(console.ends_with("a| \u{1b}[1mbold"), "{console}");
    }
}
