//! A serial line's bytes -> frames and plain text between them.
//!
//! The boot stub's refusals and the firmware's own messages are plain text on the same line as the log; up to the next
//! frame's end they look like one damaged frame.

/// The byte that ends a frame, and never occurs in one.
const FRAME_END: u8 = 0;
/// Most bytes of a frame; a longer piece is no frame. EL2's log ring, the longest there can be, is smaller.
const FRAME_MAX: usize = 64 * 1024;

/// A piece of a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole frame without its end mark, or something else between two end marks.
    Frame(Vec<u8>),
    /// More bytes without an end mark than a frame has, or what was left at the end.
    Rest(Vec<u8>),
}

impl Piece {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        let (Self::Frame(bytes) | Self::Rest(bytes)) = self;
        bytes
    }
}

/// Cuts a stream into pieces.
#[derive(Debug, Default)]
pub struct Splitter {
    pending: Vec<u8>,
}

impl Splitter {
    /// Adds bytes; gives the pieces that are whole now.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for byte in bytes {
            if *byte == FRAME_END {
                let frame = std::mem::take(&mut self.pending);
                pieces.extend((!frame.is_empty()).then_some(Piece::Frame(frame)));
            } else {
                self.pending.push(*byte);
                pieces.extend((self.pending.len() == FRAME_MAX).then(|| self.rest()).flatten());
            }
        }
        pieces
    }

    /// What is there without an end mark, if anything: to be asked for when the line has ended.
    pub fn rest(&mut self) -> Option<Piece> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then_some(Piece::Rest(rest))
    }

    /// As [`Splitter::rest`], but only whole lines of plain text: to be asked for when the line has been silent.
    pub fn text(&mut self) -> Option<Piece> {
        let is_text = self.pending.ends_with(b"\n") && as_text(&self.pending).is_some();
        if is_text { self.rest() } else { None }
    }
}

/// `bytes` as text, if nothing in them is anything but printable ASCII, line ends, tabs and terminal escapes.
pub fn as_text(bytes: &[u8]) -> Option<String> {
    let printable = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x20..=0x7e);
    bytes.iter().all(printable).then(|| String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_end_at_zero_bytes_wherever_reads_end() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(b"\0ab"), []);
        assert_eq!(splitter.push(b"c\0\0d"), [Piece::Frame(b"abc".to_vec())]);
        assert_eq!(splitter.push(b"\0"), [Piece::Frame(b"d".to_vec())]);
        assert_eq!(splitter.rest(), None);
    }

    #[test]
    fn an_endless_frame_is_cut() {
        let pieces = Splitter::default().push(&vec![1; FRAME_MAX + 1]);
        assert_eq!(pieces, [Piece::Rest(vec![1; FRAME_MAX])]);
    }

    #[test]
    fn only_whole_lines_of_text_are_text() {
        let mut splitter = Splitter::default();
        splitter.push(b"septum: refus");
        assert_eq!(splitter.text(), None);
        splitter.push(b"ed\r\n");
        assert_eq!(splitter.text(), Some(Piece::Rest(b"septum: refused\r\n".to_vec())));
        splitter.push(b"\x82\n");
        assert_eq!(splitter.text(), None);
    }
}
