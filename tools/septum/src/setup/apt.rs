//! Debian packages without root and without touching the system: apt with folders of its own, unpacked by dpkg.
//!
//! The mirror and its key are those of the system's own source lists; no address stands in this tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::sources::{self, Source};
use crate::process::{self, ProcessError};

/// Why packages cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// Not a Debian system.
    #[error("this is no Debian system with apt-get and dpkg, and only there can it be fetched")]
    NotDebian,
    /// The source lists name no Debian archive.
    #[error("no source list under /etc/apt names an archive of Debian `{release}`")]
    NoArchive {
        /// The system's release.
        release: String,
    },
    /// apt or dpkg failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file of apt's folders cannot be written or read.
    #[error("`{path}`: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The package does not hold the file.
    #[error("package `{package}` holds no `{member}`")]
    NoMember {
        /// Which package.
        package: String,
        /// The file looked for.
        member: String,
    },
}

/// An apt of our own: its lists, cache and configuration are in one folder.
#[derive(Debug)]
pub struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Makes the folders under `folder` and fetches the package lists of `suites` for `architecture` (Debian's name;
    /// none means the machine's own).
    ///
    /// # Errors
    /// No Debian system, no archive in its lists, or apt fails.
    pub fn new(folder: &Path, suites: &[&str], architecture: Option<&str>) -> Result<Self, AptError> {
        let archive = archive()?;
        let apt = Self { folder: folder.to_owned() };
        apt.make_folders()?;
        apt.write("sources/septum.sources", &stanza(&archive, suites))?;
        apt.copy_configuration()?;
        let architecture = match architecture {
            Some(name) => name.to_owned(),
            None => process::output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned(),
        };
        apt.write("apt.conf", &apt.configuration(&architecture))?;
        process::output(apt.command("apt-get").args(["-qq", "update"]))?;
        Ok(apt)
    }

    /// Downloads `package`, from `suite` where that has it, and all that it depends on, down to the C library, and
    /// unpacks them into `root`.
    ///
    /// # Errors
    /// apt or dpkg fails.
    pub fn unpack_with_dependencies(&self, package: &str, suite: &str, root: &Path) -> Result<(), AptError> {
        let options = ["-qq", "--yes", "--no-install-recommends", "--download-only", "--target-release"];
        process::output(self.command("apt-get").args(options).args([suite, "install", package]))?;
        for archive in packages_in(&self.folder.join("cache/archives"))? {
            process::output(Command::new("dpkg").arg("-x").arg(archive).arg(root))?;
        }
        Ok(())
    }

    /// Downloads `package` alone and unpacks those of its files that match `member` (a wildcard, from `./`) into
    /// `root`.
    ///
    /// # Errors
    /// apt, dpkg or tar fails, as tar does when nothing matches.
    pub fn unpack_member(&self, package: &str, member: &str, root: &Path) -> Result<(), AptError> {
        let download = self.folder.join("download");
        crate::cache::remove(&download).and_then(|()| fs::create_dir_all(&download)).map_err(io_error(&download))?;
        fs::create_dir_all(root).map_err(io_error(root))?;
        process::output(self.command("apt-get").args(["-qq", "download", package]).current_dir(&download))?;
        let missing = || AptError::NoMember { package: package.to_owned(), member: member.to_owned() };
        let archive = packages_in(&download)?.into_iter().next().ok_or_else(missing)?;
        extract(&archive, member, root)
    }

    /// The first package whose name starts with `prefix` among those that `package` depends on: what a metapackage
    /// stands for today.
    ///
    /// # Errors
    /// apt fails, or there is none.
    pub fn dependency(&self, package: &str, prefix: &str) -> Result<String, AptError> {
        let shown = process::output(self.command("apt-cache").args(["show", "--no-all-versions", package]))?;
        let depends = shown.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
        let names = depends.split(',').filter_map(|item| item.split_whitespace().next());
        let missing = || AptError::NoMember { package: package.to_owned(), member: format!("{prefix}*") };
        names.into_iter().find(|name| name.starts_with(prefix)).map(str::to_owned).ok_or_else(missing)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.join("apt.conf")).env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn make_folders(&self) -> Result<(), AptError> {
        for name in ["state/lists/partial", "cache/archives/partial", "sources", "conf.d"] {
            let path = self.folder.join(name);
            fs::create_dir_all(&path).map_err(io_error(&path))?;
        }
        self.write("status", "")
    }

    /// The system's apt configuration (proxies, certificates), less the commands that it runs after an update: some
    /// clean the system's own cache.
    fn copy_configuration(&self) -> Result<(), AptError> {
        let parts = fs::read_dir("/etc/apt/apt.conf.d").into_iter().flatten().flatten();
        for part in parts.filter(|part| part.path().is_file()) {
            let to = self.folder.join("conf.d").join(part.file_name());
            fs::copy(part.path(), &to).map_err(io_error(&to))?;
        }
        let hooks = [
            "APT::Update::Pre-Invoke",
            "APT::Update::Post-Invoke",
            "APT::Update::Post-Invoke-Success",
            "DPkg::Pre-Invoke",
            "DPkg::Post-Invoke",
            "DPkg::Pre-Install-Pkgs",
        ];
        let clear: String = hooks.iter().map(|hook| format!("#clear {hook};\n")).collect();
        self.write("conf.d/zz-septum", &clear)
    }

    fn configuration(&self, architecture: &str) -> String {
        let folder = self.folder.display();
        format!(
            "APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\n\
             Dir::State \"{folder}/state\";\nDir::State::status \"{folder}/status\";\nDir::Cache \"{folder}/cache\";\n\
             Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"{folder}/sources\";\n\
             Dir::Etc::parts \"{folder}/conf.d\";\nDir::Etc::preferences \"/dev/null\";\n\
             Dir::Etc::preferencesparts \"/dev/null\";\nAPT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
        )
    }

    fn write(&self, name: &str, text: &str) -> Result<(), AptError> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(io_error(&path))
    }
}

/// The Debian archive that this system uses.
fn archive() -> Result<Source, AptError> {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let line = system.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    if value("ID") != "debian" || !process::exists("apt-get") || !process::exists("dpkg") {
        return Err(AptError::NotDebian);
    }
    let release = value("VERSION_CODENAME");
    sources::archive_of(&release).ok_or(AptError::NoArchive { release })
}

fn stanza(archive: &Source, suites: &[&str]) -> String {
    let key = archive.signed_by.as_ref().map(|key| format!("Signed-By: {key}\n")).unwrap_or_default();
    format!("Types: deb\nURIs: {}\nSuites: {}\nComponents: main\n{key}", archive.uri, suites.join(" "))
}

fn packages_in(folder: &Path) -> Result<Vec<PathBuf>, AptError> {
    let entries = fs::read_dir(folder).map_err(io_error(folder))?.flatten().map(|entry| entry.path());
    let mut packages: Vec<_> = entries.filter(|path| path.extension().is_some_and(|name| name == "deb")).collect();
    packages.sort();
    Ok(packages)
}

fn extract(archive: &Path, member: &str, root: &Path) -> Result<(), AptError> {
    let mut unpack = Command::new("dpkg");
    unpack.arg("--fsys-tarfile").arg(archive).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut unpacking = unpack.spawn().map_err(|source| process::start_error(&unpack, source))?;
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(root).args(["--wildcards", member]);
    let tarfile = unpacking.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let extracted = process::output_from(&mut tar, tarfile);
    unpacking.wait().map_err(|source| process::start_error(&unpack, source))?;
    Ok(extracted.map(|_| ())?)
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> AptError {
    let path = path.to_owned();
    |source| AptError::Io { path, source }
}
