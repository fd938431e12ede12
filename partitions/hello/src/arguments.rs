//! The words of the `args` string.
#![cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host builds it for its tests only"))]

use core::time::Duration;

/// What the partition is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments<'a> {
    /// Its name, the first word; "hello" where there is none.
    pub name: &'a str,
    /// Lines to count, 3 unless said.
    pub lines: u32,
    /// Time between lines, 100 ms unless said.
    pub every: Duration,
    /// Where a PL011 is, to say hello there too.
    pub uart: Option<usize>,
    /// Whether to end by SYSTEM_OFF; else the partition sleeps on.
    pub off: bool,
}

impl<'a> Arguments<'a> {
    /// From the string; words that mean nothing are left out.
    pub fn parse(text: &'a str) -> Self {
        let mut words = text.split_ascii_whitespace();
        let name = words.next().unwrap_or("hello");
        let mut parsed = Self { name, lines: 3, every: Duration::from_millis(100), uart: None, off: false };
        for word in words {
            parsed.apply(word);
        }
        parsed
    }

    fn apply(&mut self, word: &str) {
        match word.split_once('=') {
            Some(("lines", value)) => self.lines = value.parse().unwrap_or(self.lines),
            Some(("every", value)) => self.every = value.parse().map_or(self.every, Duration::from_millis),
            Some(("uart", value)) => self.uart = address(value),
            _ => self.off |= word == "off",
        }
    }
}

fn address(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("0x")?.bytes().filter(|byte| *byte != b'_');
    digits
        .map(|byte| char::from(byte).to_digit(16))
        .try_fold(0usize, |value, digit| value.checked_mul(16)?.checked_add(usize::try_from(digit?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_understood() {
        let expected =
            Arguments { name: "left", lines: 5, every: Duration::from_millis(20), uart: Some(0x900_0000), off: true };
        assert_eq!(Arguments::parse("left lines=5 every=20 uart=0x900_0000 off"), expected);
    }

    #[test]
    fn without_words_it_counts_to_three_and_sleeps() {
        let arguments = Arguments::parse("");
        assert_eq!((arguments.name, arguments.lines, arguments.off), ("hello", 3, false));
    }
}
