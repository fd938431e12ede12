//! What the user sees of a run: lines as they end, answers to prompts, and whether the text that is waited for has come.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use super::Options;
use super::ports::{Port, Wire};
use super::terminal::{Answer, Terminal};
use crate::log::line::{Kind, Line};
use crate::log::record::{self, LastWords};

/// How long a line that has not ended is silent before it counts as whole: it is shown where the user sits there, and where
/// the text that is waited for stands in it.
pub const SILENCE: Duration = Duration::from_millis(300);

/// Something that the machine says.
#[derive(Debug)]
pub enum Event {
    /// The log says this.
    Log(Line),
    /// A partition's serial line, by QEMU's index, says this.
    Serial(u32, Vec<u8>),
}

/// What has been shown of a run, and what not yet.
#[derive(Debug)]
pub struct Screen<'a> {
    terminals: BTreeMap<Port, Terminal>,
    /// Where partitions can be typed at.
    wires: BTreeMap<Port, Wire>,
    /// The text that ends the run well.
    until: Option<&'a str>,
    /// What is still to be typed.
    pub answers: VecDeque<Answer>,
    /// The board's last words, and when they came.
    pub last_words: Option<(Instant, LastWords)>,
    /// Whether a partition was left out.
    pub not_started: bool,
    /// Whether the user sits there and waits for prompts.
    pub interactive: bool,
    silence: Duration,
}

impl<'a> Screen<'a> {
    /// A screen of `terminals`, typed at through `wires`.
    pub fn new(terminals: BTreeMap<Port, Terminal>, wires: BTreeMap<Port, Wire>, options: &'a Options) -> Self {
        Self {
            terminals,
            wires,
            until: options.until.as_deref(),
            answers: options.answers.iter().cloned().collect(),
            last_words: None,
            not_started: false,
            interactive: false,
            silence: SILENCE,
        }
    }

    /// The lines to show after `event`, or after a while without one: those that it ends, and those that have been silent.
    ///
    /// # Errors
    /// Answers cannot be typed.
    pub fn turn(&mut self, event: Option<Event>) -> io::Result<Vec<Line>> {
        let mut lines = event.map(|event| self.read(event)).unwrap_or_default();
        self.answer()?;
        lines.extend(self.silent());
        Ok(lines)
    }

    /// All lines as far as they have come.
    pub fn end(&mut self) -> Vec<Line> {
        self.terminals.values_mut().filter_map(Terminal::flush).collect()
    }

    /// Whether `line`, as it is shown, holds the text that ends the run well.
    pub fn is_awaited(&self, line: &Line) -> bool {
        holds(self.until, line)
    }

    /// The lines that `event` completes.
    fn read(&mut self, event: Event) -> Vec<Line> {
        match event {
            Event::Log(line) if line.kind == Kind::Console => self.read_console(&line),
            Event::Log(line) => self.read_record(line),
            Event::Serial(index, bytes) => {
                let terminal = self.terminals.get_mut(&Port::Serial(index));
                terminal.map(|terminal| terminal.push(&bytes)).unwrap_or_default()
            }
        }
    }

    fn read_console(&mut self, line: &Line) -> Vec<Line> {
        let new = || Terminal::new(&line.speaker, Kind::Console);
        self.terminals.entry(Port::Console(line.speaker.clone())).or_insert_with(new).push_line(line)
    }

    fn read_record(&mut self, line: Line) -> Vec<Line> {
        if matches!(line.kind, Kind::Hypervisor | Kind::Serial) {
            let words = record::last_words(&line.text);
            self.last_words = words.map(|words| (Instant::now(), words)).or(self.last_words);
        }
        self.not_started |= line.kind == Kind::Hypervisor && record::is_not_started(&line.text);
        let left = record::left(&line.text).filter(|_| line.kind == Kind::Hypervisor);
        let console = left.and_then(|partition| self.terminals.get_mut(&Port::Console(partition.to_owned())));
        let cut = console.and_then(Terminal::flush);
        cut.into_iter().chain([line]).collect()
    }

    /// Answers the prompts that have come, in the order of the answers.
    fn answer(&mut self) -> io::Result<()> {
        while let Some(answer) = self.answers.front() {
            let terminals = &mut self.terminals;
            let mut asks = |port: &Port| terminals.get_mut(port).is_some_and(|it| it.take_prompt(&answer.prompt));
            let mut wires = self.wires.iter_mut();
            let Some((_, wire)) = wires.find(|(port, _)| asks(port)) else { return Ok(()) };
            wire.enter(&answer.text)?;
            self.answers.pop_front();
        }
        Ok(())
    }

    /// Lines that nothing has followed for [`SILENCE`], such as prompts: all where the user sits there, else those that hold
    /// the text that is waited for.
    fn silent(&mut self) -> Vec<Line> {
        let (silence, until, interactive) = (self.silence, self.until, self.interactive);
        let wanted = |terminal: &Terminal| interactive || terminal.unfinished().is_some_and(|line| holds(until, &line));
        let terminals = self.terminals.values_mut().filter(|terminal| wanted(terminal));
        terminals.filter_map(|terminal| terminal.flush_after(silence)).collect()
    }
}

/// Whether `line`, as it is shown, contains `text`: one of a partition's, or EL2's about what happened.
fn holds(text: Option<&str>, line: &Line) -> bool {
    let counts = match line.kind {
        Kind::Hypervisor => !record::is_greeting(&line.text),
        // They name the configuration.
        Kind::Note => false,
        Kind::Console | Kind::Record | Kind::Serial => true,
    };
    counts && text.is_some_and(|text| line.to_string().contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(until: &str) -> Options {
        Options { until: Some(until.to_owned()), ..Options::default() }
    }

    /// A screen of one serial line, where `silence` is long enough to end a line.
    fn screen(options: &Options, silence: Duration) -> Screen<'_> {
        let terminals = BTreeMap::from([(Port::Serial(0), Terminal::new("linux", Kind::Serial))]);
        Screen { silence, ..Screen::new(terminals, BTreeMap::new(), options) }
    }

    fn serial(text: &str) -> Option<Event> {
        Some(Event::Serial(0, text.as_bytes().to_vec()))
    }

    fn console(text: &str, goes_on: bool) -> Option<Event> {
        Some(Event::Log(Line { goes_on, ..Line::plain("linux", Kind::Console, text) }))
    }

    /// What `screen` shows of `events`, each with whether it ends the run.
    fn shown(screen: &mut Screen<'_>, events: impl IntoIterator<Item = Option<Event>>) -> Vec<(String, bool)> {
        let lines: Vec<Line> = events.into_iter().flat_map(|event| screen.turn(event).unwrap()).collect();
        marked(screen, lines)
    }

    fn marked(screen: &Screen<'_>, lines: Vec<Line>) -> Vec<(String, bool)> {
        lines.into_iter().map(|line| (line.text.clone(), screen.is_awaited(&line))).collect()
    }

    #[test]
    fn the_line_that_is_waited_for_is_shown_whole() {
        let options = options("login:");
        let pieces = ["Debian login: ", "root", " (automatic", " login)\n"];
        let whole = [("Debian login: root (automatic login)".to_owned(), true)];
        assert_eq!(shown(&mut screen(&options, Duration::MAX), pieces.map(serial)), whole);
        let pieces = [("Debian login: ", true), ("root", true), (" (automatic", true), (" login)", false)];
        let events = pieces.map(|(text, goes_on)| console(text, goes_on));
        assert_eq!(shown(&mut screen(&options, Duration::MAX), events), whole);
    }

    #[test]
    fn a_line_that_does_not_end_is_judged_when_it_is_silent() {
        let (options, other) = (options("login:"), options("never"));
        let seen = [("Debian login: ".to_owned(), true)];
        assert_eq!(shown(&mut screen(&options, Duration::ZERO), [serial("Debian login: ")]), seen);
        // Somebody else goes on speaking meanwhile.
        let mut screen = screen(&options, Duration::MAX);
        assert_eq!(shown(&mut screen, [serial("Debian login: ")]), []);
        screen.silence = Duration::ZERO;
        let record = Event::Log(Line::plain("other", Kind::Record, "I am busy"));
        let both = [("I am busy".to_owned(), false), seen[0].clone()];
        assert_eq!(shown(&mut screen, [Some(record)]), both);
        // What nobody waits for stays until its line ends.
        screen.until = other.until.as_deref();
        assert_eq!(shown(&mut screen, [serial("$ "), None]), []);
        assert_eq!(shown(&mut screen, [serial("ls\n")]), [("$ ls".to_owned(), false)]);
    }

    #[test]
    fn neither_what_el2_begins_with_nor_an_explanation_is_waited_for() {
        let options = options("hello");
        let mut screen = screen(&options, Duration::MAX);
        let lines = [
            ("Septum 0.1.0 on rpi4: hello.toml, partitions: 1, cores: 4", Kind::Hypervisor, false),
            ("hello.toml:7: partition `p`", Kind::Note, false),
            ("partition `hello` core 0: SError; PC 0x0 (ESR 0x0)", Kind::Hypervisor, true),
            ("Septum 0.1.0 on rpi4: hello.toml", Kind::Console, true),
        ];
        for (text, kind, awaited) in lines {
            let seen = shown(&mut screen, [Some(Event::Log(Line::plain("septum", kind, text)))]);
            assert_eq!(seen, [(text.to_owned(), awaited)]);
        }
    }

    #[test]
    fn a_line_that_has_not_ended_counts_at_the_end_of_the_run() {
        let options = options("login:");
        let mut screen = screen(&options, Duration::MAX);
        assert_eq!(shown(&mut screen, [serial("boot\nDebian login: ")]), [("boot".to_owned(), false)]);
        let rest = screen.end();
        assert_eq!(marked(&screen, rest), [("Debian login: ".to_owned(), true)]);
        assert_eq!(screen.end(), []);
    }

    #[test]
    fn a_console_line_that_its_partitions_end_cuts_counts() {
        let options = options("login:");
        let mut screen = screen(&options, Duration::MAX);
        let left = Event::Log(Line::plain("septum", Kind::Hypervisor, "partition `linux` ended (SYSTEM_OFF)"));
        let lines = shown(&mut screen, [console("Debian login: ", true), Some(left)]);
        assert_eq!(lines[0], ("Debian login: ".to_owned(), true));
    }
}
