//! The plan against the board: asks the registers and the firmware's device tree, and words what does not fit.
//!
//! The texts are `septum_plan::refusal`'s. What fits is not mentioned.

use fdt_rs::base::DevTree;
use septum_core::board_check::core::{self as identity, Mismatch};
use septum_core::board_check::device_tree;
use septum_core::dev::Mmio;
use septum_core::dev::gic::GicError;
use septum_plan::record::OWNER_EL2;
use septum_plan::{DeviceKind, GicVersion, Plan, RegionRecord, refusal};

use crate::arch::cpu;
use crate::arch::mmio::Window;
use crate::percpu::CoreState;

/// The board is not the one that the plan was made for; the log says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Compares the calling core with the plan.
///
/// # Errors
/// [`Refused`], logged.
pub fn core(core: &CoreState) -> Result<(), Refused> {
    identity::check(&cpu::identification(), &core.plan).map_err(|mismatch| report_core(core.index, mismatch))
}

fn report_core(index: u16, mismatch: Mismatch) -> Refused {
    match mismatch {
        Mismatch::PaRange { has, needs } => refusal!(M01: defmt::error, index, has, needs),
        Mismatch::Stage2Granule(granule) => refusal!(M02: defmt::error, index, granule.bytes()),
        Mismatch::Stage1Granule => refusal!(M03: defmt::error, index),
        Mismatch::El1State => refusal!(M04: defmt::error, index),
        Mismatch::Counter { has, needs } => refusal!(M05: defmt::error, index, has, needs),
        Mismatch::NoGicRegisters => refusal!(M06: defmt::error, index),
    }
    Refused
}

/// Whether this core has the interrupt controller that `plan` says, so that its virtual interface may be touched. For
/// `start::set_up`: there is no log yet, and [`core()`] and [`distributor`] say the rest.
pub fn has_planned_gic(plan: &Plan<'static>) -> bool {
    match plan.gic() {
        GicVersion::V2 => identity::distributor_fits(GicVersion::V2, pidr2(plan)),
        GicVersion::V3 => identity::has_gic_registers(&cpu::identification()),
    }
}

/// GICD_PIDR2, where the plan's kind of distributor has it.
fn pidr2(plan: &Plan<'static>) -> u32 {
    // SAFETY: the plan is the one that the tables were compiled with; GICD is mapped whole in every root.
    let frame = unsafe { Window::new(plan.device(DeviceKind::Gicd).va) };
    frame.read(identity::pidr2_offset(plan.gic()))
}

/// Asks the distributor for its architecture version.
///
/// # Errors
/// [`Refused`], logged.
pub fn distributor(core: &CoreState) -> Result<(), Refused> {
    let gic = core.plan.gic();
    let pidr2 = pidr2(&core.plan);
    if identity::distributor_fits(gic, pidr2) {
        return Ok(());
    }
    refusal!(G01: defmt::error, gic.code(), pidr2 >> 4 & 0xf);
    Err(Refused)
}

/// Words why the interrupt controller could not be brought up on this core.
pub fn report_gic(index: u16, error: GicError) -> Refused {
    refusal!(G02: defmt::error, index, error.reason());
    Refused
}

/// Compares the firmware's device tree, at the physical address `tree_pa`, with the plan. That there is none or that it
/// cannot be read is said and is no error. For the boot core, with the boot root.
///
/// # Errors
/// [`Refused`], logged.
pub fn device_tree(core: &CoreState, tree_pa: u64) -> Result<(), Refused> {
    let Some(bytes) = tree_bytes(&core.plan, tree_pa) else {
        defmt::info!("firmware's device tree not checked: none at {=u64:#x}", tree_pa);
        return Ok(());
    };
    // SAFETY: the buffer is 8-byte aligned and exactly as long as its header says.
    let result = match unsafe { DevTree::new(bytes) } {
        Ok(tree) => device_tree::check(&tree, tree_pa, &core.plan),
        Err(_) => Err(device_tree::Mismatch::Unreadable),
    };
    result.or_else(|mismatch| report_tree(&core.plan, mismatch))
}

fn report_tree(plan: &Plan<'static>, mismatch: device_tree::Mismatch<'_>) -> Result<(), Refused> {
    match mismatch {
        device_tree::Mismatch::Unreadable => {
            defmt::warn!("firmware's device tree not checked: fdt-rs cannot read it");
            return Ok(());
        }
        device_tree::Mismatch::NoRam { region, first } => {
            refusal!(D01: defmt::error, plan.text(region.name), owner(plan, region), region.pa, first)
        }
        device_tree::Mismatch::Reserved { region, name, range } => {
            let (region_name, owner) = (plan.text(region.name), owner(plan, region));
            refusal!(D02: defmt::error, region_name, owner, region.pa, range.start, range.end, name)
        }
        device_tree::Mismatch::Cores { has, needs } => refusal!(D03: defmt::error, has, needs),
    }
    Err(Refused)
}

fn owner(plan: &Plan<'static>, region: &RegionRecord) -> &'static str {
    if region.owner == OWNER_EL2 {
        return "EL2";
    }
    plan.partitions().get(usize::from(region.owner)).map_or("", |partition| plan.text(partition.name))
}

/// Bytes of a device tree's header.
const TREE_HEADER_BYTES: usize = 40;
/// Longest device tree: Linux's booting.rst allows 2 MiB.
const TREE_BYTES_MAX: u64 = 0x20_0000;
/// A device tree's first word.
const TREE_MAGIC: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];

/// The device tree at `pa`, as long as its header says, if one lies there and wholly in RAM that the boot root maps.
fn tree_bytes(plan: &Plan<'static>, pa: u64) -> Option<&'static [u8]> {
    let aligned = pa & 7 == 0;
    let ram = plan.ram().iter().find(|ram| pa.checked_sub(ram.pa).is_some_and(|offset| offset < ram.size))?;
    let offset = pa.checked_sub(ram.pa)?;
    let available = ram.size.checked_sub(offset)?.min(TREE_BYTES_MAX) as usize;
    let first = core::ptr::with_exposed_provenance(ram.va.checked_add(offset)? as usize);
    if !aligned || available < TREE_HEADER_BYTES {
        return None;
    }
    // SAFETY: the boot root, in force on this core, maps all of `ram` for reading; no other core runs yet, and this one
    // writes only to EL2's own memory, which no tree overlaps that survived the image's arrival.
    let bytes: &'static [u8] = unsafe { core::slice::from_raw_parts(first, available) };
    let magic = bytes.starts_with(&TREE_MAGIC);
    let total = bytes.get(4..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let tree = bytes.get(..total as usize)?;
    (magic && tree.len() >= TREE_HEADER_BYTES).then_some(tree)
}
