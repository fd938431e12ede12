//! The seal: a 64-bit hash that tells an intact image from a damaged one.
//!
//! It is simple enough that the boot stub computes it in assembly with the MMU off, before it trusts a table. Every
//! step is a bijection of the running value and of the word, so damage inside any one 8-byte word, and so every single
//! flipped bit, always changes the result; any other damage does with a probability of 1 - 2^-64. It detects
//! accidents, not forgery: authenticity is the firmware's verified boot (docs/decisions/0003-seal.md).

/// The starting value, before the length is mixed in.
pub const SEED: u64 = 0x5345_5054_554d_2131;
/// The odd multiplier of each step (2^64 / golden ratio).
pub const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
/// How far the product is rotated right after each step, in bits.
pub const ROTATION: u32 = 29;

/// The seal of `bytes`, read as little-endian 8-byte words; a shorter last word is filled with zeroes.
pub fn seal(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut value = SEED ^ bytes.len() as u64;
    for word in words {
        value = step(value, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        value = step(value, u64::from_le_bytes(last));
    }
    value
}

/// One step: mixes `word` into `value`.
#[inline(always)]
pub const fn step(value: u64, word: u64) -> u64 {
    (value ^ word).wrapping_mul(MULTIPLIER).rotate_right(ROTATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_flipped_bit_changes_the_seal() {
        let original: [u8; 67] = core::array::from_fn(|i| (i as u8).wrapping_mul(37));
        let expected = seal(&original);
        for bit in 0..original.len() * 8 {
            let mut damaged = original;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(seal(&damaged), expected, "bit {bit}");
        }
    }

    #[test]
    fn length_is_part_of_the_seal() {
        assert_ne!(seal(&[0; 8]), seal(&[0; 16]));
        assert_ne!(seal(&[0; 7]), seal(&[0; 8]));
    }
}
