//! What can be wrong with an image that is intact: each kind with the names of all parties.

use septum_stage2::Access;
use septum_stage2::control::RegisterError;
use septum_stage2::walk::Refusal;

use super::range::Range;
use super::reach::Reach;

/// Whose tables: a partition's Stage-2, or one of EL2's roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tables {
    /// The Stage-2 tables of the partition with this name.
    Partition(String),
    /// EL2's run root.
    Run,
    /// EL2's boot root.
    Boot,
    /// EL2's loader root for the partition with this name.
    Loader(String),
}

impl std::fmt::Display for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Partition(name) => write!(f, "the Stage-2 tables of partition `{name}`"),
            Self::Run => f.write_str("EL2's run root"),
            Self::Boot => f.write_str("EL2's boot root"),
            Self::Loader(name) => write!(f, "EL2's loader root for partition `{name}`"),
        }
    }
}

/// Something that an image must not be or do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Registers that describe no walk.
    #[error("{tables}: {error}")]
    Register {
        /// Whose.
        tables: Tables,
        /// Why.
        error: RegisterError,
    },
    /// A descriptor that Septum would not have written.
    #[error("{tables}: {refusal}")]
    Descriptor {
        /// Whose.
        tables: Tables,
        /// Which and why.
        refusal: Refusal,
    },
    /// A partition reaches memory that no region of the plan gives it there.
    #[error("partition `{partition}` reaches {reach}, where the plan gives it nothing")]
    Unplanned {
        /// Its name.
        partition: String,
        /// What it reaches.
        reach: Reach,
    },
    /// A partition reaches another place, or with other rights or another memory type, than a region says.
    #[error("partition `{partition}` reaches {reach}, but region `{region}` leads to {pa:#x} with {access}")]
    Differs {
        /// Its name.
        partition: String,
        /// The region's.
        region: String,
        /// What it reaches.
        reach: Reach,
        /// Where the region leads at that place.
        pa: u64,
        /// What the region allows.
        access: Access,
    },
    /// A region that the tables do not map wholly.
    #[error("partition `{partition}` does not reach all of its region `{region}`: {missing:#x} bytes are missing")]
    Missing {
        /// The partition.
        partition: String,
        /// The region.
        region: String,
        /// How many bytes.
        missing: u64,
    },
    /// A region that a bus master of the same partition finds elsewhere than the partition does.
    #[error("partition `{partition}` sees region `{region}` elsewhere than its bus master `{master}` does")]
    Moved {
        /// The partition.
        partition: String,
        /// The bus master's region.
        master: String,
        /// The region.
        region: String,
    },
    /// Memory of which no segment says what it holds when the partition starts.
    #[error("memory `{region}` of partition `{partition}`: no segment says what lies at IPA {ipa:#x} at its start")]
    Cover {
        /// The partition.
        partition: String,
        /// The memory.
        region: String,
        /// Where.
        ipa: u64,
    },
    /// Regions of a partition that overlap, wrap or are not sorted in the plan.
    #[error("region `{region}` of partition `{partition}` is out of order or overlaps the one before it")]
    RegionOrder {
        /// The partition.
        partition: String,
        /// The region.
        region: String,
    },
    /// Two owners reach the same physical memory.
    #[error("{range} is reached as {first} and as {second}")]
    Shared {
        /// The common bytes.
        range: Range,
        /// One party.
        first: String,
        /// The other.
        second: String,
    },
    /// A channel with more than two ends, or with one.
    #[error("channel `{channel}` has {ends} ends instead of 2")]
    ChannelEnds {
        /// Its name.
        channel: String,
        /// How many partitions map it.
        ends: usize,
    },
    /// Registers that EL2 emulates for a partition are mapped for it.
    #[error("partition `{partition}` reaches {reach}, where EL2 emulates {what}")]
    Emulated {
        /// Its name.
        partition: String,
        /// Which registers.
        what: &'static str,
        /// What is mapped there.
        reach: Reach,
    },
    /// Registers that EL2 emulates are where it cannot emulate them, or where it emulates others.
    #[error(
        "partition `{partition}`: {what} at {ipa:#x} overlaps other registers that EL2 emulates, or is on no such page"
    )]
    Frame {
        /// Its name.
        partition: String,
        /// Which registers.
        what: &'static str,
        /// Where it would see them.
        ipa: u64,
    },
    /// A VMID that is 0, another one than the plan says, or used twice.
    #[error("partition `{partition}` has VMID {vmid}, which is zero, used twice or not the plan's")]
    Vmid {
        /// Its name.
        partition: String,
        /// The VMID.
        vmid: u16,
    },
    /// An SPI that two parties own: partitions, or EL2 and one.
    #[error("interrupt {intid} belongs to both `{first}` and `{second}`")]
    SharedInterrupt {
        /// Its INTID.
        intid: u32,
        /// One owner.
        first: String,
        /// The other.
        second: String,
    },
    /// Two core records with one affinity.
    #[error("cores {first} and {second} have the same MPIDR {mpidr:#x}")]
    Affinity {
        /// Index of one.
        first: usize,
        /// Index of the other.
        second: usize,
        /// Their affinity fields.
        mpidr: u64,
    },
    /// Core records and the partitions' lists of cores disagree.
    #[error("core {core} is not the same partition's in the core's record and in the partitions' lists")]
    Core {
        /// Its index.
        core: usize,
    },
    /// A partition that starts where it may not execute.
    #[error("partition `{partition}` starts at {entry:#x}, where it may not or cannot execute")]
    Entry {
        /// Its name.
        partition: String,
        /// Its entry (IPA).
        entry: u64,
    },
    /// EL2 maps what it must not, or differently.
    #[error("{tables}: {reach} {why}")]
    El2Reach {
        /// Which root.
        tables: Tables,
        /// What is mapped.
        reach: Reach,
        /// What is wrong with it.
        why: &'static str,
    },
    /// EL2 does not map what it must.
    #[error("{tables}: {what} at {va:#x} is not mapped as it must be")]
    El2Missing {
        /// Which root.
        tables: Tables,
        /// What.
        what: &'static str,
        /// Where.
        va: u64,
    },
    /// A payload segment with the wrong place or the wrong bytes.
    #[error("the payload segment of partition `{partition}` for {ipa:#x} {why}")]
    Segment {
        /// The partition.
        partition: String,
        /// Where it goes (IPA).
        ipa: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The log would say something else about bus masters than the regions.
    #[error("the log would end its first record with \"{found}\" instead of \"{right}\"")]
    Exception {
        /// The plan's words.
        found: String,
        /// Those that the regions' bus masters make.
        right: String,
    },
    /// A device that EL2 cannot drive, or that no partition may see.
    #[error("{device} at {range} {why}")]
    Device {
        /// Which.
        device: &'static str,
        /// Its registers' physical addresses.
        range: Range,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A partition without the interrupt controller's CPU interface, or with another thing in its place.
    #[error("partition `{partition}` does not see GICV, and nothing else, where its CPU interface is")]
    CpuInterface {
        /// Its name.
        partition: String,
    },
    /// Memory outside RAM, or registers in it.
    #[error("region `{region}` at {range} is memory outside RAM, or a device in it")]
    Place {
        /// The region.
        region: String,
        /// Its physical addresses.
        range: Range,
    },
    /// Two places of the image do not tell the same.
    #[error("the image contradicts itself: {0}")]
    Facts(&'static str),
    /// Boot block, plan and tables do not tell the same.
    #[error("boot block and plan disagree about {0}")]
    BootBlock(&'static str),
    /// The image says something else than the configuration.
    #[error("{whose}: image and configuration disagree about {what}")]
    Configuration {
        /// Whose: "board", or a partition's name in quotes.
        whose: String,
        /// Which fact.
        what: &'static str,
    },
}

/// Violations, as many as are worth listing.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Violation>);

impl Findings {
    /// More than these are not kept: one flipped bit in a high table can cause thousands.
    const MOST: usize = 64;

    pub fn add(&mut self, violation: Violation) {
        if !self.is_full() {
            self.0.push(violation);
        }
    }

    pub fn is_full(&self) -> bool {
        self.0.len() >= Self::MOST
    }

    pub fn into_vec(self) -> Vec<Violation> {
        self.0
    }
}
