//! Copying a payload and computing its seal in one pass, so that its bytes are read once.

pub mod cache;

use septum_plan::seal;
use zerocopy::{FromBytes, IntoBytes};

/// Words that are copied and mixed together: one cache line.
const WORDS: usize = 8;

/// Copies `source` to the front of `target`, as far as both go, and returns the seal of `source`.
pub fn copy_sealed(target: &mut [u8], source: &[u8]) -> u64 {
    let whole = source.len() & !7;
    let (Some((target_words, target_rest)), (source_words, source_rest)) =
        (target.split_at_mut_checked(whole), source.split_at(whole))
    else {
        return seal::seal(source);
    };
    let mut value = seal::SEED ^ source.len() as u64;
    match (<[u64]>::mut_from_bytes(target_words), <[u64]>::ref_from_bytes(source_words)) {
        (Ok(target), Ok(source)) => value = copy_words(target, source, value),
        _ => return copy_bytes(target, source),
    }
    for (to, from) in target_rest.iter_mut().zip(source_rest) {
        *to = *from;
    }
    if source_rest.is_empty() { value } else { seal::step(value, last_word(source_rest)) }
}

fn copy_words(target: &mut [u64], source: &[u64], mut value: u64) -> u64 {
    let (target_lines, target_rest) = target.as_chunks_mut::<WORDS>();
    let (source_lines, source_rest) = source.as_chunks::<WORDS>();
    for (to, from) in target_lines.iter_mut().zip(source_lines) {
        // Word by word: an array assignment, or a loop over the words, becomes a call of memcpy.
        let [a, b, c, d, e, f, g, h] = *from;
        *to = [a, b, c, d, e, f, g, h];
        value = step_four(step_four(value, [a, b, c, d]), [e, f, g, h]);
    }
    for (to, from) in target_rest.iter_mut().zip(source_rest) {
        *to = *from;
        value = seal::step(value, *from);
    }
    value
}

/// Written out: EL2 is compiled for size, and this loop runs once for each line of every payload.
#[inline(always)]
const fn step_four(value: u64, [a, b, c, d]: [u64; 4]) -> u64 {
    seal::step(seal::step(seal::step(seal::step(value, a), b), c), d)
}

/// For a target or source that is not aligned to words.
fn copy_bytes(target: &mut [u8], source: &[u8]) -> u64 {
    for (to, from) in target.iter_mut().zip(source) {
        *to = *from;
    }
    seal::seal(source)
}

/// Up to seven bytes as a little-endian word, filled with zeroes.
fn last_word(bytes: &[u8]) -> u64 {
    let mut word = 0_u64;
    for (to, from) in word.as_mut_bytes().iter_mut().zip(bytes) {
        *to = *from;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_and_its_seal_are_right_at_every_length_and_alignment() {
        let source: Vec<u8> = (0..300_u32).map(|i| ((i * 73) >> 3) as u8).collect();
        for (from, to) in [(0, 0), (8, 0), (0, 3), (5, 8), (1, 7)] {
            for length in (0..40).chain(120..137) {
                let bytes = &source[from..from + length];
                let mut target = vec![0xee_u8; to + length + 9];
                assert_eq!(copy_sealed(&mut target[to..], bytes), seal::seal(bytes), "{from} {to} {length}");
                assert_eq!(&target[to..to + length], bytes);
                assert!(target[to + length..].iter().chain(&target[..to]).all(|byte| *byte == 0xee));
            }
        }
    }

    #[test]
    fn a_target_that_is_too_short_is_not_overrun() {
        let mut target = [0_u8; 4];
        assert_eq!(copy_sealed(&mut target, &[1; 16]), seal::seal(&[1; 16]));
    }
}
