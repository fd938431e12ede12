//! Minimum, median and maximum of a row's samples.
#![cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host builds it for its tests only"))]

/// Samples of one row.
pub const SAMPLES: usize = 1000;

/// What is printed of a row, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The smallest sample.
    pub minimum: u64,
    /// The upper of the two in the middle.
    pub median: u64,
    /// The largest sample.
    pub maximum: u64,
}

/// `samples` summed up, with `overhead` taken off each.
pub fn summary(samples: &mut [u64; SAMPLES], overhead: u64) -> Summary {
    samples.sort_unstable();
    let less = |sample: u64| sample.saturating_sub(overhead);
    let [minimum, .., maximum] = *samples;
    Summary { minimum: less(minimum), median: less(samples[SAMPLES / 2]), maximum: less(maximum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overhead_comes_off_every_figure() {
        let mut samples = core::array::from_fn(|index| 1010 - index as u64);
        let expected = Summary { minimum: 1, median: 501, maximum: 1000 };
        assert_eq!(summary(&mut samples, 10), expected);
    }
}
