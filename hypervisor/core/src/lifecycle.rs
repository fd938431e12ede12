//! How far a partition is, and how its cores go through a restart together, each at EL2 with nothing of the guest left.
//!
//! In a restart all cores leave the guest, and let no interrupt of its reach them any more. Then nothing of the partition
//! runs, and its first core loads it and starts it. Who arrives says so with the restart's number, which never comes again,
//! so a late core cannot be taken for one that has arrived.

use core::sync::atomic::{AtomicU64, Ordering};

/// [`Progress`]: ended for good.
const ENDED: u64 = u64::MAX;
/// The numbers of a partition that runs are multiples of this; those of a restart are between.
const TURNS: u64 = 2;

/// How far a partition is; shared by its cores.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

/// The last restart that a core has done its part of.
#[derive(Debug, Default)]
pub struct Done(AtomicU64);

/// What a core is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Run.
    Run,
    /// Leave for good.
    End,
    /// Leave the guest and its interrupts, and say that it is done.
    Leave(Turn),
}

/// A restart, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn(u64);

impl Progress {
    /// What the partition's cores are to do.
    pub fn call(&self) -> Call {
        match self.0.load(Ordering::Acquire) {
            ENDED => Call::End,
            number if number.is_multiple_of(TURNS) => Call::Run,
            number => Call::Leave(Turn(number)),
        }
    }

    /// Whether its cores must not run the guest.
    #[inline(always)]
    pub fn is_called_off(&self) -> bool {
        !self.0.load(Ordering::Acquire).is_multiple_of(TURNS)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.call() == Call::End
    }

    /// Ends the partition for good; whether this core did it.
    pub fn end(&self) -> bool {
        self.0.swap(ENDED, Ordering::AcqRel) != ENDED
    }

    /// Begins a restart; whether this core did it, and it had not ended or begun before.
    pub fn restart(&self) -> bool {
        let running = self.0.load(Ordering::Acquire);
        running.is_multiple_of(TURNS) && self.step(running, running.wrapping_add(1))
    }

    /// Runs again after `turn`, which all cores have done; for the partition's first core. Whether it has not ended
    /// meanwhile.
    pub fn advance(&self, turn: Turn) -> bool {
        self.step(turn.0, turn.0.wrapping_add(1))
    }

    fn step(&self, from: u64, to: u64) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Done {
    /// Whether the core has done its part of `turn`. Whoever sees that sees all that it did before.
    pub fn has(&self, turn: Turn) -> bool {
        self.0.load(Ordering::Acquire) == turn.0
    }

    /// Says that the core has done its part of `turn`.
    pub fn say(&self, turn: Turn) {
        self.0.store(turn.0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn turn(call: Call) -> Turn {
        match call {
            Call::Leave(turn) => turn,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn after_a_restart_it_runs_again() {
        let progress = Progress::default();
        assert_eq!(progress.call(), Call::Run);
        assert!(progress.restart() && progress.is_called_off());
        assert!(!progress.restart(), "it has begun");
        let first = progress.call();
        assert!(progress.advance(turn(first)));
        assert_eq!((progress.call(), progress.is_called_off()), (Call::Run, false));
        assert!(!progress.advance(turn(first)), "that one is over");
        assert!(progress.restart());
        assert_ne!(progress.call(), first, "a number never comes again");
    }

    #[test]
    fn an_end_wins_over_a_restart_at_any_time() {
        let progress = Progress::default();
        progress.restart();
        let before = progress.call();
        assert!(progress.end());
        assert!(!progress.end(), "only one core ends it");
        assert!(!progress.advance(turn(before)) && !progress.restart());
        assert_eq!((progress.call(), progress.is_called_off()), (Call::End, true));
    }

    #[test]
    fn done_is_for_one_turn_only() {
        let (progress, done) = (Progress::default(), Done::default());
        progress.restart();
        let first = turn(progress.call());
        assert!(!done.has(first));
        done.say(first);
        assert!(done.has(first));
        progress.advance(first);
        progress.restart();
        assert!(!done.has(turn(progress.call())));
    }

    /// A partition of four cores as EL2 has it: every core calls for restarts whenever it runs the guest.
    struct Partition {
        progress: Progress,
        done: [Done; 4],
        in_guest: AtomicU32,
        loads: AtomicU32,
    }

    impl Partition {
        const LOADS: u32 = 300;

        fn core(&self, index: usize) {
            loop {
                match self.progress.call() {
                    Call::End => return,
                    Call::Run => self.run(),
                    Call::Leave(turn) => self.take_part(index, turn),
                }
            }
        }

        fn run(&self) {
            self.in_guest.fetch_add(1, Ordering::SeqCst);
            self.progress.restart();
            self.in_guest.fetch_sub(1, Ordering::SeqCst);
        }

        fn take_part(&self, index: usize, turn: Turn) {
            self.done[index].say(turn);
            if index == 0 && self.done.iter().all(|done| done.has(turn)) {
                assert_eq!(self.in_guest.load(Ordering::SeqCst), 0, "somebody runs the guest while it is loaded");
                if self.loads.fetch_add(1, Ordering::SeqCst) >= Self::LOADS {
                    self.progress.end();
                }
                self.progress.advance(turn);
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn no_core_runs_the_guest_while_it_is_loaded_and_none_waits_for_ever() {
        let partition = Partition {
            progress: Progress::default(),
            done: Default::default(),
            in_guest: AtomicU32::new(0),
            loads: AtomicU32::new(0),
        };
        std::thread::scope(|scope| {
            for index in 0..4 {
                let partition = &partition;
                scope.spawn(move || partition.core(index));
            }
        });
        assert!(partition.loads.into_inner() > Partition::LOADS);
    }
}
