//! Pages that EL2 writes: its memory after a run against what lay there before, which is the image as far as the file
//! goes, and behind that a pattern that QEMU loads. A page counts if any byte differs; so a page into which only what
//! was there is written is not seen.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use septum_compiler::inspect;

use super::BenchError;
use super::guest::read_log;
use super::machine::Prepared;
use super::report::Row;
use super::size::PAGE;

/// What lies in the memory behind the file: no value that EL2 stores often.
const PATTERN: u8 = 0xa5;
/// Where the arm64 Image header holds the bytes that the image needs in memory.
const IMAGE_SIZE: usize = 16;

/// Runs the configuration to its end with EL2's memory known, and counts.
///
/// # Errors
/// The machine is lost, or a file cannot be written.
pub fn measure(prepared: &Prepared) -> Result<Vec<Row>, BenchError> {
    let mut before = prepared.image()?;
    let load =
        inspect::inspect(&before).map_err(|_| prepared.unfinished("its image cannot be read back"))?.load_address;
    let file_bytes = before.len();
    before.resize(memory_bytes(&before).ok_or_else(|| prepared.unfinished("its image has no header"))?, PATTERN);
    let pattern = prepared.folder.join("pattern.bin");
    fs::write(&pattern, before.get(file_bytes..).unwrap_or_default())?;
    let after = run(prepared, load, file_bytes, before.len(), &pattern)?;
    Ok(vec![Row::single("pages-written", differing(&before, &after))])
}

fn memory_bytes(image: &[u8]) -> Option<usize> {
    let field = image.get(IMAGE_SIZE..IMAGE_SIZE + 8)?;
    usize::try_from(u64::from_le_bytes(field.try_into().ok()?)).ok()
}

/// EL2's memory, `bytes` from `load` on, after a run.
fn run(prepared: &Prepared, load: u64, file: usize, bytes: usize, pattern: &Path) -> Result<Vec<u8>, BenchError> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let index = prepared.log_line()?;
    let mut machine = prepared.start(&[index], arguments(load + file as u64, pattern, &theirs)?, true)?;
    drop(theirs);
    let log = machine.serials.remove(&index).ok_or_else(|| prepared.unfinished("no serial line"))?;
    read_log(prepared, log)?;
    let dump = prepared.folder.join("memory.bin");
    let (save, path) = (format!("stop\npmemsave {load:#x} {bytes} \""), dump.as_os_str().as_bytes());
    ours.write_all(&[save.as_bytes(), path, b"\"\nquit\n"].concat())?;
    // The monitor echoes; the line ends when the machine has done all three.
    ours.read_to_end(&mut Vec::new())?;
    Ok(fs::read(&dump)?)
}

/// A pattern at `at`, a monitor to talk to, and a machine that stays when the board switches itself off.
fn arguments(at: u64, pattern: &Path, monitor: &UnixStream) -> Result<Vec<OsString>, BenchError> {
    use std::os::fd::AsRawFd;
    rustix::io::fcntl_setfd(monitor, rustix::io::FdFlags::empty()).map_err(std::io::Error::from)?;
    let mut loader = OsString::from("loader,file=");
    loader.push(pattern);
    loader.push(format!(",addr={at:#x},force-raw=on"));
    let chardev = format!("socket,id=monitor,fd={}", monitor.as_raw_fd());
    let monitor = ["-chardev", &chardev, "-mon", "chardev=monitor,mode=readline"].map(OsString::from);
    Ok(["-no-shutdown".into(), "-device".into(), loader].into_iter().chain(monitor).collect())
}

/// Pages in which `before` and `after` differ.
fn differing(before: &[u8], after: &[u8]) -> u64 {
    let page = PAGE as usize;
    before.chunks(page).zip(after.chunks(page)).filter(|(before, after)| before != after).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_counts_once_however_much_of_it_differs() {
        let before = vec![PATTERN; 3 * PAGE as usize];
        let mut after = before.clone();
        after[1] = 0;
        after[2] = 0;
        after[PAGE as usize * 2] = 1;
        assert_eq!(differing(&before, &after), 2);
    }
}
