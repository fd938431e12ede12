//! The image: one flat file that firmware starts at EL2, with everything in it at fixed physical addresses.
//!
//! [`build`] lays it out, has the tables built, writes the plan, seals all of it and has the result proved by
//! [`crate::verify`] before it gives it away. docs/image.md draws the file.

pub mod devices;
pub mod el2_space;
pub mod layout;
pub mod plan_writer;
pub(crate) mod tables;

use septum_plan::{BootBlock, boot, record, space};
use septum_stage2::{BuildError as TableError, Pa};
use zerocopy::IntoBytes;

use crate::board::Board;
use crate::el2_elf::{El2, El2ElfError};
use crate::format::header;
use crate::system::{Segment, System};
use crate::verify::{self, VerifyError};
use devices::Devices;
use el2_space::El2Space;
use layout::{Layout, Needs};
use plan_writer::{Decided, Regime};

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// EL2's ELF is unfit.
    #[error(transparent)]
    El2(#[from] El2ElfError),
    /// The board has no device of the console's name.
    #[error("the log's console is no device of the board")]
    Console,
    /// The board lacks a frame that its interrupt controller must have, or it is too small.
    #[error("the board's interrupt controller lacks {0}")]
    GicFrame(&'static str),
    /// EL2's devices do not fit their window.
    #[error("EL2's devices do not fit its address space")]
    DeviceWindow,
    /// RAM does not fit the boot root's window.
    #[error("the board's RAM does not fit EL2's address space")]
    RamWindow,
    /// A partition's loaded memory does not fit the loader window.
    #[error("the loaded memory of partition `{0}` does not fit EL2's address space")]
    LoaderWindow(String),
    /// The load address is one of EL2's virtual addresses, or not 2 MiB aligned.
    #[error("EL2 cannot be loaded at {0}")]
    LoadAddress(Pa),
    /// A segment lies in none of its partition's regions.
    #[error("a payload segment of partition `{0}` lies outside its memory")]
    SegmentOutside(String),
    /// A partition's tables cannot be built.
    #[error("the Stage-2 tables of partition `{partition}` cannot be built: {error}")]
    Stage2 {
        /// Its name.
        partition: String,
        /// Why.
        error: TableError,
    },
    /// EL2's own tables cannot be built.
    #[error("EL2's own tables cannot be built: {0}")]
    Stage1(TableError),
    /// Plan and tables are larger than their window.
    #[error("plan and tables take {0} bytes, more than EL2 has room for")]
    PlanTooLarge(u64),
    /// The proof failed: this is a fault of Septum, not of the configuration.
    #[error("the finished image does not do what the configuration says, so it is not written:\n{0}")]
    Unproven(#[from] VerifyError),
    /// The image needs more memory than was set apart for it.
    #[error("the image takes {needed} bytes of memory, but only {reserved} are set apart for it")]
    TooLarge {
        /// Bytes of memory that it takes.
        needed: u64,
        /// Bytes set apart, from the load address on.
        reserved: u64,
    },
}

/// An image that agrees with its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    bytes: Vec<u8>,
}

impl Image {
    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The file's bytes, taken.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Makes the image of `system` around EL2, given as its ELF. The same input gives the same bytes.
///
/// # Errors
/// What does not fit, or what the proof found wrong. After the checker neither depends on the user alone: the checker
/// refuses what it can foresee, by name and line.
pub fn build(system: &System, el2_elf: &[u8]) -> Result<Image, BuildError> {
    let draft = Draft::new(system, El2::read(el2_elf)?)?;
    draft.check_room()?;
    let bytes = draft.write()?;
    verify::prove(system, &draft.el2, &bytes)?;
    Ok(Image { bytes })
}

/// Everything decided, nothing written.
struct Draft<'a> {
    system: &'a System,
    el2: El2,
    seals: Vec<Vec<u64>>,
    devices: Devices,
    layout: Layout,
    space: El2Space,
}

impl<'a> Draft<'a> {
    /// Lays the image out. The size of EL2's own tables depends on where the payloads lie, and those lie behind the
    /// tables: so it is tried with rising sizes until one suffices.
    fn new(system: &'a System, el2: El2) -> Result<Self, BuildError> {
        check_load(&system.board)?;
        let mut needs = needs(system, &el2)?;
        let seals = per_segment(system, |segment| septum_plan::seal(&segment.bytes));
        let devices = Devices::new(system)?;
        let (layout, space) = (Layout::default(), El2Space::default());
        let mut draft = Self { system, el2, seals, devices, layout, space };
        loop {
            draft.layout = Layout::new(&needs);
            draft.space = El2Space::new(system, &draft.el2, &draft.devices, &draft.layout)?;
            let (plan, stage1) = (draft.plan(&Regime::default()).len() as u64, draft.stage1_bytes()?);
            if plan <= needs.plan && stage1 <= needs.stage1 {
                return Ok(draft);
            }
            needs.plan = plan;
            needs.stage1 = needs.stage1.max(stage1);
        }
    }

    fn check_room(&self) -> Result<(), BuildError> {
        let (needed, reserved) = (self.layout.memory_bytes, self.system.el2.size);
        if self.layout.sealed_bytes > space::PLAN_BYTES_MAX {
            return Err(BuildError::PlanTooLarge(self.layout.sealed_bytes));
        }
        (needed <= reserved).then_some(()).ok_or(BuildError::TooLarge { needed, reserved })
    }

    fn plan(&self, regime: &Regime) -> Vec<u8> {
        let Self { el2, seals, devices, layout, space, .. } = self;
        let (el2, el2_seal) = (&*el2.parts, boot::el2_seal(&el2.bytes));
        plan_writer::write(self.system, Decided { el2, el2_seal, seals, devices, space, layout, regime })
    }

    fn write(&self) -> Result<Vec<u8>, BuildError> {
        let mut bytes = vec![0; self.layout.file_bytes as usize];
        bytes[..self.el2.bytes.len()].copy_from_slice(&self.el2.bytes);
        self.write_stage2(&mut bytes)?;
        let regime = self.write_stage1(&mut bytes)?;
        self.write_payloads(&mut bytes);
        put(&mut bytes, self.layout.plan, &self.plan(&regime));
        self.write_boot_page(&mut bytes, &regime);
        Ok(bytes)
    }

    fn write_payloads(&self, bytes: &mut [u8]) {
        for (partition, offsets) in self.system.partitions.iter().zip(&self.layout.payloads) {
            for (segment, offset) in partition.segments.iter().zip(offsets) {
                put(bytes, *offset, &segment.bytes);
            }
        }
    }

    fn write_boot_page(&self, bytes: &mut [u8], regime: &Regime) {
        let load = self.system.board.load.get();
        let sealed = self.layout.plan as usize..(self.layout.plan + self.layout.sealed_bytes) as usize;
        let block = BootBlock {
            magic: boot::MAGIC,
            version: record::VERSION,
            reserved: 0,
            load,
            image_bytes: self.layout.file_bytes,
            memory_bytes: self.layout.memory_bytes,
            plan: load + self.layout.plan,
            sealed_bytes: self.layout.sealed_bytes,
            sealed: septum_plan::seal(&bytes[sealed]),
            boot_root: regime.boot_root,
            run_root: regime.run_root,
            tcr: regime.tcr,
            mair: regime.mair,
            console: self.devices.console(),
            seal: 0,
        };
        put(bytes, boot::OFFSET as u64, block.sealed().as_bytes());
        header::write(bytes, &self.system.board, self.layout.memory_bytes);
    }
}

/// Whether the load address is one that the header can ask for: 2 MiB aligned, not below the start of RAM.
fn check_load(board: &Board) -> Result<(), BuildError> {
    let fits = board.load.is_aligned(header::ALIGNMENT) && board.load.get() >= header::base(board);
    fits.then_some(()).ok_or(BuildError::LoadAddress(board.load))
}

/// What has to find room, as far as it is known before anything is laid out.
fn needs(system: &System, el2: &El2) -> Result<Needs, BuildError> {
    Ok(Needs {
        el2: el2.bytes.len() as u64,
        stage2: tables::stage2_needs(system)?,
        payloads: per_segment(system, |segment| segment.bytes.len() as u64),
        cores: system.board.cores.len() as u64,
        ..Needs::default()
    })
}

/// `fact` of every partition's every segment.
fn per_segment(system: &System, fact: impl Fn(&Segment) -> u64) -> Vec<Vec<u64>> {
    system.partitions.iter().map(|partition| partition.segments.iter().map(&fact).collect()).collect()
}

fn put(bytes: &mut [u8], offset: u64, what: &[u8]) {
    bytes[offset as usize..][..what.len()].copy_from_slice(what);
}
