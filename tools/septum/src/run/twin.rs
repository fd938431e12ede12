//! The board's QEMU machine: its command line, and its serial lines as sockets.
//!
//! QEMU is started through ourselves (`septum tied PROGRAM ..`), which asks the kernel to kill it when we end, however
//! we do: by Ctrl-C, by a signal that cannot be caught, or by a test's runner.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Signal, set_parent_process_death_signal};
use septum_compiler::board::Twin;

/// What a machine is started with.
#[derive(Debug)]
pub struct Machine<'a> {
    /// QEMU.
    pub emulator: &'a Path,
    /// The board's part of the command line.
    pub twin: &'a Twin,
    /// The image.
    pub image: &'a Path,
    /// The board's device tree, where the machine does not make one.
    pub dtb: Option<PathBuf>,
    /// Which of its serial lines are wanted, by QEMU's index.
    pub serials: &'a [u32],
    /// Whether it waits for a debugger on TCP port 1234 before its first instruction.
    pub gdb: bool,
    /// More arguments.
    pub arguments: Vec<OsString>,
    /// Whether we read its stderr, where QEMU writes its trace, instead of showing it.
    pub stderr: bool,
}

/// A machine that runs; killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    process: Child,
    /// Our end of each wanted serial line, by QEMU's index.
    pub serials: BTreeMap<u32, UnixStream>,
}

impl Machine<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// The system has no sockets or processes left, or QEMU is gone.
    pub fn start(&self) -> io::Result<Running> {
        let mut ours = BTreeMap::new();
        let mut theirs = BTreeMap::new();
        for index in self.serials {
            let (our_end, their_end) = UnixStream::pair()?;
            fcntl_setfd(&their_end, FdFlags::empty())?;
            ours.insert(*index, our_end);
            theirs.insert(*index, their_end);
        }
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("tied").arg(self.emulator).args(self.arguments(&theirs));
        let stderr = if self.stderr { Stdio::piped() } else { Stdio::inherit() };
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn()?;
        Ok(Running { process, serials: ours })
    }

    fn arguments(&self, serials: &BTreeMap<u32, UnixStream>) -> Vec<OsString> {
        let fixed = ["-display", "none", "-monitor", "none", "-parallel", "none", "-no-reboot"];
        let mut arguments: Vec<_> = self.twin.arguments.iter().map(OsString::from).collect();
        arguments.extend(fixed.map(OsString::from));
        for index in 0..=serials.keys().next_back().copied().unwrap_or(0) {
            arguments.extend(serial(index, serials.get(&index)).into_iter().map(OsString::from));
        }
        if let Some(dtb) = &self.dtb {
            arguments.extend(["-dtb".into(), dtb.into()]);
        }
        if self.gdb {
            arguments.extend(["-S", "-gdb", "tcp::1234"].map(OsString::from));
        }
        arguments.extend(["-kernel".into(), self.image.into()]);
        arguments.extend_from_slice(&self.arguments);
        arguments
    }
}

fn serial(index: u32, socket: Option<&UnixStream>) -> Vec<String> {
    match socket {
        Some(socket) => vec![
            "-chardev".to_owned(),
            format!("socket,id=line{index},fd={}", socket.as_raw_fd()),
            "-serial".to_owned(),
            format!("chardev:line{index}"),
        ],
        None => vec!["-serial".to_owned(), "null".to_owned()],
    }
}

impl Running {
    /// The machine's stderr, once, if it was asked for.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.process.stderr.take()
    }

    /// Waits for the machine's end, which has come when its serial lines are closed.
    ///
    /// # Errors
    /// The system has lost the process.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.process.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Becomes `program`, which is killed when our parent ends.
pub fn become_tied(program: &Path, arguments: &[OsString]) -> io::Error {
    match set_parent_process_death_signal(Some(Signal::KILL)) {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error.into(),
    }
}
