//! One run: threads read the machine's serial lines, one loop shows what they say and decides when it is over.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::terminal::{Answer, Terminal};
use super::twin::{Machine, Running};
use super::{Options, SerialLines};
use crate::log::decoder::Decoder;
use crate::log::legend::Legend;
use crate::log::line::{Kind, Line};
use crate::log::record::{self, LastWords};
use crate::log::stream::LogStream;

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
    terminals: HashMap<u32, (Terminal, UnixStream)>,
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

impl<'a> Session<'a> {
    /// Starts the machine and the threads that read its lines.
    ///
    /// # Errors
    /// The machine cannot be started.
    pub fn start(machine: &Machine<'_>, lines: &SerialLines, legend: Legend, options: &'a Options) -> io::Result<Self> {
        let mut machine = machine.start()?;
        let (sender, events) = mpsc::channel();
        if let Some(log) = machine.serials.remove(&lines.log) {
            read_log(log, LogStream::new(legend, |elf| Box::new(Decoder::new(elf))), sender.clone())?;
        }
        let mut terminals = HashMap::new();
        for (index, name) in &lines.guests {
            let Some(line) = machine.serials.remove(index) else { continue };
            read_serial(*index, line.try_clone()?, sender.clone());
            terminals.insert(*index, (Terminal::new(name), line));
        }
        let interactive = forward_input(&terminals)?;
        let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
        let answers = options.answers.iter().cloned().collect();
        Ok(Self {
            machine,
            events,
            terminals,
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
                Err(RecvTimeoutError::Timeout) => self.silence(),
            };
            if seen {
                return Ok(Outcome::Seen);
            }
            if self.last_words.is_some_and(|(at, _)| at.elapsed() > SWITCH_OFF) {
                return self.stay_on();
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                self.show_unfinished();
                return Ok(Outcome::Timeout);
            }
        }
    }

    /// Shows `event`; whether it holds the text that is waited for.
    fn show(&mut self, event: Event) -> io::Result<bool> {
        match event {
            Event::Log(line) => {
                let is_board = matches!(line.kind, Kind::Hypervisor | Kind::Serial);
                let words = record::last_words(&line.text).filter(|_| is_board);
                self.last_words = words.map(|words| (Instant::now(), words)).or(self.last_words);
                self.not_started |= line.kind == Kind::Hypervisor && record::is_not_started(&line.text);
                Ok(self.print(&line))
            }
            Event::Serial(index, bytes) => self.show_serial(index, &bytes),
        }
    }

    fn show_serial(&mut self, index: u32, bytes: &[u8]) -> io::Result<bool> {
        let Some((terminal, line)) = self.terminals.get_mut(&index) else { return Ok(false) };
        let lines = terminal.push(bytes);
        while self.answers.front().is_some_and(|answer| terminal.take_prompt(&answer.prompt)) {
            let text = self.answers.pop_front().map(|answer| answer.text).unwrap_or_default();
            write!(line, "{text}\r")?;
        }
        let until = self.options.until.as_deref();
        let in_current = until.is_some_and(|text| terminal.current().contains(text));
        let unfinished = if in_current { terminal.flush() } else { None };
        let mut seen = false;
        for line in lines.iter().chain(&unfinished) {
            seen |= self.print(line);
        }
        Ok(seen)
    }

    /// Prints a line; whether it holds the text that is waited for.
    fn print(&self, line: &Line) -> bool {
        println!("{line}");
        self.options.until.as_ref().is_some_and(|text| line.to_string().contains(text))
    }

    /// Nothing has come for a while: a user who types sees the prompt. Nothing in that has been waited for.
    fn silence(&mut self) -> bool {
        if self.interactive {
            self.show_unfinished();
        }
        false
    }

    fn show_unfinished(&mut self) {
        for (terminal, _) in self.terminals.values_mut() {
            if let Some(line) = terminal.flush() {
                println!("{line}");
            }
        }
    }

    fn off(mut self) -> io::Result<Outcome> {
        self.show_unfinished();
        let status = self.machine.wait()?;
        Ok(self.ended(status))
    }

    fn stay_on(self) -> io::Result<Outcome> {
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

/// Sends what the user types to the partition that owns a serial line, if exactly one does; whether it does.
fn forward_input(terminals: &HashMap<u32, (Terminal, UnixStream)>) -> io::Result<bool> {
    let mut lines = terminals.values();
    let (Some((_, line)), None) = (lines.next(), lines.next()) else { return Ok(false) };
    let mut line = line.try_clone()?;
    thread::spawn(move || {
        for typed in io::stdin().lock().lines().map_while(Result::ok) {
            if write!(line, "{typed}\r").is_err() {
                return;
            }
        }
    });
    Ok(io::stdin().is_terminal())
}
