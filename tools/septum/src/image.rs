//! `septum inspect` and `septum verify`: what is in an image, and whether it keeps the partitions apart.

use std::io;
use std::path::{Path, PathBuf};

use septum_compiler::check::FILE_BYTES_MAX;
use septum_compiler::inspect;
use septum_compiler::report;
use septum_compiler::verify::{self, Reached, Verified, VerifyError};

use crate::build;
use crate::failure::Failure;
use crate::home::Home;
use crate::output;
use crate::regular_file;

/// Why an image is refused.
#[derive(Debug, thiserror::Error)]
enum ImageError {
    /// It cannot be read.
    #[error("`{path}`: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// It is what images are built from.
    #[error("`{path}` is a configuration\nhelp: `septum build {path}` says where its image is: verify that", path = .0.display())]
    Configuration(PathBuf),
    /// It is no image, is damaged, or does what it must not.
    #[error("`{path}`: {source}")]
    Refused { path: PathBuf, source: VerifyError },
}

/// Shows what is in `subject`, an image or a configuration that is built for it.
///
/// # Errors
/// It is no image, or a damaged one; or the configuration is wrong.
pub fn inspect(home: &Home, subject: &Path, json: bool) -> Result<(), Failure> {
    let image = match subject.extension().is_some_and(|extension| extension == "toml") {
        true => build::image(home, subject)?,
        false => read(subject).map_err(Failure::input)?,
    };
    let inspection = inspect::inspect(&image).map_err(refused(subject)).map_err(Failure::input)?;
    match json {
        true => output::show(output::json(&inspection))?,
        false => output::show(report::text(&inspection))?,
    }
    Ok(())
}

/// Walks every table of `image` and says what each partition can reach.
///
/// # Errors
/// It is no image, or a damaged one; or a partition, or EL2, can reach what it must not.
pub fn verify(image: &Path) -> Result<(), Failure> {
    if image.extension().is_some_and(|extension| extension == "toml") {
        return Err(Failure::input(ImageError::Configuration(image.to_owned())));
    }
    let bytes = read(image).map_err(Failure::input)?;
    let verified = verify::verify(&bytes).map_err(refused(image)).map_err(Failure::input)?;
    Ok(reach_lines(&verified).iter().try_for_each(output::show_line)?)
}

fn reach_lines(verified: &Verified) -> Vec<String> {
    let mut lines = Vec::new();
    for partition in &verified.partitions {
        lines.push(format!("partition `{}` reaches {}", partition.name, total(&partition.reached)));
        lines.extend(partition.reached.stretches.iter().map(|reach| {
            let (from, to, end) = (reach.input, reach.pa, reach.pa + reach.size);
            format!("  [{to:#x}..{end:#x}) {:3} from {from:#x}", reach.access.to_string())
        }));
    }
    lines.push(format!("EL2, running, reaches {}", total(&verified.el2.run)));
    let except = if verified.kept.is_empty() { "" } else { ", except " };
    let kept = verified.kept.join(", ");
    lines.push(format!("memory of partitions starts as payload and zeroes{except}{kept}"));
    if !verified.other_devices.is_empty() {
        let devices = verified.other_devices.join(", ");
        lines.push(format!("no bus masters by the image's own word, which its tables cannot prove: {devices}"));
    }
    let Verified { config, exception, .. } = verified;
    let exception = exception.trim_start_matches(", separated");
    let comma = if exception.is_empty() { "" } else { "," };
    lines.push(format!("{config}: partitions share nothing with each other or with EL2{comma}{exception}"));
    lines
}

fn total(reached: &Reached) -> String {
    let bytes: u64 = reached.stretches.iter().map(|reach| reach.size).sum();
    format!("{bytes} bytes through {} tables", reached.tables.len())
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    regular_file::read(path, FILE_BYTES_MAX).map_err(|source| ImageError::Read { path: path.to_owned(), source })
}

fn refused(path: &Path) -> impl FnOnce(VerifyError) -> ImageError {
    let path = path.to_owned();
    |source| ImageError::Refused { path, source }
}
