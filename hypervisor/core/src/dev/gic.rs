//! The physical interrupt controller: bringing GICv2 (IHI 0048B) or GICv3 (IHI 0069) up for EL2, and EL2's own use of it.
//!
//! EL2 takes every physical interrupt. It acknowledges with EOI mode 1, drops the priority at once, and either handles
//! and deactivates the interrupt (its own: [`IPI`], [`MAINTENANCE`], [`HYPERVISOR_TIMER`]) or hands it to the guest by a
//! hardware-linked list register, whose end of interrupt deactivates it without EL2 ([`crate::vdev::gic`]).

pub mod distributor;
pub mod offset;
pub mod v2;
pub mod v3;

use super::Mmio;

/// EL2's inter-processor interrupt. EL2 owns all physical SGIs; guests' SGIs are virtual. Firmware with a Secure world
/// keeps SGIs 8 to 15, so one of the lower ones.
pub const IPI: u32 = 0;
/// Maintenance interrupt of the virtual CPU interface: PPI 9 on every board (Arm BSA; boards.md).
pub const MAINTENANCE: u32 = 25;
/// CNTHP, EL2's physical timer: PPI 10 (Arm BSA).
pub const HYPERVISOR_TIMER: u32 = 26;
/// The EL1 virtual timer: PPI 11 (Arm BSA).
pub const VIRTUAL_TIMER: u32 = 27;
/// The EL1 physical timer: PPI 14 (Arm BSA).
pub const PHYSICAL_TIMER: u32 = 30;
/// The first shared peripheral interrupt.
pub const SPI_FIRST: u32 = 32;
/// First INTID that is no SGI, PPI or SPI: 1020 to 1023 are special (1023: nothing pending).
pub const SPECIAL_FIRST: u32 = 1020;
/// Bits of word 0 (SGIs and PPIs) that EL2 keeps enabled on each core.
pub const EL2_PRIVATE: u32 = 1 << IPI | 1 << MAINTENANCE | 1 << HYPERVISOR_TIMER;

/// Priority of EL2's own interrupts: above every guest's, so that an acknowledge meets them first.
pub const PRIORITY_EL2: u8 = 0x80;
/// Priority of every interrupt that a guest may own. EL2 never nests, so what a guest asks for decides in its list
/// registers, not here.
pub const PRIORITY_GUEST: u8 = 0xe0;
/// Priority mask of a core that admits every interrupt.
pub const MASK_NONE: u8 = 0xff;
/// Priority mask of a core that admits EL2's alone. With two Security states the controller takes a priority `p` of ours for
/// `0x80 | p >> 1` (IHI 0069H 4.8.1, IHI 0048B 3.5.1), but a mask as it is where SCR_EL3.FIQ is 0 (IHI 0069H 12.2.19): this
/// one lies between the two priorities either way, in the four bits that every controller has.
pub const MASK_GUESTS: u8 = 0xd0;

const _: () = {
    const fn halved(priority: u8) -> u8 {
        0x80 | priority >> 1
    }
    assert!(PRIORITY_EL2 < MASK_GUESTS && MASK_GUESTS <= PRIORITY_GUEST);
    assert!(halved(PRIORITY_EL2) < halved(MASK_GUESTS) && halved(MASK_GUESTS) <= halved(PRIORITY_GUEST));
    assert!(halved(PRIORITY_EL2) < MASK_GUESTS && MASK_GUESTS <= halved(PRIORITY_GUEST));
};

/// Polls of a register-write-pending or wake-up bit before the controller counts as dead: some 10 ms on a slow bus.
const POLLS: u32 = 100_000;

/// Why a controller cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GicError {
    /// GICD_CTLR.RWP or GICR_CTLR.RWP stays set.
    WritePending,
    /// GICR_WAKER.ChildrenAsleep stays set: the redistributor does not wake.
    Asleep,
    /// No GICR_TYPER has the core's affinity.
    NoRedistributor,
    /// ICC_SRE_EL2 cannot be enabled: firmware keeps the system-register interface to itself.
    NoSystemRegisters,
}

impl GicError {
    /// What is wrong, in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::WritePending => "interrupt controller: a register write stays pending",
            Self::Asleep => "interrupt controller: the redistributor does not wake",
            Self::NoRedistributor => "interrupt controller: no redistributor has this core's affinity",
            Self::NoSystemRegisters => "interrupt controller: no system-register interface at EL2",
        }
    }
}

/// A core's physical CPU interface, as EL2 uses it: EOI mode 1, so [`CpuInterface::end`] only drops the priority.
pub trait CpuInterface {
    /// The highest pending interrupt, now active: IAR's raw value, to be given back as it is (on GICv2 it holds an
    /// SGI's source). [`intid`] takes the INTID out; 1020 and above mean that there is none.
    fn acknowledge(&self) -> u32;
    /// Drops the running priority.
    fn end(&self, acknowledged: u32);
    /// Makes the interrupt inactive.
    fn deactivate(&self, acknowledged: u32);
    /// Sends [`IPI`] by the word that the target's `ipi_word` gave; everything stored before is visible to its handler.
    fn send(&self, ipi_word: u64);
}

/// The INTID in a value of IAR: bits 9:0 (GICv2 keeps an SGI's source in bits 12:10; this EL2 has no LPIs).
pub const fn intid(acknowledged: u32) -> u32 {
    acknowledged & 0x3ff
}

/// Polls until the register at `offset` has none of the bits `busy`, a bounded number of times.
#[inline(never)]
fn poll(registers: &impl Mmio, offset: u32, busy: u32, error: GicError) -> Result<(), GicError> {
    for _ in 0..POLLS {
        if registers.read(offset) & busy == 0 {
            return Ok(());
        }
        core::hint::spin_loop();
    }
    Err(error)
}

#[cfg(test)]
mod tests;
