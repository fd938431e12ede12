//! From the generic counter's ticks to microseconds and back, at whatever frequency the board's counter runs.

/// Microseconds in a second.
const MICROSECONDS: u64 = 1_000_000;

/// Microseconds that `ticks` ticks at `hz` take, rounded down; 0 where `hz` is 0.
///
/// The product with a million would overflow 64 bits after days; whole seconds and the rest are scaled apart, which is
/// exact and lasts as long as the counter.
pub const fn microseconds(ticks: u64, hz: u32) -> u64 {
    let hz = hz as u64;
    let (Some(seconds), Some(rest)) = (ticks.checked_div(hz), ticks.checked_rem(hz)) else { return 0 };
    // rest < hz < 2^32, so the product is below 2^52.
    let below = match rest.wrapping_mul(MICROSECONDS).checked_div(hz) {
        Some(below) => below,
        None => 0,
    };
    seconds.saturating_mul(MICROSECONDS).saturating_add(below)
}

/// The first tick at `hz` that is not before `microseconds`, or `u64::MAX` where there is none.
pub const fn ticks(microseconds: u64, hz: u32) -> u64 {
    let hz = hz as u64;
    let whole = (microseconds / MICROSECONDS).saturating_mul(hz);
    // Below 10^6 * 2^32.
    let below = (microseconds % MICROSECONDS).wrapping_mul(hz).div_ceil(MICROSECONDS);
    whole.saturating_add(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The boards' frequencies: Pi 4, i.MX8M, i.MX8MQ, QEMU, the bench.
    const FREQUENCIES: [u32; 5] = [54_000_000, 8_000_000, 8_333_333, 62_500_000, 1_000_000_000];

    #[test]
    fn scaling_agrees_with_128_bit_arithmetic() {
        for hz in FREQUENCIES {
            for count in [0, 1, 53, 54, 8_333_332, 1 << 33, 1 << 56, (1 << 63) + 12_345] {
                let exact = u128::from(count) * 1_000_000 / u128::from(hz);
                assert_eq!(u128::from(microseconds(count, hz)), exact, "{count} ticks at {hz} Hz");
            }
        }
    }

    #[test]
    fn a_deadline_in_ticks_is_the_first_that_is_not_early() {
        for hz in FREQUENCIES {
            for deadline in [0, 1, 7, 999_999, 1_000_001, 86_400_000_000, 1 << 45] {
                let tick = ticks(deadline, hz);
                assert!(microseconds(tick, hz) >= deadline, "{deadline} us at {hz} Hz");
                assert!(tick == 0 || microseconds(tick - 1, hz) < deadline, "{deadline} us at {hz} Hz");
            }
        }
    }

    #[test]
    fn extremes_do_not_panic() {
        assert_eq!(microseconds(u64::MAX, 0), 0);
        assert_eq!(ticks(u64::MAX, u32::MAX), u64::MAX);
        assert_eq!(microseconds(u64::MAX, 1), u64::MAX);
    }
}
