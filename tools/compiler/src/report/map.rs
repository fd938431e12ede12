//! Physical memory in order: what lies where, and whose it is.

use septum_plan::record::{OWNER_BOARD, OWNER_EL2};
use septum_plan::{Plan, RegionKind, RegionRecord};

/// Whose a piece of physical memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// EL2's.
    El2,
    /// The board's or its firmware's.
    Board,
    /// The partition's with this index.
    Partition(u16),
}

/// A piece of physical memory with an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// First byte.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// What it is.
    pub name: String,
    /// Its kind.
    pub kind: RegionKind,
    /// Whose it is; a channel is in the map once for each end.
    pub owner: Owner,
}

/// All that `plan` names, by rising physical address. EL2's memory is one entry; its parts are left out.
pub fn memory_map(plan: &Plan<'_>) -> Vec<MapEntry> {
    let mut map: Vec<MapEntry> =
        plan.regions().iter().filter(|region| !is_part(region)).map(|r| entry(plan, r)).collect();
    map.sort_by_key(|entry| (entry.pa, entry.owner));
    map
}

fn is_part(region: &RegionRecord) -> bool {
    region.access != 0 && RegionKind::from_code(region.kind) == Some(RegionKind::El2)
}

fn entry(plan: &Plan<'_>, region: &RegionRecord) -> MapEntry {
    let owner = match region.owner {
        OWNER_EL2 => Owner::El2,
        OWNER_BOARD => Owner::Board,
        index => Owner::Partition(index),
    };
    let kind = RegionKind::from_code(region.kind).unwrap_or(RegionKind::Memory);
    MapEntry { pa: region.pa, size: region.size, name: plan.text(region.name).to_owned(), kind, owner }
}
