//! Which cache lines some bytes lie in.

use core::ops::Range;

/// From the first line of `bytes` bytes from `start` on to the last byte's end, to be gone through in steps of `line`, a power
/// of two. Empty where there are no bytes: `start` is then no address of anything.
pub const fn lines(start: usize, bytes: usize, line: usize) -> Range<usize> {
    let end = start.wrapping_add(bytes);
    let first = if bytes == 0 { end } else { start & !line.wrapping_sub(1) };
    first..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_holds_a_byte_is_met_once_and_no_other() {
        for (line, start, bytes) in [16, 64, 2048].into_iter().flat_map(|line| {
            (4096 - 70..4096 + 70).flat_map(move |start| (0..300).map(move |bytes| (line, start, bytes)))
        }) {
            let met: Vec<usize> = lines(start, bytes, line).step_by(line).collect();
            let mut held: Vec<usize> = (start..start + bytes).map(|byte| byte / line * line).collect();
            held.dedup();
            assert_eq!(met, held, "{bytes} bytes from {start}, lines of {line}");
        }
    }

    #[test]
    fn an_empty_slices_pointer_is_in_no_line() {
        let nothing = core::ptr::dangling::<u8>().addr();
        assert!(lines(nothing, 0, 64).is_empty());
    }
}
