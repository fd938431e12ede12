//! A core's log ring: whole frames or nothing, one writer, one reader, no waiting.
//!
//! The core that owns the ring writes; whichever core holds the drain lock reads. A frame becomes visible when its last
//! byte is in, so a reader never meets half a frame, and a frame that does not fit leaves no trace but a count. Frames
//! are rzCOBS: the zero byte ends each and occurs nowhere else.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// Positions of a ring, in bytes ever written and read, modulo 2^32, and what did not fit.
///
/// Atomics because the reader may be another core. `written` and `lost` are the writer's, `read` is the reader's.
#[derive(Debug, Default)]
pub struct Positions {
    written: AtomicU32,
    read: AtomicU32,
    lost: AtomicU32,
}

impl Positions {
    /// An empty ring's.
    pub const fn new() -> Self {
        Self { written: AtomicU32::new(0), read: AtomicU32::new(0), lost: AtomicU32::new(0) }
    }

    /// Frames lost since the last call.
    pub fn take_lost(&self) -> u32 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// A ring: its bytes and its positions.
#[derive(Clone, Copy, Debug)]
pub struct Ring<'a> {
    bytes: &'a [AtomicU8],
    positions: &'a Positions,
}

impl<'a> Ring<'a> {
    /// The ring over `bytes`, whose number should be a power of two, so that positions may wrap.
    pub const fn new(bytes: &'a [AtomicU8], positions: &'a Positions) -> Self {
        Self { bytes, positions }
    }

    fn size(&self) -> u32 {
        self.bytes.len() as u32
    }

    fn at(&self, position: u32) -> Option<&'a AtomicU8> {
        self.bytes.get((position & self.size().wrapping_sub(1)) as usize)
    }

    /// Bytes that wait to be read.
    pub fn backlog(&self) -> u32 {
        self.positions.written.load(Ordering::Acquire).wrapping_sub(self.positions.read.load(Ordering::Relaxed))
    }

    /// Whether at least half of the ring is free.
    pub fn has_space(&self) -> bool {
        self.backlog() <= self.size() / 2
    }

    /// Whether frames were lost since [`Positions::take_lost`].
    pub fn has_lost(&self) -> bool {
        self.positions.lost.load(Ordering::Relaxed) != 0
    }

    /// Takes the oldest byte. Only for the reader, the holder of the drain lock.
    pub fn take(&self) -> Option<u8> {
        let read = self.positions.read.load(Ordering::Relaxed);
        if self.positions.written.load(Ordering::Acquire) == read {
            return None;
        }
        let byte = self.at(read)?.load(Ordering::Relaxed);
        self.positions.read.store(read.wrapping_add(1), Ordering::Release);
        Some(byte)
    }
}

/// A frame while it is being written. Only for the core that owns the ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    next: u32,
    /// The position that must not be reached.
    limit: u32,
    overrun: bool,
}

impl Frame {
    /// Begins a frame that leaves at least `reserve` bytes of `ring` free. A frame that was begun before and not ended
    /// is dropped by this.
    pub fn begin(ring: &Ring<'_>, reserve: u32) -> Self {
        let next = ring.positions.written.load(Ordering::Relaxed);
        let read = ring.positions.read.load(Ordering::Acquire);
        let usable = ring.size().saturating_sub(reserve);
        let free = usable.saturating_sub(next.wrapping_sub(read));
        Self { next, limit: next.wrapping_add(free), overrun: false }
    }

    /// Appends `bytes`, if they fit.
    pub fn write(&mut self, ring: &Ring<'_>, bytes: &[u8]) {
        for byte in bytes {
            if self.next == self.limit {
                self.overrun = true;
                return;
            }
            if let Some(to) = ring.at(self.next) {
                to.store(*byte, Ordering::Relaxed);
            }
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Publishes the frame, or counts it as lost where it did not fit.
    pub fn end(self, ring: &Ring<'_>) {
        if self.overrun {
            ring.positions.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            ring.positions.written.store(self.next, Ordering::Release);
        }
    }
}

/// Where the reader of several rings stands: it takes one frame from each in turn, so that no core's flood holds up
/// another core's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    ring: u32,
    inside: bool,
}

impl Cursor {
    /// The cursor that [`Cursor::code`] gave `code` for.
    pub const fn from_code(code: u32) -> Self {
        Self { ring: code >> 1, inside: code & 1 == 1 }
    }

    /// This cursor as a number, to be kept in an atomic.
    pub const fn code(self) -> u32 {
        self.ring << 1 | self.inside as u32
    }

    /// The next byte for the wire out of `count` rings, or `None` when all are empty.
    pub fn take<'a>(&mut self, count: u32, ring: impl Fn(u32) -> Option<Ring<'a>>) -> Option<u8> {
        let tries = if self.inside { 1 } else { count };
        for _ in 0..tries {
            if let Some(byte) = ring(self.ring).and_then(|ring| ring.take()) {
                self.inside = byte != 0;
                if byte == 0 {
                    self.advance(count);
                }
                return Some(byte);
            }
            self.advance(count);
        }
        None
    }

    fn advance(&mut self, count: u32) {
        self.ring = if self.ring.wrapping_add(1) < count { self.ring.wrapping_add(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Memory {
        bytes: Vec<AtomicU8>,
        positions: Positions,
    }

    impl Memory {
        fn new(size: usize) -> Self {
            Self { bytes: (0..size).map(|_| AtomicU8::new(0xee)).collect(), positions: Positions::new() }
        }

        fn ring(&self) -> Ring<'_> {
            Ring::new(&self.bytes, &self.positions)
        }
    }

    fn write(ring: &Ring<'_>, bytes: &[u8], reserve: u32) {
        let mut frame = Frame::begin(ring, reserve);
        for byte in bytes {
            frame.write(ring, &[*byte]);
        }
        frame.end(ring);
    }

    fn drain(ring: &Ring<'_>) -> Vec<u8> {
        std::iter::from_fn(|| ring.take()).collect()
    }

    #[test]
    fn frames_come_out_as_they_went_in_over_many_wraps() {
        let memory = Memory::new(16);
        let ring = memory.ring();
        for round in 0..100_u8 {
            let length = usize::from(round % 14) + 1;
            let frame: Vec<u8> = (0..length).map(|i| round.wrapping_add(i as u8) | 1).chain([0]).collect();
            write(&ring, &frame, 0);
            assert_eq!(drain(&ring), frame);
        }
        assert!(!ring.has_lost());
    }

    #[test]
    fn positions_may_wrap_past_32_bits() {
        let memory = Memory::new(16);
        memory.positions.written.store(u32::MAX - 3, Ordering::Relaxed);
        memory.positions.read.store(u32::MAX - 3, Ordering::Relaxed);
        write(&memory.ring(), &[1, 2, 3, 4, 5, 6, 0], 0);
        assert_eq!(memory.ring().backlog(), 7);
        assert_eq!(drain(&memory.ring()), [1, 2, 3, 4, 5, 6, 0]);
    }

    #[test]
    fn a_frame_that_does_not_fit_leaves_only_a_count() {
        let memory = Memory::new(8);
        let ring = memory.ring();
        write(&ring, &[1, 1, 1, 1, 0], 0);
        write(&ring, &[2, 2, 2, 0], 0);
        write(&ring, &[3, 3, 0], 0);
        assert_eq!(drain(&ring), [1, 1, 1, 1, 0, 3, 3, 0]);
        assert_eq!(memory.positions.take_lost(), 1);
        assert_eq!(memory.positions.take_lost(), 0);
    }

    #[test]
    fn a_ring_can_be_filled_to_its_last_byte() {
        let memory = Memory::new(8);
        write(&memory.ring(), &[1, 1, 1, 1, 1, 1, 1, 0], 0);
        write(&memory.ring(), &[0], 0);
        assert_eq!(memory.ring().backlog(), 8);
        assert_eq!(memory.positions.take_lost(), 1);
    }

    #[test]
    fn a_reserve_is_kept_for_those_that_ask_for_less() {
        let memory = Memory::new(16);
        let ring = memory.ring();
        for _ in 0..10 {
            write(&ring, &[7, 7, 7, 0], 8);
        }
        assert_eq!(ring.backlog(), 8);
        write(&ring, &[9, 9, 9, 9, 9, 9, 9, 0], 0);
        assert_eq!(ring.backlog(), 16);
        assert_eq!(memory.positions.take_lost(), 8);
    }

    #[test]
    fn a_frame_cut_by_another_is_dropped() {
        let memory = Memory::new(16);
        let ring = memory.ring();
        let mut cut = Frame::begin(&ring, 0);
        cut.write(&ring, &[1, 2, 3]);
        write(&ring, &[4, 5, 0], 0);
        assert_eq!(drain(&ring), [4, 5, 0]);
    }

    #[test]
    fn an_unfinished_frame_is_invisible() {
        let memory = Memory::new(16);
        let ring = memory.ring();
        Frame::begin(&ring, 0).write(&ring, &[1, 2]);
        assert_eq!(ring.take(), None);
    }

    #[test]
    fn frames_of_several_rings_alternate_and_never_mix() {
        let memories = [Memory::new(32), Memory::new(32), Memory::new(32)];
        for frame in [[1, 1, 0], [2, 2, 0], [3, 3, 0]] {
            write(&memories[0].ring(), &frame, 0);
        }
        write(&memories[2].ring(), &[9, 9, 9, 9, 0], 0);
        let mut cursor = Cursor::default();
        let mut wire = Vec::new();
        while let Some(byte) = cursor.take(3, |i| Some(memories[i as usize].ring())) {
            wire.push(byte);
            cursor = Cursor::from_code(cursor.code());
        }
        assert_eq!(wire, [1, 1, 0, 9, 9, 9, 9, 0, 2, 2, 0, 3, 3, 0]);
    }
}
