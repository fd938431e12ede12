//! Who has what: a partition's addresses and interrupts, and the board's by their owner.

use std::fmt;
use std::ops::Range;

use crate::board::{Board, PaSpan};
use crate::system::{Partition, Region};

/// PPIs that a partition has: the timers' (26, 27, 29, 30), of which it can use the virtual and the physical one.
const TIMER_INTIDS: [u32; 4] = [26, 27, 29, 30];

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A partition's.
    Partition {
        /// The board's name of the device, or the TOML name of the memory.
        name: String,
        /// The partition.
        partition: String,
    },
    /// A device of the board's that no partition has.
    Nobody {
        /// Its name.
        device: String,
    },
    /// EL2's; what it is.
    El2(String),
}

impl Owner {
    fn of(name: &str, partition: Option<&Partition>) -> Self {
        match partition {
            Some(owner) => Self::Partition { name: name.to_owned(), partition: owner.name.clone() },
            None => Self::Nobody { device: name.to_owned() },
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition { name, partition } => write!(f, "`{name}` of partition `{partition}`"),
            Self::Nobody { device } => write!(f, "the board's `{device}`, which this partition does not have"),
            Self::El2(what) => write!(f, "{what}, which is EL2's"),
        }
    }
}

/// Whether `partition` has every address of `range`: mapped by Stage-2 or emulated.
pub(super) fn has(partition: &Partition, range: &Range<u64>) -> bool {
    let emulated = partition.emulated.iter().map(|frame| frame.ipa..frame.end());
    covers(partition.regions.iter().map(range_of).chain(emulated), range)
}

/// Whether `parts` together have every address of `range`.
pub(super) fn covers(parts: impl Iterator<Item = Range<u64>>, range: &Range<u64>) -> bool {
    let mut owned: Vec<Range<u64>> = parts.collect();
    owned.sort_by_key(|part| part.start);
    let mut reached = range.start;
    for part in owned.iter().filter(|part| part.end > range.start) {
        if part.start > reached || reached >= range.end {
            break;
        }
        reached = reached.max(part.end);
    }
    reached >= range.end
}

/// Whether `partition` has the interrupt `intid`: its SPIs, what EL2 makes for it, and the timers' PPIs.
pub(super) fn has_interrupt(partition: &Partition, intid: u32) -> bool {
    partition.emulated.iter().any(|frame| frame.intid == intid)
        || TIMER_INTIDS.contains(&intid)
        || partition.interrupts.contains(&intid)
}

/// Whose `range` is, taken as physical addresses, as a tree written for the bare board means them.
pub(super) fn of_addresses(board: &Board, partitions: &[Partition], range: &Range<u64>) -> Option<Owner> {
    let touches = |span: &PaSpan| span.start.get() < range.end && range.start < span.end();
    if let Some(device) = board.devices.iter().find(|device| device.registers.iter().any(touches)) {
        let owner = partitions.iter().find(|partition| has_device(partition, &device.name));
        return Some(Owner::of(&device.name, owner));
    }
    let frames = board.gic.frames().into_iter().find(|(_, span)| touches(span));
    let el2 = frames.map(|(frame, _)| format!("the interrupt controller's {frame}"));
    let power = || board.power.registers.filter(touches).map(|_| "the power registers".to_owned());
    if let Some(what) = el2.or_else(power) {
        return Some(Owner::El2(what));
    }
    let mut parts = partitions.iter().flat_map(|owner| owner.regions.iter().map(move |region| (owner, region)));
    let (owner, region) = parts.find(|(_, region)| touches(&PaSpan { start: region.pa, size: region.size }))?;
    Some(Owner::of(&region.name, Some(owner)))
}

fn has_device(partition: &Partition, name: &str) -> bool {
    partition.regions.iter().any(|region| region.has_device(name))
}

/// Whose the interrupt `intid` is: of the devices that share it, one that its owner has.
pub(super) fn of_interrupt(board: &Board, partitions: &[Partition], intid: u32) -> Option<Owner> {
    let devices = || board.devices.iter().filter(|device| device.interrupts.contains(&intid));
    let owner = partitions.iter().find(|partition| partition.interrupts.contains(&intid));
    let owned = owner.and_then(|owner| devices().find(|device| has_device(owner, &device.name)));
    let device = owned.or_else(|| devices().next())?;
    Some(Owner::of(&device.name, owner))
}

pub(super) fn range_of(region: &Region) -> Range<u64> {
    region.ipa.get()..region.ipa.get().saturating_add(region.size)
}
