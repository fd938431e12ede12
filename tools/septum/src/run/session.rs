//! One run: threads read the machine's serial lines, one loop shows what they say and decides when it is over.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, IsTerminal, Read};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::Options;
use super::ports::{Port, Ports, Wire};
use super::terminal::{Answer, Terminal};
use super::twin::{Machine, Running};
use crate::log::decoder::Decoder;
use crate::log::legend::Legend;
use crate::log::line::{Kind, Line};
use crate::log::record::{self, LastWords};
use crate::log::stream::LogStream;
use crate::output;

/// How long a line is silent before what has come of it is shown.
const SILENCE: Duration = Duration::from_millis(300);
/// How long a board may take to switch itself off. One that cannot stays on, and that is fine.
const SWITCH_OFF: Duration = Duration::from_secs(2);

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// The text that was waited for has come.
    Seen,
    /// Time is over.
    Timeout,
    /// The board is off.
    Off {
        /// What it had said last, if it was something of which EL2 ends.
        last_words: Option<LastWords>,
        /// Whether every prompt had come.
        answered: bool,
        /// Whether EL2 has left a partition out, because its payload is damaged.
        not_started: bool,
        /// How QEMU ended.
        status: ExitStatus,
    },
}

#[derive(Debug)]
enum Event {
    /// The log says this.
    Log(Line),
    /// A partition's serial line, by QEMU's index, says this.
    Serial(u32, Vec<u8>),
}

/// A run.
#[derive(Debug)]
pub struct Session<'a> {
    machine: Running,
    events: Receiver<Event>,
    terminals: BTreeMap<Port, Terminal>,
    /// Where partitions can be typed at.
    wires: BTreeMap<Port, Wire>,
    options: &'a Options,
    /// What is still to be typed.
    answers: VecDeque<Answer>,
    deadline: Option<Instant>,
    /// The board's last words, and when they came.
    last_words: Option<(Instant, LastWords)>,
    /// Whether a partition was left out.
    not_started: bool,
    interactive: bool,
}

/// Shows a line; the error is an [`output::OutputError`] inside.
fn print(line: &Line) -> io::Result<()> {
    output::show_line(line).map_err(io::Error::other)
}

impl<'a> Session<'a> {
    /// Starts the machine and the threads that read its lines; what the user types goes to `recipient`.
    ///
    /// # Errors
    /// The machine cannot be started.
    pub fn start(
        machine: &Machine<'_>,
        ports: &Ports,
        recipient: Option<Port>,
        legend: Legend,
        options: &'a Options,
    ) -> io::Result<Self> {
        let mut machine = machine.start()?;
        let wires = ports.wires(&machine.serials)?;
        let (sender, events) = mpsc::channel();
        if let Some(log) = machine.serials.remove(&ports.log) {
            read_log(log, LogStream::new(legend, |elf| Box::new(Decoder::new(elf))), sender.clone())?;
        }
        let mut terminals = BTreeMap::new();
        for (index, name) in &ports.serials {
            let Some(line) = machine.serials.remove(index) else { continue };
            read_serial(*index, line, sender.clone());
            terminals.insert(Port::Serial(*index), Terminal::new(name, Kind::Serial));
        }
        let interactive = forward_input(recipient.and_then(|port| wires.get(&port)))?;
        let deadline = options.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let answers = options.answers.iter().cloned().collect();
        Ok(Self {
            machine,
            events,
            terminals,
            wires,
            options,
            answers,
            deadline,
            last_words: None,
            not_started: false,
            interactive,
        })
    }

    /// Shows what the machine says until the run is over.
    ///
    /// # Errors
    /// The machine is lost.
    pub fn watch(mut self) -> io::Result<Outcome> {
        loop {
            let seen = match self.events.recv_timeout(SILENCE) {
                Ok(event) => self.show(event)?,
                Err(RecvTimeoutError::Disconnected) => return self.off(),
                Err(RecvTimeoutError::Timeout) => false,
            };
            if seen {
                return Ok(Outcome::Seen);
            }
            if self.interactive {
                self.show_unfinished(SILENCE)?;
            }
            if self.last_words.is_some_and(|(at, _)| at.elapsed() > SWITCH_OFF) {
                return self.stay_on();
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.show_unfinished(Duration::ZERO)?;
                return Ok(Outcome::Timeout);
            }
        }
    }

    /// Shows `event`; whether it holds the text that is waited for.
    fn show(&mut self, event: Event) -> io::Result<bool> {
        match event {
            Event::Log(line) if line.kind == Kind::Console => self.show_console(&line),
            Event::Log(line) => self.show_record(&line),
            Event::Serial(index, bytes) => {
                let port = Port::Serial(index);
                let lines = self.terminals.get_mut(&port).map(|terminal| terminal.push(&bytes)).unwrap_or_default();
                self.follow(&port, &lines)
            }
        }
    }

    fn show_console(&mut self, line: &Line) -> io::Result<bool> {
        let port = Port::Console(line.speaker.clone());
        let new = || Terminal::new(&line.speaker, Kind::Console);
        let lines = self.terminals.entry(port.clone()).or_insert_with(new).push_line(line);
        self.follow(&port, &lines)
    }

    fn show_record(&mut self, line: &Line) -> io::Result<bool> {
        if matches!(line.kind, Kind::Hypervisor | Kind::Serial) {
            let words = record::last_words(&line.text);
            self.last_words = words.map(|words| (Instant::now(), words)).or(self.last_words);
        }
        self.not_started |= line.kind == Kind::Hypervisor && record::is_not_started(&line.text);
        let left = record::left(&line.text).filter(|_| line.kind == Kind::Hypervisor);
        let console = left.and_then(|partition| self.terminals.get_mut(&Port::Console(partition.to_owned())));
        let cut = console.and_then(Terminal::flush);
        let lines = cut.iter().chain([line]);
        self.print_all(lines)
    }

    /// Something has come at `port`, and `lines` are whole: answers prompts, and prints; whether it holds the text that is
    /// waited for.
    fn follow(&mut self, port: &Port, lines: &[Line]) -> io::Result<bool> {
        self.answer()?;
        let until = self.options.until.as_deref();
        let holds = |line: &Line| until.is_some_and(|text| line.to_string().contains(text));
        let terminal = self.terminals.get_mut(port).filter(|terminal| terminal.unfinished().is_some_and(|l| holds(&l)));
        let unfinished = terminal.and_then(Terminal::flush);
        self.print_all(lines.iter().chain(&unfinished))
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

    /// Prints lines; whether one holds the text that is waited for.
    fn print_all<'b>(&self, lines: impl IntoIterator<Item = &'b Line>) -> io::Result<bool> {
        let mut seen = false;
        for line in lines {
            print(line)?;
            seen |= self.options.until.as_ref().is_some_and(|text| line.to_string().contains(text));
        }
        Ok(seen)
    }

    /// Shows lines that nothing has followed for `silence`, such as prompts. What was waited for has been found before.
    fn show_unfinished(&mut self, silence: Duration) -> io::Result<()> {
        let mut lines = self.terminals.values_mut().filter_map(|terminal| terminal.flush_after(silence));
        lines.try_for_each(|line| print(&line))
    }

    fn off(mut self) -> io::Result<Outcome> {
        self.show_unfinished(Duration::ZERO)?;
        let status = self.machine.wait()?;
        Ok(self.ended(status))
    }

    fn stay_on(mut self) -> io::Result<Outcome> {
        self.show_unfinished(Duration::ZERO)?;
        Ok(self.ended(ExitStatus::default()))
    }

    fn ended(&self, status: ExitStatus) -> Outcome {
        let last_words = self.last_words.map(|(_, words)| words);
        Outcome::Off { last_words, answered: self.answers.is_empty(), not_started: self.not_started, status }
    }
}

fn read_log(mut log: UnixStream, mut stream: LogStream, events: Sender<Event>) -> io::Result<()> {
    log.set_read_timeout(Some(SILENCE))?;
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let lines = match log.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => stream.push(bytes.get(..count).unwrap_or_default()),
                Err(error) if is_silence(&error) => stream.idle(),
                Err(_) => break,
            };
            if !send_all(lines, &events) {
                return;
            }
        }
        send_all(stream.end(), &events);
    });
    Ok(())
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Whether anybody is still there to read them.
fn send_all(lines: Vec<Line>, events: &Sender<Event>) -> bool {
    lines.into_iter().all(|line| events.send(Event::Log(line)).is_ok())
}

fn read_serial(index: u32, mut line: UnixStream, events: Sender<Event>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = line.read(&mut bytes) {
            let bytes = bytes.get(..count).unwrap_or_default().to_vec();
            if events.send(Event::Serial(index, bytes)).is_err() {
                return;
            }
        }
    });
}

/// Sends what the user types along `wire`, if there is one; whether the user sits there and sees the answers.
fn forward_input(wire: Option<&Wire>) -> io::Result<bool> {
    let Some(wire) = wire else { return Ok(false) };
    let mut wire = wire.try_clone()?;
    thread::spawn(move || {
        for typed in io::stdin().lock().lines().map_while(Result::ok) {
            if wire.enter(&typed).is_err() {
                return;
            }
        }
    });
    Ok(io::stdin().is_terminal())
}
