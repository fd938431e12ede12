//! An image read back: header, boot block, seals and plan checked, before anybody believes a field of it.

use septum_plan::{BootBlock, Plan, PlanError, PlanHeader, boot, record};
use septum_stage2::Pa;
use septum_stage2::walk::TableBytes;
use zerocopy::{FromBytes, IntoBytes};

use super::{form, header};
use crate::el2_elf::PAGE;

/// Why bytes are no image that a board would start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Too short for a header and a boot block.
    #[error("it is too short to be an image")]
    TooShort,
    /// No arm64 Image header.
    #[error("it has no arm64 Image header, so it is no image")]
    Header,
    /// A field of the header is not what Septum writes.
    #[error("its arm64 Image header has a wrong {0}")]
    HeaderField(&'static str),
    /// No boot block.
    #[error("it has no boot block, so it is no Septum image")]
    BootBlock,
    /// Made by another version of the compiler.
    #[error("it was made by another version of Septum: {found}, this is {expected}", expected = record::VERSION)]
    Version {
        /// The image's.
        found: u32,
    },
    /// The boot block's seal is wrong.
    #[error("its boot block is damaged (seal)")]
    BootSeal,
    /// The file is longer or shorter than the boot block says.
    #[error("it has {found} bytes, but its boot block says {expected}")]
    Length {
        /// As the boot block says.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// The sealed range is not where one can be.
    #[error("its boot block puts plan and tables outside the file")]
    SealedRange,
    /// The plan's PARange is none.
    #[error("its plan names no physical address size")]
    PaRange,
    /// The plan is damaged.
    #[error("its plan is damaged: {0}")]
    Plan(#[from] PlanError),
    /// The plan can be read, but is not as Septum writes plans.
    #[error("its plan is malformed: {0}")]
    Form(String),
}

/// An image whose header, boot block and seals are right.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    image: &'a [u8],
    block: BootBlock,
    /// The sealed range, as words so that the plan's records are aligned wherever the file was read to.
    sealed: Vec<u64>,
}

impl<'a> Reader<'a> {
    /// Reads `image`'s frame.
    ///
    /// # Errors
    /// What keeps it from being an image. No bytes make this panic.
    pub fn new(image: &'a [u8]) -> Result<Self, ImageError> {
        if !header::is_present(image) {
            return Err(if image.len() < boot::OFFSET { ImageError::TooShort } else { ImageError::Header });
        }
        let block = block(image)?;
        header::check(image, block.memory_bytes).map_err(ImageError::HeaderField)?;
        let sealed = sealed(image, &block).ok_or(ImageError::SealedRange)?;
        let plan = Plan::parse(sealed.as_bytes(), block.sealed)?;
        form::check(&plan, sealed.as_bytes()).map_err(ImageError::Form)?;
        Ok(Self { image, block, sealed })
    }

    /// The file's bytes.
    pub const fn image(&self) -> &'a [u8] {
        self.image
    }

    /// The boot block.
    pub const fn block(&self) -> &BootBlock {
        &self.block
    }

    /// The plan.
    ///
    /// # Errors
    /// None that [`Reader::new`] has not found already.
    pub fn plan(&self) -> Result<Plan<'_>, ImageError> {
        Ok(Plan::parse_unsealed(self.sealed.as_bytes())?)
    }

    /// Plan and tables.
    pub fn sealed(&self) -> &[u8] {
        self.sealed.as_bytes()
    }

    /// The tables, as table memory at their physical place: the sealed range without the plan's records.
    pub fn tables(&self, plan: &PlanHeader) -> TableBytes<'_> {
        let bytes = self.sealed().get(plan.plan_bytes as usize..).unwrap_or(&[]);
        TableBytes { base: Pa::new(self.block.plan.saturating_add(plan.plan_bytes)), bytes }
    }

    /// The file's bytes that will lie at [`pa`..`pa` + `size`), if they all are in the file.
    pub fn at(&self, pa: u64, size: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(pa.checked_sub(self.block.load)?).ok()?;
        self.image.get(start..start.checked_add(usize::try_from(size).ok()?)?)
    }
}

fn block(image: &[u8]) -> Result<BootBlock, ImageError> {
    let bytes = image.get(boot::OFFSET..).unwrap_or(&[]);
    let (block, _) = BootBlock::read_from_prefix(bytes).map_err(|_| ImageError::TooShort)?;
    if block.magic != boot::MAGIC {
        return Err(ImageError::BootBlock);
    }
    if block.version != record::VERSION {
        return Err(ImageError::Version { found: block.version });
    }
    if block.reserved != 0 {
        return Err(ImageError::BootBlock);
    }
    if block.seal != block.own_seal() {
        return Err(ImageError::BootSeal);
    }
    let (expected, found) = (block.image_bytes, image.len() as u64);
    if expected != found { Err(ImageError::Length { expected, found }) } else { Ok(block) }
}

/// The sealed range's words; it starts on a page and its length is a multiple of a page.
fn sealed(image: &[u8], block: &BootBlock) -> Option<Vec<u64>> {
    let start = block.plan.checked_sub(block.load)?;
    if !start.is_multiple_of(PAGE) || !block.sealed_bytes.is_multiple_of(PAGE) || !block.load.is_multiple_of(PAGE) {
        return None;
    }
    block.load.checked_add(block.memory_bytes).filter(|_| block.memory_bytes >= block.image_bytes)?;
    let range = usize::try_from(start).ok()?..usize::try_from(start.checked_add(block.sealed_bytes)?).ok()?;
    let (words, _) = image.get(range)?.as_chunks::<8>();
    Some(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
}
