//! The board under the emulation: [`Hardware`] for each GIC version, over mapped frames and system registers.

use core::sync::atomic::Ordering::Relaxed;

use septum_el2::gic::{CpuInterface, Registers, distributor, offset, v2};
use septum_el2::vgic::Hardware;
use septum_el2::vgic::list_register::{ListRegister, VirtualInterface};
use septum_el2::vgic::state::{Bits, Mailbox};
use septum_plan::CoreRecord;

use crate::arch::gic_registers::{self, Frame, SystemInterface};
use crate::core_state;

/// The cores of a partition.
#[derive(Clone, Copy)]
pub struct Cores {
    /// Indices of its virtual cores' cores.
    pub vcpus: &'static [u16],
    /// All cores of the board.
    pub records: &'static [CoreRecord],
}

impl Cores {
    #[inline(always)]
    fn record(&self, vcpu: usize) -> Option<&'static CoreRecord> {
        self.records.get(usize::from(*self.vcpus.get(vcpu)?))
    }

    /// Virtual core `vcpu`'s mailbox.
    #[inline(always)]
    pub fn mailbox(&self, vcpu: usize) -> Option<&'static Mailbox> {
        self.vcpus.get(vcpu).map(|index| core_state::mailbox(self.records, *index))?
    }
}

/// GICv3: system registers, and every core's redistributor.
pub struct V3 {
    /// GICD.
    pub gicd: Frame,
    /// The partition's cores.
    pub cores: Cores,
    /// Number of list registers.
    pub count: u32,
}

impl VirtualInterface for V3 {
    #[inline(always)]
    fn count(&self) -> u32 {
        self.count
    }

    #[inline(always)]
    fn empty(&self) -> u32 {
        gic_registers::elrsr() as u32
    }

    #[inline(always)]
    fn ended(&self) -> u32 {
        gic_registers::eisr() as u32
    }

    #[inline(always)]
    fn get(&self, index: u32) -> ListRegister {
        ListRegister(gic_registers::read_list_register(index))
    }

    #[inline(always)]
    fn set(&self, index: u32, value: ListRegister) {
        gic_registers::write_list_register(index, value.0);
    }

    #[inline(always)]
    fn control(&self) -> u32 {
        gic_registers::read_hcr() as u32
    }

    #[inline(always)]
    fn set_control(&self, value: u32) {
        gic_registers::write_hcr(value.into());
    }
}

impl V3 {
    #[inline(always)]
    fn private(&self, vcpu: usize) -> Option<Frame> {
        let record = self.cores.record(vcpu)?;
        // SAFETY: the compiler maps both frames of each core's redistributor in the run root, which is in force whenever
        // a partition runs.
        Some(unsafe { Frame::new(record.gicr_va) })
    }
}

impl Hardware for V3 {
    const V3: bool = true;

    #[inline(always)]
    fn read(&self, offset: u32) -> u32 {
        self.gicd.read(offset)
    }

    #[inline(always)]
    fn write(&self, offset: u32, value: u32) {
        self.gicd.write(offset, value);
    }

    #[inline(always)]
    fn read_private(&self, vcpu: usize, offset: u32) -> u32 {
        self.private(vcpu).map_or(0, |gicr| gicr.read(offset::private(offset)))
    }

    #[inline(always)]
    fn write_private(&self, vcpu: usize, offset: u32, value: u32) {
        if let Some(gicr) = self.private(vcpu) {
            gicr.write(offset::private(offset), value);
        }
    }

    fn route(&self, intid: u32, target: u8) {
        if let Some(record) = self.cores.record(target.into()) {
            distributor::route(&self.gicd, intid, record.mpidr);
        }
    }

    #[inline(always)]
    fn mailbox(&self, vcpu: usize) -> Option<&Mailbox> {
        self.cores.mailbox(vcpu)
    }

    #[inline(always)]
    fn kick(&self, vcpu: usize) {
        if let Some(mailbox) = self.cores.mailbox(vcpu) {
            SystemInterface.send(mailbox.ipi_word.load(Relaxed));
        }
    }
}

/// GICv2: everything is memory-mapped; private registers are banked.
pub struct V2 {
    /// GICD and GICC.
    pub interface: v2::Interface<Frame>,
    /// GICH.
    pub gich: Frame,
    /// The partition's cores.
    pub cores: Cores,
    /// Number of list registers.
    pub count: u32,
}

impl VirtualInterface for V2 {
    #[inline(always)]
    fn count(&self) -> u32 {
        self.count
    }

    #[inline(always)]
    fn empty(&self) -> u32 {
        self.gich.read(offset::GICH_ELRSR)
    }

    #[inline(always)]
    fn ended(&self) -> u32 {
        self.gich.read(offset::GICH_EISR)
    }

    #[inline(always)]
    fn get(&self, index: u32) -> ListRegister {
        ListRegister::from_v2(self.gich.read(offset::word(offset::GICH_LR, index)))
    }

    #[inline(always)]
    fn set(&self, index: u32, value: ListRegister) {
        self.gich.write(offset::word(offset::GICH_LR, index), value.v2());
    }

    #[inline(always)]
    fn control(&self) -> u32 {
        self.gich.read(offset::GICH_HCR)
    }

    #[inline(always)]
    fn set_control(&self, value: u32) {
        self.gich.write(offset::GICH_HCR, value);
    }
}

impl Hardware for V2 {
    const V3: bool = false;

    #[inline(always)]
    fn read(&self, offset: u32) -> u32 {
        self.interface.gicd.read(offset)
    }

    #[inline(always)]
    fn write(&self, offset: u32, value: u32) {
        self.interface.gicd.write(offset, value);
    }

    #[inline(always)]
    fn read_private(&self, _: usize, offset: u32) -> u32 {
        self.interface.gicd.read(offset)
    }

    #[inline(always)]
    fn write_private(&self, _: usize, offset: u32, value: u32) {
        self.interface.gicd.write(offset, value);
    }

    fn route(&self, intid: u32, target: u8) {
        let interface =
            |vcpu: u32| self.cores.mailbox(vcpu as usize).map_or(0, |mailbox| mailbox.interface.load(Relaxed));
        let interfaces = Bits(target.into()).fold(0, |all, vcpu| all | interface(vcpu));
        distributor::target(&self.interface.gicd, intid, interfaces as u8);
    }

    #[inline(always)]
    fn mailbox(&self, vcpu: usize) -> Option<&Mailbox> {
        self.cores.mailbox(vcpu)
    }

    #[inline(always)]
    fn kick(&self, vcpu: usize) {
        if let Some(mailbox) = self.cores.mailbox(vcpu) {
            self.send(mailbox.ipi_word.load(Relaxed));
        }
    }
}

impl V2 {
    /// Interrupts the core with this IPI word; what was stored before is visible there.
    #[inline(always)]
    pub fn send(&self, ipi_word: u64) {
        gic_registers::publish();
        self.interface.send(ipi_word);
    }
}
