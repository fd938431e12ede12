//! QEMU: found on this machine, or fetched into the cache.

use std::cmp::Ordering;
use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt::{Apt, AptError};
use crate::cache::{Cache, CacheError, remove};
use crate::process;

/// The oldest QEMU that will do: older ones do not wire the virtual interrupts of the i.MX machines.
pub const OLDEST: Version = Version([10, 0, 3]);
/// The program's name.
const PROGRAM: &str = "qemu-system-aarch64";
/// Debian's suites that together hold a QEMU that will do and all that it needs, on any release of Debian.
const SUITES: [&str; 2] = ["trixie", NEWEST];
/// The one of them that has the newest QEMU: some machines are faster or more complete there.
const NEWEST: &str = "trixie-backports";
/// The package.
const PACKAGE: &str = "qemu-system-arm";

/// A version of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version([u32; 3]);

/// A QEMU that will do.
#[derive(Clone, Debug)]
pub struct Emulator {
    /// The program.
    pub program: PathBuf,
    /// Its version.
    pub version: Version,
}

/// Why there is no emulator.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The one that the user named will not do.
    #[error(
        "SEPTUM_QEMU is `{program}`, which {reason}\nhelp: name a {PROGRAM} of version {OLDEST} or later, or unset it"
    )]
    Named {
        /// What it is set to.
        program: PathBuf,
        /// What is wrong with it.
        reason: Unfit,
    },
    /// None on this machine, and none can be fetched.
    #[error(
        "no {PROGRAM} of version {OLDEST} or later on this machine, and it could not be fetched: {source}\n\
         help: install QEMU {OLDEST} or later, or set SEPTUM_QEMU to the program's path"
    )]
    Fetch {
        /// What went wrong.
        #[source]
        source: AptError,
    },
    /// The fetched one does not start.
    #[error(
        "the fetched {PROGRAM} {0}\nhelp: install QEMU {OLDEST} or later, or set SEPTUM_QEMU to the program's path"
    )]
    Fetched(Unfit),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Why a program is not the emulator that is wanted.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It does not tell its version.
    #[error("does not start as QEMU does")]
    NotQemu,
    /// It is too old.
    #[error("is of version {0}: too old")]
    TooOld(Version),
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl Emulator {
    /// The emulator: the one that `SEPTUM_QEMU` names, else one of `PATH` or the cache that will do; fetched if there is none.
    /// `say` is told of work that takes long.
    ///
    /// # Errors
    /// There is none and it cannot be fetched.
    pub fn obtain(say: &dyn Fn(&str)) -> Result<Self, EmulatorError> {
        if let Some(program) = env::var_os("SEPTUM_QEMU").map(PathBuf::from) {
            return Self::probe(&program).map_err(|reason| EmulatorError::Named { program, reason });
        }
        let cache = Cache::open()?;
        if let Some(found) = Self::find(&cache) {
            return Ok(found);
        }
        let _lock = cache.lock()?;
        match Self::find(&cache) {
            Some(found) => Ok(found),
            None => Self::fetch(&cache, say),
        }
    }

    fn find(cache: &Cache) -> Option<Self> {
        let candidates = [PathBuf::from(PROGRAM), cache.path("qemu").join(PROGRAM)];
        candidates.iter().filter_map(|program| Self::probe(program).ok()).next()
    }

    /// Asks `program` for its version.
    fn probe(program: &Path) -> Result<Self, Unfit> {
        let said = process::output(Command::new(program).arg("--version")).map_err(|_| Unfit::NotQemu)?;
        let version = parse_version(&said).ok_or(Unfit::NotQemu)?;
        match version.cmp(&OLDEST) {
            Ordering::Less => Err(Unfit::TooOld(version)),
            _ => Ok(Self { program: program.to_owned(), version }),
        }
    }

    /// Hold the cache's lock. What is in the cache under its final name is whole: it gets it by a rename, at the end.
    fn fetch(cache: &Cache, say: &dyn Fn(&str)) -> Result<Self, EmulatorError> {
        say("fetching QEMU from this system's Debian mirror into the cache (about 45 MB; the system stays as it is)");
        let scratch = cache.scratch("qemu.new")?;
        unpack(&scratch).map_err(|source| EmulatorError::Fetch { source })?;
        Self::probe(&scratch.join(PROGRAM)).map_err(EmulatorError::Fetched)?;
        let home = cache.path("qemu");
        let moved = remove(&home).and_then(|()| fs::rename(&scratch, &home));
        moved.map_err(|source| CacheError::Io { path: home.clone(), source })?;
        Self::probe(&home.join(PROGRAM)).map_err(EmulatorError::Fetched)
    }
}

fn unpack(scratch: &Path) -> Result<(), AptError> {
    let (root, apt) = (scratch.join("root"), scratch.join("apt"));
    Apt::new(&apt, &SUITES, None)?.unpack_with_dependencies(PACKAGE, NEWEST, &root)?;
    let io_error = |path: &Path| {
        let path = path.to_owned();
        |source| AptError::Io { path, source }
    };
    remove(&apt).map_err(io_error(&apt))?;
    write_starter(scratch, &root).map_err(io_error(&root))
}

/// Writes the program that starts the unpacked QEMU with the unpacked C library, wherever the cache lies.
fn write_starter(scratch: &Path, root: &Path) -> io::Result<()> {
    let libraries = find(&root.join("usr/lib"), &|path| path.join("libc.so.6").exists())?;
    let is_loader = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux"));
    let loader = find(&libraries, &is_loader)?;
    let relative = |path: &Path| path.strip_prefix(scratch).unwrap_or(path).display().to_string();
    let (libraries, loader) = (relative(&libraries), relative(&loader));
    let script = format!(
        "#!/bin/sh\n# QEMU as unpacked from Debian's packages, with the C library that it was built for.\n\
         here=$(dirname -- \"$0\")\n\
         exec \"$here/{loader}\" --library-path \"$here/{libraries}:$here/{libraries}/pulseaudio\" \
         \"$here/root/usr/bin/{PROGRAM}\" -L \"$here/root/usr/share/qemu\" \"$@\"\n"
    );
    let path = scratch.join(PROGRAM);
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
}

/// The first path in `folder` that `fits`.
fn find(folder: &Path, fits: &dyn Fn(&Path) -> bool) -> io::Result<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let found = paths.into_iter().find(|path| fits(path));
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the packages hold no C library"))
}

/// Reads `QEMU emulator version 11.1.3 (Debian ...)`.
fn parse_version(said: &str) -> Option<Version> {
    let words = said.strip_prefix("QEMU emulator version ")?;
    let number = words.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = number.split('.').map(str::parse);
    let mut part = || parts.next().and_then(Result::ok);
    Some(Version([part()?, part()?, part().unwrap_or(0)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_plain_version_lines_are_read() {
        assert_eq!(
            parse_version("QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds)\nCopyright"),
            Some(Version([11, 1, 3]))
        );
        assert_eq!(parse_version("QEMU emulator version 9.2.0\n"), Some(Version([9, 2, 0])));
        assert_eq!(parse_version("QEMU emulator version 10.1.0-rc2\n"), Some(Version([10, 1, 0])));
        assert_eq!(parse_version("something else 10.0.3"), None);
    }

    #[test]
    fn ten_is_newer_than_nine() {
        assert!(Version([10, 0, 3]) > Version([9, 2, 4]));
        assert!(Version([10, 0, 2]) < OLDEST);
    }

    #[test]
    fn a_program_that_is_no_emulator_is_unfit() {
        assert!(matches!(Emulator::probe(Path::new("true")), Err(Unfit::NotQemu)));
    }
}
