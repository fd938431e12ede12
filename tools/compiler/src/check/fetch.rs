//! The files that partitions run: found, read and recognised.

use super::files::Programs;
use super::payload::Fetched;
use super::{FileError, Files, Loaded};
use crate::payload::{self, Payload, PayloadError};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;
use crate::raw::image::Image;
use crate::raw::suggest;
use crate::source::{Span, Spanned};

/// Fetches and recognises a partition's image. `None` has been reported.
pub(super) fn image(raw: &Partition, programs: Programs<'_>, problems: &mut Problems) -> Option<Fetched> {
    let image = raw.image.as_ref()?;
    let Loaded { bytes, path } = load(raw, "image", image, programs, problems)?;
    let payload = read(raw, "image", image, &bytes, problems)?;
    let payload = as_wanted(raw, payload, bytes);
    check_keys(raw, &payload, problems);
    Some(Fetched { payload, path })
}

/// `entry` makes raw bytes of a file whose header would say something else.
fn as_wanted(raw: &Partition, payload: Payload, bytes: Vec<u8>) -> Payload {
    match payload {
        Payload::LinuxImage(_) if raw.entry.is_some() => Payload::Raw(bytes),
        other => other,
    }
}

/// What kind of file `bytes`, the `what` of a partition, is. `None` has been reported.
pub(super) fn read(
    raw: &Partition,
    what: &str,
    image: &Spanned<Image>,
    bytes: &[u8],
    problems: &mut Problems,
) -> Option<Payload> {
    payload::read(bytes).map_err(|error| problems.add(unfit(raw, what, image.span, &error))).ok()
}

/// The file `image`, the `what` of a partition. `None` has been reported.
pub(super) fn load(
    raw: &Partition,
    what: &str,
    image: &Spanned<Image>,
    programs: Programs<'_>,
    problems: &mut Problems,
) -> Option<Loaded> {
    let files = programs.files;
    let (loaded, name) = match &image.value {
        Image::Crate(name) => (files.partition(name), name),
        Image::Path(path) => (files.file(path, programs.most()), path),
        Image::Guest(name) => (files.guest(name), name),
    };
    let why = match loaded {
        Ok(loaded) => return Some(loaded),
        Err(FileError::Missing) => {
            problems.add(missing(raw, what, image, name, files));
            return None;
        }
        Err(FileError::Unreadable(why)) => why,
        Err(FileError::TooLarge) => programs.too_large(),
    };
    let message = format!("the {what} `{name}` of partition `{}` cannot be had", raw.name.value);
    let problem = Problem::new(Code::ImageUnreadable, image.span, message).here(why);
    problems.add(problem.maybe_help(crate_of_path(image, files)));
    None
}

/// The crate of partitions/ that a path was probably meant to be.
fn crate_of_path(image: &Spanned<Image>, files: &dyn Files) -> Option<String> {
    let Image::Path(path) = &image.value else { return None };
    let (_, name) = path.trim_end_matches('/').rsplit_once('/')?;
    let known = files.partitions().iter().any(|known| known == name);
    known.then(|| format!("`{name}` is a crate of partitions/: write \"{name}\""))
}

fn missing(raw: &Partition, what: &str, image: &Spanned<Image>, name: &str, files: &dyn Files) -> Problem {
    let (code, lacking, known) = match image.value {
        Image::Crate(_) => (Code::UnknownPartition, "there is no partition crate", files.partitions()),
        Image::Path(_) => (Code::ImageMissing, "there is no file", Vec::new()),
        Image::Guest(_) => (Code::ImageMissing, "there is no guest", files.guests()),
    };
    let help = match suggest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if matches!(image.value, Image::Path(_)) => "paths are relative to the configuration".into(),
        None if matches!(image.value, Image::Guest(_)) => format!("guests: {}", show::list(&known)),
        None => format!("crates: {}; a file's path has a `/` or a `.`", show::list(&known)),
    };
    let message = format!("{lacking} `{name}`");
    let problem = Problem::new(code, image.span, message).here(format!("{what} of partition `{}`", raw.name.value));
    problem.help(crate_of_path(image, files).filter(|_| what == "image").unwrap_or(help))
}

fn unfit(raw: &Partition, what: &str, span: Span, error: &PayloadError) -> Problem {
    let code = match error {
        PayloadError::Empty => Code::ImageEmpty,
        PayloadError::Machine(_) | PayloadError::BigEndian => Code::ImageNotAArch64,
        _ => Code::ImageMalformed,
    };
    let message = format!("the {what} of partition `{}` cannot be run", raw.name.value);
    Problem::new(code, span, message).here(error.to_string())
}

fn check_keys(raw: &Partition, payload: &Payload, problems: &mut Problems) {
    let Some(image) = &raw.image else { return };
    if let Payload::Raw(_) = payload {
        if raw.entry.is_none() && !raw.refused.contains(&Partition::ENTRY.name()) {
            let message = format!("the image of partition `{}` does not say where it starts", raw.name.value);
            let problem = Problem::new(Code::RawWithoutEntry, image.span, message).here("neither ELF nor arm64 Image");
            problems
                .add(problem.help(
                    "add `entry = ..`, the IPA of its first instruction, and `load` if it is not its first byte",
                ));
        }
        return;
    }
    let load = if matches!(payload, Payload::Elf(_)) { raw.load } else { None };
    for (key, value) in [("entry", raw.entry), ("load", load)] {
        let Some(value) = value else { continue };
        let message = format!("`{key}` of partition `{}` contradicts its image", raw.name.value);
        let problem = Problem::new(Code::EntryNotAllowed, value.span, message).here("leave it out");
        problems.add(problem.label(image.span, "an ELF says itself where it goes and starts"));
    }
}
