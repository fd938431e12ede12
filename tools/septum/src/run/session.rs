//! One run: threads read the machine's serial lines, one loop shows what they say and decides when it is over.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Read};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::Options;
use super::ports::{Port, Ports, Wire};
use super::screen::{Event, SILENCE, Screen};
use super::terminal::Terminal;
use super::twin::{Machine, Running};
use crate::log::decoder::Decoder;
use crate::log::legend::Legend;
use crate::log::line::{Kind, Line};
use crate::log::record::LastWords;
use crate::log::stream::LogStream;
use crate::output;

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

/// A run.
#[derive(Debug)]
pub struct Session<'a> {
    machine: Running,
    events: Receiver<Event>,
    screen: Screen<'a>,
    deadline: Option<Instant>,
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
        let mut screen = Screen::new(terminals, wires, options);
        screen.interactive = interactive;
        Ok(Self { machine, events, screen, deadline })
    }

    /// Shows what the machine says until the run is over.
    ///
    /// # Errors
    /// The machine is lost.
    pub fn watch(mut self) -> io::Result<Outcome> {
        loop {
            let event = match self.events.recv_timeout(SILENCE) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.off(),
            };
            let lines = self.screen.turn(event)?;
            if self.show(&lines)? {
                return Ok(Outcome::Seen);
            }
            if self.screen.last_words.is_some_and(|(at, _)| at.elapsed() > SWITCH_OFF) {
                return self.stay_on();
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(if self.show_rest()? { Outcome::Seen } else { Outcome::Timeout });
            }
        }
    }

    /// Shows `lines`, whose error is an [`output::OutputError`] inside; whether one holds the text that is waited for.
    fn show(&self, lines: &[Line]) -> io::Result<bool> {
        lines.iter().try_for_each(|line| output::show_terminal_line(line).map_err(io::Error::other))?;
        Ok(lines.iter().any(|line| self.screen.is_awaited(line)))
    }

    /// Shows every line as far as it has come; whether one holds the text that is waited for.
    fn show_rest(&mut self) -> io::Result<bool> {
        let lines = self.screen.end();
        self.show(&lines)
    }

    fn off(mut self) -> io::Result<Outcome> {
        let seen = self.show_rest()?;
        let status = self.machine.wait()?;
        Ok(if seen { Outcome::Seen } else { self.ended(status) })
    }

    fn stay_on(mut self) -> io::Result<Outcome> {
        Ok(if self.show_rest()? { Outcome::Seen } else { self.ended(ExitStatus::default()) })
    }

    fn ended(&self, status: ExitStatus) -> Outcome {
        let last_words = self.screen.last_words.map(|(_, words)| words);
        let answered = self.screen.answers.is_empty();
        Outcome::Off { last_words, answered, not_started: self.screen.not_started, status }
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
