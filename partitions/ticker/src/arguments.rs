//! The words of the `args` string.
#![cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host builds it for its tests only"))]

/// What the partition is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Ticks to make, 500 unless said.
    pub ticks: u32,
    /// Ticks per second, 1 to 10,000; 100 unless said.
    pub hz: u32,
    /// Whether to end by SYSTEM_OFF; else the partition sleeps on.
    pub off: bool,
}

impl Arguments {
    /// From the string; words that mean nothing are left out.
    pub fn parse(text: &str) -> Self {
        let mut parsed = Self { ticks: 500, hz: 100, off: false };
        for word in text.split_ascii_whitespace() {
            match word.split_once('=') {
                Some(("ticks", value)) => parsed.ticks = value.parse().unwrap_or(parsed.ticks),
                Some(("hz", value)) => parsed.hz = value.parse().map_or(parsed.hz, |hz: u32| hz.clamp(1, 10_000)),
                _ => parsed.off |= word == "off",
            }
        }
        parsed
    }

    /// Microseconds from tick to tick.
    pub fn period_micros(&self) -> u64 {
        1_000_000 / u64::from(self.hz)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_understood() {
        assert_eq!(Arguments::parse("ticks=20 hz=1000 off"), Arguments { ticks: 20, hz: 1000, off: true });
        assert_eq!(Arguments::parse("ticks=20 hz=1000").period_micros(), 1000);
    }

    #[test]
    fn rates_out_of_range_are_brought_in() {
        assert_eq!(Arguments::parse("hz=0").hz, 1);
        assert_eq!(Arguments::parse(""), Arguments { ticks: 500, hz: 100, off: false });
    }
}
