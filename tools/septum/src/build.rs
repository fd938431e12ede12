//! `septum build`: the image, and everything that goes with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::c_header;
use septum_compiler::check::{FILE_BYTES_MAX, TEXT_BYTES_MAX};
use septum_compiler::image::{self, BuildError};
use septum_compiler::inspect;
use septum_compiler::report;
use septum_compiler::system::System;
use septum_compiler::verify::VerifyError;
use sha2::{Digest, Sha256};

use crate::check::{self, Format};
use crate::failure::Failure;
use crate::home::Home;
use crate::output;
use crate::regular_file;

/// The image's file name.
pub const IMAGE: &str = "septum.img";
/// The file name of EL2's ELF: the key to the log.
pub const EL2: &str = "el2.elf";

/// The file name of the list of all other files, with their hashes.
const SUMS: &str = "SHA256SUMS";

/// A built configuration.
#[derive(Debug)]
pub struct Built {
    /// What was checked.
    pub system: System,
    /// The image.
    pub image: PathBuf,
    /// EL2's ELF.
    pub el2: PathBuf,
}

/// Why the output is not there.
#[derive(Debug, thiserror::Error)]
enum OutputError {
    /// No image could be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The image that was made cannot be read back.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// There is a file where the folder would be.
    #[error("`{0}` is a file: `--out` names the folder that the image and its keys go into")]
    NoFolder(PathBuf),
    /// A file cannot be read or written.
    #[error("`{path}`: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// Files to be written: name and bytes.
type Outputs = Vec<(String, Vec<u8>)>;

/// Builds `config` into the folder `out` (`out/NAME` if there is none) and says where it is.
///
/// # Errors
/// The configuration is wrong, or something of it cannot be built; nothing in `out` is changed then.
pub fn run(home: &Home, config: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let out = out.map_or_else(|| Path::new("out").join(name(config)), Path::to_owned);
    if out.exists() && !out.is_dir() {
        return Err(Failure::input(OutputError::NoFolder(out)));
    }
    let built = build(home, config, &out).inspect_err(|_| remark_on_old(&out))?;
    Ok(output::show_line(built.image.display())?)
}

/// Says that what an earlier build has put into `out` is still there.
fn remark_on_old(out: &Path) {
    let image = out.join(IMAGE);
    if image.exists() {
        output::tell(format_args!("note: `{}` is of an earlier build, and is left as it was\n", image.display()));
    }
}

/// Builds `config` into the folder `out`.
///
/// # Errors
/// As [`run`].
pub fn build(home: &Home, config: &Path, out: &Path) -> Result<Built, Failure> {
    build_system(home, check::checked(home, config, Format::Human)?, out)
}

/// Builds a configuration that has been checked into the folder `out`.
///
/// # Errors
/// EL2 cannot be built, or `out` cannot be written.
pub fn build_system(home: &Home, system: System, out: &Path) -> Result<Built, Failure> {
    let outputs = outputs(&system, &home.el2()?).map_err(Failure::input)?;
    write(out, &outputs).map_err(Failure::input)?;
    Ok(Built { system, image: out.join(IMAGE), el2: out.join(EL2) })
}

/// The file name of the ELF of the partition called `partition`: the key to its addresses and its own records.
pub fn program(partition: &str) -> String {
    format!("{partition}.elf")
}

/// The configuration's file name without its extension.
pub fn name(config: &Path) -> PathBuf {
    config.file_stem().map(PathBuf::from).unwrap_or_default()
}

/// The bytes of `config`'s image, with nothing written.
///
/// # Errors
/// As [`run`].
pub fn image(home: &Home, config: &Path) -> Result<Vec<u8>, Failure> {
    let system = check::checked(home, config, Format::Human)?;
    Ok(image::build(&system, &home.el2()?).map_err(Failure::input)?.into_bytes())
}

fn outputs(system: &System, el2: &[u8]) -> Result<Outputs, OutputError> {
    let image = image::build(system, el2)?.into_bytes();
    let plan = output::json(&inspect::inspect(&image)?).into_bytes();
    let remarks: Vec<_> = system.remarks.notes().map(|note| note.message.clone()).collect();
    let report = report::html(&image, &remarks)?.into_bytes();
    let header = c_header::text().into_bytes();
    let own =
        [("plan.json", plan), ("report.html", report), (IMAGE, image), (EL2, el2.to_vec()), (c_header::FILE, header)];
    let mut outputs: Outputs = own.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    for partition in &system.partitions {
        if let Some(elf) = &partition.elf {
            outputs.push((program(&partition.name), read(elf)?));
        }
    }
    outputs.push((SUMS.to_owned(), sums(&outputs).into_bytes()));
    Ok(outputs)
}

/// As `sha256sum` prints them, so that `sha256sum -c` checks them.
fn sums(outputs: &Outputs) -> String {
    let line = |(name, bytes): &(String, Vec<u8>)| {
        let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digits}  {name}\n")
    };
    outputs.iter().map(line).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, OutputError> {
    regular_file::read(path, FILE_BYTES_MAX).map_err(io_error(path))
}

/// Writes all files beside their final names first, and renames them when all are there.
fn write(out: &Path, outputs: &Outputs) -> Result<(), OutputError> {
    fs::create_dir_all(out).map_err(io_error(out))?;
    let new = |name: &str| out.join(format!(".{name}.{}", std::process::id()));
    for (name, bytes) in outputs {
        fs::write(new(name), bytes).map_err(io_error(out))?;
    }
    remove_stale(out, outputs)?;
    outputs.iter().try_for_each(|(name, _)| fs::rename(new(name), out.join(name)).map_err(io_error(out)))
}

/// Removes what an earlier build has listed and this one does not make, such as ELFs of other partitions.
fn remove_stale(out: &Path, outputs: &Outputs) -> Result<(), OutputError> {
    let listed = regular_file::read(&out.join(SUMS), TEXT_BYTES_MAX).unwrap_or_default();
    let listed = String::from_utf8(listed).unwrap_or_default();
    let names = listed.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name);
    let stale = names.filter(|name| !name.contains('/') && outputs.iter().all(|(made, _)| made != name));
    let mut present = stale.map(|name| out.join(name)).filter(|path| path.is_file());
    present.try_for_each(|path| fs::remove_file(&path).map_err(io_error(&path)))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> OutputError {
    let path = path.to_owned();
    |source| OutputError::Io { path, source }
}
