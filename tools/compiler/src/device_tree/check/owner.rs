//! Who has what: a partition's addresses and interrupts, and the board's by their owner.

use std::fmt;
use std::ops::Range;

use crate::board::{Board, Device, PaSpan};
use crate::system::Partition;

/// PPIs that a partition has: the timers' (26, 27, 29, 30), of which it can use the virtual and the physical one.
const TIMER_INTIDS: [u32; 4] = [26, 27, 29, 30];

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The board's name of a device, the TOML name of a memory, or what the board uses it for.
    pub name: String,
    /// The partition that has it, if one has.
    pub partition: Option<String>,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.partition {
            Some(partition) => write!(f, "`{}` of partition `{partition}`", self.name),
            None => write!(f, "the board's `{}`, which this partition does not have", self.name),
        }
    }
}

/// Whether `partition` has every address of `range`: mapped by Stage-2 or emulated.
pub(super) fn has(board: &Board, partition: &Partition, range: &Range<u64>) -> bool {
    let mapped = partition.regions.iter().map(|region| region.ipa.get()..region.ipa.get().saturating_add(region.size));
    let emulated = partition.emulated(board.gic.version).map(|frame| frame.ipa..frame.end());
    let mut owned: Vec<Range<u64>> = mapped.chain(emulated).collect();
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

/// Whether `partition` has the interrupt `intid`: its SPIs, the emulated console's, and the timers' PPIs.
pub(super) fn has_interrupt(partition: &Partition, intid: u32) -> bool {
    let console = partition.console.is_some_and(|console| console.intid == intid);
    console || TIMER_INTIDS.contains(&intid) || partition.interrupts.contains(&intid)
}

/// Whose `range` is, taken as physical addresses, as a tree written for the bare board means them.
pub(super) fn of_addresses(board: &Board, partitions: &[Partition], range: &Range<u64>) -> Option<Owner> {
    let touches = |span: &PaSpan| {
        let start = span.start.get();
        start < range.end && range.start < start.saturating_add(span.size)
    };
    let device = board.devices.iter().find(|device| device.registers.iter().any(touches));
    device.map(|device| device_owner(device, partitions)).or_else(|| controller(board, touches)).or_else(|| {
        let mut parts = partitions.iter().flat_map(|owner| owner.regions.iter().map(move |region| (owner, region)));
        let (owner, region) = parts.find(|(_, region)| touches(&PaSpan { start: region.pa, size: region.size }))?;
        Some(Owner { name: region.name.clone(), partition: Some(owner.name.clone()) })
    })
}

fn device_owner(device: &Device, partitions: &[Partition]) -> Owner {
    let has = |partition: &&Partition| partition.regions.iter().any(|region| region.has_device(&device.name));
    let partition = partitions.iter().find(has).map(|partition| partition.name.clone());
    Owner { name: device.name.clone(), partition }
}

fn controller(board: &Board, touches: impl Fn(&PaSpan) -> bool) -> Option<Owner> {
    let (frame, _) = board.gic.frames().into_iter().find(|(_, span)| touches(span))?;
    Some(Owner { name: format!("interrupt controller's {frame}"), partition: None })
}

/// Whose the interrupt `intid` is.
pub(super) fn of_interrupt(board: &Board, partitions: &[Partition], intid: u32) -> Option<Owner> {
    let device = board.devices.iter().find(|device| device.interrupts.contains(&intid))?;
    let partition = partitions.iter().find(|partition| partition.interrupts.contains(&intid));
    Some(Owner { name: device.name.clone(), partition: partition.map(|partition| partition.name.clone()) })
}
