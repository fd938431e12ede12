//! What is typed at the log's UART, on its way to the partitions' emulated consoles.
//!
//! Bytes go to one partition at a time, at first the first that has a console. SOH (0x01) chooses: the byte after it,
//! less [`FIRST_PARTITION`], is the partition's place in the configuration; a second SOH stands for one byte 0x01 of
//! text. docs/log.md tells the tools.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Start of heading: the next byte chooses a partition.
pub const SOH: u8 = 0x01;
/// The byte that chooses the first partition.
pub const FIRST_PARTITION: u8 = 0x20;
/// Nobody has chosen yet.
const UNCHOSEN: u32 = u32::MAX;

/// Where input goes. One core at a time takes input.
#[derive(Debug)]
pub struct Input {
    chosen: AtomicU32,
    choosing: AtomicBool,
}

/// What a byte means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typed {
    /// Index of the partition that it is for; `None`: the first that has a console.
    pub partition: Option<u16>,
    /// The byte.
    pub byte: u8,
}

impl Default for Input {
    fn default() -> Self {
        Self::new()
    }
}

impl Input {
    /// Nothing typed yet.
    pub const fn new() -> Self {
        Self { chosen: AtomicU32::new(UNCHOSEN), choosing: AtomicBool::new(false) }
    }

    /// Takes one byte from the line; `None` where it only chooses.
    pub fn push(&self, byte: u8) -> Option<Typed> {
        let choosing = self.choosing.swap(false, Relaxed);
        match (choosing, byte) {
            (false, SOH) => {
                self.choosing.store(true, Relaxed);
                None
            }
            (true, byte) if byte != SOH => {
                self.chosen.store(byte.wrapping_sub(FIRST_PARTITION).into(), Relaxed);
                None
            }
            _ => Some(Typed { partition: u16::try_from(self.chosen.load(Relaxed)).ok(), byte }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(input: &Input, bytes: &[u8]) -> Vec<(Option<u16>, u8)> {
        bytes.iter().filter_map(|byte| input.push(*byte)).map(|typed| (typed.partition, typed.byte)).collect()
    }

    #[test]
    fn without_a_choice_the_first_console_gets_it() {
        assert_eq!(typed(&Input::new(), b"a"), [(None, b'a')]);
    }

    #[test]
    fn a_choice_holds_until_the_next() {
        let input = Input::new();
        assert_eq!(typed(&input, b"\x01\x21ab\x01\x20c"), [(Some(1), b'a'), (Some(1), b'b'), (Some(0), b'c')]);
    }

    #[test]
    fn two_escapes_are_one_byte_of_text() {
        assert_eq!(typed(&Input::new(), b"\x01\x01x"), [(None, 1), (None, b'x')]);
    }
}
