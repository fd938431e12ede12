//! defmt frames -> records, in a process of our own.
//!
//! A damaged frame can make defmt-decoder ask for gigabytes and abort. So it runs in a child (`septum decode ELF`) with
//! a limit on its memory: when it dies, that one frame is undecodable and the next child goes on.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use defmt_decoder::{StreamDecoder, Table};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use septum_compiler::check::FILE_BYTES_MAX;

use crate::regular_file;

/// Most bytes of address space that decoding may take.
const MEMORY_MAX: u64 = 1 << 30;
/// The byte that ends a frame.
const FRAME_END: u8 = 0;

/// A decoded frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since the counter started, as text; none if the firmware has no clock.
    pub time: Option<String>,
    /// `error`, `warn`, ..; none for `defmt::println!`.
    pub level: Option<String>,
    /// The text.
    pub text: String,
}

/// Why a decoder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DecoderError {
    /// The ELF cannot be read.
    #[error("`{path}`: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The ELF has no defmt data, or of another version.
    #[error("`{path}` cannot be a key for its log: {reason}")]
    NoTable {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The child does not start, or its pipes are broken.
    #[error("decoding process: {0}")]
    Process(#[from] io::Error),
}

/// What turns frames into records.
pub trait Decode: Send {
    /// Decodes one frame, its end mark left out; `None` if it cannot be decoded.
    fn decode(&mut self, frame: &[u8]) -> Option<Record>;
}

/// A decoder of one ELF's frames, in a process of its own.
#[derive(Debug)]
pub struct Decoder {
    elf: PathBuf,
    child: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    frames: ChildStdin,
    records: BufReader<ChildStdout>,
}

impl Decoder {
    /// A decoder with `elf` as its key; nothing is started before the first frame.
    pub fn new(elf: &Path) -> Self {
        Self { elf: elf.to_owned(), child: None }
    }

    fn running(&mut self) -> io::Result<&mut Running> {
        match self.child.take() {
            Some(running) => Ok(self.child.insert(running)),
            None => Ok(self.child.insert(Running::start(&self.elf)?)),
        }
    }
}

impl Decode for Decoder {
    fn decode(&mut self, frame: &[u8]) -> Option<Record> {
        let answer = self.running().and_then(|running| running.ask(frame));
        if answer.is_err() {
            self.child = None;
        }
        answer.ok().flatten()
    }
}

impl Running {
    fn start(elf: &Path) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("decode").arg(elf).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn()?;
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let frames = process.stdin.take().ok_or_else(broken)?;
        let records = BufReader::new(process.stdout.take().ok_or_else(broken)?);
        Ok(Self { process, frames, records })
    }

    fn ask(&mut self, frame: &[u8]) -> io::Result<Option<Record>> {
        self.frames.write_all(frame)?;
        self.frames.write_all(&[FRAME_END])?;
        let mut answer = String::new();
        self.records.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if the child has ended by itself, which is what they are for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The child's part: frames on stdin, for each a line of JSON on stdout ([`Record`], or `null`), until stdin ends.
///
/// # Errors
/// The ELF is no key, or a pipe is broken.
pub fn serve(elf: &Path) -> Result<(), DecoderError> {
    let bytes = regular_file::read(elf, FILE_BYTES_MAX)
        .map_err(|source| DecoderError::Read { path: elf.to_owned(), source })?;
    let table = table_of(elf, &bytes)?;
    limit_memory()?;
    let mut decoder = table.new_stream_decoder();
    let (mut frames, mut records) = (io::stdin().lock(), io::stdout().lock());
    let mut frame = Vec::new();
    while frames.read_until(FRAME_END, &mut frame)? != 0 {
        serde_json::to_writer(&mut records, &decode_frame(&mut *decoder, &frame)).map_err(io::Error::from)?;
        records.write_all(b"\n")?;
        records.flush()?;
        frame.clear();
    }
    Ok(())
}

fn limit_memory() -> io::Result<()> {
    let limit = Some(MEMORY_MAX);
    Ok(setrlimit(Resource::As, Rlimit { current: limit, maximum: limit })?)
}

fn table_of(path: &Path, elf: &[u8]) -> Result<Table, DecoderError> {
    let no_table = |reason: String| DecoderError::NoTable { path: path.to_owned(), reason };
    let table = Table::parse(elf).map_err(|error| no_table(error.to_string()))?;
    table.ok_or_else(|| no_table("it has no section `.defmt`".to_owned()))
}

/// `frame` with its end mark.
fn decode_frame(decoder: &mut dyn StreamDecoder, frame: &[u8]) -> Option<Record> {
    decoder.received(frame);
    let frame = decoder.decode().ok()?;
    Some(Record {
        time: frame.display_timestamp().map(|time| time.to_string()),
        level: frame.level().map(|level| level.as_str().to_owned()),
        text: frame.display_message().to_string(),
    })
}
