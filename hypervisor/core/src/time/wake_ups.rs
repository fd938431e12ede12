//! A core's outstanding wake-ups: a few, in an array, without a path that panics.
//!
//! `embassy-time-queue-utils` would do the same, but its generic queue holds an `unwrap` that the compiler cannot prove
//! away, and nothing that a trap handler reaches may panic.

use core::task::Waker;

/// At most `N` wake-ups, each at its time in the time driver's ticks.
#[derive(Debug)]
pub struct WakeUps<const N: usize> {
    entries: [Option<(u64, Waker)>; N],
}

impl<const N: usize> Default for WakeUps<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> WakeUps<N> {
    /// None.
    pub const fn new() -> Self {
        Self { entries: [const { None }; N] }
    }

    /// Asks for `waker` to be woken at `at`, or earlier if it has asked for that. Where all places are taken it is woken
    /// at once, as the contract of embassy-time's drivers allows, and may ask again.
    pub fn schedule(&mut self, at: u64, waker: &Waker) {
        let known = self.entries.iter_mut().flatten().find(|(_, other)| other.will_wake(waker));
        if let Some((earlier, _)) = known {
            *earlier = at.min(*earlier);
        } else if let Some(free) = self.entries.iter_mut().find(|entry| entry.is_none()) {
            *free = Some((at, waker.clone()));
        } else {
            waker.wake_by_ref();
        }
    }

    /// When the next one is due; `u64::MAX` if there is none.
    pub fn next(&self) -> u64 {
        self.entries.iter().flatten().map(|(at, _)| *at).min().unwrap_or(u64::MAX)
    }

    /// Wakes and forgets what is due at `now`.
    pub fn wake_due(&mut self, now: u64) {
        for entry in &mut self.entries {
            if let Some((_, waker)) = entry.take_if(|(at, _)| *at <= now) {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn times(count: &Count) -> u32 {
        count.0.load(Ordering::Relaxed)
    }

    #[test]
    fn each_is_woken_once_when_due_and_not_before() {
        let ((early, early_waker), (late, late_waker)) = (counter(), counter());
        let mut queue = WakeUps::<2>::new();
        assert_eq!(queue.next(), u64::MAX);
        queue.schedule(20, &late_waker);
        queue.schedule(10, &early_waker);
        assert_eq!(queue.next(), 10);
        queue.wake_due(9);
        assert_eq!((times(&early), times(&late)), (0, 0));
        queue.wake_due(10);
        assert_eq!((times(&early), times(&late), queue.next()), (1, 0, 20));
        queue.wake_due(30);
        assert_eq!((times(&early), times(&late), queue.next()), (1, 1, u64::MAX));
    }

    #[test]
    fn the_earlier_of_two_wishes_of_one_waker_holds() {
        let (count, waker) = counter();
        let mut queue = WakeUps::<1>::new();
        for at in [30, 10, 20] {
            queue.schedule(at, &waker);
        }
        assert_eq!(queue.next(), 10);
        queue.wake_due(40);
        assert_eq!(times(&count), 1);
    }

    #[test]
    fn one_too_many_is_woken_at_once() {
        let ((first, first_waker), (second, second_waker)) = (counter(), counter());
        let mut queue = WakeUps::<1>::new();
        queue.schedule(10, &first_waker);
        queue.schedule(20, &second_waker);
        assert_eq!((times(&first), times(&second), queue.next()), (0, 1, 10));
    }
}
