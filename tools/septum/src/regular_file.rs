//! Reading files that a user can name: regular ones, of a bounded length, and no others.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use septum_compiler::problem::show;

/// The bytes of the regular file at `path`, of which there are at most `most`: every file that a user can name is read
/// here. What has no end, or none yet, is not even opened: opening a device may do something, and a pipe's waits.
///
/// # Errors
/// It cannot be opened or read, is no regular file, or is longer ([`io::ErrorKind::FileTooLarge`]).
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    require_regular(fs::metadata(path)?.file_type())?;
    // What becomes a pipe just now, or is one in the guise of a file, as /proc/kmsg, must not hold us up either.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let known = file.metadata()?;
    require_regular(known.file_type())?;
    if known.len() > most {
        return Err(too_large(most));
    }
    read_at_most(file, most)
}

/// The bytes of `file`, which may hold more than it says: it grows, or the kernel makes it up.
fn read_at_most(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(most)) } else { Ok(bytes) }
}

fn require_regular(kind: FileType) -> io::Result<()> {
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, and must be a regular file")))
}

fn too_large(most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {}", show::size(most)))
}
