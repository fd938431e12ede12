//! The command line's grammar.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::check::Format;
use crate::explain::Question;
use crate::run::{Answer, Options};
use crate::schema::Of;

/// Static partitions on ARMv8-A: TOML in, a proven image out.
#[derive(Debug, Parser)]
#[command(name = "septum", version, about)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Get what is missing for building and running (QEMU, Rust targets), without touching the system
    Setup {
        /// Also fetch this guest (repeatable); `run` and `build` fetch those that a configuration names
        #[arg(long = "guest", value_name = "NAME")]
        guests: Vec<String>,
    },
    /// Show all problems of a configuration
    Check {
        /// The configuration
        config: PathBuf,
        /// How to show them
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Make the image, and what goes with it: ELFs, plan.json, report.html, septum.h, SHA256SUMS
    Build {
        /// The configuration
        config: PathBuf,
        /// The folder to put it in (default: out/NAME)
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Show what is in an image, read from its bytes
    Inspect {
        /// An image, or a configuration (*.toml), which is built for it
        subject: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Walk every table of an image and show what each partition can reach
    Verify {
        /// The image
        image: PathBuf,
    },
    /// Build, start the board's QEMU twin, and show its decoded log
    Run(RunArguments),
    /// Tell who owns an address or an interrupt, and how it is mapped
    Explain {
        /// The configuration
        config: PathBuf,
        /// An address (0x..) or an interrupt's INTID (decimal)
        question: Question,
    },
    /// Write the C header of the calls that EL2 answers to partitions (docs/abi.md)
    Header {
        /// The file to write (default: stdout)
        file: Option<PathBuf>,
    },
    /// Show the JSON schema by which editors know the keys of a configuration (docs/configuration.md)
    Schema {
        /// What it is for
        #[arg(value_enum, default_value_t)]
        of: Of,
    },
    /// Measure what EL2 costs (docs/performance.md)
    Bench {
        /// As JSON
        #[arg(long, conflicts_with = "compare")]
        json: bool,
        /// Show what has changed since an earlier `--json`; fails if something costs more, boot apart
        #[arg(long, value_name = "FILE")]
        compare: Option<PathBuf>,
    },
    /// Decode defmt frames from stdin: the part of `run` that runs in a process of its own
    #[command(hide = true)]
    Decode {
        /// The ELF that is the key
        elf: PathBuf,
    },
    /// Become a program that ends with its parent: how `run` starts QEMU
    #[command(hide = true)]
    Tied {
        /// The program
        program: PathBuf,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// What `run` is asked.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The configuration
    pub config: PathBuf,
    /// Fail after that many seconds
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
    /// End, with success, as soon as a line contains this text
    ///
    /// Lines of partitions count, and EL2's but the first, which name board and configuration. The text is looked for in
    /// the whole line as it is shown, with time and speaker. A line that has not ended counts after 300 ms of silence.
    #[arg(long, value_name = "TEXT", value_parser = not_blank)]
    until: Option<String>,
    /// When PROMPT comes from a partition, type TEXT and Enter there (repeatable, in order): on a UART of its own, or its
    /// emulated console
    #[arg(long = "type", num_args = 2, value_names = ["PROMPT", "TEXT"])]
    answers: Vec<String>,
    /// Send what is typed here to this partition, where several have an emulated console or a UART
    #[arg(long, value_name = "PARTITION")]
    to: Option<String>,
    /// Run this image instead of the one that is built from the configuration
    #[arg(long, value_name = "IMAGE")]
    image: Option<PathBuf>,
    /// Wait for a debugger on TCP port 1234 before the first instruction
    #[arg(long)]
    gdb: bool,
}

/// A text that is not in every line.
fn not_blank(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("every line contains that") } else { Ok(text.to_owned()) }
}

impl RunArguments {
    /// The same, in the words of [`crate::run`].
    pub fn options(&self) -> Options {
        let answer = |pair: &[String]| match pair {
            [prompt, text] => Some(Answer { prompt: prompt.clone(), text: text.clone() }),
            _ => None,
        };
        Options {
            timeout: self.timeout.map(Duration::from_secs),
            until: self.until.clone(),
            answers: self.answers.chunks(2).filter_map(answer).collect(),
            to: self.to.clone(),
            image: self.image.clone(),
            gdb: self.gdb,
        }
    }
}
