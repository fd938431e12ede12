//! Console bytes that several cores of one partition send to one device, gathered until a line is whole.
//!
//! No lock: places are claimed by an atomic count. A guest serialises its own cores' stores to one UART; one that does
//! not garbles its own text, and nothing else.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use crate::console::LINE_BYTES;

/// Bytes of a line that is not yet whole.
#[derive(Debug)]
pub struct SharedLine {
    bytes: [AtomicU8; LINE_BYTES],
    length: AtomicU32,
}

impl Default for SharedLine {
    fn default() -> Self {
        Self { bytes: [const { AtomicU8::new(0) }; LINE_BYTES], length: AtomicU32::new(0) }
    }
}

impl SharedLine {
    /// Takes one byte; whether what has gathered must go out now, because the line has ended or is full.
    pub fn push(&self, byte: u8) -> bool {
        let place = self.length.fetch_add(1, Relaxed) as usize;
        if let Some(to) = self.bytes.get(place) {
            to.store(byte, Relaxed);
        }
        byte == b'\n' || place.wrapping_add(1) >= LINE_BYTES
    }

    /// Hands over what has gathered, byte by byte, and begins anew.
    pub fn take(&self, mut emit: impl FnMut(u8)) {
        let length = self.length.swap(0, Relaxed) as usize;
        self.bytes.iter().take(length).for_each(|byte| emit(byte.load(Relaxed)));
    }

    /// Whether nothing has gathered.
    pub fn is_empty(&self) -> bool {
        self.length.load(Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &SharedLine) -> Vec<u8> {
        let mut bytes = Vec::new();
        line.take(|byte| bytes.push(byte));
        bytes
    }

    #[test]
    fn a_line_goes_out_at_its_end() {
        let line = SharedLine::default();
        assert!(!line.push(b'a'));
        assert!(line.push(b'\n'));
        assert_eq!(taken(&line), b"a\n");
        assert!(line.is_empty());
    }

    #[test]
    fn a_line_goes_out_when_it_is_full_and_loses_nothing() {
        let line = SharedLine::default();
        let ends: Vec<bool> = (0..LINE_BYTES).map(|_| line.push(b'x')).collect();
        assert_eq!(ends.iter().filter(|end| **end).count(), 1);
        assert_eq!(ends.last(), Some(&true));
        assert_eq!(taken(&line).len(), LINE_BYTES);
    }

    #[test]
    fn cores_that_do_not_take_turns_lose_text_and_nothing_else() {
        let line = SharedLine::default();
        (0..3 * LINE_BYTES).for_each(|_| {
            line.push(b'x');
        });
        assert_eq!(taken(&line).len(), LINE_BYTES);
        assert!(line.is_empty());
    }
}
