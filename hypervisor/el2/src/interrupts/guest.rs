//! The partition's interrupt controller on this core: what a trap or an interrupt asks of [`septum_el2::vgic`].

use core::cell::RefCell;
use core::sync::atomic::Ordering::Relaxed;

use septum_el2::gic::{self, CpuInterface, offset, v2};
use septum_el2::vgic::quick::{self, Quick};
use septum_el2::vgic::sgi::{Peers, SgiRegister};
use septum_el2::vgic::state::{Mailbox, Queue, Spis, bit};
use septum_el2::vgic::{Partition, Vgic, distributor, redistributor};
use septum_plan::Plan;
use septum_plan::record::{NO_ADDRESS, flag};

use super::Controller;
use super::hardware::{Cores, V2, V3};
use crate::arch::gic_registers::{self, Frame, SystemInterface};
use crate::core_state::{self, Assignment, CoreState};

/// What guests say about the board's SPIs.
static SPIS: Spis = Spis::new();

/// A core's part in its partition's interrupt controller.
pub struct Guest {
    hardware: Version,
    partition: Partition<'static>,
    vcpu: usize,
    own: &'static Mailbox,
    queue: RefCell<Queue>,
    gicd_ipa: u64,
    gicd_bytes: u64,
    gicr_ipa: u64,
    gicr_bytes: u64,
    /// HPFAR_EL2 for GICD's first page, and for this virtual core's SGI frame.
    distributor_page: u64,
    private_page: u64,
    gicd: Frame,
    /// GICv3: this core's physical SGI frame.
    private: Frame,
}

enum Version {
    V2(V2),
    V3(V3),
}

/// Runs `$what` with the core's emulation as `$vgic`, for the board's version. The queue has one user at a time, as EL2
/// takes no interrupt; were it ever borrowed, nothing would be done and `$otherwise` be the result.
macro_rules! with_vgic {
    ($guest:expr, $otherwise:expr, |$vgic:ident| $what:expr) => {
        match ($guest.queue.try_borrow_mut(), &$guest.hardware) {
            (Ok(mut queue), Version::V3(hardware)) => {
                let $vgic = &mut $guest.vgic(hardware, &mut queue);
                $what
            }
            (Ok(mut queue), Version::V2(hardware)) => {
                let $vgic = &mut $guest.vgic(hardware, &mut queue);
                $what
            }
            _ => $otherwise,
        }
    };
}

impl Guest {
    /// For `assignment` of `plan`, on core `index`; `None` if the plan has no such partition.
    pub fn new(plan: &Plan<'static>, controller: &Controller, assignment: Assignment, index: u16) -> Option<Self> {
        let record = plan.partitions().get(usize::from(assignment.partition))?;
        let vcpus = plan.vcpus(record);
        let cores = Cores { vcpus, records: plan.cores() };
        let own_timer = record.flags & flag::TRAP_PHYSICAL_TIMER == 0;
        let own = core_state::mailbox(plan.cores(), index)?;
        let v3 = matches!(controller, Controller::V3 { .. });
        Some(Self {
            hardware: Version::new(controller, cores),
            partition: Partition::new(plan.interrupts(record), vcpus.len(), v3, own_timer).with_made(
                record.console_intid >> 5,
                bit(record.console_intid),
                v3,
            ),
            vcpu: assignment.vcpu.into(),
            own,
            queue: RefCell::new(Queue::new()),
            gicd_ipa: record.gicd_ipa,
            gicd_bytes: window(record.gicd_ipa, distributor::frame_bytes(v3).into()),
            gicr_ipa: record.gicr_ipa,
            gicr_bytes: if v3 { window(record.gicr_ipa, redistributor::frames_bytes(vcpus.len())) } else { 0 },
            distributor_page: page(record.gicd_ipa, 0),
            private_page: if v3 {
                page(record.gicr_ipa, redistributor::private_frame(assignment.vcpu))
            } else {
                NO_ADDRESS
            },
            gicd: controller.gicd(),
            // SAFETY: the compiler maps both frames of each core's redistributor; on GICv2 there is none, and nothing
            // faults at `NO_ADDRESS`.
            private: unsafe {
                Frame::new(plan.cores().get(usize::from(index))?.gicr_va.wrapping_add(offset::GICR_SGI_FRAME.into()))
            },
        })
    }

    #[inline(always)]
    fn quick(&self) -> Quick<'_, Frame> {
        Quick { gicd: &self.gicd, private: &self.private, partition: &self.partition, own: self.own }
    }

    /// The guest reads the word at `far`, in the page of `hpfar`; `None` if the register is not among the quick ones.
    #[inline(always)]
    pub fn quick_read(&self, hpfar: u64, far: u64) -> Option<u32> {
        let register = far as u32 & 0xfff;
        if hpfar == self.distributor_page {
            return self.quick().read_distributor(register);
        }
        if hpfar == self.private_page { self.quick().read_private(register) } else { None }
    }

    /// The guest writes `value` to the word at `far`, in the page of `hpfar`; `false` if the register is not quick.
    #[inline(always)]
    pub fn quick_write(&self, peers: &Peers<'_>, hpfar: u64, far: u64, value: u32) -> bool {
        let register = far as u32 & 0xfff;
        hpfar == self.distributor_page
            && (self.quick().write_distributor(register, value) || self.quick_sgi(peers, register, value))
    }

    /// GICv2: the guest writes `value` to GICD_SGIR, if that is `register`.
    #[inline(always)]
    fn quick_sgi(&self, peers: &Peers<'_>, register: u32, value: u32) -> bool {
        let Version::V2(hardware) = &self.hardware else { return false };
        let word = if register == offset::SGIR { peers.post_v2(self.vcpu as u8, value) } else { None };
        word.map(|word| hardware.send(word)).is_some()
    }

    #[inline(always)]
    fn vgic<'a, H>(&'a self, hardware: &'a H, queue: &'a mut Queue) -> Vgic<'a, H> {
        Vgic { hardware, partition: &self.partition, spis: &SPIS, vcpu: self.vcpu, own: self.own, queue }
    }

    /// Takes physical interrupt `intid`; `false` if it is not the guest's.
    #[inline(always)]
    pub fn take(&self, intid: u32) -> bool {
        with_vgic!(self, false, |vgic| vgic.take(intid))
    }

    /// With a GICv2, takes one physical interrupt the short way; what [`Controller::acknowledge`] would give of one that
    /// has no short way. With a GICv3, the vector has done as much.
    #[inline(always)]
    pub fn quick_interrupt(&self, controller: &Controller) -> Option<u32> {
        let Version::V2(hardware) = &self.hardware else { return controller.acknowledge() };
        let acknowledged = hardware.interface.acknowledge();
        let intid = gic::intid(acknowledged);
        if intid >= gic::SPECIAL_FIRST {
            return None;
        }
        hardware.interface.end(acknowledged);
        if quick::take(hardware, self.own, intid) {
            return None;
        }
        if intid != gic::IPI || !quick::deliver(hardware, self.own) {
            return Some(acknowledged);
        }
        hardware.interface.deactivate(acknowledged);
        None
    }

    /// EL2's IPI has come.
    pub fn on_ipi(&self) {
        with_vgic!(self, (), |vgic| vgic.on_ipi());
    }

    /// The maintenance interrupt has come.
    pub fn maintain(&self) {
        with_vgic!(self, (), |vgic| vgic.maintain());
    }

    /// Sets the line of `intid`, an interrupt that EL2 makes for this partition.
    pub fn set_line(&self, intid: u32, high: bool) {
        with_vgic!(self, (), |vgic| vgic.set_line(intid, high));
    }

    /// The guest reads `bytes` at `ipa`; `None` if no register of its interrupt controller is emulated there.
    #[inline(always)]
    pub fn read(&self, ipa: u64, bytes: u32) -> Option<u64> {
        let offset = ipa.wrapping_sub(self.gicd_ipa);
        if offset < self.gicd_bytes {
            return with_vgic!(self, None, |vgic| Some(vgic.read_distributor(offset as u32, bytes)));
        }
        self.read_redistributor(ipa, bytes)
    }

    #[inline(always)]
    fn read_redistributor(&self, ipa: u64, bytes: u32) -> Option<u64> {
        let offset = ipa.wrapping_sub(self.gicr_ipa);
        if offset >= self.gicr_bytes {
            return None;
        }
        match (self.queue.try_borrow_mut(), &self.hardware) {
            (Ok(mut queue), Version::V3(hardware)) => {
                Some(self.vgic(hardware, &mut queue).read_redistributor(offset as u32, bytes))
            }
            _ => None,
        }
    }

    /// The guest writes `bytes` of `value` at `ipa`; `false` if no register is emulated there.
    #[inline(always)]
    pub fn write(&self, ipa: u64, bytes: u32, value: u64) -> bool {
        let offset = ipa.wrapping_sub(self.gicd_ipa);
        if offset < self.gicd_bytes {
            with_vgic!(self, (), |vgic| vgic.write_distributor(offset as u32, bytes, value));
            return true;
        }
        self.write_redistributor(ipa, bytes, value)
    }

    fn write_redistributor(&self, ipa: u64, bytes: u32, value: u64) -> bool {
        let offset = ipa.wrapping_sub(self.gicr_ipa);
        if offset >= self.gicr_bytes {
            return false;
        }
        if let (Ok(mut queue), Version::V3(hardware)) = (self.queue.try_borrow_mut(), &self.hardware) {
            self.vgic(hardware, &mut queue).write_redistributor(offset as u32, bytes, value);
        }
        true
    }

    /// The guest writes `value` to one of GICv3's SGI registers; `false` on GICv2, which has none.
    #[inline(always)]
    pub fn send_sgi(&self, register: SgiRegister, value: u64) -> bool {
        let (Ok(mut queue), Version::V3(hardware)) = (self.queue.try_borrow_mut(), &self.hardware) else {
            return false;
        };
        self.vgic(hardware, &mut queue).send_sgi(register, value);
        true
    }

    /// The guest writes `intid` to ICC_DIR_EL1, which is trapped; `false` on GICv2.
    pub fn deactivate(&self, intid: u64) -> bool {
        let (Ok(mut queue), Version::V3(hardware)) = (self.queue.try_borrow_mut(), &self.hardware) else {
            return false;
        };
        let eoi_mode_1 = gic_registers::read_vmcr() & VMCR_EOI_MODE != 0;
        self.vgic(hardware, &mut queue).deactivate(intid as u32 & 0xff_ffff, eoi_mode_1);
        true
    }

    /// Resets what the partition's cores share; by one of them, while none of its virtual cores runs.
    pub fn reset_partition(&self) {
        with_vgic!(self, (), |vgic| vgic.reset_partition());
    }

    /// Resets this virtual core's interrupt controller; before each entry at a start address.
    pub fn reset_core(&self) {
        match &self.hardware {
            Version::V3(_) => gic_registers::reset_virtual_interface(),
            Version::V2(hardware) => v2::reset_virtual_interface(&hardware.gich),
        }
        with_vgic!(self, (), |vgic| vgic.reset_core());
    }

    /// The virtual core is off: nothing is in its list registers, and what it had pending is so in the physical GIC.
    pub fn stop_core(&self) {
        with_vgic!(self, (), |vgic| vgic.stop_core());
    }

    /// The partition has ended, for this core: none of its interrupts comes any more. The last of its cores to say so
    /// has the last word.
    pub fn stop(&self) {
        self.stop_core();
        self.reset_partition();
    }
}

/// ICH_VMCR_EL2.VEOIM.
const VMCR_EOI_MODE: u64 = 1 << 9;

impl Version {
    fn new(controller: &Controller, cores: Cores) -> Self {
        match *controller {
            Controller::V2 { interface, gich } => {
                Self::V2(V2 { interface, gich, cores, count: v2::list_registers(&gich) })
            }
            Controller::V3 { gicd } => Self::V3(V3 { gicd, cores, count: gic_registers::list_registers() }),
        }
    }
}

/// HPFAR_EL2 for the page `offset` bytes above `ipa`.
const fn page(ipa: u64, offset: u64) -> u64 {
    if ipa == NO_ADDRESS { NO_ADDRESS } else { ipa.wrapping_add(offset) >> 12 << 4 }
}

/// `bytes`, or none where there is no address.
const fn window(ipa: u64, bytes: u64) -> u64 {
    if ipa == NO_ADDRESS { 0 } else { bytes }
}

/// The virtual cores to which a core with this `assignment` sends SGIs; none without a partition.
pub fn peers(plan: &Plan<'static>, own: &'static Mailbox, assignment: Option<Assignment>) -> Peers<'static> {
    Peers::new(own, |vcpu| {
        let assignment = assignment.filter(|assignment| vcpu != usize::from(assignment.vcpu))?;
        Cores { vcpus: plan.vcpus(assignment.record), records: plan.cores() }.mailbox(vcpu)
    })
}

/// The guest has written `value` to ICC_SGI1R_EL1; `false`, and nothing done, if it is not an SGI to one peer.
#[inline(always)]
pub fn quick_sgi(peers: &Peers<'_>, value: u64) -> bool {
    peers.post(value).map(|word| SystemInterface.send(word)).is_some()
}

/// Leaves the word that reaches this core, and GICv2's interface bit, where the partition's other cores find them.
pub fn publish(core: &CoreState, ipi_word: u64) {
    let mailbox = &core.shared.mailbox;
    mailbox.ipi_word.store(ipi_word, Relaxed);
    if let Controller::V3 { .. } = core.controller {
        let all = 1_u32.wrapping_shl(gic_registers::list_registers()).wrapping_sub(1);
        mailbox.all_empty.store(all, Relaxed);
    }
    mailbox.interface.store((ipi_word >> 16) as u32 & 0xff, Relaxed);
}
