//! The text of a partition's terminal, on a serial line of its own or in the log: lines to show, and prompts to answer.

use std::time::{Duration, Instant};

use crate::log::line::{Kind, Line};

/// One thing to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text to wait for.
    pub prompt: String,
    /// What to type then.
    pub text: String,
}

/// One terminal's text.
#[derive(Debug)]
pub struct Terminal {
    speaker: String,
    kind: Kind,
    /// The line that is being written.
    current: String,
    /// When that began, by the log.
    time: Option<String>,
    /// When something came last.
    heard: Instant,
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
    /// A terminal of partition `speaker`.
    pub fn new(speaker: &str, kind: Kind) -> Self {
        Self {
            speaker: speaker.to_owned(),
            kind,
            current: String::new(),
            time: None,
            heard: Instant::now(),
            escape: Escape::None,
            unanswered: String::new(),
        }
    }

    /// The lines that a console line, or a piece of one, completes.
    pub fn push_line(&mut self, line: &Line) -> Vec<Line> {
        if self.current.is_empty() {
            self.time.clone_from(&line.time);
        }
        let end: &[u8] = if line.goes_on { b"" } else { b"\n" };
        self.push(&[line.text.as_bytes(), end].concat())
    }

    /// The lines that `bytes` complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        self.heard = Instant::now();
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

    /// What has been written of the current line, if anything.
    pub fn unfinished(&self) -> Option<Line> {
        let line = || Line { time: self.time.clone(), ..Line::plain(&self.speaker, self.kind, self.current.clone()) };
        (!self.current.is_empty()).then(line)
    }

    /// The same, to be shown, if nothing has followed for `silence`.
    pub fn flush_after(&mut self, silence: Duration) -> Option<Line> {
        if self.heard.elapsed() < silence { None } else { self.flush() }
    }

    /// The current line as far as it has come, if there is any of it.
    pub fn flush(&mut self) -> Option<Line> {
        let line = self.unfinished();
        self.current.clear();
        line
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
        let mut terminal = Terminal::new("u", Kind::Serial);
        assert!(terminal.push(b"U-Bo").is_empty());
        assert_eq!(texts(terminal.push(b"ot 2023\r\n\r\nnext")), ["U-Boot 2023"]);
        assert_eq!(terminal.unfinished().map(|line| line.text).as_deref(), Some("next"));
    }

    #[test]
    fn terminal_escapes_are_not_text() {
        let mut terminal = Terminal::new("u", Kind::Serial);
        assert_eq!(texts(terminal.push(b"\x1b[7;1Ha\x1b[0m\x1b7b\x08\n")), ["ab"]);
    }

    #[test]
    fn each_prompt_is_taken_once() {
        let mut terminal = Terminal::new("u", Kind::Serial);
        assert!(!terminal.take_prompt("=> "));
        terminal.push(b"=> ");
        assert!(terminal.take_prompt("=> "));
        assert!(!terminal.take_prompt("=> "));
        terminal.push(b"sleep 2\r\n=> ");
        assert!(terminal.take_prompt("=> "));
    }

    /// A console line, or a piece of one, at `time`.
    fn console(time: &str, text: &str, goes_on: bool) -> Line {
        Line { time: Some(time.to_owned()), goes_on, ..Line::plain("u", Kind::Console, text) }
    }

    #[test]
    fn pieces_of_a_console_line_are_put_together_with_the_time_of_the_first() {
        let mut terminal = Terminal::new("u", Kind::Console);
        assert!(terminal.push_line(&console("1.5", "one ", true)).is_empty());
        assert_eq!(terminal.push_line(&console("2.5", "two", false)), [console("1.5", "one two", false)]);
    }

    #[test]
    fn a_prompt_in_the_log_is_there_before_its_line_ends() {
        let mut terminal = Terminal::new("u", Kind::Console);
        terminal.push_line(&console("1.5", "=> ", true));
        assert!(terminal.take_prompt("=> "));
        assert_eq!(terminal.unfinished(), Some(console("1.5", "=> ", false)));
        assert_eq!(terminal.flush_after(Duration::from_secs(3600)), None, "it may still go on");
        assert_eq!(terminal.flush_after(Duration::ZERO), Some(console("1.5", "=> ", false)));
        assert_eq!(terminal.flush_after(Duration::ZERO), None, "it is shown once");
    }
}
