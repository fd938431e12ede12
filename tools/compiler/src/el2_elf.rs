//! EL2's ELF, flattened: the bytes that its memory holds at the start, and what each page may be used for.
//!
//! EL2 is linked at [`space::IMAGE_VA`]; its byte at virtual address `va` lies at `load + (va - IMAGE_VA)` on every
//! board. Rights come from the program headers alone, so the linker script is the one place that decides them.

use object::LittleEndian as Le;
use object::elf::{EM_AARCH64, ET_EXEC, FileHeader64, PF_R, PF_W, PF_X, PT_LOAD, ProgramFlags, ProgramHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use septum_plan::{BootBlock, boot, space};
use septum_stage2::Access;

/// The page size of EL2's own Stage-1, in bytes.
pub const PAGE: u64 = 4096;

/// Why bytes are not an EL2 that can be put into an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum El2ElfError {
    /// Not a 64-bit little-endian ELF, or truncated.
    #[error("EL2's ELF cannot be read")]
    Unreadable,
    /// For another machine, or not an executable at fixed addresses.
    #[error("EL2's ELF is not an AArch64 executable at fixed addresses")]
    Kind,
    /// A segment starts inside a page.
    #[error("EL2's segment at {0:#x} does not start on a page of its own")]
    Unaligned(u64),
    /// A segment lies outside EL2's window.
    #[error("EL2's segment at {0:#x} lies outside its address window")]
    Outside(u64),
    /// Two segments share a page, or they are not in rising order.
    #[error("EL2's segment at {0:#x} overlaps the one before it")]
    Overlap(u64),
    /// A segment is writable and executable, or not readable.
    #[error("EL2's segment at {0:#x} has rights that no page may have")]
    Rights(u64),
    /// The first page is not executable, or the room for the boot block in it is not zero.
    #[error("EL2's first page does not hold a boot stub with an empty boot block")]
    BootPage,
}

/// A run of EL2's pages with the same rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Bytes from [`space::IMAGE_VA`], a multiple of [`PAGE`].
    pub offset: u64,
    /// Bytes, a multiple of [`PAGE`].
    pub size: u64,
    /// What EL2 may do there; never both write and execute.
    pub access: Access,
}

/// EL2, ready to be put at the front of an image.
#[derive(Clone, Debug)]
pub struct El2 {
    /// Its memory from [`space::IMAGE_VA`] on, zeroed data included; a multiple of [`PAGE`].
    pub bytes: Vec<u8>,
    /// Which of its pages are for what, by rising offset. Pages in between are not mapped.
    pub parts: Vec<Part>,
}

impl El2 {
    /// Reads EL2's ELF.
    ///
    /// # Errors
    /// The first thing that makes it unfit.
    pub fn read(elf: &[u8]) -> Result<Self, El2ElfError> {
        let header = FileHeader64::<Le>::parse(elf).map_err(|_| El2ElfError::Unreadable)?;
        let endian = header.endian().map_err(|_| El2ElfError::Unreadable)?;
        if header.e_machine(endian) != EM_AARCH64 || header.e_type(endian) != ET_EXEC {
            return Err(El2ElfError::Kind);
        }
        let mut el2 = Self { bytes: Vec::new(), parts: Vec::new() };
        for segment in header.program_headers(endian, elf).map_err(|_| El2ElfError::Unreadable)? {
            if segment.p_type(endian) == PT_LOAD && segment.p_memsz(endian) > 0 {
                el2.add(segment, elf)?;
            }
        }
        el2.check_boot_page()?;
        Ok(el2)
    }

    fn add(&mut self, segment: &ProgramHeader64<Le>, elf: &[u8]) -> Result<(), El2ElfError> {
        let va = segment.p_vaddr(Le);
        let part = Self::place(va, segment.p_memsz(Le))?;
        if part.offset < self.bytes.len() as u64 {
            return Err(El2ElfError::Overlap(va));
        }
        let data = segment.data(Le, elf).map_err(|()| El2ElfError::Unreadable)?;
        if data.len() as u64 > segment.p_memsz(Le) {
            return Err(El2ElfError::Unreadable);
        }
        self.bytes.resize(part.offset as usize, 0);
        self.bytes.extend_from_slice(data);
        self.bytes.resize((part.offset + part.size) as usize, 0);
        self.parts.push(Part { access: rights(segment.p_flags(Le)).ok_or(El2ElfError::Rights(va))?, ..part });
        Ok(())
    }

    fn place(va: u64, size: u64) -> Result<Part, El2ElfError> {
        let offset = va.checked_sub(space::IMAGE_VA).ok_or(El2ElfError::Outside(va))?;
        if !offset.is_multiple_of(PAGE) {
            return Err(El2ElfError::Unaligned(va));
        }
        if offset > space::IMAGE_BYTES_MAX || size > space::IMAGE_BYTES_MAX - offset {
            return Err(El2ElfError::Outside(va));
        }
        Ok(Part { offset, size: size.next_multiple_of(PAGE), access: Access::default() })
    }

    fn check_boot_page(&self) -> Result<(), El2ElfError> {
        let first = self.parts.first().ok_or(El2ElfError::BootPage)?;
        let block = self.bytes.get(boot::OFFSET..boot::OFFSET + size_of::<BootBlock>());
        let empty = block.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        (first.offset == 0 && first.access == Access::RX && empty).then_some(()).ok_or(El2ElfError::BootPage)
    }
}

fn rights(flags: ProgramFlags) -> Option<Access> {
    let access = Access { read: flags.contains(PF_R), write: flags.contains(PF_W), execute: flags.contains(PF_X) };
    (access.read && !(access.write && access.execute)).then_some(access)
}
