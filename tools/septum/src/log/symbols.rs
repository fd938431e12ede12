//! Where in a partition's source an address lies.

use std::ops::Range;
use std::path::Path;

use addr2line::Loader;
use object::{Object as _, ObjectSegment as _};

use septum_compiler::check::FILE_BYTES_MAX;

use crate::home::Home;
use crate::regular_file;

/// The symbols of one ELF.
pub struct Symbols {
    loader: Loader,
    /// Where the program's segments lie, half-open.
    segments: Vec<Range<u64>>,
}

impl Symbols {
    /// Reads `elf`; `None` if it cannot be read, as then nothing can be said about its addresses.
    pub fn load(elf: &Path) -> Option<Self> {
        let bytes = regular_file::read(elf, FILE_BYTES_MAX).ok()?;
        let loader = Loader::new(elf).ok()?;
        let file = object::File::parse(&*bytes).ok()?;
        let segments = file.segments().map(|segment| segment.address()..segment.address() + segment.size()).collect();
        Some(Self { loader, segments })
    }

    /// `function at file:line` of the instruction at `address`, with the functions that it was inlined into.
    pub fn describe(&self, address: u64) -> Vec<String> {
        // The nearest symbol below is no answer there.
        if !self.segments.iter().any(|segment| segment.contains(&address)) {
            return vec!["outside the program".to_owned()];
        }
        let frames = self.frames(address);
        if !frames.is_empty() {
            return frames;
        }
        let symbol = self.loader.find_symbol(address).map(|name| rustc_demangle::demangle(name).to_string());
        symbol.map(|name| format!("in {}", without_hash(&name))).into_iter().collect()
    }

    fn frames(&self, address: u64) -> Vec<String> {
        let mut described = Vec::new();
        let Ok(mut frames) = self.loader.find_frames(address) else { return described };
        while let Ok(Some(frame)) = frames.next() {
            let function = frame.function.and_then(|name| name.demangle().ok().map(|name| name.into_owned()));
            let place = frame.location.and_then(|at| Some(format!(" at {}:{}", in_tree(at.file?), at.line?)));
            described.extend(function.map(|name| format!("in {}{}", without_hash(&name), place.unwrap_or_default())));
        }
        described
    }
}

/// A source file's path, from the tree's root where it lies there.
fn in_tree(file: &str) -> &str {
    let home = Home::find();
    let root = home.any_tree().and_then(Path::to_str);
    let below = root.and_then(|root| file.strip_prefix(root)).map(|path| path.trim_start_matches('/'));
    // Septum's own builds write the tree's root as `.`.
    below.or_else(|| file.strip_prefix("./")).unwrap_or(file)
}

/// A Rust symbol without the hash that the compiler appends.
fn without_hash(name: &str) -> &str {
    let hashed = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16);
    hashed.map_or(name, |(name, _)| name)
}

impl std::fmt::Debug for Symbols {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Symbols")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_outside_the_program_is_in_no_function() {
        // This test's own program.
        let symbols = Symbols::load(&std::env::current_exe().unwrap()).unwrap();
        let end = symbols.segments.iter().map(|segment| segment.end).max().unwrap();
        assert_eq!(symbols.describe(end + 0x1000), ["outside the program"]);
        assert!(symbols.describe(symbols.segments[0].start) != ["outside the program"]);
    }
}
