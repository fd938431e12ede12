//! The checker: a configuration and its board in, a [`System`] out, or everything that is wrong with them.
//!
//! Reading, resolving and checking never stop at the first problem; placing and putting together begin only when there
//! is none. After that nothing can fail on the user's input.

mod assemble;
mod board;
mod console;
mod cores;
mod devices;
mod dma;
mod draft;
mod fetch;
mod files;
mod fit;
mod granule;
mod linux;
mod memory;
mod payload;
mod physical;
mod ram;
mod requests;
mod reserve;
mod resolve;
mod room;
mod seen;
mod sweep;
mod tree;

pub use files::{FILE_BYTES_MAX, FileError, Files, Loaded, TEXT_BYTES_MAX};

use septum_stage2::Granule;

use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition;
use crate::raw::linux::Linux;
use crate::raw::{self, config};
use crate::source::{SourceFile, Span};
use crate::system::System;
use draft::{Draft, Payload};
use files::Programs;
use payload::OwnTree;

/// Checks the configuration `config`, whose board, images and files come from `files`.
///
/// # Errors
/// Every problem, sorted by place.
pub fn check(config: &SourceFile, files: &dyn Files) -> Result<System, Problems> {
    let mut problems = Problems::default();
    let system = run(config, files, &mut problems);
    let problems = problems.sorted();
    match system {
        Some(system) if problems.is_empty() => Ok(System { remarks: problems, ..system }),
        _ => Err(problems),
    }
}

/// As [`check`], for a configuration that may not be text.
///
/// # Errors
/// As [`check`]; where it is not UTF-8, just that.
pub fn check_bytes(name: &str, bytes: Vec<u8>, files: &dyn Files) -> Result<System, Problems> {
    let mut problems = Problems::default();
    let config = text(name, bytes, &mut problems).ok_or(problems)?;
    check(&config, files)
}

/// A file's text, or the report that it is none.
fn text(name: &str, bytes: Vec<u8>, problems: &mut Problems) -> Option<SourceFile> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Some(SourceFile { name: name.into(), text }),
        Err(error) => error,
    };
    let at = error.utf8_error().valid_up_to();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let file = problems.sources.add(SourceFile { name: name.into(), text });
    let problem =
        Problem::new(Code::NotUtf8, Span::new(file, at..at + char::REPLACEMENT_CHARACTER.len_utf8()), "not UTF-8");
    problems.add(problem.here("these bytes are no character").help("save the file as UTF-8 text"));
    None
}

fn run(config: &SourceFile, files: &dyn Files, problems: &mut Problems) -> Option<System> {
    let file = problems.sources.add(config.clone());
    let node = raw::parse(&config.text, file, problems)?;
    let raw = config::read(file, &node, problems)?;
    cores::check_owners(&raw, problems);
    cores::check_count(&raw, problems);
    let Some(board) = board::read(&raw, files, problems) else {
        let programs = Programs { files, board: None };
        raw.partitions.iter().for_each(|partition| check_alone(partition, programs, problems));
        return None;
    };
    let console = board::console(&raw, &board, problems);
    let draft = |raw| resolve::partition(raw, granule::of(raw, &board), &board, problems);
    let mut drafts: Vec<_> = raw.partitions.iter().map(draft).collect();
    granule::check(&raw.partitions, &board, console.as_ref(), problems);
    seen::check(&drafts, &board, problems);
    ram::check(&drafts, &board, console.as_ref(), problems);
    let programs = Programs { files, board: Some(&board) };
    drafts.iter_mut().for_each(|draft| prepare(draft, programs, problems));
    let el2 = reserve::estimate(&drafts, &board, &raw, problems);
    devices::check(&drafts, &board, console.as_ref(), el2, problems);
    el2.iter().for_each(|el2| physical::check(&drafts, &board, *el2, problems));
    let free = el2.filter(|_| problems.is_empty());
    if free.is_none() {
        room::check_alone(&drafts, &board, problems);
    }
    let placed = free.and_then(|el2| reserve::place(&drafts, &board, &raw, el2, problems));
    dma::check_places(&drafts, &board, dma::Known { placed: placed.as_ref(), el2 }, problems);
    if !problems.is_empty() {
        return None;
    }
    let names = (config.name.as_str(), files.config_name(&config.name));
    assemble::system(names, &board, console?, drafts, &placed?, problems)
}

/// Reports what is wrong with a partition whatever its board may be.
fn check_alone(raw: &Partition, programs: Programs<'_>, problems: &mut Problems) {
    memory::resolve(raw, raw.granule.map_or(Granule::K4, |granule| granule.value), None, problems);
    tree::fetch(raw, programs, problems);
    match &raw.linux {
        Some(linux) => drop(linux::files(raw, &linux.value, programs, problems)),
        None => drop(fetch::image(raw, programs, problems)),
    }
}

/// Fetches what the partition runs.
fn prepare(draft: &mut Draft<'_>, programs: Programs<'_>, problems: &mut Problems) {
    draft.own_tree = tree::fetch(draft.raw, programs, problems);
    draft.payload_bytes = draft.own_tree.as_ref().map_or(0, OwnTree::bytes);
    match &draft.raw.linux {
        Some(linux) => prepare_linux(draft, &linux.value, programs, problems),
        None => prepare_image(draft, programs, problems),
    }
}

fn prepare_linux(draft: &mut Draft<'_>, linux: &Linux, programs: Programs<'_>, problems: &mut Problems) {
    let Some(fetched) = linux::files(draft.raw, linux, programs, problems) else { return };
    draft.payload_bytes += fetched.bytes();
    draft.payload = Some(Payload::Linux(fetched));
}

/// Fetches an image, and fits it into its partition's memory where all of that has an IPA already.
fn prepare_image(draft: &mut Draft<'_>, programs: Programs<'_>, problems: &mut Problems) {
    let Some(fetched) = fetch::image(draft.raw, programs, problems) else { return };
    draft.payload_bytes += fetched.bytes();
    if draft.memory.len() < draft.raw.memory.len() || draft.memory.is_empty() {
        // Some memory has been reported already: what would not fit says nothing.
        return;
    }
    let ipas: Option<Vec<u64>> = draft.memory.iter().map(|memory| memory.ipa).collect();
    draft.payload = match ipas {
        Some(ipas) => fit::fit(draft, fetched, &assemble::views(draft, &ipas), problems).map(Payload::Fitted),
        None => Some(Payload::Fetched(fetched)),
    };
}
