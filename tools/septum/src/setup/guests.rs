//! Guests that nobody here wrote, from Debian's arm64 packages: fetched into the cache when a configuration names one.

use std::fs;
use std::path::{Path, PathBuf};

use septum_compiler::check::{FILE_BYTES_MAX, Loaded};
use septum_compiler::linux::initramfs;

use super::apt::{Apt, AptError};
use crate::cache::{Cache, CacheError, remove};
use crate::regular_file;

/// A guest's file: what configurations call it, and where Debian has it.
#[derive(Debug)]
pub struct Guest {
    /// File name, as in `image = { guest = "NAME" }`.
    name: &'static str,
    /// Debian's suite.
    suite: &'static str,
    /// The package; a metapackage where `of_dependency` says so.
    package: &'static str,
    /// The dependency of `package` to take instead starts so.
    of_dependency: Option<&'static str>,
    /// The file in the package, as a wildcard.
    member: &'static str,
}

static GUESTS: [Guest; 5] = [
    Guest {
        name: "u-boot-qemu_arm64",
        suite: "bookworm",
        package: "u-boot-qemu",
        of_dependency: None,
        member: "./usr/lib/u-boot/qemu_arm64/u-boot.bin",
    },
    Guest {
        name: "linux-6.1",
        suite: "bookworm",
        package: "linux-image-arm64",
        of_dependency: Some("linux-image-"),
        member: "./boot/vmlinuz-*",
    },
    Guest {
        name: "linux-6.1-rt",
        suite: "bookworm",
        package: "linux-image-rt-arm64",
        of_dependency: Some("linux-image-"),
        member: "./boot/vmlinuz-*",
    },
    Guest {
        name: "linux-6.12",
        suite: "bookworm-backports",
        package: "linux-image-arm64",
        of_dependency: Some("linux-image-"),
        member: "./boot/vmlinuz-*",
    },
    Guest {
        name: "busybox",
        suite: "bookworm",
        package: "busybox-static",
        of_dependency: None,
        member: "./bin/busybox",
    },
];

/// Why a guest cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// Fetching it failed.
    #[error(
        "guest `{}` is not in the cache and could not be fetched: {source}\n\
         help: put the file at `{path}`; it is `{}` of Debian's arm64 package `{}` ({})",
        guest.name, guest.member, guest.package, guest.suite
    )]
    Fetch {
        /// Which.
        guest: &'static Guest,
        /// Where it belongs.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: AptError,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A file that is made from a guest's whenever it is asked for, so that it is always that of this source tree.
struct Made {
    name: &'static str,
    from: &'static str,
    make: fn(&[u8]) -> Vec<u8>,
}

static MADE: [Made; 1] = [Made { name: "busybox-initramfs", from: "busybox", make: initramfs::for_tests }];

/// The guests that there are.
pub fn names() -> impl Iterator<Item = &'static str> {
    GUESTS.iter().map(|guest| guest.name).chain(MADE.iter().map(|made| made.name))
}

/// The content of guest `name`, as [`obtain`] finds it or made from that; `None` if no guest has that name.
///
/// # Errors
/// It cannot be fetched or read.
pub fn content(name: &str, say: &dyn Fn(&str)) -> Result<Option<Loaded>, GuestError> {
    let made = MADE.iter().find(|made| made.name == name);
    let Some(path) = obtain(name, say)? else { return Ok(None) };
    let bytes =
        regular_file::read(&path, FILE_BYTES_MAX).map_err(|source| CacheError::Io { path: path.clone(), source })?;
    Ok(Some(match made {
        Some(made) => Loaded { bytes: (made.make)(&bytes), path },
        None => Loaded { bytes, path },
    }))
}

/// The path of guest `name`, or of what it is made from, in the cache, fetched if it is missing; `None` if no guest has
/// that name.
///
/// # Errors
/// It cannot be fetched.
pub fn obtain(name: &str, say: &dyn Fn(&str)) -> Result<Option<PathBuf>, GuestError> {
    let name = MADE.iter().find(|made| made.name == name).map_or(name, |made| made.from);
    let Some(guest) = GUESTS.iter().find(|guest| guest.name == name) else { return Ok(None) };
    let cache = Cache::open()?;
    let path = cache.path("guests").join(name);
    if !path.exists() {
        let _lock = cache.lock()?;
        if !path.exists() {
            say(&format!("fetching guest {name} (Debian package {}, {}) into the cache", guest.package, guest.suite));
            fetch(guest, &cache, &path)?;
        }
    }
    Ok(Some(path))
}

fn fetch(guest: &'static Guest, cache: &Cache, path: &Path) -> Result<(), GuestError> {
    let scratch = cache.scratch("guest.new")?;
    unpack(guest, &scratch, path).map_err(|source| GuestError::Fetch { guest, path: path.to_owned(), source })
}

fn unpack(guest: &Guest, scratch: &Path, path: &Path) -> Result<(), AptError> {
    let apt = Apt::new(&scratch.join("apt"), &[guest.suite], Some("arm64"))?;
    let package = match guest.of_dependency {
        Some(prefix) => apt.dependency(guest.package, prefix)?,
        None => guest.package.to_owned(),
    };
    let root = scratch.join("root");
    apt.unpack_member(&package, guest.member, &root)?;
    let missing = || AptError::NoMember { package: package.clone(), member: guest.member.to_owned() };
    let found = only_file(&root).ok_or_else(missing)?;
    let io_error = |source| AptError::Io { path: path.to_owned(), source };
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(io_error)?;
    fs::rename(found, path).map_err(io_error)?;
    remove(scratch).map_err(io_error)
}

/// The first file under `folder`, however deep.
fn only_file(folder: &Path) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    paths.into_iter().find_map(|path| if path.is_dir() { only_file(&path) } else { Some(path) })
}
