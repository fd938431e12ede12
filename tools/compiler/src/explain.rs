//! Who owns an address or an interrupt, and how it is mapped.
//!
//! An address is looked at both ways: as a physical one, with everybody who reaches it, and as an intermediate one of
//! each partition. How a partition reaches it, the walker says: it walks the tables that the image will have.

mod board;
mod walk;

use std::fmt;

use septum_plan::RegionKind;

use crate::problem::show;
use crate::report::size;
use crate::system::{Partition, Region, System};
use board::holds;
use walk::Step;

/// All about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressAnswer {
    /// The address.
    pub address: u64,
    /// The configuration file's name, for the places of lines.
    pub config: String,
    /// What lies at this physical address, by the board file.
    pub physical: String,
    /// What EL2 has it for, if it is EL2's.
    pub el2: Option<&'static str>,
    /// Through which regions partitions reach this physical address.
    pub users: Vec<Mapped>,
    /// Partitions that reach it, as all memory, through bus masters; and through which.
    pub masters: Vec<(String, Vec<String>)>,
    /// What each partition finds at this intermediate address.
    pub views: Vec<View>,
}

/// What a partition finds at an intermediate address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The partition's name.
    pub partition: String,
    /// What is there.
    pub found: Found,
}

/// What is at an intermediate address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A region of the partition.
    Mapped(Mapped),
    /// Registers that EL2 emulates; which.
    Emulated(&'static str),
    /// Nothing: an access is a fault.
    Nothing,
}

/// An address in a region of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The partition's name.
    pub partition: String,
    /// The region's name.
    pub region: String,
    /// What it is.
    pub kind: RegionKind,
    /// What is allowed, as `r`, `rw`, `rx` or `rwx`.
    pub access: String,
    /// The line that asked for it, from 1.
    pub line: u32,
    /// The address as the partition sees it.
    pub ipa: u64,
    /// The physical address.
    pub pa: u64,
    /// The level of its translation-table entry, 1 to 3.
    pub level: u32,
    /// Bytes that this entry maps.
    pub block: u64,
}

/// All about an interrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterruptAnswer {
    /// Its INTID.
    pub intid: u32,
    /// The board's device that raises it, or what else it is.
    pub source: Option<String>,
    /// Partitions that get it: one for an SPI; for a timer's PPI all that have the timer.
    pub owners: Vec<String>,
    /// Partitions whose emulated console raises an interrupt with this number; the board's has nothing to do with it.
    pub consoles: Vec<String>,
    /// Whether it is the interrupt of the UART that carries the log, so EL2's.
    pub log: bool,
}

/// The board has no such interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no interrupt {intid}: the board's last has INTID {last} (did you mean the address {intid:#x}?)")]
pub struct NoInterrupt {
    /// What was asked for.
    pub intid: u32,
    /// INTID of the board's last SPI.
    pub last: u32,
}

/// The virtual timer's PPI, which every partition has.
const VIRTUAL_TIMER: u32 = 27;
/// The EL1 physical timer's PPI, which every partition has whose accesses of that timer do not trap.
const PHYSICAL_TIMER: u32 = 30;
/// INTID of the first SPI.
const FIRST_SPI: u32 = 32;

/// Explains `address`, as a physical one and as each partition's.
pub fn address(system: &System, address: u64) -> AddressAnswer {
    let users = system.partitions.iter().flat_map(|partition| users(partition, address));
    let views = system.partitions.iter().map(|partition| view(partition, address));
    AddressAnswer {
        address,
        config: system.config.clone(),
        physical: board::what_is_at(&system.board, address),
        el2: board::use_of_el2(system, address),
        users: users.collect(),
        masters: system.partitions.iter().filter_map(masters).collect(),
        views: views.collect(),
    }
}

/// Explains the interrupt with INTID `intid`.
///
/// # Errors
/// The board has no such interrupt.
pub fn interrupt(system: &System, intid: u32) -> Result<InterruptAnswer, NoInterrupt> {
    let last = (FIRST_SPI + system.board.gic.spis).saturating_sub(1);
    if intid > last {
        return Err(NoInterrupt { intid, last });
    }
    let owners = names(system, |partition| owns(partition, intid));
    Ok(InterruptAnswer {
        intid,
        source: board::source_of(&system.board, intid),
        log: owners.is_empty() && board::is_of_log(system, intid),
        owners,
        consoles: names(system, |partition| partition.console().is_some_and(|console| console.intid == intid)),
    })
}

fn owns(partition: &Partition, intid: u32) -> bool {
    match intid {
        VIRTUAL_TIMER => true,
        PHYSICAL_TIMER => !partition.trap_physical_timer,
        _ => partition.interrupts.contains(&intid),
    }
}

fn names(system: &System, which: impl Fn(&Partition) -> bool) -> Vec<String> {
    system.partitions.iter().filter(|partition| which(partition)).map(|partition| partition.name.clone()).collect()
}

fn users(partition: &Partition, pa: u64) -> Vec<Mapped> {
    let regions = partition.regions.iter().filter(|region| holds(region.pa.get(), region.size, pa));
    regions.filter_map(|region| mapped(partition, region, region.ipa.get() + (pa - region.pa.get()))).collect()
}

fn masters(partition: &Partition) -> Option<(String, Vec<String>)> {
    let regions = partition.regions.iter().filter(|region| region.bus_master);
    let names: Vec<_> = regions.map(|region| region.name.clone()).collect();
    (!names.is_empty()).then(|| (partition.name.clone(), names))
}

fn view(partition: &Partition, ipa: u64) -> View {
    let region = partition.regions.iter().find(|region| holds(region.ipa.get(), region.size, ipa));
    let mapped = region.and_then(|region| mapped(partition, region, ipa));
    let emulated = || board::emulated_at(partition, ipa).map_or(Found::Nothing, Found::Emulated);
    View { partition: partition.name.clone(), found: mapped.map_or_else(emulated, Found::Mapped) }
}

fn mapped(partition: &Partition, region: &Region, ipa: u64) -> Option<Mapped> {
    let Step { pa, level, block } = walk::to(partition, ipa)?;
    Some(Mapped {
        partition: partition.name.clone(),
        region: region.name.clone(),
        kind: region.kind,
        access: region.access.to_string(),
        line: region.line,
        ipa,
        pa,
        level,
        block,
    })
}

impl AddressAnswer {
    fn place(&self, mapped: &Mapped) -> String {
        let Mapped { access, line, level, block, .. } = mapped;
        let unit = if *level == 3 { "page" } else { "block" };
        format!("({access}), {}:{line}, a {} {unit} at level {level}", self.config, size(*block))
    }
}

impl fmt::Display for AddressAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, physical, .. } = self;
        writeln!(f, "physical address {address:#x}: {physical}")?;
        let nobody = match self.masters.is_empty() {
            true => "no partition can reach it",
            false => "no partition's tables lead there",
        };
        match (self.users.is_empty(), self.el2) {
            (true, Some(what)) => writeln!(f, "  {what}; {nobody}")?,
            (true, None) => writeln!(f, "  {nobody}")?,
            _ => {}
        }
        for user in &self.users {
            let Mapped { partition, region, ipa, .. } = user;
            writeln!(f, "  `{region}` of partition `{partition}`, seen there at {ipa:#x} {}", self.place(user))?;
        }
        for (partition, masters) in &self.masters {
            writeln!(f, "  reached, as all memory, through the bus masters of `{partition}`: {}", show::list(masters))?;
        }
        for View { partition, found } in &self.views {
            write!(f, "intermediate address {address:#x} of partition `{partition}`: ")?;
            match found {
                Found::Nothing => writeln!(f, "no region, an access is a fault")?,
                Found::Emulated(what) => writeln!(f, "{what}, emulated by EL2")?,
                Found::Mapped(mapped) => {
                    writeln!(f, "`{}`, physical {:#x} {}", mapped.region, mapped.pa, self.place(mapped))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for InterruptAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.as_deref().unwrap_or("nothing that the board file names");
        write!(f, "interrupt {}: {source}; ", self.intid)?;
        match self.owners.as_slice() {
            [] if self.log => writeln!(f, "EL2's, as that UART carries the log")?,
            [] => writeln!(f, "given to no partition")?,
            [owner] => writeln!(f, "given to partition `{owner}`")?,
            owners => writeln!(f, "given to partitions {}", show::list(owners))?,
        }
        self.consoles.iter().try_for_each(|partition| {
            writeln!(f, "interrupt {} of partition `{partition}`: its emulated console's, raised by EL2", self.intid)
        })
    }
}
