//! Time by the virtual counter.

use core::time::Duration;

use crate::registers;

const NANOSECONDS: u128 = 1_000_000_000;

/// Time since the counter's zero.
pub fn now() -> Duration {
    let nanoseconds =
        u128::from(registers::counter()) * NANOSECONDS / u128::from(registers::counter_frequency().max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// Spins until `duration` has passed.
pub fn wait(duration: Duration) {
    let end = now().saturating_add(duration);
    while now() < end {
        core::hint::spin_loop();
    }
}
