//! The log's bytes -> lines: frames decoded, partitions' text taken apart, faults explained.

use std::collections::HashMap;
use std::path::Path;

use super::decoder::{Decode, Record};
use super::frames::{Piece, Splitter, as_text};
use super::greeting;
use super::legend::Legend;
use super::line::{Kind, Line};
use super::record::{self, Meaning};

/// The speaker of EL2's own lines.
const HYPERVISOR: &str = "septum";
/// Most bytes of an undecodable piece that are shown.
const SHOWN_MAX: usize = 64;

/// Makes the decoder of an ELF's frames.
pub type NewDecoder = fn(&Path) -> Box<dyn Decode>;

/// The log of one board, being read.
pub struct LogStream {
    legend: Legend,
    splitter: Splitter,
    new_decoder: NewDecoder,
    decoder: Box<dyn Decode>,
    /// Partitions' own defmt streams, by partition and virtual core.
    guests: HashMap<(String, u32), GuestStream>,
    /// Whether another EL2 speaks than the one whose ELF is the key: then nothing of it can be read.
    foreign: bool,
}

struct GuestStream {
    splitter: Splitter,
    decoder: Box<dyn Decode>,
}

impl LogStream {
    /// A log with `legend` as its key.
    pub fn new(legend: Legend, new_decoder: NewDecoder) -> Self {
        let decoder = new_decoder(legend.el2());
        Self { legend, splitter: Splitter::default(), new_decoder, decoder, guests: HashMap::new(), foreign: false }
    }

    /// The lines that `bytes` complete, and the pieces of console lines.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let pieces = self.splitter.push(bytes);
        pieces.into_iter().flat_map(|piece| self.read(piece)).collect()
    }

    /// Plain text that is complete though no frame follows: to be asked for when the board has been silent.
    pub fn idle(&mut self) -> Vec<Line> {
        self.splitter.text().map(undecoded).unwrap_or_default()
    }

    /// What is left when the board has stopped.
    pub fn end(&mut self) -> Vec<Line> {
        self.splitter.rest().map(undecoded).unwrap_or_default()
    }

    fn read(&mut self, piece: Piece) -> Vec<Line> {
        let greeting = match &piece {
            Piece::Frame(frame) => greeting::identity(frame).zip(self.legend.identity()),
            Piece::Rest(_) => None,
        };
        if let Some((speaks, key)) = greeting {
            self.foreign = speaks != key;
            if self.foreign {
                return vec![note(foreign(speaks, key))];
            }
        }
        if self.foreign {
            let is_text = as_text(piece.bytes()).is_some_and(|text| text.ends_with('\n'));
            return if is_text { undecoded(piece) } else { Vec::new() };
        }
        let record = match &piece {
            Piece::Frame(frame) => self.decoder.decode(frame),
            Piece::Rest(_) => None,
        };
        match record {
            Some(record) if record.level.is_none() => self.partition_lines(&record),
            Some(record) => self.own(record),
            None => undecoded(piece),
        }
    }

    fn partition_lines(&mut self, record: &Record) -> Vec<Line> {
        match record::from_partition(&record.text) {
            Meaning::Console { partition, text, goes_on } => {
                vec![Line { goes_on, ..line(record, partition, Kind::Console, text) }]
            }
            Meaning::Defmt { partition, vcpu, bytes } => self.guest_defmt(record, partition, vcpu, &bytes),
            Meaning::Own => self.own(record.clone()),
        }
    }

    fn guest_defmt(&mut self, record: &Record, partition: &str, vcpu: u32, bytes: &[u8]) -> Vec<Line> {
        let Some(elf) = self.legend.elf(partition) else {
            return vec![line(record, partition, Kind::Record, "(defmt of an image without an ELF)")];
        };
        let new = || GuestStream { splitter: Splitter::default(), decoder: (self.new_decoder)(elf) };
        let guest = self.guests.entry((partition.to_owned(), vcpu)).or_insert_with(new);
        let pieces = guest.splitter.push(bytes);
        pieces.into_iter().map(|piece| guest_line(guest, record, partition, piece)).collect()
    }

    fn own(&mut self, record: Record) -> Vec<Line> {
        if let Some(partition) = record::left(&record.text) {
            // A partition that starts anew begins its own stream anew.
            self.guests.retain(|(name, _), _| name != partition);
        }
        let mut notes = record::fault(&record.text).map(|fault| self.legend.explain(&fault)).unwrap_or_default();
        notes.extend(record::advice(&record.text));
        let own = Line { level: record.level.clone(), ..line(&record, HYPERVISOR, Kind::Hypervisor, &record.text) };
        let mut lines = vec![own];
        lines.extend(notes.into_iter().map(note));
        lines
    }
}

/// One record of a partition's own stream. Its time is EL2's, as all others are.
fn guest_line(guest: &mut GuestStream, record: &Record, partition: &str, piece: Piece) -> Line {
    let (Piece::Frame(bytes) | Piece::Rest(bytes)) = piece;
    match guest.decoder.decode(&bytes) {
        Some(own) => Line { level: own.level, ..line(record, partition, Kind::Record, &own.text) },
        None => line(record, partition, Kind::Record, &hexadecimal(&bytes)),
    }
}

fn line(record: &Record, speaker: &str, kind: Kind, text: &str) -> Line {
    Line { time: record.time.clone(), ..Line::plain(speaker, kind, text) }
}

/// What the tools know about the line above.
fn note(text: String) -> Line {
    Line::plain(HYPERVISOR, Kind::Note, text)
}

/// That the log of EL2 `speaks` cannot be read with the ELF of EL2 `key`.
fn foreign(speaks: u64, key: u64) -> String {
    format!(
        "this is the log of EL2 {speaks:016x}, and the ELF at hand is EL2 {key:016x}: its records would be read wrongly, \
         so none is shown; use the `el2.elf` that was built with the image"
    )
}

/// What is no frame: the plain text that it is, or its bytes. The boot stub's refusals are plain text.
fn undecoded(piece: Piece) -> Vec<Line> {
    let (Piece::Frame(bytes) | Piece::Rest(bytes)) = piece;
    let serial = |text: &str| Line::plain("serial", Kind::Serial, text);
    match as_text(&bytes) {
        Some(text) => {
            let lines = text.lines().map(str::trim_end).filter(|text| !text.is_empty());
            lines.flat_map(|text| [serial(text)].into_iter().chain(record::advice(text).map(note))).collect()
        }
        None => vec![serial(&hexadecimal(&bytes))],
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_MAX).unwrap_or(bytes);
    let digits: Vec<_> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "(undecodable, {} bytes: {}{})",
        bytes.len(),
        digits.join(" "),
        if bytes.len() > SHOWN_MAX { " .." } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Frames of these tests are `LEVEL;TEXT`, or `TEXT` without a level.
    struct Fake;

    impl Decode for Fake {
        fn decode(&mut self, frame: &[u8]) -> Option<Record> {
            let text = String::from_utf8(frame.to_vec()).ok().filter(|text| !text.starts_with("plain"))?;
            let (level, text) = match text.split_once(';') {
                Some((level, text)) => (Some(level.to_owned()), text.to_owned()),
                None => (None, text),
            };
            Some(Record { time: Some("1.5".to_owned()), level, text })
        }
    }

    fn shown(bytes: &[u8]) -> Vec<String> {
        let legend = Legend::of_partition("hello", "c.toml", 7, Some(PathBuf::from("no-such-elf")));
        let mut stream = LogStream::new(legend, |_| Box::new(Fake));
        let mut lines = stream.push(bytes);
        lines.extend(stream.end());
        lines.iter().map(|line| line.to_string().trim_start().to_owned()).collect()
    }

    #[test]
    fn a_piece_of_a_console_line_is_told_from_a_whole_one() {
        let legend = Legend::of_partition("hello", "c.toml", 7, None);
        let lines = LogStream::new(legend, |_| Box::new(Fake)).push(b"hello|+ one \0hello| two\0");
        let read: Vec<_> = lines.iter().map(|line| (line.text.as_str(), line.goes_on)).collect();
        assert_eq!(read, [("one ", true), ("two", false)]);
    }

    #[test]
    fn a_log_of_another_el2_is_not_read_with_this_ones_key() {
        let record = |identity| [greeting::tests::frame("0.1.0", identity, ""), vec![0]].concat();
        let after = b"info;all partitions have ended\0plain\r\n\0";
        let own = shown(&[record(1), after.to_vec()].concat());
        assert_eq!(own.last().unwrap(), "serial> plain");
        assert!(own.iter().any(|line| line.ends_with("septum: info: all partitions have ended")), "{own:?}");
        let other = shown(&[record(2), after.to_vec()].concat());
        assert!(other[0].starts_with("septum= this is the log of EL2 0000000000000002, and"), "{other:?}");
        assert_eq!(other[1..], ["serial> plain"], "what the key would turn into other texts is not shown");
        let reset = shown(&[record(2), record(1), after.to_vec()].concat());
        assert!(reset.iter().any(|line| line.contains("all partitions have ended")), "another image was started");
    }

    #[test]
    fn a_partition_cannot_look_like_el2() {
        assert_eq!(shown(b"hello| septum: error\0"), ["1.5      hello| septum: error"]);
    }

    #[test]
    fn a_fault_is_explained_by_the_configuration() {
        let lines = shown(b"error;partition `hello` core 0: write to IPA 0x5: no region; PC 0x40 (x)\0");
        assert_eq!(lines.last().unwrap(), "septum= c.toml:7: partition `hello`");
    }

    #[test]
    fn a_refusal_is_followed_by_advice() {
        let lines = shown(b"error;boot refused: core 2: M04 its EL1 has no AArch64\0");
        assert_eq!(lines.last().unwrap(), "septum= M04: use another board: partitions start in AArch64");
        let lines = shown(b"plain\r\nseptum: boot refused: B06 plan or tables damaged (seal)\r\n\0");
        let expected =
            ["serial> septum: boot refused: B06 plan or tables damaged (seal)", "septum= B06: write the image again"];
        assert_eq!(lines[1..], expected);
    }

    #[test]
    fn plain_text_between_records_is_shown_as_text() {
        assert_eq!(
            shown(b"plain one\r\nplain two\r\n\0info;x\0"),
            ["serial> plain one", "serial> plain two", "1.5     septum: info: x"]
        );
    }

    #[test]
    fn a_partition_that_restarts_begins_its_own_records_anew() {
        let lines = shown(b"hello.0# [64, 65]\0info;partition `hello` restarts (SYSTEM_RESET)\0hello.0# [78, 00]\0");
        assert_eq!(lines[1], "1.5      hello# x");
    }

    #[test]
    fn what_cannot_be_decoded_is_shown_as_bytes() {
        assert_eq!(shown(&[0x80, 0x81, 0]), ["serial> (undecodable, 2 bytes: 80 81)"]);
    }

    #[test]
    fn a_partitions_own_records_are_put_together_across_el2s() {
        let lines = shown(b"hello.0# [64, 65]\0hello.0# [62, 75, 67, 3b, 78, 00]\0");
        assert_eq!(lines, ["1.5      hello# debug: x"]);
    }
}
