//! What a running guest uses again and again, in a handful of instructions: a few registers, its own PPIs, a single SGI.
//! No queue is looked at. What is not among it, [`super::Vgic`] answers; tests hold the two together.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

use super::list_register::VirtualInterface;
use super::state::Mailbox;
use super::{Partition, SGIS};
use crate::dev::Mmio;
use crate::dev::gic::offset;

/// GICD_ISENABLER0, and GICD_ICENABLER0's distance from it.
const ENABLES: u32 = offset::ISENABLER;
const CLEAR: u32 = offset::ICENABLER ^ offset::ISENABLER;
/// Byte offsets of words within a register's array of 32.
const WORDS: u32 = 0x7c;

/// A virtual core's quick registers. All accesses are to words.
#[derive(Clone, Copy)]
pub struct Quick<'a, R> {
    /// The physical GICD.
    pub gicd: &'a R,
    /// The physical private registers of this core: GICv3's SGI frame.
    pub private: R,
    /// The partition.
    pub partition: &'a Partition<'a>,
    /// The virtual core's own mailbox.
    pub own: &'a Mailbox,
    /// Virtual core 0's mailbox, where the interrupts that EL2 makes are.
    pub home: &'a Mailbox,
}

impl<R: Mmio> Quick<'_, R> {
    /// Reads the word at `offset` of GICD, if it is GICD_TYPER or a word of enables of SPIs.
    #[inline(always)]
    pub fn read_distributor(&self, offset: u32) -> Option<u32> {
        if offset == offset::TYPER {
            return Some(self.partition.typer);
        }
        let word = offset >> 2 & 31;
        let owned = self.owned(offset & !CLEAR, word)?;
        let physical = self.gicd.read(offset) & owned;
        Some(if word == self.partition.made_word { physical | self.made_enabled() } else { physical })
    }

    /// Writes the word at `offset` of GICD, if it is GICD_ISENABLERn of SPIs and enables none that EL2 makes anew; whether
    /// it was.
    #[inline(always)]
    pub fn write_distributor(&self, offset: u32, value: u32) -> bool {
        let word = offset >> 2 & 31;
        let Some(owned) = self.owned(offset, word) else { return false };
        if word == self.partition.made_word && value & self.partition.made & !self.made_enabled() != 0 {
            return false;
        }
        self.gicd.write(offset, value & owned);
        true
    }

    /// Reads the word at `offset` of the own GICR's SGI frame, if it is the enables.
    #[inline(always)]
    pub fn read_private(&self, offset: u32) -> Option<u32> {
        let physical = self.partition.private & !SGIS;
        let is_enables = offset & !CLEAR == ENABLES;
        is_enables.then(|| self.private.read(ENABLES) & physical | self.own.sgi_enabled.load(Relaxed))
    }

    /// The interrupts of `word` that are the guest's on the hardware, if `offset` is GICD_ISENABLER's for it and it is not
    /// word 0.
    #[inline(always)]
    fn owned(&self, offset: u32, word: u32) -> Option<u32> {
        let owned = self.partition.owned.get(word.wrapping_sub(1) as usize);
        owned.copied().filter(|_| offset & !WORDS == ENABLES)
    }

    /// The interrupts that EL2 makes and the guest has enabled, in their word.
    #[inline(always)]
    fn made_enabled(&self) -> u32 {
        self.home.made.enabled.load(Relaxed) & self.partition.made
    }
}

/// Takes physical interrupt `intid`, acknowledged and dropped, if it is a PPI of the guest's and list register 0 is free;
/// whether it was.
#[inline(always)]
pub fn take(hardware: &impl VirtualInterface, own: &Mailbox, intid: u32) -> bool {
    let register = own.private(intid);
    let quick = intid < 32 && register.is_hardware() && hardware.empty() & 1 != 0;
    if quick {
        hardware.set(0, register);
    }
    quick
}

/// EL2's IPI has arrived: if one SGI, from one source, is all that is pending, and no list register is in use, delivers
/// it; whether it did. `v3`: GICv3, whose SGIs have no source. [`super::state::work`] tells when more than the list registers is to be looked at.
#[inline(always)]
pub fn deliver(hardware: &impl VirtualInterface, own: &Mailbox, v3: bool) -> bool {
    let pending =
        if own.work.load(Acquire) == 0 { own.sgi_pending.load(Acquire) & own.sgi_enabled.load(Relaxed) } else { 0 };
    if !pending.is_power_of_two() || hardware.empty() != super::delivery::all(hardware) {
        return false;
    }
    let intid = pending.trailing_zeros();
    let register = own.private(intid);
    if v3 {
        own.sgi_pending.fetch_and(!pending, Relaxed);
        hardware.set(0, register);
        return true;
    }
    let sources = own.sources(intid);
    let single = sources.is_power_of_two();
    if single {
        let source = sources.trailing_zeros() as u8;
        own.claim_source(intid, source);
        hardware.set(0, register.from_source(source));
    }
    single
}
