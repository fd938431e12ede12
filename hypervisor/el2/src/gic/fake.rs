//! A register block for tests: raw bytes at the manual's offsets, and a record of every write.

use super::Registers;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// One write: offset, bytes, value.
pub(crate) type Write = (u32, u32, u64);

/// Plain memory behind a register block: what is written is not read back, unless a test says so by `set`.
#[derive(Default)]
pub(crate) struct Block {
    values: RefCell<HashMap<u32, u32>>,
    pub(crate) writes: RefCell<Vec<Write>>,
    /// Reads of `sticky.0` still answer `sticky.1` this many times before they answer what was `set`.
    pub(crate) sticky: Cell<(u32, u32, u32)>,
}

impl Block {
    pub(crate) fn set(&self, offset: u32, value: u32) {
        self.values.borrow_mut().insert(offset, value);
    }

    /// The last value that was written at `offset`.
    pub(crate) fn last(&self, offset: u32) -> Option<u64> {
        self.writes.borrow().iter().rev().find(|write| write.0 == offset).map(|write| write.2)
    }
}

impl Registers for &Block {
    fn read(&self, offset: u32) -> u32 {
        let (sticky, value, times) = self.sticky.get();
        if sticky == offset && times > 0 {
            self.sticky.set((sticky, value, times - 1));
            return value;
        }
        self.values.borrow().get(&offset).copied().unwrap_or(0)
    }

    fn write(&self, offset: u32, value: u32) {
        self.writes.borrow_mut().push((offset, 4, value.into()));
    }

    fn write_byte(&self, offset: u32, value: u8) {
        self.writes.borrow_mut().push((offset, 1, value.into()));
    }

    fn write_double(&self, offset: u32, value: u64) {
        self.writes.borrow_mut().push((offset, 8, value));
    }
}
