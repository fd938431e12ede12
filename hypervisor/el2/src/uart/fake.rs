//! A register block made of plain words, for the drivers' tests.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Registers;

/// Remembers what is written, in order; reads give the word last written or set.
#[derive(Debug, Default)]
pub struct Fake {
    words: RefCell<BTreeMap<u32, u32>>,
    writes: RefCell<Vec<(u32, u32)>>,
}

impl Fake {
    /// A block with these words, all others zero.
    pub fn with(words: &[(u32, u32)]) -> Self {
        Self { words: RefCell::new(words.iter().copied().collect()), writes: RefCell::default() }
    }

    /// Sets a word as the hardware would.
    pub fn set(&self, offset: u32, value: u32) {
        self.words.borrow_mut().insert(offset, value);
    }

    /// All writes so far, in order.
    pub fn writes(&self) -> Vec<(u32, u32)> {
        self.writes.borrow().clone()
    }
}

impl Registers for &Fake {
    fn read(&self, offset: u32) -> u32 {
        self.words.borrow().get(&offset).copied().unwrap_or(0)
    }

    fn write(&self, offset: u32, value: u32) {
        self.set(offset, value);
        self.writes.borrow_mut().push((offset, value));
    }
}
