//! What EL2's records say, read back from their texts: the other side of docs/log.md.

use septum_compiler::refusal::{self, Refusal};

/// A record's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// A console line, or a piece of one, of a partition.
    Console {
        /// Its name.
        partition: &'a str,
        /// What it wrote.
        text: &'a str,
        /// Whether the line goes on in the next record.
        goes_on: bool,
    },
    /// Bytes of a partition's own defmt stream.
    Defmt {
        /// Its name.
        partition: &'a str,
        /// Which of its virtual cores.
        vcpu: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Anything else that EL2 says.
    Own,
}

/// What a partition did that it may not, as far as the tools can add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault<'a> {
    /// Its name.
    pub partition: &'a str,
    /// The region of its own where it happened, if any.
    pub region: Option<&'a str>,
    /// The instruction's address.
    pub pc: u64,
}

/// A board's last words: after them it switches itself off, or does no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWords {
    /// Every partition has stopped or ended.
    AllEnded,
    /// The image does not fit the board, or is damaged: nothing was started.
    Refused,
    /// EL2 itself failed.
    Failed,
}

/// Whether EL2's own text, or the boot stub's plain one, is a board's last words.
pub fn last_words(text: &str) -> Option<LastWords> {
    let text = text.strip_prefix("septum: ").unwrap_or(text);
    let words = [
        ("all partitions have ended", LastWords::AllEnded),
        (refusal::PREFIX, LastWords::Refused),
        ("EL2 fault on core ", LastWords::Failed),
    ];
    words.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, words)| *words)
}

/// Whether EL2's own text is one that it begins with on every board, before any partition runs: of board and image.
pub fn is_greeting(text: &str) -> bool {
    ["Septum ", "firmware's device tree not checked: "].iter().any(|begin| text.starts_with(begin))
}

/// Reads a record without a level: only those come from partitions.
pub fn from_partition(text: &str) -> Meaning<'_> {
    console(text).or_else(|| defmt(text)).unwrap_or(Meaning::Own)
}

/// Reads the text of a record of level `error`.
pub fn fault(text: &str) -> Option<Fault<'_>> {
    let (partition, rest) = quoted(text.strip_prefix("partition ")?)?;
    let (_, after) = rest.strip_prefix(" core ")?.split_once("; PC ")?;
    Some(Fault { partition, region: region(rest), pc: hexadecimal(after.split(' ').next()?)? })
}

/// The partition that has just stopped or ended, or starts anew, if that is what the text says.
pub fn left(text: &str) -> Option<&str> {
    let (partition, rest) = quoted(text.strip_prefix("partition ")?)?;
    [" stopped (", " ended (", " restarts ("].iter().any(|how| rest.starts_with(how)).then_some(partition)
}

/// Whether EL2's own text says that a partition is left out.
pub fn is_not_started(text: &str) -> bool {
    let rest = text.strip_prefix("partition ").and_then(quoted);
    rest.is_some_and(|(_, rest)| rest.starts_with(refusal::NOT_STARTED))
}

/// What to do about the refusal that EL2's own text, or the boot stub's plain one, tells.
pub fn advice(text: &str) -> Option<String> {
    Refusal::in_line(text).map(|refusal| format!("{}: {}", refusal.number(), refusal.advice()))
}

fn console(text: &str) -> Option<Meaning<'_>> {
    let (partition, rest) = text.split_once('|')?;
    let (goes_on, line) = match rest.strip_prefix('+') {
        Some(line) => (true, line),
        None => (false, rest),
    };
    let text = line.strip_prefix(' ').filter(|_| is_name(partition))?;
    Some(Meaning::Console { partition, text, goes_on })
}

fn defmt(text: &str) -> Option<Meaning<'_>> {
    let (from, list) = text.split_once("# ")?;
    let (partition, vcpu) = from.rsplit_once('.')?;
    let items = list.strip_prefix('[')?.strip_suffix(']')?;
    let byte = |item: &str| u8::from_str_radix(item.trim(), 16).ok();
    let bytes = items.split(',').filter(|item| !item.trim().is_empty()).map(byte).collect::<Option<_>>()?;
    is_name(partition).then_some(Meaning::Defmt { partition, vcpu: vcpu.parse().ok()?, bytes })
}

fn region(fault: &str) -> Option<&str> {
    quoted(fault.split_once(": region ")?.1).map(|(name, _)| name)
}

/// A name in backquotes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('`')?.split_once('`')
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', '`', '#', '|'])
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_lines_are_read_whole() {
        let expected = Meaning::Console { partition: "hello", text: "a | b", goes_on: false };
        assert_eq!(from_partition("hello| a | b"), expected);
        let expected = Meaning::Console { partition: "hello", text: "a", goes_on: true };
        assert_eq!(from_partition("hello|+ a"), expected);
        assert_eq!(from_partition("hello| "), Meaning::Console { partition: "hello", text: "", goes_on: false });
    }

    #[test]
    fn defmt_bytes_are_read_with_their_core() {
        let expected = Meaning::Defmt { partition: "hello", vcpu: 1, bytes: vec![0, 0x1f, 0xa5] };
        assert_eq!(from_partition("hello.1# [00, 1f, a5]"), expected);
        let empty = Meaning::Defmt { partition: "hello", vcpu: 0, bytes: Vec::new() };
        assert_eq!(from_partition("hello.0# []"), empty);
    }

    #[test]
    fn other_texts_are_nobodys() {
        for text in ["all partitions have ended", "a b| c", "x.y# [00]", "x.0# [0g]", ""] {
            assert_eq!(from_partition(text), Meaning::Own, "{text}");
        }
    }

    #[test]
    fn faults_name_partition_region_and_instruction() {
        let text = "partition `prober` core 2: write of 4 bytes to IPA 0x50000000: region `ro` (r); PC 0x40000123 (permission fault, level 2)";
        assert_eq!(fault(text), Some(Fault { partition: "prober", region: Some("ro"), pc: 0x4000_0123 }));
        let text = "partition `p` core 2: write to IPA 0x5: no region; board: uart1 of `hello`; PC 0x40 (translation fault, level 2)";
        assert_eq!(fault(text), Some(Fault { partition: "p", region: None, pc: 0x40 }));
        assert_eq!(fault("partition `p` stopped (fault)"), None);
    }

    #[test]
    fn last_words_are_known_from_records_and_from_the_stubs_text() {
        assert_eq!(last_words("all partitions have ended"), Some(LastWords::AllEnded));
        assert_eq!(last_words("septum: boot refused: B03 damaged"), Some(LastWords::Refused));
        assert_eq!(last_words("EL2 fault on core 0: x"), Some(LastWords::Failed));
        assert_eq!(last_words("partition `p` stopped (fault)"), None);
    }

    #[test]
    fn a_refusal_has_advice_by_its_number() {
        for text in ["boot refused: core 3: M01 it has 40 ..", "boot refused: M01 x", "septum: boot refused: M01 x"] {
            assert!(advice(text).is_some_and(|advice| advice.starts_with("M01: correct ")), "{text}");
        }
        assert!(
            advice("partition `p` not started: L01 its payload ..").is_some_and(|advice| advice.starts_with("L01: "))
        );
        for text in ["boot refused: M99 x", "boot refused: M011 x", "M01 x", "partition `p` stopped (fault)"] {
            assert_eq!(advice(text), None, "{text}");
        }
    }

    #[test]
    fn what_el2_begins_with_is_told_from_what_happens() {
        assert!(is_greeting("Septum 0.1.0+1f0c8a52e6b7d394 on rpi4: configs/rpi4-hello.toml, partitions: 3, cores: 4"));
        assert!(is_greeting("firmware's device tree not checked: none at 0x100"));
        assert!(!is_greeting("boot refused: D01 `ram` of `hello` lies at 0x0, but firmware lists no RAM at 0x0"));
        assert!(!is_greeting("all partitions have ended"));
    }

    #[test]
    fn a_partition_that_is_left_out_is_told_from_others() {
        assert!(is_not_started("partition `p` not started: L01 its payload is damaged"));
        assert!(!is_not_started("partition `p` stopped (fault)"));
    }

    #[test]
    fn the_end_of_a_partition_is_told_from_its_faults() {
        assert_eq!(left("partition `p` stopped (fault)"), Some("p"));
        assert_eq!(left("partition `p` ended (SYSTEM_OFF)"), Some("p"));
        assert_eq!(left("partition `p` restarts (SYSTEM_RESET)"), Some("p"));
        assert_eq!(left("partition `p` core 2: SError; PC 0x0 (ESR 0x0)"), None);
    }
}
