//! A register block for tests: raw words at the manual's offsets, and a record of every write.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::Mmio;

/// One write: offset, bytes, value.
pub type Write = (u32, u32, u64);

/// Words behind a register block, all others zero. What a driver writes is not read back, unless the test sets it.
#[derive(Debug, Default)]
pub struct Block {
    words: RefCell<HashMap<u32, u32>>,
    /// All writes so far, in order.
    pub writes: RefCell<Vec<Write>>,
    used: Cell<u32>,
    /// Offset, value and times: so often, reads at the offset still answer the value before they answer what was set.
    pub sticky: Cell<(u32, u32, u32)>,
}

impl Block {
    /// A block with these words.
    pub fn with(words: &[(u32, u32)]) -> Self {
        Self { words: RefCell::new(words.iter().copied().collect()), ..Self::default() }
    }

    /// Sets a word as the hardware would.
    pub fn set(&self, offset: u32, value: u32) {
        self.words.borrow_mut().insert(offset, value);
    }

    /// All writes so far, of words, in order: offset and value.
    pub fn words_written(&self) -> Vec<(u32, u32)> {
        let word = |&(offset, bytes, value): &Write| (bytes == 4).then_some((offset, value as u32));
        self.writes.borrow().iter().filter_map(word).collect()
    }

    /// Where the last of the words ends that were read or written.
    pub const fn end(&self) -> u32 {
        self.used.get()
    }

    fn reach(&self, end: u32) {
        self.used.set(self.used.get().max(end));
    }

    /// The last value that was written at `offset`.
    pub fn last(&self, offset: u32) -> Option<u64> {
        self.writes.borrow().iter().rev().find(|write| write.0 == offset).map(|write| write.2)
    }
}

impl Mmio for &Block {
    fn read(&self, offset: u32) -> u32 {
        self.reach(offset + 4);
        let (sticky, value, times) = self.sticky.get();
        if sticky == offset && times > 0 {
            self.sticky.set((sticky, value, times - 1));
            return value;
        }
        self.words.borrow().get(&offset).copied().unwrap_or(0)
    }

    fn write(&self, offset: u32, value: u32) {
        self.reach(offset + 4);
        self.writes.borrow_mut().push((offset, 4, value.into()));
    }

    fn write_byte(&self, offset: u32, value: u8) {
        self.writes.borrow_mut().push((offset, 1, value.into()));
    }

    fn write_double(&self, offset: u32, value: u64) {
        self.writes.borrow_mut().push((offset, 8, value));
    }
}
