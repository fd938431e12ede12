//! Half-open ranges of addresses, as findings show them.

/// A half-open range of addresses, printed `[a..b)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// Byte past the last.
    pub end: u64,
}

impl Range {
    /// `size` bytes from `start` on; cut off at 2^64 - 1.
    pub const fn new(start: u64, size: u64) -> Self {
        Self { start, end: start.saturating_add(size) }
    }

    /// Whether `address` is in it.
    pub const fn has(self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Whether both have a byte in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether every byte of `other` is in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{:#x}..{:#x})", self.start, self.end)
    }
}
