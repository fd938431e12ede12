//! What the tools know of a configuration beyond what EL2 logs: lines of the TOML, and the partitions' symbols.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use septum_compiler::check::FILE_BYTES_MAX;
use septum_compiler::format::origin;
use septum_compiler::system::{Partition, System};

use super::record::Fault;
use super::symbols::Symbols;
use crate::regular_file;

/// The key to one system's log.
#[derive(Debug)]
pub struct Legend {
    config: String,
    el2: PathBuf,
    identity: Option<u64>,
    partitions: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    line: u32,
    regions: HashMap<String, u32>,
    elf: Option<PathBuf>,
    symbols: Option<Symbols>,
}

impl Legend {
    /// The key to `system`'s log; `el2` is EL2's ELF.
    pub fn new(system: &System, el2: &Path) -> Self {
        let partitions = system.partitions.iter().map(|partition| (partition.name.clone(), Entry::new(partition)));
        let elf = regular_file::read(el2, FILE_BYTES_MAX).ok();
        Self {
            config: system.config.clone(),
            el2: el2.to_owned(),
            identity: elf.and_then(|elf| origin::identity(&elf)),
            partitions: partitions.collect(),
        }
    }

    /// The key to the log of one partition without regions, for tests.
    #[cfg(test)]
    pub fn of_partition(name: &str, config: &str, line: u32, elf: Option<PathBuf>) -> Self {
        let entry = Entry { line, regions: HashMap::new(), elf, symbols: None };
        let partitions = HashMap::from([(name.to_owned(), entry)]);
        Self { config: config.to_owned(), el2: PathBuf::new(), identity: Some(1), partitions }
    }

    /// EL2's ELF.
    pub fn el2(&self) -> &Path {
        &self.el2
    }

    /// The identity of the EL2 whose ELF that is, as its first record says it; `None` if it is no EL2's.
    pub fn identity(&self) -> Option<u64> {
        self.identity
    }

    /// The ELF of a partition, if it has one.
    pub fn elf(&self, partition: &str) -> Option<&Path> {
        self.partitions.get(partition)?.elf.as_deref()
    }

    /// What can be added to a fault: which lines of the configuration it is about, and where in the source it happened.
    pub fn explain(&self, fault: &Fault<'_>) -> Vec<String> {
        let Some(partition) = self.partitions.get(fault.partition) else { return Vec::new() };
        let mut notes = vec![format!("{}:{}: partition `{}`", self.config, partition.line, fault.partition)];
        let region = fault.region.and_then(|name| partition.regions.get(name).map(|line| (name, line)));
        notes.extend(region.map(|(name, line)| format!("{}:{line}: region `{name}`", self.config)));
        notes.extend(partition.symbols.iter().flat_map(|symbols| symbols.describe(fault.pc)));
        notes
    }
}

impl Entry {
    fn new(partition: &Partition) -> Self {
        Self {
            line: partition.line,
            regions: partition.regions.iter().map(|region| (region.name.clone(), region.line)).collect(),
            elf: partition.elf.clone(),
            symbols: partition.elf.as_deref().and_then(Symbols::load),
        }
    }
}
