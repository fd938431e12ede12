//! Bytes: EL2's linked binary, and the partitions' tables.

use std::path::Path;

use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, elf};
use septum_compiler::inspect;

use super::BenchError;
use super::machine::Prepared;
use super::report::Row;

/// Bytes of a page, and of the unit in which table memory is counted.
pub const PAGE: u64 = 4096;

/// Bytes of EL2's code and read-only data, each rounded up to whole pages as they lie in memory.
///
/// # Errors
/// `el2` is no ELF that can be read.
pub fn binary(el2: &Path) -> Result<Vec<Row>, BenchError> {
    let unusable = |reason: String| BenchError::File { path: el2.to_owned(), reason };
    let bytes = std::fs::read(el2).map_err(|error| unusable(error.to_string()))?;
    let file = ElfFile64::<Endianness>::parse(&*bytes).map_err(|error| unusable(error.to_string()))?;
    let endian = file.endian();
    let loaded = file.elf_program_headers().iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let sum = |flags: elf::ProgramFlags| {
        let those = loaded.clone().filter(|segment| segment.p_flags(endian) == flags);
        those.map(|segment| segment.p_memsz(endian)).sum::<u64>()
    };
    let (code, data) = (sum(elf::PF_R | elf::PF_X), sum(elf::PF_R));
    Ok(vec![
        Row::single("code", code),
        Row::single("read-only-data", data),
        Row::single("code-and-read-only-data", code + data),
    ])
}

/// Pages of the Stage-2 tables of the configuration's partitions.
///
/// # Errors
/// The image cannot be read.
pub fn tables(prepared: &Prepared) -> Result<Vec<Row>, BenchError> {
    let inspection = inspect::inspect(&prepared.image()?);
    let inspection = inspection.map_err(|_| prepared.unfinished("its image cannot be read back"))?;
    let bytes: u64 = inspection.partitions.iter().map(|partition| partition.table_bytes).sum();
    Ok(vec![Row::single("stage-2-table-pages", bytes.div_ceil(PAGE))])
}
