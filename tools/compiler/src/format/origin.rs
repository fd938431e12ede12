//! Which ELFs an image was made of: the keys to its log and to its partitions' addresses.
//!
//! Read with another build's ELF, a log shows records that were never written and an address names another function. So
//! a tool asks here before it uses an ELF for an image that it has not just built. EL2's loaded bytes contain the
//! linker's build identity, a hash over the whole ELF with the log's texts in it; a partition's program is compared by
//! what of it is loaded.

use septum_plan::{BootBlock, PartitionRecord, Plan, boot};

use super::header;
use super::reader::Reader;
use crate::el2_elf::El2;
use crate::payload::{self, Payload};

/// Whether `elf` is the EL2 that `image` holds. Header fields and boot block, which each image has its own of, are left
/// out; so damage in them, or behind EL2, does not count.
pub fn is_el2_of(elf: &[u8], image: &[u8]) -> bool {
    El2::read(elf).is_ok_and(|el2| holds_el2(image, &el2))
}

/// The identity of the EL2 that `elf` is, as its first log record says it ([`septum_plan::PlanHeader::el2_seal`]); `None` if
/// it is no EL2.
pub fn identity(elf: &[u8]) -> Option<u64> {
    El2::read(elf).ok().map(|el2| boot::el2_seal(&el2.bytes))
}

/// Whether `image` begins with `el2`'s bytes, but for the header's fields and the boot block.
pub(crate) fn holds_el2(image: &[u8], el2: &El2) -> bool {
    let block_end = boot::OFFSET + size_of::<BootBlock>();
    let same = |range: std::ops::Range<usize>| {
        let expected = el2.bytes.get(range.clone());
        expected.is_some() && image.get(range) == expected
    };
    same(0..header::TEXT_OFFSET) && same(block_end..el2.bytes.len())
}

/// Whether `elf` is the program of the partition called `name` in the image of `reader`: each of its segments is one of
/// that partition's, at the same address with the same bytes (by their seal).
pub fn is_program_of(elf: &[u8], reader: &Reader<'_>, name: &str) -> bool {
    let (Ok(plan), Ok(Payload::Elf(program))) = (reader.plan(), payload::read(elf)) else { return false };
    let Some(partition) = plan.partitions().iter().find(|record| plan.text(record.name) == name) else { return false };
    let filled: Vec<_> = program.segments.iter().filter(|segment| !segment.bytes.is_empty()).collect();
    // Of a program without a byte there is nothing to compare.
    !filled.is_empty() && filled.iter().all(|segment| is_loaded(&plan, partition, segment.address, &segment.bytes))
}

fn is_loaded(plan: &Plan<'_>, partition: &PartitionRecord, address: u64, bytes: &[u8]) -> bool {
    let seal = septum_plan::seal(bytes);
    let mut records = plan.segments(partition).iter();
    records.any(|record| (record.ipa, record.file_bytes, record.seal) == (address, bytes.len() as u64, seal))
}
