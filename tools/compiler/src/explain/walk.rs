//! How a partition's tables lead to an address: they are built as for the image, and walked.

use septum_stage2::walk::TableBytes;
use septum_stage2::walker::{AccessKind, Walker};
use septum_stage2::{Ipa, Pa, builder};

use crate::image::tables;
use crate::system::Partition;

/// Where a walk ends.
pub(super) struct Step {
    /// The physical address.
    pub pa: u64,
    /// The level of the entry.
    pub level: u32,
    /// Bytes that the entry maps.
    pub block: u64,
}

/// Walks to `ipa`; `None` where nothing is mapped.
pub(super) fn to(partition: &Partition, ipa: u64) -> Option<Step> {
    let (geometry, mappings) = (partition.geometry, tables::mappings(partition));
    let count = builder::tables_bytes(geometry, &mappings).ok()?;
    // Where the tables lie makes no difference to where they lead.
    let base = Pa::new(0);
    let mut bytes = vec![0; usize::try_from(count.total_bytes).ok()?];
    builder::build(geometry, &mappings, base, &mut bytes).ok()?;
    let walker = Walker::new(geometry.vtcr(), base.get(), geometry.pa_range()).ok()?;
    let memory = TableBytes { base, bytes: &bytes };
    let kinds = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch];
    let found = kinds.iter().find_map(|kind| walker.translate(&memory, Ipa::new(ipa), *kind).ok())?;
    Some(Step { pa: found.pa.get(), level: found.level, block: 1 << geometry.level_shift(found.level) })
}
