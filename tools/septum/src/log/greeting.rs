//! The log's first record, read without a key: which EL2 it is that speaks.
//!
//! Every other record is numbers that only the ELF of its EL2 turns into texts, and another ELF turns them into other
//! texts. The first one has a fixed layout (docs/log.md), so a reader knows from it whether its ELF is the key.

/// Bytes in front of the first record's arguments: the number of its text, and the time in microseconds.
const HEAD_BYTES: usize = size_of::<u16>() + size_of::<u64>();

/// The identity of the EL2 whose first record `frame`, an rzCOBS frame without its end mark, is; `None` if it is another
/// record, or none.
pub fn identity(frame: &[u8]) -> Option<u64> {
    let bytes = rzcobs::decode(frame).ok()?;
    let mut rest = bytes.get(HEAD_BYTES..)?;
    let version = string(&mut rest)?;
    let identity = u64::from_le_bytes(take(&mut rest)?);
    let (board, config) = (string(&mut rest)?, string(&mut rest)?);
    let [partitions, cores] = [take(&mut rest)?, take(&mut rest)?].map(u32::from_le_bytes);
    let exception = string(&mut rest)?;
    let is_first = is_version(&version)
        && ![&board, &config].into_iter().any(String::is_empty)
        && partitions <= cores
        && cores != 0
        && (exception.is_empty() || exception.starts_with(", "));
    // rzCOBS fills the last run of up to seven bytes with zeroes.
    (is_first && rest.len() < 7 && rest.iter().all(|byte| *byte == 0)).then_some(identity)
}

fn is_version(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

/// The next `N` bytes of `rest`.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*bytes)
}

/// A string that `rest` begins with, behind its length in bytes.
fn string(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
    let (bytes, others) = rest.split_at_checked(length)?;
    *rest = others;
    String::from_utf8(bytes.to_vec()).ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The first record of an EL2 with `identity`, as it comes over the line, without its end mark.
    pub fn frame(version: &str, identity: u64, exception: &str) -> Vec<u8> {
        let string = |text: &str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let mut bytes = vec![7, 0, 0x10, 0x27, 0, 0, 0, 0, 0, 0];
        bytes.extend(string(version));
        bytes.extend(identity.to_le_bytes());
        bytes.extend([string("rpi4"), string("configs/rpi4-hello.toml")].concat());
        bytes.extend([3_u32, 4].map(u32::to_le_bytes).concat());
        bytes.extend(string(exception));
        let mut frame = rzcobs::encode(&bytes);
        frame.pop_if(|last| *last == 0);
        frame
    }

    #[test]
    fn the_first_record_says_whose_it_is() {
        assert_eq!(identity(&frame("0.1.0", 0x1234_5678_9abc_def0, "")), Some(0x1234_5678_9abc_def0));
        assert_eq!(identity(&frame("0.1.0", 1, ", separated except through the bus masters of x: y")), Some(1));
    }

    #[test]
    fn no_other_record_is_taken_for_it() {
        for other in [frame("hello", 1, ""), frame("0.1", 1, ""), frame("0.1.0", 1, "x")] {
            assert_eq!(identity(&other), None);
        }
        let whole = frame("0.1.0", 1, "");
        for end in 0..whole.len() {
            assert_eq!(identity(&whole[..end]), None, "{end}");
        }
        assert_eq!(identity(&rzcobs::encode(&[0; 64])), None);
    }
}
