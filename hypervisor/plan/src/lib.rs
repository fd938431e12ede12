//! The contract between the compiler on the host and EL2 on the board: everything that one writes and the other reads.
//!
//! * [`boot`]: the block in the image's first page that the boot stub reads with the MMU off;
//! * [`record`]: the plan proper, `#[repr(C)]` records that refer to each other by offset and index, never by pointer;
//! * [`plan`]: the checked view of a plan's bytes ([`Plan::parse`]), the only way to read one;
//! * [`space`]: EL2's virtual address space;
//! * [`seal`](mod@seal): the hash over boot block, plan, tables and payloads;
//! * [`frames`]: register frames of interrupt controllers and consoles, and those that EL2 emulates;
//! * [`uart`]: the UARTs that EL2 drives;
//! * [`affinity`]: the affinities of a partition's virtual cores;
//! * [`calls`]: the calls that a partition may make;
//! * [`refusal`](mod@refusal): why EL2 does not start a board, or a partition.
//!
//! Pure: no `unsafe`, no allocation, no I/O; the same code runs in the compiler, in `verify` and at EL2.
#![no_std]
#![forbid(unsafe_code)]

pub mod affinity;
pub mod boot;
pub mod calls;
pub mod frames;
pub mod plan;
pub mod record;
pub mod refusal;
pub mod seal;
pub mod space;
pub mod uart;

pub use affinity::{vcpu_of_affinity, virtual_affinity};
pub use boot::BootBlock;
pub use plan::{Plan, PlanError};
pub use record::{
    CoreRecord, CoreStart, DeviceKind, DeviceRecord, EmulatedKind, EmulatedRecord, GicVersion, PartitionRecord,
    PlanHeader, PowerControl, RamRecord, RegionKind, RegionRecord, SegmentRecord, Slice, Text, UartPort,
};
pub use seal::seal;
pub use uart::UartKind;

// The records are read in place: the writer's byte order must be the reader's.
const _: () = assert!(cfg!(target_endian = "little"), "a plan is little-endian, as EL2 is");
