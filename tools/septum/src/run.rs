//! `septum run`: the board's twin, its decoded log, and the serial lines of its partitions.

mod other_image;
mod ports;
mod screen;
mod session;
mod terminal;
pub mod twin;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use septum_compiler::board::{OtherTwin, Twin};
use septum_compiler::system::System;

use crate::build::{self, Built};
use crate::failure::Failure;
use crate::home::Home;
use crate::log::legend::Legend;
use crate::log::record::LastWords;
use crate::output::{self, OutputError};
use crate::setup::emulator::Emulator;
use crate::setup::{self, guests};
use other_image::OtherImage;
use ports::Ports;
use session::{Outcome, Session};
pub use terminal::Answer;
use twin::Machine;

/// How long to run, and what to do meanwhile.
#[derive(Debug, Default)]
pub struct Options {
    /// The longest that it may take.
    pub timeout: Option<Duration>,
    /// Text that ends the run well.
    pub until: Option<String>,
    /// What to type at the partitions' terminals.
    pub answers: Vec<Answer>,
    /// The partition that gets what the user types.
    pub to: Option<String>,
    /// The image to run, if not the one that is built.
    pub image: Option<PathBuf>,
    /// Whether the machine waits for a debugger.
    pub gdb: bool,
}

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No QEMU machine behaves like the board.
    #[error("board `{0}` has no QEMU twin: `septum build` makes an image for it, and only the board can run that")]
    NoTwin(String),
    /// The board has a twin, but not in this variant.
    #[error(
        "{place}: board `{board}` has a QEMU twin only as {variants}\nhelp: write `variant = \"{largest}\"` to run it"
    )]
    OtherVariant {
        /// File and line of the configuration's variant.
        place: String,
        /// The board.
        board: String,
        /// The variants that have one.
        variants: String,
        /// The last of them, which has the most RAM.
        largest: String,
    },
    /// The twin's serial lines do not show the console.
    #[error("board `{board}`: its twin shows no serial line `{console}`")]
    NoConsole {
        /// The board.
        board: String,
        /// The console's device.
        console: String,
    },
    /// The partition that the user names has no terminal.
    #[error("partition `{partition}` cannot be typed at: {help}")]
    NoTerminal {
        /// The partition.
        partition: String,
        /// What can be done.
        help: String,
    },
    /// The machine cannot be started or watched.
    #[error("QEMU: {0}")]
    Machine(#[from] io::Error),
    /// Time is over.
    #[error("{waited} s are over{}", waiting_for(.until.as_deref()))]
    Timeout {
        /// How long it was.
        waited: u64,
        /// What was waited for.
        until: Option<String>,
    },
    /// Nothing was started.
    #[error("the board refused to start the image, as its line above says")]
    Refused,
    /// A partition was left out.
    #[error("not every partition was started, as the lines above say")]
    NotStarted,
    /// EL2 itself failed.
    #[error("EL2 itself failed, as its lines above say; this is a defect of Septum")]
    Failed,
    /// The text did not come.
    #[error("the board is off, and no line after EL2's first ones contained `{0}`")]
    NotSeen(String),
    /// The machine ended before its partitions did.
    #[error("the board stopped before its partitions had ended ({0})")]
    Early(std::process::ExitStatus),
    /// A prompt did not come.
    #[error("the board is off, and not every prompt of `--type` had come")]
    Unanswered,
}

impl RunError {
    /// `partition` is none of `others`, which can be typed at.
    fn no_terminal(partition: &str, others: &BTreeSet<&str>) -> Self {
        let names: Vec<_> = others.iter().map(|name| format!("`{name}`")).collect();
        let help = if names.is_empty() {
            "no partition has an emulated console (`console = true`) or a UART of its own".to_owned()
        } else {
            format!("`--to` takes one of {}", names.join(", "))
        };
        Self::NoTerminal { partition: partition.to_owned(), help }
    }

    /// The board of `system` cannot be run as the configuration wants it.
    fn no_twin(system: &System) -> Self {
        let board = system.board.name.clone();
        let Some(OtherTwin { variants, line }) = &system.board.other_twin else { return Self::NoTwin(board) };
        let place = format!("{}:{line}", system.config);
        let largest = variants.last().cloned().unwrap_or_default();
        Self::OtherVariant { place, board, variants: variants.join(", "), largest }
    }
}

fn waiting_for(until: Option<&str>) -> String {
    until.map(|text| format!(", and no line after EL2's first ones contained `{text}`")).unwrap_or_default()
}

/// Builds `config` and runs it on the board's twin.
///
/// # Errors
/// It cannot be built, there is no twin or no emulator, or the run did not end as `options` wait for.
pub fn run(home: &Home, config: &Path, options: &Options) -> Result<(), Failure> {
    let other = options.image.as_deref().map(OtherImage::read).transpose().map_err(Failure::input)?;
    let mut built = build::build(home, config, &home.run_folder(config)?)?;
    if let Some(other) = other {
        let warnings = other.warnings(&built.system, &built.image).map_err(Failure::input)?;
        let missing = other.choose_keys(&mut built).map_err(Failure::input)?;
        warnings.iter().chain(&missing).for_each(|warning| output::tell(format_args!("{warning}\n")));
    }
    let Built { system, image, el2 } = &built;
    let image = options.image.as_ref().unwrap_or(image);
    let twin = system.board.twin.as_ref().ok_or_else(|| Failure::input(RunError::no_twin(system)))?;
    let ports = Ports::new(system, twin).map_err(Failure::input)?;
    let recipient = ports.recipient(options.to.as_deref()).map_err(Failure::input)?;
    let emulator = Emulator::obtain(&setup::say).map_err(Failure::environment)?;
    let dtb = device_tree(home, config, &system.board.name, twin)?;
    let serials = ports.indexes();
    let machine = Machine {
        emulator: &emulator.program,
        twin,
        image,
        dtb,
        serials: &serials,
        gdb: options.gdb,
        arguments: Vec::new(),
        stderr: false,
    };
    if options.gdb {
        setup::say(&format!("waiting for a debugger: gdb-multiarch {} -ex 'target remote :1234'", el2.display()));
    }
    let legend = Legend::new(system, el2);
    let outcome = Session::start(&machine, &ports, recipient, legend, options).and_then(Session::watch);
    judge(outcome.map_err(lost)?, options).map_err(Failure::input)
}

/// The run cannot go on: the output is gone, or the machine.
fn lost(error: io::Error) -> Failure {
    match error.downcast::<OutputError>() {
        Ok(output) => output.into(),
        Err(error) => Failure::environment(RunError::Machine(error)),
    }
}

fn judge(outcome: Outcome, options: &Options) -> Result<(), RunError> {
    match outcome {
        Outcome::Seen => Ok(()),
        Outcome::Timeout => {
            let waited = options.timeout.unwrap_or_default().as_secs();
            Err(RunError::Timeout { waited, until: options.until.clone() })
        }
        Outcome::Off { last_words: Some(LastWords::Refused), .. } => Err(RunError::Refused),
        Outcome::Off { last_words: Some(LastWords::Failed), .. } => Err(RunError::Failed),
        Outcome::Off { last_words: None, status, .. } => Err(RunError::Early(status)),
        Outcome::Off { last_words: Some(LastWords::AllEnded), answered, not_started, .. } => match &options.until {
            Some(until) => Err(RunError::NotSeen(until.clone())),
            None if not_started => Err(RunError::NotStarted),
            None if answered => Ok(()),
            None => Err(RunError::Unanswered),
        },
    }
}

/// The device tree of `config`'s board: from the board's folder, or one that Debian has.
///
/// # Errors
/// It cannot be fetched.
pub fn device_tree(home: &Home, config: &Path, board: &str, twin: &Twin) -> Result<Option<PathBuf>, Failure> {
    let Some(name) = &twin.dtb else { return Ok(None) };
    let beside = config.parent().map(|folder| folder.join("boards"));
    let own = beside.into_iter().chain(home.boards()).map(|boards| boards.join(board).join(name));
    if let Some(own) = own.into_iter().find(|path| path.is_file()) {
        return Ok(Some(own));
    }
    guests::obtain(name, &setup::say).map_err(Failure::environment)
}
