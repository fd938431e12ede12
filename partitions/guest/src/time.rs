//! Time by the virtual counter.

#[cfg(target_os = "none")]
use core::time::Duration;

#[cfg(target_os = "none")]
use crate::registers;

/// Time since the counter's zero.
#[cfg(target_os = "none")]
pub fn now() -> Duration {
    Duration::from_nanos(scale(registers::counter(), registers::counter_frequency(), 1_000_000_000))
}

/// Spins until `duration` has passed.
#[cfg(target_os = "none")]
pub fn wait(duration: Duration) {
    let end = now().saturating_add(duration);
    while now() < end {
        core::hint::spin_loop();
    }
}

/// `ticks` of a clock of `from_hz` in ticks of one of `to_hz`, rounded down. A clock of 0 Hz counts as 1 Hz.
pub fn scale(ticks: u64, from_hz: u64, to_hz: u64) -> u64 {
    let scaled = u128::from(ticks) * u128::from(to_hz) / u128::from(from_hz.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// The first tick of a clock of `to_hz` at which a clock of `from_hz` has reached `ticks`: rounded up, so that a timer
/// set to it is never early.
pub fn deadline(ticks: u64, from_hz: u64, to_hz: u64) -> u64 {
    let scaled = (u128::from(ticks) * u128::from(to_hz)).div_ceil(u128::from(from_hz.max(1)));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early() {
        for hz in [8_000_000, 8_333_333, 54_000_000, 62_500_000, 1_000_000_000] {
            for ticks in [0, 1, 9_999, 123_456_789_012] {
                let counter = deadline(ticks, 1_000_000, hz);
                assert!(scale(counter, hz, 1_000_000) >= ticks, "{ticks} at {hz}");
                assert!(counter == 0 || scale(counter - 1, hz, 1_000_000) < ticks, "{ticks} at {hz}: too late");
            }
        }
    }

    #[test]
    fn years_of_counting_do_not_overflow() {
        let century = 100 * 365 * 86_400 * 62_500_000;
        assert_eq!(scale(century, 62_500_000, 1_000_000_000), 100 * 365 * 86_400 * 1_000_000_000);
        assert_eq!(scale(u64::MAX, 1, 1_000_000_000), u64::MAX);
    }
}
