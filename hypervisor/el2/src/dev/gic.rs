//! EL2's own use of the interrupt controller, whichever version the plan names: start-up, acknowledge, IPI.

use core::sync::atomic::Ordering::Relaxed;

use embassy_time::{Duration, Instant};
use septum_core::dev::gic::{self, CpuInterface, GicError, distributor, offset, v2, v3};
use septum_core::vdev::gic::state::Mailbox;
use septum_plan::{CoreRecord, DeviceKind, GicVersion, Plan, frames, space};

use crate::arch::gic_registers::{self, SystemInterface};
use crate::arch::mmio::Window;
use crate::percpu::{self, CoreState, slot};
use crate::time::{self, WakeUp};

/// The board's interrupt controller as the calling core reaches it. Cheap to make from the plan; holds no state.
#[derive(Clone, Copy, Debug)]
pub enum Controller {
    /// GICv2: memory-mapped interfaces.
    V2 {
        /// GICD and GICC.
        interface: v2::Interface<Window>,
        /// GICH.
        gich: Window,
    },
    /// GICv3: system registers.
    V3 {
        /// GICD.
        gicd: Window,
    },
}

impl percpu::Local for slot::Gic {
    type Part = Controller;
}

/// This core's way to the interrupt controller.
#[inline(always)]
pub fn controller(core: &CoreState) -> &Controller {
    core.local::<slot::Gic>()
}

/// `Mailbox::interface` holds a device's address in 32 bits.
const _: () = assert!(space::DEVICES_VA_END <= 1 << 32);

impl Controller {
    /// The controller of `plan`.
    ///
    /// # Safety
    /// The plan is the one that this EL2's tables were compiled with, so that its devices are mapped as it says.
    pub unsafe fn new(plan: &Plan<'_>) -> Self {
        // SAFETY: the caller's promise; the compiler maps GICD, GICC and GICH whole.
        let frame = |kind| unsafe { Window::new(plan.device(kind).va) };
        let gicd = frame(DeviceKind::Gicd);
        match plan.gic() {
            GicVersion::V2 => {
                let interface = v2::Interface { gicd, gicc: frame(DeviceKind::Gicc) };
                Self::V2 { interface, gich: frame(DeviceKind::Gich) }
            }
            GicVersion::V3 => Self::V3 { gicd },
        }
    }

    /// GICD.
    pub const fn gicd(&self) -> Window {
        match self {
            Self::V2 { interface, .. } => interface.gicd,
            Self::V3 { gicd } => *gicd,
        }
    }

    /// Brings the distributor up: once, by the boot core, before any [`Controller::init_core`].
    ///
    /// # Errors
    /// [`GicError::WritePending`].
    pub fn init_distributor(&self) -> Result<(), GicError> {
        match self {
            Self::V2 { interface, .. } => distributor::init(&interface.gicd, GicVersion::V2),
            Self::V3 { gicd } => distributor::init(gicd, GicVersion::V3),
        }
    }

    /// Brings the calling core's part up: afterwards [`gic::IPI`], [`gic::MAINTENANCE`] and [`gic::HYPERVISOR_TIMER`]
    /// reach it as soon as PSTATE.I allows. Returns the word that sends it an IPI ([`Controller::send_ipi`]); leaves its
    /// [`Mailbox::interface`].
    ///
    /// # Errors
    /// Any [`GicError`]: this core cannot run a partition.
    ///
    /// # Safety
    /// `plan` is the one that [`Controller::new`] was given, `core` the calling core's record in it.
    pub unsafe fn init_core(&self, plan: &Plan<'_>, core: &CoreRecord, own: &Mailbox) -> Result<u64, GicError> {
        match self {
            Self::V2 { interface, gich } => {
                v2::reset_virtual_interface(gich);
                let bit = v2::init_core(interface);
                own.interface.store(bit.into(), Relaxed);
                Ok(v2::ipi_word(bit))
            }
            Self::V3 { .. } => {
                let all = plan.device(DeviceKind::Gicr);
                let va = |slot: u32| all.va.wrapping_add(u64::from(slot).wrapping_mul(space::GICR_STRIDE));
                let slots = (all.bytes / frames::GICR_BYTES) as u32;
                // SAFETY: the caller's promise; the compiler maps each of these pieces of GICR, whole, in every root.
                let gicr = v3::find(slots, |slot| unsafe { Window::new(va(slot)) }, core.mpidr)?;
                v3::init_core(&gicr)?;
                own.interface.store((gicr.va() as u32).wrapping_add(offset::GICR_SGI_FRAME), Relaxed);
                SystemInterface.init_core()?;
                gic_registers::reset_virtual_interface();
                Ok(v3::ipi_word(core.mpidr))
            }
        }
    }

    /// Acknowledges the highest pending interrupt and drops its priority: the raw value of IAR, whose INTID is
    /// [`gic::intid`]; `None` if nothing is pending.
    pub fn acknowledge(&self) -> Option<u32> {
        match self {
            Self::V2 { interface, .. } => taken(interface, interface.acknowledge()),
            Self::V3 { .. } => taken(&SystemInterface, SystemInterface.acknowledge()),
        }
    }

    /// As [`Controller::acknowledge`], where IAR has been read already and was `acknowledged`.
    pub fn taken(&self, acknowledged: u32) -> Option<u32> {
        match self {
            Self::V2 { interface, .. } => taken(interface, acknowledged),
            Self::V3 { .. } => taken(&SystemInterface, acknowledged),
        }
    }

    /// Whether this core is to look after its interrupts now and then: [`v2::is_forgetful`].
    pub fn is_forgetful(&self) -> bool {
        matches!(self, Self::V2 { interface, .. } if v2::is_forgetful(&interface.gicc))
    }

    /// Shuts the calling core off from all interrupts, for good: nothing wakes it any more.
    pub fn close_core(&self) {
        match self {
            Self::V2 { interface, .. } => v2::close_core(interface),
            Self::V3 { .. } => SystemInterface.close_core(),
        }
    }

    /// Deactivates one of EL2's own interrupts that [`Controller::acknowledge`] gave.
    pub fn deactivate(&self, acknowledged: u32) {
        match self {
            Self::V2 { interface, .. } => interface.deactivate(acknowledged),
            Self::V3 { .. } => SystemInterface.deactivate(acknowledged),
        }
    }

    /// Enables SPI `intid`, which is EL2's, for one core: by its affinity `mpidr` on GICv3, by its interface's bit on
    /// GICv2.
    pub fn take_spi(&self, intid: u32, mpidr: u64, interface: u8) {
        match self {
            Self::V2 { interface: frames, .. } => {
                distributor::target(&frames.gicd, intid, interface);
                distributor::enable(&frames.gicd, intid);
            }
            Self::V3 { gicd } => {
                distributor::route(gicd, intid, mpidr);
                distributor::enable(gicd, intid);
            }
        }
    }

    /// Interrupts the core whose [`Controller::init_core`] gave `ipi_word`.
    pub fn send_ipi(&self, ipi_word: u64) {
        match self {
            Self::V2 { interface, .. } => {
                gic_registers::publish();
                interface.send(ipi_word);
            }
            Self::V3 { .. } => SystemInterface.send(ipi_word),
        }
    }
}

fn taken(interface: &impl CpuInterface, acknowledged: u32) -> Option<u32> {
    (gic::intid(acknowledged) < gic::SPECIAL_FIRST).then(|| {
        interface.end(acknowledged);
        acknowledged
    })
}

/// How long an interrupt that QEMU has forgotten stays forgotten at most (docs/decisions/0011).
const REMINDER: Duration = Duration::from_millis(10);

/// Has CNTHP interrupt this core again and again where the GIC is QEMU's GICv2: any change of a line has the model look
/// at all of them again. Nothing on other GICs.
pub fn remind(core: &CoreState) {
    Reminder::act(core);
}

struct Reminder;

impl WakeUp for Reminder {
    fn act(core: &CoreState) {
        if controller(core).is_forgetful() {
            time::wake::<Self>(Instant::now().saturating_add(REMINDER));
        }
    }
}
