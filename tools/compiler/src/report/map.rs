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
    /// Nobody's: free RAM.
    Nobody,
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

/// All that `plan` names and the RAM that is free, by rising physical address. EL2's memory is one entry, without its
/// parts; so are devices in a row that nobody was given.
pub fn memory_map(plan: &Plan<'_>) -> Vec<MapEntry> {
    let regions = plan.regions().iter().filter(|region| !is_part(region));
    let mut map: Vec<MapEntry> = regions.map(|region| entry(plan, region)).collect();
    sort(&mut map);
    let free = free(plan, &map);
    let mut map = joined(map);
    map.extend(free);
    sort(&mut map);
    map
}

fn sort(map: &mut [MapEntry]) {
    map.sort_by_key(|entry| (entry.pa, entry.owner));
}

/// RAM that is in no entry of `map`.
fn free(plan: &Plan<'_>, map: &[MapEntry]) -> Vec<MapEntry> {
    let mut free = Vec::new();
    for ram in plan.ram() {
        let end = ram.pa + ram.size;
        let mut done = ram.pa;
        for entry in map.iter().filter(|entry| entry.pa < end && entry.pa.saturating_add(entry.size) > ram.pa) {
            add_free(&mut free, done, entry.pa);
            done = done.max(entry.pa.saturating_add(entry.size));
        }
        add_free(&mut free, done, end);
    }
    free
}

fn add_free(free: &mut Vec<MapEntry>, pa: u64, end: u64) {
    if pa < end {
        let (name, kind, owner) = ("free".to_owned(), RegionKind::Memory, Owner::Nobody);
        free.push(MapEntry { pa, size: end - pa, name, kind, owner });
    }
}

/// `map` with runs of devices that nobody was given made one entry each.
fn joined(map: Vec<MapEntry>) -> Vec<MapEntry> {
    let spare = |entry: &MapEntry| entry.owner == Owner::Board && entry.kind == RegionKind::Device;
    let runs = map.chunk_by(|one, next| spare(one) && spare(next));
    runs.filter_map(|run| {
        let (first, last) = (run.first()?, run.last()?);
        let name = match run.len() {
            1 => first.name.clone(),
            devices => format!("{} to {}, {devices} devices", first.name, last.name),
        };
        let size = run.iter().fold(0, |sum: u64, entry| sum.saturating_add(entry.size));
        Some(MapEntry { name, size, ..first.clone() })
    })
    .collect()
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
