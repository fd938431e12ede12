//! What a mapping allows and what kind of memory it is, before any descriptor bit is chosen.

use core::fmt;

/// Rights to an address, each on its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Access {
    /// Loads.
    pub read: bool,
    /// Stores.
    pub write: bool,
    /// Instruction fetches.
    pub execute: bool,
}

impl Access {
    /// Read only.
    pub const R: Self = Self { read: true, write: false, execute: false };
    /// Read and write.
    pub const RW: Self = Self { read: true, write: true, execute: false };
    /// Read and execute.
    pub const RX: Self = Self { read: true, write: false, execute: true };
    /// Everything.
    pub const RWX: Self = Self { read: true, write: true, execute: true };

    /// Whether every right of `other` is also a right of `self`.
    pub const fn includes(self, other: Self) -> bool {
        (self.read || !other.read) && (self.write || !other.write) && (self.execute || !other.execute)
    }
}

impl fmt::Display for Access {
    /// `r`, `rw`, `rx` or `rwx`; `-` where nothing is allowed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !(self.read || self.write || self.execute) {
            return f.write_str("-");
        }
        for (allowed, letter) in [(self.read, "r"), (self.write, "w"), (self.execute, "x")] {
            if allowed {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// The memory type of a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Memory {
    /// Normal, inner and outer write-back cacheable, inner shareable.
    Normal,
    /// Normal, non-cacheable, for memory shared with a master that does not snoop.
    NonCacheable,
    /// Device-nGnRE: registers. Never executable.
    Device,
}

/// Rights and memory type of one mapping.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Attributes {
    /// What is allowed.
    pub access: Access,
    /// What kind of memory it is.
    pub memory: Memory,
}
