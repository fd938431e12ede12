//! The board under the emulation: [`Hardware`] for each GIC version, over mapped frames and system registers.

use core::sync::atomic::Ordering::Relaxed;

use septum_core::dev::Mmio;
use septum_core::dev::gic::{self, CpuInterface, distributor, offset, v2};
use septum_core::vdev::gic::Hardware;
use septum_core::vdev::gic::list_register::{ListRegister, VirtualInterface};
use septum_core::vdev::gic::state::{Bits, Mailbox};
use septum_plan::CoreRecord;

use crate::arch::gic_registers::{self, SystemInterface};
use crate::arch::mmio::Window;
use crate::percpu;

/// The cores of a partition.
#[derive(Clone, Copy)]
pub struct Cores {
    /// Indices of its virtual cores' cores.
    pub vcpus: &'static [u16],
    /// All cores of the board.
    pub records: &'static [CoreRecord],
}

impl Cores {
    fn record(&self, vcpu: usize) -> Option<&'static CoreRecord> {
        self.records.get(usize::from(*self.vcpus.get(vcpu)?))
    }

    /// Virtual core `vcpu`'s mailbox.
    #[inline(always)]
    pub fn mailbox(&self, vcpu: usize) -> Option<&'static Mailbox> {
        self.vcpus.get(vcpu).map(|index| percpu::mailbox(self.records, *index))?
    }
}

/// GICv3's virtual interface: system registers.
pub struct V3 {
    /// GICD.
    pub gicd: Window,
    /// Number of list registers.
    pub count: u32,
}

impl VirtualInterface for V3 {
    fn count(&self) -> u32 {
        self.count
    }

    fn empty(&self) -> u32 {
        gic_registers::elrsr() as u32
    }

    fn ended(&self) -> u32 {
        gic_registers::eisr() as u32
    }

    fn get(&self, index: u32) -> ListRegister {
        ListRegister(gic_registers::read_list_register(index))
    }

    fn set(&self, index: u32, value: ListRegister) {
        gic_registers::write_list_register(index, value.0);
    }

    fn control(&self) -> u32 {
        gic_registers::read_hcr() as u32
    }

    fn set_control(&self, value: u32) {
        gic_registers::write_hcr(value.into());
    }
}

/// GICv2's virtual interface, and the frames that go with it.
pub struct V2 {
    /// GICD and GICC.
    pub interface: v2::Interface<Window>,
    /// GICH.
    pub gich: Window,
    /// Number of list registers.
    pub count: u32,
}

impl V2 {
    /// Interrupts the core with this IPI word; what was stored before is visible there.
    #[inline(always)]
    pub fn send(&self, ipi_word: u64) {
        gic_registers::publish();
        self.interface.send(ipi_word);
    }
}

impl VirtualInterface for V2 {
    fn count(&self) -> u32 {
        self.count
    }

    #[inline(always)]
    fn empty(&self) -> u32 {
        self.gich.read(offset::GICH_ELRSR)
    }

    fn ended(&self) -> u32 {
        self.gich.read(offset::GICH_EISR)
    }

    fn get(&self, index: u32) -> ListRegister {
        ListRegister::from_v2(self.gich.read(offset::word(offset::GICH_LR, index)))
    }

    #[inline(always)]
    fn set(&self, index: u32, value: ListRegister) {
        self.gich.write(offset::word(offset::GICH_LR, index), value.v2());
    }

    fn control(&self) -> u32 {
        self.gich.read(offset::GICH_HCR)
    }

    fn set_control(&self, value: u32) {
        self.gich.write(offset::GICH_HCR, value);
    }
}

/// Which of the two.
pub enum Version {
    /// GICv2.
    V2(V2),
    /// GICv3.
    V3(V3),
}

/// The board under the whole emulation. One type for both versions, and its functions not inlined: nothing here is in a
/// hurry, and the emulation is compiled once.
pub struct Board {
    /// The virtual interface.
    pub version: Version,
    /// The partition's cores.
    pub cores: Cores,
}

impl Board {
    fn gicd(&self) -> Window {
        match &self.version {
            Version::V2(v2) => v2.interface.gicd,
            Version::V3(v3) => v3.gicd,
        }
    }

    /// The frame in which virtual core `vcpu`'s private registers lie at the distributor's offsets. GICv2's are banked.
    fn private(&self, vcpu: usize) -> Option<Window> {
        match &self.version {
            Version::V2(v2) => Some(v2.interface.gicd),
            Version::V3(_) => {
                let va = Hardware::mailbox(self, vcpu)?.interface.load(Relaxed).into();
                // SAFETY: that core has found it before any partition starts, and the run root, which is in force whenever
                // a partition runs, maps it.
                Some(unsafe { Window::new(va) })
            }
        }
    }
}

/// Hands a call on to the version.
macro_rules! on_version {
    ($board:expr, $call:ident($($argument:expr),*)) => {
        match &$board.version {
            Version::V2(v2) => v2.$call($($argument),*),
            Version::V3(v3) => v3.$call($($argument),*),
        }
    };
}

impl VirtualInterface for Board {
    fn count(&self) -> u32 {
        on_version!(self, count())
    }

    #[inline(never)]
    fn empty(&self) -> u32 {
        on_version!(self, empty())
    }

    fn ended(&self) -> u32 {
        on_version!(self, ended())
    }

    #[inline(never)]
    fn get(&self, index: u32) -> ListRegister {
        on_version!(self, get(index))
    }

    #[inline(never)]
    fn set(&self, index: u32, value: ListRegister) {
        on_version!(self, set(index, value));
    }

    fn control(&self) -> u32 {
        on_version!(self, control())
    }

    #[inline(never)]
    fn set_control(&self, value: u32) {
        on_version!(self, set_control(value));
    }
}

impl Hardware for Board {
    fn is_v3(&self) -> bool {
        matches!(self.version, Version::V3(_))
    }

    #[inline(never)]
    fn read(&self, offset: u32) -> u32 {
        self.gicd().read(offset)
    }

    #[inline(never)]
    fn write(&self, offset: u32, value: u32) {
        self.gicd().write(offset, value);
    }

    #[inline(never)]
    fn read_private(&self, vcpu: usize, offset: u32) -> u32 {
        self.private(vcpu).map_or(0, |frame| frame.read(offset))
    }

    #[inline(never)]
    fn write_private(&self, vcpu: usize, offset: u32, value: u32) {
        if let Some(frame) = self.private(vcpu) {
            frame.write(offset, value);
        }
    }

    fn route(&self, intid: u32, target: u8) {
        match &self.version {
            Version::V3(v3) => {
                if let Some(record) = self.cores.record(target.into()) {
                    distributor::route(&v3.gicd, intid, record.mpidr);
                }
            }
            Version::V2(v2) => {
                let mailbox = |vcpu: u32| Hardware::mailbox(self, vcpu as usize);
                let bit = |vcpu: u32| mailbox(vcpu).map_or(0, |mailbox| mailbox.interface.load(Relaxed));
                let interfaces = Bits(target.into()).fold(0, |all, vcpu| all | bit(vcpu));
                // Bits of GICv2's interfaces, of which there are eight.
                distributor::target(&v2.interface.gicd, intid, interfaces as u8);
            }
        }
    }

    #[inline(never)]
    fn mailbox(&self, vcpu: usize) -> Option<&Mailbox> {
        self.cores.mailbox(vcpu)
    }

    fn admit(&self, guests: bool) {
        let mask = if guests { gic::MASK_NONE } else { gic::MASK_GUESTS };
        match &self.version {
            Version::V2(v2) => v2.interface.gicc.write(offset::GICC_PMR, mask.into()),
            Version::V3(_) => gic_registers::write_pmr(mask.into()),
        }
    }

    #[inline(never)]
    fn kick(&self, vcpu: usize) {
        if let Some(mailbox) = self.cores.mailbox(vcpu) {
            let word = mailbox.ipi_word.load(Relaxed);
            match &self.version {
                Version::V2(v2) => v2.send(word),
                Version::V3(_) => SystemInterface.send(word),
            }
        }
    }
}
