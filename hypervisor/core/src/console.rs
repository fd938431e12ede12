//! A partition's console text on its way to the log: gathered into lines and made safe to show.
//!
//! What a partition sends is bytes; what the log carries is UTF-8 without control characters but tab and escape. The
//! formats are docs/log.md's.

pub mod shared_line;

/// Longest line that stays whole, in bytes; docs/log.md and docs/abi.md state it.
pub const LINE_BYTES: usize = 120;

/// How a line came to be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// By the partition's line feed.
    Yes,
    /// Not yet: it was full, or the partition ended.
    No,
}

/// A line being gathered.
#[derive(Clone, Debug)]
pub struct Line {
    bytes: heapless::Vec<u8, LINE_BYTES>,
    decoder: Decoder,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// An empty line.
    pub const fn new() -> Self {
        Self { bytes: heapless::Vec::new(), decoder: Decoder::new() }
    }

    /// Whether nothing has gathered since the last line.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes one byte from the partition; hands each line that this completes or fills to `emit`.
    pub fn push(&mut self, byte: u8, emit: &mut dyn FnMut(&str, Closed)) {
        if byte == b'\n' {
            self.finish_character(emit);
            self.emit(Closed::Yes, emit);
            return;
        }
        match self.decoder.push(byte) {
            Decoded::Pending => {}
            Decoded::Character(character) => self.append(character.bytes(), emit),
            Decoded::Invalid => self.append(b"?", emit),
            Decoded::InvalidThen => {
                self.append(b"?", emit);
                self.push(byte, emit);
            }
        }
    }

    /// Hands over what has gathered, if anything: for a partition that ends.
    pub fn flush(&mut self, emit: &mut dyn FnMut(&str, Closed)) {
        self.finish_character(emit);
        if !self.is_empty() {
            self.emit(Closed::No, emit);
        }
    }

    fn finish_character(&mut self, emit: &mut dyn FnMut(&str, Closed)) {
        if self.decoder.reset() {
            self.append(b"?", emit);
        }
    }

    fn append(&mut self, character: &[u8], emit: &mut dyn FnMut(&str, Closed)) {
        if !is_shown(character) {
            return;
        }
        if self.bytes.extend_from_slice(character).is_err() {
            self.emit(Closed::No, emit);
            // An empty line takes any character.
            let _ = self.bytes.extend_from_slice(character);
        }
    }

    fn emit(&mut self, closed: Closed, emit: &mut dyn FnMut(&str, Closed)) {
        emit(core::str::from_utf8(&self.bytes).unwrap_or(""), closed);
        self.bytes.clear();
    }
}

/// Whether a character goes into the log: control characters but tab and escape do not.
const fn is_shown(character: &[u8]) -> bool {
    !matches!(character, [0x00..=0x08 | 0x0a..=0x1a | 0x1c..=0x1f | 0x7f] | [0xc2, 0x80..=0x9f])
}

/// One character's bytes so far: the beginning of one, as [`core::str::from_utf8`] judges it.
#[derive(Clone, Debug)]
struct Decoder {
    bytes: [u8; 4],
    length: u8,
}

enum Decoded {
    /// More bytes are needed.
    Pending,
    /// A whole character.
    Character(Character),
    /// This byte begins no character.
    Invalid,
    /// The bytes before this one were cut short; this one is still to be looked at.
    InvalidThen,
}

struct Character {
    bytes: [u8; 4],
    length: u8,
}

impl Character {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

impl Decoder {
    const fn new() -> Self {
        Self { bytes: [0; 4], length: 0 }
    }

    /// Forgets a character cut short; whether there was one.
    const fn reset(&mut self) -> bool {
        let cut = self.length != 0;
        self.length = 0;
        cut
    }

    fn push(&mut self, byte: u8) -> Decoded {
        // Most characters are one byte.
        if self.length == 0 && byte < 0x80 {
            return Decoded::Character(Character { bytes: [byte, 0, 0, 0], length: 1 });
        }
        self.push_beyond_ascii(byte)
    }

    #[cold]
    #[inline(never)]
    fn push_beyond_ascii(&mut self, byte: u8) -> Decoded {
        let before = usize::from(self.length);
        if let Some(to) = self.bytes.get_mut(before) {
            *to = byte;
        }
        let length = before.saturating_add(1);
        let so_far = core::str::from_utf8(self.bytes.get(..length).unwrap_or(&[]));
        self.length = 0;
        match so_far {
            // At most four.
            Ok(_) => Decoded::Character(Character { bytes: self.bytes, length: length as u8 }),
            Err(error) if error.error_len().is_none() => {
                self.length = length as u8;
                Decoded::Pending
            }
            Err(_) if before == 0 => Decoded::Invalid,
            Err(_) => Decoded::InvalidThen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(String, Closed)> {
        let mut out = Vec::new();
        let mut line = Line::new();
        let mut emit = |text: &str, closed| out.push((text.to_owned(), closed));
        for byte in input {
            line.push(*byte, &mut emit);
        }
        line.flush(&mut emit);
        out
    }

    fn closed(text: &str) -> (String, Closed) {
        (text.to_owned(), Closed::Yes)
    }

    #[test]
    fn a_line_feed_closes_a_line_and_carriage_returns_vanish() {
        assert_eq!(lines(b"one\r\n\ntwo\n"), [closed("one"), closed(""), closed("two")]);
    }

    #[test]
    fn what_is_left_at_the_end_is_passed_on_open() {
        assert_eq!(lines(b"a\nprompt> "), [closed("a"), ("prompt> ".to_owned(), Closed::No)]);
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_join_to_the_whole() {
        let text = "0123456789".repeat(30);
        let pieces = lines(format!("{text}\n").as_bytes());
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.iter().map(|(piece, _)| piece.as_str()).collect::<String>(), text);
        assert_eq!(pieces.iter().map(|(_, c)| *c).collect::<Vec<_>>(), [Closed::No, Closed::No, Closed::Yes]);
    }

    #[test]
    fn a_character_is_never_cut_by_the_end_of_a_piece() {
        let text = "é".repeat(61) + "x" + &"漢".repeat(50);
        let pieces = lines(text.as_bytes());
        assert!(pieces.iter().all(|(piece, _)| piece.len() <= LINE_BYTES));
        assert_eq!(pieces.iter().map(|(piece, _)| piece.as_str()).collect::<String>(), text);
    }

    #[test]
    fn control_characters_are_dropped_but_tab_and_escape() {
        assert_eq!(lines(b"\x00a\x07\tb\x1b[1mc\x7f\x08\xc2\x9bd\n"), [closed("a\tb\x1b[1mcd")]);
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_question_marks() {
        assert_eq!(lines(b"a\xffb\xc3\n"), [closed("a?b?")]);
        assert_eq!(lines(b"\xc0\x80\n"), [closed("??")]);
        assert_eq!(lines(b"\xe4\xbdX\xed\xa0\x80\n"), [closed("?X???")]);
        assert_eq!(lines(b"\xf4\x90\x80\x80|\xf0\x9f\x98\x80\n"), [closed("????|😀")]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_bytes_every_piece_is_safe_text(input: Vec<u8>) {
            for (piece, _) in lines(&input) {
                proptest::prop_assert!(piece.len() <= LINE_BYTES);
                proptest::prop_assert!(piece.chars().all(|c| !c.is_control() || c == '\t' || c == '\x1b'));
            }
        }

        #[test]
        fn printable_text_comes_through_unchanged(input in "[ -~äß漢😀]{0,400}") {
            let joined: String = lines(input.as_bytes()).iter().map(|(piece, _)| piece.as_str()).collect();
            proptest::prop_assert_eq!(joined, input);
        }
    }
}
