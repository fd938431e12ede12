//! Interrupts: the partition's GIC, found by asking EL2, and one handler for all of them.
//!
//! GICv2 interrupts are used in group 0 and GICv3 ones in group 1, as a guest without security extensions sees them.

use core::ptr::{NonNull, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use arm_gic::gicv2::GicV2;
use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicV3, SgiTarget, SgiTargetGroup};
use arm_gic::{IntId, InterruptGroup, UniqueMmioPointer, gicv2};
use septum_plan::calls::Information;

use crate::{hypercall, registers};

/// INTID of the virtual timer's interrupt.
pub const VIRTUAL_TIMER: u32 = 27;
/// INTIDs from here on mean that there is no interrupt to handle.
const SPECIAL: u32 = 1020;
/// Priority of everything that [`enable`] enables.
const PRIORITY: u8 = 0x80;
/// A GICv2's IAR tells in bits 12:10 which core sent an SGI.
const INTID_MASK: u32 = 0x3ff;

static HANDLER: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
/// GICC's address of a GICv2; 0 with a GICv3.
static CPU_INTERFACE: AtomicU64 = AtomicU64::new(0);

/// Why interrupts cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptError {
    /// EL2 gives this partition no interrupt controller.
    NoController,
    /// The controller did not take the interrupt.
    Refused,
}

impl core::fmt::Display for InterruptError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoController => "the partition has no interrupt controller",
            Self::Refused => "the interrupt controller refused the interrupt",
        })
    }
}

impl core::error::Error for InterruptError {}

/// The partition's interrupt controller; each core makes one for its own set-up and keeps nothing of it.
enum Controller {
    V2(GicV2<'static>),
    V3(GicV3<'static>, usize),
}

impl Controller {
    fn find() -> Result<Self, InterruptError> {
        match hypercall::information(Information::GIC_VERSION) {
            Some(2) => Self::v2().ok_or(InterruptError::NoController),
            Some(3) => Self::v3().ok_or(InterruptError::NoController),
            _ => Err(InterruptError::NoController),
        }
    }

    fn v2() -> Option<Self> {
        let distributor = frame(Information::GICD)?;
        let cpu_interface: NonNull<gicv2::registers::Gicc> = frame(Information::GICC)?;
        CPU_INTERFACE.store(cpu_interface.addr().get() as u64, Ordering::Relaxed);
        // SAFETY: EL2 says that the frames are there. All cores' drivers use registers that are banked per core, or
        // written once by the first core before it starts the others.
        Some(Self::V2(unsafe { GicV2::new(distributor.as_ptr(), cpu_interface.as_ptr()) }))
    }

    fn v3() -> Option<Self> {
        let distributor: NonNull<Gicd> = frame(Information::GICD)?;
        let redistributors: NonNull<GicrSgi> = frame(Information::GICR)?;
        let cores = usize::try_from(hypercall::information(Information::VCPU_COUNT)?).ok()?;
        // SAFETY: as in `v2`.
        let gic = unsafe { GicV3::new(UniqueMmioPointer::new(distributor), redistributors, cores) };
        Some(Self::V3(gic.ok()?, usize::try_from(core_index()).ok()?))
    }

    fn set_up(&mut self) {
        match self {
            Self::V2(gic) => gic.setup(),
            Self::V3(gic, core) => {
                gic.setup(*core);
                GicCpuInterface::set_priority_mask(0xff);
            }
        }
    }

    fn set_up_further_core(&mut self) {
        match self {
            Self::V2(gic) => gic.setup(),
            Self::V3(gic, core) => {
                gic.init_cpu(*core);
                GicCpuInterface::enable_group1(true);
                GicCpuInterface::set_priority_mask(0xff);
            }
        }
    }

    fn enable(&mut self, intid: IntId) -> Result<(), InterruptError> {
        match self {
            Self::V2(gic) => {
                gic.set_interrupt_priority(intid, PRIORITY);
                gic.enable_interrupt(intid, true).map_err(|_| InterruptError::Refused)
            }
            Self::V3(gic, core) => gic
                .set_interrupt_priority(intid, Some(*core), PRIORITY)
                .and_then(|()| gic.enable_interrupt(intid, Some(*core), true))
                .map_err(|_| InterruptError::Refused),
        }
    }
}

/// Sets the interrupt controller up for the first core; from now on `handler` gets the INTID of each interrupt that
/// comes, on the core where it comes, with interrupts masked. To be called once.
///
/// # Errors
/// Where the partition has no interrupt controller.
pub fn start(handler: fn(u32)) -> Result<(), InterruptError> {
    HANDLER.store(handler as *mut (), Ordering::Release);
    Controller::find()?.set_up();
    registers::unmask_interrupts();
    Ok(())
}

/// Sets the calling core up, one that [`crate::cores::start`] has switched on after [`start`].
///
/// # Errors
/// As [`start`].
pub fn start_further_core() -> Result<(), InterruptError> {
    prepare_further_core()?;
    registers::unmask_interrupts();
    Ok(())
}

/// As [`start_further_core`], with interrupts left masked.
///
/// # Errors
/// As [`start`].
pub fn prepare_further_core() -> Result<(), InterruptError> {
    Controller::find()?.set_up_further_core();
    Ok(())
}

/// Enables interrupt `intid`; a private one on the calling core.
///
/// # Errors
/// Where there is no controller or no such interrupt.
pub fn enable(intid: u32) -> Result<(), InterruptError> {
    let masked = registers::mask_interrupts();
    let result = Controller::find().and_then(|mut controller| controller.enable(int_id(intid)?));
    registers::restore_interrupts(masked);
    result
}

/// Sends software-generated interrupt `intid` (0 to 15) to the cores in `cores`, bit i for core i.
///
/// # Errors
/// Where there is no controller or no such interrupt.
pub fn send(intid: u32, cores: u8) -> Result<(), InterruptError> {
    let sgi = int_id(intid).ok().filter(|id| id.is_sgi()).ok_or(InterruptError::Refused)?;
    if CPU_INTERFACE.load(Ordering::Relaxed) == 0 {
        let target =
            SgiTarget::List { affinity3: 0, affinity2: 0, affinity1: 0, target_list: u16::from(cores) };
        return GicCpuInterface::send_sgi(sgi, target, SgiTargetGroup::CurrentGroup1).map_err(|_| InterruptError::Refused);
    }
    let Controller::V2(mut gic) = Controller::find()? else { return Err(InterruptError::NoController) };
    let target_list_filter = gicv2::SgiTargetListFilter::CPUTargetList;
    gic.send_sgi(sgi, gicv2::SgiTarget::List { target_list_filter, target_list: u16::from(cores) });
    Ok(())
}

/// Sends software-generated interrupt `intid` (0 to 15) to core `core`, any that a partition can have.
///
/// # Errors
/// As [`send`]; on a GICv2 also for a core above 7, of which it has none.
pub fn send_to(intid: u32, core: u64) -> Result<(), InterruptError> {
    if CPU_INTERFACE.load(Ordering::Relaxed) != 0 {
        return send(intid, 1_u8.checked_shl(core as u32).ok_or(InterruptError::Refused)?);
    }
    let sgi = int_id(intid).ok().filter(|id| id.is_sgi()).ok_or(InterruptError::Refused)?;
    let (affinity1, target_list) = ((core >> 4) as u8, 1 << (core & 0xf));
    let target = SgiTarget::List { affinity3: 0, affinity2: 0, affinity1, target_list };
    GicCpuInterface::send_sgi(sgi, target, SgiTargetGroup::CurrentGroup1).map_err(|_| InterruptError::Refused)
}

/// Acknowledges the interrupt that is pending, with interrupts masked, instead of the handler: its INTID, for [`end_one`].
pub fn acknowledge_one() -> Option<u32> {
    let acknowledged = acknowledge(cpu_interface());
    (acknowledged & INTID_MASK < SPECIAL).then_some(acknowledged)
}

/// Ends the interrupt that [`acknowledge_one`] gave.
pub fn end_one(acknowledged: u32) {
    end(cpu_interface(), acknowledged);
}

fn cpu_interface() -> Option<NonNull<u32>> {
    NonNull::new(with_exposed_provenance_mut::<u32>(CPU_INTERFACE.load(Ordering::Relaxed) as usize))
}

/// Which core this is, from 0: sixteen have one Aff1 ([`septum_plan::virtual_affinity`]).
pub fn core_index() -> u64 {
    let mpidr = registers::mpidr();
    mpidr >> 8 << 4 & 0xff0 | mpidr & 0xf
}

/// What the IRQ vector calls: everything that is pending goes to the handler.
pub(crate) fn taken() {
    let handler = HANDLER.load(Ordering::Acquire);
    let cpu_interface = cpu_interface();
    loop {
        let acknowledged = acknowledge(cpu_interface);
        let intid = acknowledged & INTID_MASK;
        if intid >= SPECIAL {
            return;
        }
        if !handler.is_null() {
            // SAFETY: `start` is the only writer, and puts in nothing but a `fn(u32)`.
            let handler: fn(u32) = unsafe { core::mem::transmute(handler) };
            handler(intid);
        }
        end(cpu_interface, acknowledged);
    }
}

/// Registers of a GICv2's CPU interface, as indices of words (IHI 0048B 4.4).
const GICC_IAR: usize = 0x0c / 4;
const GICC_EOIR: usize = 0x10 / 4;

fn acknowledge(cpu_interface: Option<NonNull<u32>>) -> u32 {
    match cpu_interface {
        // SAFETY: `Controller::v2` stored the address of a CPU interface, which has this register.
        Some(base) => unsafe { base.add(GICC_IAR).read_volatile() },
        None => GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1).map_or(SPECIAL, u32::from),
    }
}

fn end(cpu_interface: Option<NonNull<u32>>, acknowledged: u32) {
    match cpu_interface {
        // SAFETY: as in `acknowledge`.
        Some(base) => unsafe { base.add(GICC_EOIR).write_volatile(acknowledged) },
        None => {
            if let Ok(intid) = int_id(acknowledged) {
                GicCpuInterface::end_interrupt(intid, InterruptGroup::Group1);
            }
        }
    }
}

fn int_id(intid: u32) -> Result<IntId, InterruptError> {
    IntId::try_from(intid).map_err(|_| InterruptError::Refused)
}

fn frame<T>(which: u64) -> Option<NonNull<T>> {
    let address = usize::try_from(hypercall::information(which)?).ok()?;
    NonNull::new(with_exposed_provenance_mut(address))
}
