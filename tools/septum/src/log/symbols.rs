//! Where in a partition's source an address lies.

use std::path::Path;

use addr2line::Loader;

/// The symbols of one ELF.
pub struct Symbols {
    loader: Loader,
}

impl Symbols {
    /// Reads `elf`; `None` if it cannot be read, as then nothing can be said about its addresses.
    pub fn load(elf: &Path) -> Option<Self> {
        Loader::new(elf).ok().map(|loader| Self { loader })
    }

    /// `function at file:line` of the instruction at `address`, with the functions that it was inlined into.
    pub fn describe(&self, address: u64) -> Vec<String> {
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
    let root = crate::tree::root();
    root.to_str().and_then(|root| file.strip_prefix(root)).map_or(file, |path| path.trim_start_matches('/'))
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
