//! An AArch64 ELF as a payload.
//!
//! A partition starts with its MMU off, so a segment goes to its *physical* address (`p_paddr`, the load address of
//! linker scripts with `AT>`), as QEMU, U-Boot and Xen load it, and the entry, a virtual address, is moved along. Some
//! linkers leave every `p_paddr` 0: then the virtual addresses count.

use object::LittleEndian as Le;
use object::elf::{
    ELFCLASS64, ELFDATA2LSB, EM_AARCH64, ET_DYN, ET_EXEC, FileHeader64, PF_R, PF_W, PF_X, PT_INTERP, PT_LOAD,
    ProgramHeader64,
};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use septum_stage2::Access;

use super::PayloadError;

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// Where it starts (IPA).
    pub entry: u64,
    /// What is loaded, by rising address, disjoint; at least one.
    pub segments: Vec<ElfSegment>,
    /// Whether it is linked to run anywhere (ET_DYN), a static-pie: its addresses count from where its linker chose, 0
    /// as a rule. Firmware that relocates itself is such an ELF at the right address.
    pub position_independent: bool,
}

/// A loadable piece of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfSegment {
    /// Where it goes (IPA).
    pub address: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Zero bytes behind them.
    pub zero_bytes: u64,
    /// What the program wants to do there.
    pub access: Access,
}

impl ElfSegment {
    /// Bytes of memory that it takes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64 + self.zero_bytes
    }
}

type Header = ProgramHeader64<Le>;

/// Reads an ELF whose magic number is right.
pub(super) fn read(bytes: &[u8]) -> Result<Elf, PayloadError> {
    let header = header(bytes)?;
    let headers = header.program_headers(Le, bytes).map_err(|_| too_short(bytes, header))?;
    if headers.iter().any(|header| header.p_type(Le) == PT_INTERP) {
        return Err(PayloadError::Dynamic);
    }
    let loads: Vec<&Header> = headers.iter().filter(|h| h.p_type(Le) == PT_LOAD && h.p_memsz(Le) > 0).collect();
    let physical = loads.iter().any(|header| header.p_paddr(Le) != 0);
    let mut segments = loads.iter().map(|load| segment(load, physical, bytes)).collect::<Result<Vec<_>, _>>()?;
    segments.sort_by_key(|segment| segment.address);
    check_disjoint(&segments)?;
    let position_independent = header.e_type(Le) == ET_DYN;
    Ok(Elf { entry: entry(header.e_entry(Le), &loads, physical), segments, position_independent })
}

fn header(bytes: &[u8]) -> Result<&FileHeader64<Le>, PayloadError> {
    let truncated = PayloadError::Truncated { needed: 64, found: bytes.len() as u64 };
    let ident = bytes.get(..20).ok_or(truncated.clone())?;
    if ident[5] != ELFDATA2LSB.0 {
        return Err(PayloadError::BigEndian);
    }
    let machine = u16::from_le_bytes([ident[18], ident[19]]);
    if machine != EM_AARCH64.0 || ident[4] != ELFCLASS64.0 {
        return Err(PayloadError::Machine(machine_name(machine, ident[4] == ELFCLASS64.0)));
    }
    if bytes.len() < 64 {
        return Err(truncated);
    }
    let header = FileHeader64::<Le>::parse(bytes).map_err(|_| PayloadError::Damaged)?;
    match header.e_type(Le) {
        ET_EXEC | ET_DYN => Ok(header),
        _ => Err(PayloadError::NotLinked),
    }
}

fn machine_name(machine: u16, wide: bool) -> String {
    match (machine, wide) {
        (183, _) => "AArch64 with 32-bit pointers".to_owned(),
        (40, _) => "32-bit Arm".to_owned(),
        (3 | 62, _) => "x86".to_owned(),
        (243, _) => "RISC-V".to_owned(),
        (other, _) => format!("ELF machine {other}"),
    }
}

fn too_short(bytes: &[u8], header: &FileHeader64<Le>) -> PayloadError {
    let table = u64::from(header.e_phnum(Le)) * u64::from(header.e_phentsize(Le));
    let needed = header.e_phoff(Le).saturating_add(table);
    truncated_or_damaged(needed, bytes)
}

fn truncated_or_damaged(needed: u64, bytes: &[u8]) -> PayloadError {
    let found = bytes.len() as u64;
    if needed > found { PayloadError::Truncated { needed, found } } else { PayloadError::Damaged }
}

fn segment(header: &Header, physical: bool, bytes: &[u8]) -> Result<ElfSegment, PayloadError> {
    let address = address(header, physical);
    let (file, memory) = (header.p_filesz(Le), header.p_memsz(Le));
    let end = header.p_offset(Le).saturating_add(file);
    let data = header.data(Le, bytes).map_err(|()| truncated_or_damaged(end, bytes))?;
    let zero_bytes = memory.checked_sub(file).ok_or(PayloadError::Damaged)?;
    address.checked_add(memory).ok_or(PayloadError::Wraps(address))?;
    let flags = header.p_flags(Le);
    let access = Access { read: flags.contains(PF_R), write: flags.contains(PF_W), execute: flags.contains(PF_X) };
    Ok(ElfSegment { address, bytes: data.to_vec(), zero_bytes, access })
}

fn address(header: &Header, physical: bool) -> u64 {
    if physical { header.p_paddr(Le) } else { header.p_vaddr(Le) }
}

fn entry(entry: u64, loads: &[&Header], physical: bool) -> u64 {
    let inside = |load: &&&Header| entry.checked_sub(load.p_vaddr(Le)).is_some_and(|offset| offset < load.p_memsz(Le));
    let load = loads.iter().find(inside);
    load.map_or(entry, |load| address(load, physical).wrapping_add(entry - load.p_vaddr(Le)))
}

fn check_disjoint(segments: &[ElfSegment]) -> Result<(), PayloadError> {
    if segments.is_empty() {
        return Err(PayloadError::NoSegment);
    }
    let overlap = segments.windows(2).find(|pair| pair[0].address + pair[0].size() > pair[1].address);
    overlap.map_or(Ok(()), |pair| Err(PayloadError::Overlap(pair[1].address)))
}
