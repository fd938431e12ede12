//! The proof: what an image really does, read from its bytes and judged without a line of what built it.
//!
//! [`verify`] knows nothing but the file. It checks the seals, walks every table with septum_stage2's walkers as
//! hardware would, and compares what they reach with what the plan in the file says, party by party. [`prove`] does
//! the same and then compares the plan with the configuration; [`crate::image::build`] gives no image away before.

mod devices;
mod el2;
mod facts;
mod partition;
mod proof;
mod range;
mod reach;
mod root;
mod segments;
mod sharing;
mod violation;

use septum_plan::{Plan, RegionKind};
use septum_stage2::PaRange;
use septum_stage2::walk::TableBytes;

use crate::bus_masters;
use crate::el2_elf::El2;
use crate::format::reader::{ImageError, Reader};
use crate::system::System;

pub use el2::El2Reach;
pub use partition::PartitionReach;
pub use range::Range;
pub use reach::{Reach, Reached};
use violation::Findings;
pub use violation::{Tables, Violation};

/// Why an image is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is no image, or damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It is intact, but does what it must not. At most 64 are listed; never empty.
    #[error("{}", lines(.0))]
    Violations(Vec<Violation>),
}

fn lines(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("\n")
}

/// What an image without a violation reaches.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The board's name.
    pub board: String,
    /// The configuration file's name.
    pub config: String,
    /// Partitions, in the plan's order.
    pub partitions: Vec<PartitionReach>,
    /// EL2's own roots.
    pub el2: El2Reach,
    /// Who reaches all memory past the tables, as the end of a sentence ([`crate::bus_masters`]).
    pub exception: String,
    /// Devices of partitions that the plan calls no bus masters, each as `` `device` of `partition` ``: whether one is, only the
    /// board can tell.
    pub other_devices: Vec<String>,
    /// Memory that is not zeroed where no payload goes, each as `` `memory` of `partition` ``.
    pub kept: Vec<String>,
}

/// Everything that the checks look at.
#[derive(Clone, Copy)]
struct Context<'a> {
    reader: &'a Reader<'a>,
    plan: Plan<'a>,
    tables: TableBytes<'a>,
    pa_range: PaRange,
}

impl Context<'_> {
    /// Most tables that a walk may pass: as many as the table memory has room for, and a small root.
    const fn budget(&self, granule: u64) -> u64 {
        self.tables.bytes.len() as u64 / granule + 1
    }
}

/// Judges an image by its bytes alone.
///
/// # Errors
/// What is wrong with it. No bytes make this panic.
pub fn verify(image: &[u8]) -> Result<Verified, VerifyError> {
    let reader = Reader::new(image)?;
    let (verified, findings) = examine(&context(&reader)?);
    finish(verified, findings)
}

/// Judges an image by its bytes and by what it was made from: the configuration, and EL2.
///
/// # Errors
/// As [`verify`], and every fact of `system` or `el2` that the image tells otherwise.
pub fn prove(system: &System, el2: &El2, image: &[u8]) -> Result<Verified, VerifyError> {
    let reader = Reader::new(image)?;
    let context = context(&reader)?;
    let (verified, mut findings) = examine(&context);
    proof::compare(system, el2, &context, &verified, &mut findings);
    finish(verified, findings)
}

/// What each partition's tables reach, in the plan's order, without any judgement but that they can be walked.
///
/// # Errors
/// Where some tables cannot be walked.
pub fn partition_tables(reader: &Reader<'_>) -> Result<Vec<PartitionReach>, VerifyError> {
    let context = context(reader)?;
    let mut findings = Findings::default();
    let records = context.plan.partitions().iter();
    let partitions = records.map(|record| partition::walk(&context, record, &mut findings)).collect();
    finish(partitions, findings)
}

fn context<'a>(reader: &'a Reader<'a>) -> Result<Context<'a>, ImageError> {
    let plan = reader.plan()?;
    let tables = reader.tables(plan.header());
    let pa_range = PaRange::from_field(plan.header().pa_range).ok_or(ImageError::PaRange)?;
    Ok(Context { reader, plan, tables, pa_range })
}

fn examine(context: &Context<'_>) -> (Verified, Findings) {
    let mut findings = Findings::default();
    check_boot_block(context, &mut findings);
    facts::check(context, &mut findings);
    let records = context.plan.partitions().iter();
    let partitions: Vec<_> = records.map(|record| partition::check(context, record, &mut findings)).collect();
    sharing::check(context, &partitions, &mut findings);
    let el2 = el2::check(context, &mut findings);
    segments::check(context, &el2, &mut findings);
    let (board, config) = (context.plan.board().to_owned(), context.plan.config().to_owned());
    let exception = exception(&partitions);
    if context.plan.exception() != exception {
        findings.add(Violation::Exception { found: context.plan.exception().to_owned(), right: exception.clone() });
    }
    let (other_devices, kept) = (other_devices(context), kept(&context.plan));
    (Verified { board, config, partitions, el2, exception, other_devices, kept }, findings)
}

fn other_devices(context: &Context<'_>) -> Vec<String> {
    let plan = &context.plan;
    let mut names = Vec::new();
    for partition in plan.partitions() {
        let regions = plan.regions_of(partition).iter().filter(|region| {
            let device = RegionKind::from_code(region.kind) == Some(RegionKind::Device);
            device && !region.is_bus_master() && !devices::is_cpu_interface(context, partition, region)
        });
        names.extend(regions.map(|region| format!("`{}` of `{}`", plan.text(region.name), plan.text(partition.name))));
    }
    names
}

fn kept(plan: &Plan<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for partition in plan.partitions() {
        let kept = plan.regions_of(partition).iter().filter(|region| plan.is_kept(partition, region));
        names.extend(kept.map(|region| format!("`{}` of `{}`", plan.text(region.name), plan.text(partition.name))));
    }
    names
}

fn exception(partitions: &[PartitionReach]) -> String {
    bus_masters::exception(
        partitions
            .iter()
            .map(|partition| (partition.name.as_str(), partition.bus_masters.iter().map(String::as_str).collect())),
    )
}

fn finish<T>(result: T, findings: Findings) -> Result<T, VerifyError> {
    let violations = findings.into_vec();
    if violations.is_empty() { Ok(result) } else { Err(VerifyError::Violations(violations)) }
}

/// The boot stub and EL2 must act on the same facts.
fn check_boot_block(context: &Context<'_>, findings: &mut Findings) {
    let (block, header) = (context.reader.block(), context.plan.header());
    let facts = [
        ("the load address", block.load == header.load_pa),
        ("EL2's memory", block.memory_bytes == header.memory_bytes),
        ("the boot root", block.boot_root == header.boot_root),
        ("the run root", block.run_root == header.run_root),
        ("TCR_EL2", block.tcr == header.tcr),
        ("MAIR_EL2", block.mair == header.mair),
        ("the console", block.console == *context.plan.console()),
    ];
    for (fact, _) in facts.iter().filter(|(_, agree)| !agree) {
        findings.add(Violation::BootBlock(fact));
    }
}
