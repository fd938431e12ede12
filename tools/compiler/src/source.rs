//! Source texts and places in them: what every message points at.

use std::ops::Range;

/// A text with the name that messages call it by.
#[derive(Clone, Debug, Default)]
pub struct SourceFile {
    /// How the user named it, usually a path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Which of the texts that a [`Sources`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A half-open range of bytes in one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes `range` of `file`.
    pub const fn new(file: FileId, range: Range<usize>) -> Self {
        Self { file, start: range.start, end: range.end }
    }

    /// The range without its file.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value and where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, written at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place with the value changed by `change`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

/// A place as people count: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

/// The texts that a check has read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Indexed>,
}

#[derive(Clone, Debug)]
struct Indexed {
    file: SourceFile,
    line_starts: Vec<usize>,
}

impl Sources {
    /// Takes a text in.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        let breaks = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(breaks).collect();
        self.files.push(Indexed { file, line_starts });
        FileId(self.files.len() as u32 - 1)
    }

    /// The text behind `id`.
    ///
    /// # Panics
    /// Where `id` is from another `Sources`.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize].file
    }

    /// The whole lines around `spans`, which are in the file `id`: from the first one's to the last one's.
    pub fn lines(&self, id: FileId, spans: impl Iterator<Item = Span> + Clone) -> Range<usize> {
        let indexed = &self.files[id.0 as usize];
        let first = spans.clone().map(|span| span.start).min().unwrap_or(0);
        let last = spans.map(|span| span.end).max().unwrap_or(0);
        let line = indexed.line_starts.partition_point(|start| *start <= first);
        let start = indexed.line_starts[line.max(1) - 1];
        let end = indexed.line_starts.partition_point(|start| *start <= last);
        start..indexed.line_starts.get(end).copied().unwrap_or(indexed.file.text.len())
    }

    /// The place of `span`'s first byte.
    pub fn position(&self, span: Span) -> Position {
        let indexed = &self.files[span.file.0 as usize];
        let line = indexed.line_starts.partition_point(|start| *start <= span.start).max(1);
        let start = indexed.line_starts[line - 1];
        let before = indexed.file.text.get(start..span.start).unwrap_or("");
        Position { line: line as u32, column: before.chars().count() as u32 + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile { name: "a".into(), text: "ä = 1\n\nx".into() });
        let at = |start| sources.position(Span::new(id, start..start));
        assert_eq!(at(0), Position { line: 1, column: 1 });
        assert_eq!(at(3), Position { line: 1, column: 3 });
        assert_eq!(at(7), Position { line: 2, column: 1 });
        assert_eq!(at(9), Position { line: 3, column: 2 });
    }
}
