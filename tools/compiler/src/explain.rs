//! Who owns an address or an interrupt, and how it is mapped.
//!
//! An address is looked at both ways: as a physical one, with everybody who reaches it, and as an intermediate one of
//! each partition. How a partition reaches it, the walker says: it walks the tables that the image will have.

mod board;
mod walk;

use std::fmt;

use septum_plan::RegionKind;

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
    /// Whether it is in what is set apart for EL2.
    pub el2: bool,
    /// Through which regions partitions reach this physical address.
    pub users: Vec<Mapped>,
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
    /// Partitions that get it: one for an SPI, all for the virtual timer's PPI.
    pub owners: Vec<String>,
}

/// The virtual timer's PPI, which every partition has.
const VIRTUAL_TIMER: u32 = 27;

/// Explains `address`, as a physical one and as each partition's.
pub fn address(system: &System, address: u64) -> AddressAnswer {
    let users = system.partitions.iter().flat_map(|partition| users(partition, address));
    let views = system.partitions.iter().map(|partition| view(system, partition, address));
    AddressAnswer {
        address,
        config: system.config.clone(),
        physical: board::what_is_at(&system.board, address),
        el2: holds(system.el2.start.get(), system.el2.size, address),
        users: users.collect(),
        views: views.collect(),
    }
}

/// Explains the interrupt with INTID `intid`.
pub fn interrupt(system: &System, intid: u32) -> InterruptAnswer {
    let has = |partition: &&Partition| intid == VIRTUAL_TIMER || partition.interrupts.contains(&intid);
    let owners = system.partitions.iter().filter(has).map(|partition| partition.name.clone());
    InterruptAnswer { intid, source: board::source_of(&system.board, intid), owners: owners.collect() }
}

fn users(partition: &Partition, pa: u64) -> Vec<Mapped> {
    let regions = partition.regions.iter().filter(|region| holds(region.pa.get(), region.size, pa));
    regions.filter_map(|region| mapped(partition, region, region.ipa.get() + (pa - region.pa.get()))).collect()
}

fn view(system: &System, partition: &Partition, ipa: u64) -> View {
    let region = partition.regions.iter().find(|region| holds(region.ipa.get(), region.size, ipa));
    let mapped = region.and_then(|region| mapped(partition, region, ipa));
    let emulated = || board::emulated_at(system, partition, ipa).map_or(Found::Nothing, Found::Emulated);
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
        match (self.users.is_empty(), self.el2) {
            (true, true) => writeln!(f, "  set apart for EL2; no partition can reach it")?,
            (true, false) => writeln!(f, "  no partition can reach it")?,
            _ => {}
        }
        for user in &self.users {
            let Mapped { partition, region, ipa, .. } = user;
            writeln!(f, "  `{region}` of partition `{partition}`, seen there at {ipa:#x} {}", self.place(user))?;
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
        let owners: Vec<_> = self.owners.iter().map(|owner| format!("`{owner}`")).collect();
        match owners.as_slice() {
            [] => writeln!(f, "interrupt {}: {source}; given to no partition", self.intid),
            [owner] => writeln!(f, "interrupt {}: {source}; given to partition {owner}", self.intid),
            owners => writeln!(f, "interrupt {}: {source}; given to partitions {}", self.intid, owners.join(", ")),
        }
    }
}
