//! The text of a serial line that a partition owns: lines to show, and prompts to answer.

use crate::log::line::{Kind, Line};

/// One thing to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text to wait for.
    pub prompt: String,
    /// What to type then.
    pub text: String,
}

/// One serial line's text.
#[derive(Debug)]
pub struct Terminal {
    speaker: String,
    /// The line that is being written.
    current: String,
    /// Whether the last character began a terminal escape.
    escape: Escape,
    /// What has come since the last prompt that was answered here.
    unanswered: String,
}

/// Where in a terminal escape sequence the text is (ECMA-48 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    Sequence,
}

impl Terminal {
    /// A line called `speaker`.
    pub fn new(speaker: &str) -> Self {
        Self { speaker: speaker.to_owned(), current: String::new(), escape: Escape::None, unanswered: String::new() }
    }

    /// The lines that `bytes` complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for character in String::from_utf8_lossy(bytes).chars().filter(|character| *character != '\r') {
            if !self.shown(character) {
                continue;
            }
            self.unanswered.push(character);
            match character {
                '\n' => lines.extend(self.flush()),
                other => self.current.push(other),
            }
        }
        lines
    }

    /// What has been written of the current line.
    pub fn current(&self) -> &str {
        &self.current
    }

    /// The current line as far as it has come, if there is any of it.
    pub fn flush(&mut self) -> Option<Line> {
        let text = std::mem::take(&mut self.current);
        (!text.is_empty()).then(|| Line::plain(&self.speaker, Kind::Serial, text))
    }

    /// Whether `prompt` has come; true once for each time that it has.
    pub fn take_prompt(&mut self, prompt: &str) -> bool {
        let Some(start) = self.unanswered.find(prompt) else { return false };
        self.unanswered.drain(..start + prompt.len());
        true
    }

    /// Whether `character` is text, not part of a terminal escape.
    fn shown(&mut self, character: char) -> bool {
        let (next, shown) = match (self.escape, character) {
            (Escape::None, '\x1b') => (Escape::Begun, false),
            (Escape::None, '\n' | '\t') => (Escape::None, true),
            (Escape::None, other) => (Escape::None, !other.is_control()),
            (Escape::Begun, '[') => (Escape::Sequence, false),
            (Escape::Sequence, ' '..='?') => (Escape::Sequence, false),
            (Escape::Begun | Escape::Sequence, _) => (Escape::None, false),
        };
        self.escape = next;
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_are_whole_wherever_reads_end() {
        let mut terminal = Terminal::new("u");
        assert!(terminal.push(b"U-Bo").is_empty());
        assert_eq!(texts(terminal.push(b"ot 2023\r\n\r\nnext")), ["U-Boot 2023"]);
        assert_eq!(terminal.current(), "next");
    }

    #[test]
    fn terminal_escapes_are_not_text() {
        let mut terminal = Terminal::new("u");
        assert_eq!(texts(terminal.push(b"\x1b[7;1Ha\x1b[0m\x1b7b\x08\n")), ["ab"]);
    }

    #[test]
    fn each_prompt_is_taken_once() {
        let mut terminal = Terminal::new("u");
        assert!(!terminal.take_prompt("=> "));
        terminal.push(b"=> ");
        assert!(terminal.take_prompt("=> "));
        assert!(!terminal.take_prompt("=> "));
        terminal.push(b"sleep 2\r\n=> ");
        assert!(terminal.take_prompt("=> "));
    }
}
