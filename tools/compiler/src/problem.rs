//! What is wrong with an input: every problem with its code, its places, both parties and what would be right.
//!
//! A [`Problems`] gathers all of them; [`render`] shows them as rustc would, or as JSON for tools.

mod code;
pub mod render;
pub mod show;

use std::fmt;

pub use code::Code;

use crate::source::{Sources, Span};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which rule it breaks.
    pub code: Code,
    /// What is wrong, by name and number, in one line.
    pub message: String,
    /// The place that broke the rule, and a short remark there.
    pub primary: Label,
    /// The other parties' places.
    pub labels: Vec<Label>,
    /// What would be right.
    pub help: Option<String>,
}

/// A remark at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there; may be empty.
    pub text: String,
}

impl Problem {
    /// A problem at `span`.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let primary = Label { span, text: String::new() };
        Self { code, message: message.into(), primary, labels: Vec::new(), help: None }
    }

    /// Adds the remark at the problem's own place.
    #[must_use]
    pub fn here(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Adds another party's place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what would be right.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says what would be right, if anything is known.
    #[must_use]
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }
}

/// All problems of one check, and the texts that they point into.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    /// The texts.
    pub sources: Sources,
    list: Vec<Problem>,
    /// What is no error, and to be said.
    notes: Vec<Problem>,
}

impl Problems {
    /// Takes a problem or a note in.
    pub fn add(&mut self, problem: Problem) {
        if problem.code.is_note() { self.notes.push(problem) } else { self.list.push(problem) }
    }

    /// Whether there is none; notes are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Every problem.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Every note.
    pub fn notes(&self) -> impl Iterator<Item = &Problem> {
        self.notes.iter()
    }

    /// Problems and notes.
    pub fn all(&self) -> impl Iterator<Item = &Problem> {
        self.iter().chain(self.notes())
    }

    /// The same problems by place and code, each once, and the same notes likewise.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        for list in [&mut self.list, &mut self.notes] {
            list.sort_by(|a, b| (a.primary.span, a.code, &a.message).cmp(&(b.primary.span, b.code, &b.message)));
            list.dedup();
        }
        self
    }

    /// As rustc shows errors and notes; with colours where `styled`.
    pub fn human(&self, styled: bool) -> String {
        render::human(self, styled)
    }

    /// A JSON array: `{severity, code, message, file, line, column, length, label, labels, help}` each (docs/json.md).
    pub fn json(&self) -> String {
        render::json(self)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.human(false))
    }
}

impl std::error::Error for Problems {}
