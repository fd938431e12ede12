//! The partition's interrupt controller on this core: what a trap or an interrupt asks of [`septum_core::vdev::gic`].

use core::cell::{Cell, RefCell};
use core::sync::atomic::Ordering::Relaxed;

use septum_core::dev::gic::{self, CpuInterface, offset, v2};
use septum_core::vdev::gic::quick::{self, Quick};
use septum_core::vdev::gic::sgi::{Peers, SgiRegister};
use septum_core::vdev::gic::state::{Mailbox, Queue, Spis, bit};
use septum_core::vdev::gic::{Partition, Vgic, redistributor};
use septum_plan::record::{NO_ADDRESS, flag};
use septum_plan::{EmulatedKind, EmulatedRecord, Plan};

mod hardware;

use crate::arch::gic_registers;
use crate::arch::mmio::Window;
use crate::dev::gic::{Controller, controller};
use crate::percpu::{self, Assignment, CoreState, slot};
use hardware::{Board, Cores, V2, V3, Version};

/// What guests say about the board's SPIs.
static SPIS: Spis = Spis::new();

impl percpu::Local for slot::VirtualGic {
    type Part = Option<Guest>;
}

/// The interrupt controller that this core's partition sees, if it has one.
#[inline(always)]
pub fn guest(core: &CoreState) -> &Option<Guest> {
    core.local::<slot::VirtualGic>()
}

/// A core's part in its partition's interrupt controller.
pub struct Guest {
    board: Board,
    partition: Partition<'static>,
    vcpu: usize,
    own: &'static Mailbox,
    /// Virtual core 0's.
    home: &'static Mailbox,
    queue: RefCell<Queue>,
    gicd_ipa: u64,
    gicd_bytes: u64,
    gicr_ipa: u64,
    gicr_bytes: u64,
    /// HPFAR_EL2 for GICD's first page, and for this virtual core's SGI frame.
    distributor_page: u64,
    private_page: u64,
    gicd: Window,
    /// GICv3: this core's physical SGI frame, once [`publish`] has been told.
    private: Cell<Window>,
}

impl Guest {
    /// For `assignment` of `plan`, on core `index`; `None` if the plan has no such partition.
    pub fn new(plan: &Plan<'static>, controller: &Controller, assignment: Assignment, index: u16) -> Option<Self> {
        let record = plan.partitions().get(usize::from(assignment.partition))?;
        let vcpus = plan.vcpus(record);
        let cores = Cores { vcpus, records: plan.cores() };
        let own_timer = record.flags & flag::TRAP_PHYSICAL_TIMER == 0;
        let own = percpu::mailbox(plan.cores(), index)?;
        let v3 = matches!(controller, Controller::V3 { .. });
        let frame = |kind| plan.emulated_of(record, kind).unwrap_or(&NOWHERE);
        let (gicd, gicr) = (frame(EmulatedKind::Gicd), frame(EmulatedKind::Gicr));
        let made = frame(EmulatedKind::Pl011).intid;
        Some(Self {
            board: Board { version: version(controller), cores },
            partition: Partition::new(plan.interrupts(record), vcpus.len(), v3, own_timer).with_made(
                made >> 5,
                bit(made),
                v3,
            ),
            vcpu: assignment.vcpu.into(),
            own,
            home: assignment.home.shared::<slot::Mailbox>(),
            queue: RefCell::new(Queue::new()),
            gicd_ipa: gicd.ipa,
            gicd_bytes: gicd.bytes,
            gicr_ipa: gicr.ipa,
            gicr_bytes: gicr.bytes,
            distributor_page: page(gicd, 0),
            private_page: page(gicr, redistributor::private_frame(assignment.vcpu)),
            gicd: controller.gicd(),
            private: Cell::new(controller.gicd()),
        })
    }

    #[inline(always)]
    fn quick(&self) -> Quick<'_, Window> {
        Quick {
            gicd: &self.gicd,
            private: self.private.get(),
            partition: &self.partition,
            own: self.own,
            home: self.home,
        }
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
        let Version::V2(hardware) = &self.board.version else { return false };
        // The checker leaves a GICv2 board no more than eight cores.
        let word = if register == offset::SGIR { peers.post_v2(self.vcpu as u8, value) } else { None };
        word.map(|word| hardware.send(word)).is_some()
    }

    /// With a GICv2, takes one physical interrupt the short way; what [`Controller::acknowledge`] would give of one that
    /// has no short way. With a GICv3, the vector has done as much.
    #[inline(always)]
    pub fn quick_interrupt(&self, controller: &Controller) -> Option<u32> {
        let Version::V2(hardware) = &self.board.version else { return controller.acknowledge() };
        let acknowledged = hardware.interface.acknowledge();
        let intid = gic::intid(acknowledged);
        if intid >= gic::SPECIAL_FIRST {
            return None;
        }
        hardware.interface.end(acknowledged);
        if quick::take(hardware, self.own, intid) {
            return None;
        }
        if intid != gic::IPI || !quick::deliver(hardware, self.own, false) {
            return Some(acknowledged);
        }
        hardware.interface.deactivate(acknowledged);
        None
    }

    /// Runs `what` with the emulation. The queue has one user at a time, as EL2 takes no interrupt; were it ever borrowed,
    /// nothing would be done.
    fn with<T>(&self, what: impl FnOnce(&mut Vgic<'_, Board>) -> T) -> Option<T> {
        let mut queue = self.queue.try_borrow_mut().ok()?;
        let (hardware, partition, own) = (&self.board, &self.partition, self.own);
        Some(what(&mut Vgic { hardware, partition, spis: &SPIS, vcpu: self.vcpu, own, queue: &mut queue }))
    }

    fn is_v3(&self) -> bool {
        matches!(self.board.version, Version::V3(_))
    }

    /// Takes physical interrupt `intid`; `false` if it is not the guest's.
    pub fn take(&self, intid: u32) -> bool {
        self.with(|vgic| vgic.take(intid)).unwrap_or(false)
    }

    /// Whether an interrupt is pending for the guest, masked or not. Where the emulation is in use, as it never is: yes.
    pub fn is_pending(&self) -> bool {
        self.with(|vgic| vgic.is_pending()).unwrap_or(true)
    }

    /// EL2's IPI has come.
    pub fn on_ipi(&self) {
        self.with(|vgic| vgic.on_ipi());
    }

    /// The maintenance interrupt has come.
    pub fn maintain(&self) {
        self.with(|vgic| vgic.maintain());
    }

    /// The guest reads `bytes` at `ipa`; `None` if no register of its interrupt controller is emulated there.
    #[inline(never)]
    pub fn read(&self, ipa: u64, bytes: u32) -> Option<u64> {
        let (gicd, gicr) = (ipa.wrapping_sub(self.gicd_ipa), ipa.wrapping_sub(self.gicr_ipa));
        if gicd < self.gicd_bytes {
            return self.with(|vgic| vgic.read_distributor(gicd as u32, bytes));
        }
        if gicr < self.gicr_bytes { self.with(|vgic| vgic.read_redistributor(gicr as u32, bytes)) } else { None }
    }

    /// The guest writes `bytes` of `value` at `ipa`; `false` if no register is emulated there.
    #[inline(never)]
    pub fn write(&self, ipa: u64, bytes: u32, value: u64) -> bool {
        let (gicd, gicr) = (ipa.wrapping_sub(self.gicd_ipa), ipa.wrapping_sub(self.gicr_ipa));
        if gicd < self.gicd_bytes {
            self.with(|vgic| vgic.write_distributor(gicd as u32, bytes, value));
        } else if gicr < self.gicr_bytes {
            self.with(|vgic| vgic.write_redistributor(gicr as u32, bytes, value));
        } else {
            return false;
        }
        true
    }

    /// The guest writes `value` to one of GICv3's SGI registers; `false` on GICv2, which has none.
    #[inline(never)]
    pub fn send_sgi(&self, register: SgiRegister, value: u64) -> bool {
        self.is_v3() && self.with(|vgic| vgic.send_sgi(register, value)).is_some()
    }

    /// The guest writes `intid` to ICC_DIR_EL1, which is trapped; `false` on GICv2.
    #[inline(never)]
    pub fn deactivate(&self, intid: u64) -> bool {
        let eoi_mode_1 = self.is_v3() && gic_registers::read_vmcr() & VMCR_EOI_MODE != 0;
        self.is_v3() && self.with(|vgic| vgic.deactivate(intid as u32 & 0xff_ffff, eoi_mode_1)).is_some()
    }

    /// Sets the line of `intid`, which EL2 makes for the partition: an emulated device's.
    pub fn set_line(&self, intid: u32, high: bool) {
        self.with(|vgic| vgic.set_line(intid, high));
    }

    /// Resets the partition's interrupts, which none of its virtual cores uses.
    #[inline(never)]
    pub fn reset_partition(&self) {
        self.with(|vgic| vgic.reset_partition());
    }

    #[inline(never)]
    fn reset_interface(&self) {
        match &self.board.version {
            Version::V3(_) => gic_registers::reset_virtual_interface(),
            Version::V2(hardware) => v2::reset_virtual_interface(&hardware.gich),
        }
    }

    /// The virtual core is on, its CPU interface reset; before each entry at a start address.
    pub fn start_core(&self) {
        self.reset_interface();
        self.with(|vgic| vgic.start_core());
    }

    /// The virtual core is off: none of the partition's interrupts comes to it any more.
    pub fn stop_core(&self) {
        self.with(|vgic| vgic.stop_core());
    }

    /// The partition ends on this core, for good or to start anew.
    #[inline(never)]
    pub fn leave_core(&self) {
        self.reset_interface();
        self.with(|vgic| vgic.leave_core());
    }

    /// The partition has ended, for this core: none of its interrupts comes any more. The last of its cores to say so
    /// has the last word.
    pub fn stop(&self) {
        self.leave_core();
        self.reset_partition();
    }
}

/// ICH_VMCR_EL2.VEOIM.
const VMCR_EOI_MODE: u64 = 1 << 9;

fn version(controller: &Controller) -> Version {
    match *controller {
        Controller::V2 { interface, gich } => Version::V2(V2 { interface, gich, count: v2::list_registers(&gich) }),
        Controller::V3 { gicd } => Version::V3(V3 { gicd, count: gic_registers::list_registers() }),
    }
}

/// What is not emulated.
const NOWHERE: EmulatedRecord = EmulatedRecord { ipa: NO_ADDRESS, bytes: 0, intid: 0, kind: 0, reserved: [0; 3] };

/// HPFAR_EL2 for the page `offset` bytes into `frame`; no page's where it is [`NOWHERE`].
const fn page(frame: &EmulatedRecord, offset: u64) -> u64 {
    if frame.bytes == 0 { NO_ADDRESS } else { frame.ipa.wrapping_add(offset) >> 12 << 4 }
}

/// Leaves the word that reaches this core where the partition's other cores find them.
pub fn publish(core: &CoreState, ipi_word: u64) {
    let mailbox = core.area().shared::<slot::Mailbox>();
    mailbox.ipi_word.store(ipi_word, Relaxed);
    if let Controller::V3 { .. } = *controller(core) {
        let all = 1_u32.wrapping_shl(gic_registers::list_registers()).wrapping_sub(1);
        mailbox.all_empty.store(all, Relaxed);
        if let Some(guest) = guest(core) {
            // SAFETY: `Controller::init_core` has left it there; every root maps it.
            guest.private.set(unsafe { Window::new(mailbox.interface.load(Relaxed).into()) });
        }
    }
}
