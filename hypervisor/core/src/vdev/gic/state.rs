//! What the emulation keeps: bytes per SPI for the board, a mailbox and a queue per core. Nothing here is sized by a
//! partition, because each interrupt has one owner and each virtual core its core.
//!
//! | state | written by | why that is sound |
//! |---|---|---|
//! | [`Spis`] | cores of the SPI's owner | bytes are atomic; an SPI has one owner |
//! | [`Mailbox`] | any core of the same partition | atomic words; each update is one read-modify-write |
//! | [`Queue`] | its own core | never shared |

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use super::list_register::{ListRegister, PRIORITY_BITS};
use crate::dev::gic::{SPECIAL_FIRST, SPI_FIRST};

/// Words of 32 interrupts that INTIDs 0 to 1023 fill.
pub const WORDS: usize = 32;
const SPIS: usize = (SPECIAL_FIRST - SPI_FIRST) as usize;
/// Attribute byte: group 1. The priority is in [`PRIORITY_BITS`].
const GROUP_1: u8 = 1;

/// A virtual core's number in a byte, with one number left over for none.
pub(super) const fn byte_of(vcpu: usize) -> u8 {
    const { assert!(septum_plan::affinity::VCPUS_MAX < u8::MAX as usize) };
    vcpu as u8
}

/// What a guest says about its SPIs and the hardware does not keep, one byte each.
pub struct Spis {
    attributes: [AtomicU8; SPIS],
    targets: [AtomicU8; SPIS],
    holders: [AtomicU8; SPIS],
    tickets: AtomicU32,
    serving: AtomicU32,
}

impl Spis {
    /// All at priority 0, group 0, no target, never taken.
    pub const fn new() -> Self {
        Self {
            attributes: [const { AtomicU8::new(0) }; SPIS],
            targets: [const { AtomicU8::new(0) }; SPIS],
            holders: [const { AtomicU8::new(0) }; SPIS],
            tickets: AtomicU32::new(0),
            serving: AtomicU32::new(0),
        }
    }

    fn byte(bytes: &[AtomicU8; SPIS], intid: u32) -> Option<&AtomicU8> {
        bytes.get(intid.wrapping_sub(SPI_FIRST) as usize)
    }

    fn load(bytes: &[AtomicU8; SPIS], intid: u32) -> u8 {
        Self::byte(bytes, intid).map_or(0, |byte| byte.load(Relaxed))
    }

    fn store(bytes: &[AtomicU8; SPIS], intid: u32, value: u8) {
        if let Some(byte) = Self::byte(bytes, intid) {
            byte.store(value, Relaxed);
        }
    }

    /// The list register with which SPI `intid` is injected, linked to hardware or not.
    pub fn list_register(&self, intid: u32, hardware: bool) -> ListRegister {
        let attributes = Self::load(&self.attributes, intid);
        let (priority, group_1) = (attributes & PRIORITY_BITS, attributes & GROUP_1 != 0);
        if hardware {
            ListRegister::hardware(intid, priority, group_1)
        } else {
            ListRegister::software(intid, priority, group_1)
        }
    }

    /// GICD_IPRIORITYR's byte.
    pub fn priority(&self, intid: u32) -> u8 {
        Self::load(&self.attributes, intid) & PRIORITY_BITS
    }

    /// Sets GICD_IPRIORITYR's byte.
    pub fn set_priority(&self, intid: u32, priority: u8) {
        let group = Self::load(&self.attributes, intid) & GROUP_1;
        Self::store(&self.attributes, intid, priority & PRIORITY_BITS | group);
    }

    /// GICD_IGROUPR's bit.
    pub fn group_1(&self, intid: u32) -> bool {
        Self::load(&self.attributes, intid) & GROUP_1 != 0
    }

    /// Sets GICD_IGROUPR's bit.
    pub fn set_group_1(&self, intid: u32, group_1: bool) {
        Self::store(&self.attributes, intid, self.priority(intid) | u8::from(group_1));
    }

    /// GICv2: GICD_ITARGETSR's byte, in virtual interfaces. GICv3: the virtual core of GICD_IROUTER.
    pub fn target(&self, intid: u32) -> u8 {
        Self::load(&self.targets, intid)
    }

    /// Sets what [`Spis::target`] gives.
    pub fn set_target(&self, intid: u32, target: u8) {
        Self::store(&self.targets, intid, target);
    }

    /// The only virtual core in whose list registers and queue `intid` may be: the last that took it, if any did. It says
    /// nothing of whether it still is there.
    pub fn holder(&self, intid: u32) -> Option<usize> {
        Self::load(&self.holders, intid).checked_sub(1).map(usize::from)
    }

    /// Says that virtual core `vcpu` has taken physical `intid`, which it alone can have acknowledged.
    pub fn set_holder(&self, intid: u32, vcpu: usize) {
        Self::store(&self.holders, intid, byte_of(vcpu).wrapping_add(1));
    }

    /// Makes virtual core `vcpu` the holder of `intid`, which EL2 makes, unless another is; whether it is now.
    pub fn hold(&self, intid: u32, vcpu: usize) -> bool {
        let own = byte_of(vcpu).wrapping_add(1);
        let before = Self::byte(&self.holders, intid).map(|byte| byte.compare_exchange(0, own, Relaxed, Relaxed));
        matches!(before, Some(Ok(_))) || before == Some(Err(own))
    }

    /// Says that its holder, the caller, no longer has `intid`.
    pub fn release(&self, intid: u32) {
        Self::store(&self.holders, intid, 0);
    }

    /// Forgets all about `intid`: its reset state, with `target` and in group 1 or 0.
    pub fn reset(&self, intid: u32, target: u8, group_1: bool) {
        Self::store(&self.attributes, intid, u8::from(group_1));
        self.set_target(intid, target);
        Self::store(&self.holders, intid, 0);
    }

    /// Runs `change` while no other core does: GICD_ICFGR words are shared by owners and have no set and clear halves.
    /// In order of arrival, so that no core waits for more than one change by each other core.
    pub fn with_configuration(&self, change: impl FnOnce()) {
        use core::sync::atomic::Ordering::{Acquire, Release};
        let ticket = self.tickets.fetch_add(1, Relaxed);
        while self.serving.load(Acquire) != ticket {
            core::hint::spin_loop();
        }
        change();
        self.serving.store(ticket.wrapping_add(1), Release);
    }
}

impl Default for Spis {
    fn default() -> Self {
        Self::new()
    }
}

/// Reasons why a core was interrupted by [`crate::dev::gic::IPI`], in [`Mailbox::work`].
pub mod work {
    /// Interrupts were disabled: list registers that hold them pending give them back.
    pub const RECALL: u32 = 1 << 0;
    /// [`super::Mailbox::clear_pending`] or [`super::Mailbox::clear_active`] has bits for this core.
    pub const CLEAR: u32 = 1 << 1;
    /// GICD_CTLR changed: the virtual interface is to be enabled or disabled.
    pub const CONTROL: u32 = 1 << 2;
    /// An interrupt that EL2 makes is pending.
    pub const MADE: u32 = 1 << 3;
    /// More waits than list registers hold, or something is parked: an SGI is not the only concern.
    pub const BUSY: u32 = 1 << 5;
    /// Something outside the interrupt controller: the caller of [`crate::vdev::gic::Vgic::on_ipi`] looks after it.
    pub const OUTSIDE: u32 = 1 << 4;
}

/// What other cores of a partition may ask of a virtual core. Its first field is the table that the fast path of the
/// interrupt vector reads.
#[repr(C)]
pub struct Mailbox {
    /// For each SGI and PPI of the guest the list register that injects it; zero for what is not the guest's.
    pub private: [AtomicU64; 32],
    /// What [`crate::dev::gic::CpuInterface::send`] needs to reach this core.
    pub ipi_word: AtomicU64,
    /// GICv3: ICH_ELRSR_EL2 while every list register is empty. 0 on GICv2: the fast path is not for it.
    pub all_empty: AtomicU32,
    /// [`work`] bits.
    pub work: AtomicU32,
    /// SGIs that are pending and in no list register.
    pub sgi_pending: AtomicU32,
    /// GICR_ISENABLER0's bits for SGIs; all ones on GICv2, where SGIs cannot be disabled.
    pub sgi_enabled: AtomicU32,
    /// GICv2: the sources of pending SGIs, one byte per SGI, as GICD_SPENDSGIRn has them.
    pub sgi_sources: [AtomicU32; 4],
    /// Interrupts that this core holds and another core wants not pending, by word.
    pub clear_pending: [AtomicU32; WORDS],
    /// Interrupts that this core holds and another core wants not active, by word.
    pub clear_active: [AtomicU32; WORDS],
    /// 1 while the virtual core is on. While it is off, nothing is in its list registers and nothing waits.
    pub on: AtomicU32,
    /// GICR_WAKER.ProcessorSleep.
    pub sleep: AtomicU32,
    /// GICv2: this core's bit in the physical GICD_ITARGETSR. GICv3: where EL2 finds the SGI frame of its redistributor.
    pub interface: AtomicU32,
    /// Of virtual core 0, for its whole partition: GICD_CTLR's enable bits.
    pub control: AtomicU32,
    /// Of virtual core 0, for its whole partition: the interrupts that EL2 makes itself.
    pub made: Made,
}

/// State of the 32 SPIs of one word that have no hardware behind them: doorbells, emulated devices.
#[repr(C)]
pub struct Made {
    /// GICD_ISENABLER.
    pub enabled: AtomicU32,
    /// The pending latch.
    pub pending: AtomicU32,
    /// The line, for level-sensitive ones.
    pub level: AtomicU32,
    /// A set bit for each edge-triggered one (GICD_ICFGR).
    pub edge: AtomicU32,
}

impl Made {
    const fn new() -> Self {
        let [enabled, pending, level, edge] = [const { AtomicU32::new(0) }; 4];
        Self { enabled, pending, level, edge }
    }

    /// Nothing enabled, nothing pending, all level-sensitive with their lines low.
    pub fn reset(&self) {
        for word in [&self.enabled, &self.pending, &self.level, &self.edge] {
            word.store(0, Relaxed);
        }
    }
}

impl Mailbox {
    /// All zero: nothing given, nothing pending.
    pub const fn new() -> Self {
        Self {
            private: [const { AtomicU64::new(0) }; 32],
            ipi_word: AtomicU64::new(0),
            all_empty: AtomicU32::new(0),
            sgi_pending: AtomicU32::new(0),
            sgi_enabled: AtomicU32::new(0),
            sgi_sources: [const { AtomicU32::new(0) }; 4],
            work: AtomicU32::new(0),
            clear_pending: [const { AtomicU32::new(0) }; WORDS],
            clear_active: [const { AtomicU32::new(0) }; WORDS],
            on: AtomicU32::new(0),
            sleep: AtomicU32::new(0),
            interface: AtomicU32::new(0),
            control: AtomicU32::new(0),
            made: Made::new(),
        }
    }

    /// The list register that injects private interrupt `intid` (0 to 31); empty if it is not the guest's.
    #[inline(always)]
    pub fn private(&self, intid: u32) -> ListRegister {
        ListRegister(self.private.get(intid as usize).map_or(0, |word| word.load(Relaxed)))
    }

    /// Sets what [`Mailbox::private`] gives.
    pub fn set_private(&self, intid: u32, value: ListRegister) {
        if let Some(word) = self.private.get(intid as usize) {
            word.store(value.0, Relaxed);
        }
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

/// A set of INTIDs below 1024.
#[derive(Clone, Debug)]
pub struct IntidSet {
    words: [u32; WORDS],
    occupied: u32,
}

impl IntidSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { words: [0; WORDS], occupied: 0 }
    }

    /// Word `index`: INTIDs 32 * index and up.
    pub fn word(&self, index: u32) -> u32 {
        self.words.get(index as usize).copied().unwrap_or(0)
    }

    fn set_word(&mut self, index: u32, value: u32) {
        if let Some(word) = self.words.get_mut(index as usize) {
            *word = value;
            let bit = bit(index);
            self.occupied = if value == 0 { self.occupied & !bit } else { self.occupied | bit };
        }
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// Whether `intid` is in it.
    pub fn contains(&self, intid: u32) -> bool {
        self.word(intid >> 5) & bit(intid) != 0
    }

    /// Puts `intid` in.
    pub fn insert(&mut self, intid: u32) {
        self.set_word(intid >> 5, self.word(intid >> 5) | bit(intid));
    }

    /// Takes `intid` out.
    pub fn remove(&mut self, intid: u32) {
        self.set_word(intid >> 5, self.word(intid >> 5) & !bit(intid));
    }

    /// Everything in it, rising.
    pub fn iter(&self) -> Intids<'_> {
        Intids { set: self, words: Bits(self.occupied), first: 0, rest: Bits(0) }
    }
}

/// What [`IntidSet::iter`] gives.
pub struct Intids<'a> {
    set: &'a IntidSet,
    words: Bits,
    first: u32,
    rest: Bits,
}

impl Iterator for Intids<'_> {
    type Item = u32;

    #[inline(never)]
    fn next(&mut self) -> Option<u32> {
        if self.rest.0 == 0 {
            let index = self.words.next()?;
            self.first = index << 5;
            self.rest = Bits(self.set.word(index));
        }
        self.rest.next().map(|low| self.first | low)
    }
}

impl Default for IntidSet {
    fn default() -> Self {
        Self::new()
    }
}

/// What a core keeps for its virtual core when the list registers do not suffice, or the guest holds many active.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Physical interrupts, acknowledged and so active, that wait for a list register.
    pub(super) waiting: IntidSet,
    /// Interrupts that the guest has active and that no list register holds.
    pub(super) parked: IntidSet,
    /// GICv2 sources of parked SGIs, three bits each.
    pub(super) parked_sources: u64,
}

impl Queue {
    /// Nothing waits, nothing is parked.
    pub const fn new() -> Self {
        Self { waiting: IntidSet::new(), parked: IntidSet::new(), parked_sources: 0 }
    }
}

/// The bit of `number` in its word: 1 << (number mod 32).
#[inline(always)]
pub const fn bit(number: u32) -> u32 {
    1u32.wrapping_shl(number)
}

/// The numbers of the set bits, rising.
#[derive(Clone, Copy, Debug)]
pub struct Bits(pub u32);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.0 == 0 {
            return None;
        }
        let lowest = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        Some(lowest)
    }
}
