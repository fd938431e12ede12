//! The interrupt controller that a partition sees: GICv2 or GICv3 like the board's, with its own interrupts only.
//!
//! * [`access`]: what a trap says of an access;
//! * [`distributor`], [`redistributor`], [`sgi`]: what an access means, found by arithmetic from its offset;
//! * [`bits`], [`bytes`]: registers with one bit and with one byte per interrupt. Enable, pending and active bits are the
//!   physical ones, under the owner's mask; priority, group and target are [`state`]'s;
//! * [`delivery`]: which interrupt is in which list register;
//! * [`quick`]: the few registers that a running guest uses again and again, once more and short;
//! * [`list_register`], [`state`]: the words that all this works on.
//!
//! All but [`quick`] is kept small rather than fast: many functions are kept out of line.
//!
//! Decisions only: what is read and written goes through [`Hardware`]. docs/interrupts.md says what is emulated and what
//! a guest sees where nothing is; docs/decisions/0009-interrupts.md why it is done this way.

pub mod access;
pub mod bits;
pub mod bytes;
pub mod delivery;
pub mod distributor;
pub mod list_register;
pub mod quick;
pub mod redistributor;
pub mod sgi;
pub mod state;

use core::sync::atomic::Ordering::Relaxed;

pub use septum_plan::{vcpu_of_affinity, virtual_affinity};

use crate::dev::gic::{PHYSICAL_TIMER, VIRTUAL_TIMER, offset};
use list_register::{ListRegister, VirtualInterface};
use state::{Bits, Mailbox, Queue, Spis, bit, work};

/// GICD_IIDR and GICR_IIDR: Arm's implementer code, as a model of Arm's architecture, and product `S` (Linux keys its
/// quirks on other products).
pub const IIDR: u32 = 0x5300_043b;
/// Word 0's SGIs.
pub const SGIS: u32 = 0xffff;

/// The board under one virtual core: its physical interrupt controller and its partition's other cores. Implemented for
/// each GIC version by the binary, and by a model for tests.
pub trait Hardware: VirtualInterface {
    /// Whether this is GICv3.
    fn is_v3(&self) -> bool;
    /// Reads the physical GICD's word at `offset`.
    fn read(&self, offset: u32) -> u32;
    /// Writes the physical GICD's word at `offset`.
    fn write(&self, offset: u32, value: u32);
    /// Reads private register `offset` (as in GICD, word 0) of virtual core `vcpu`'s core. On GICv2 the registers are
    /// banked, and `vcpu` is the calling one.
    fn read_private(&self, vcpu: usize, offset: u32) -> u32;
    /// Writes private register `offset` of virtual core `vcpu`'s core.
    fn write_private(&self, vcpu: usize, offset: u32, value: u32);
    /// Makes physical SPI `intid` go to the cores of the partition's virtual cores in `target` (as [`Spis::target`]).
    fn route(&self, intid: u32, target: u8);
    /// Virtual core `vcpu`'s mailbox; `None` past the partition's last.
    fn mailbox(&self, vcpu: usize) -> Option<&Mailbox>;
    /// Interrupts virtual core `vcpu`'s core; what was stored before is visible there.
    fn kick(&self, vcpu: usize);
    /// Whether physical interrupts of guests reach this core, or EL2's alone: the others stay pending where they are.
    fn admit(&self, guests: bool);
}

/// What never changes while a partition runs.
#[derive(Clone, Copy, Debug)]
pub struct Partition<'p> {
    /// Its SPIs: bit b of word w says that INTID 32 + 32w + b is its own.
    pub owned: &'p [u32],
    /// Number of its virtual cores, at least 1.
    pub vcpus: usize,
    /// Its private interrupts: SGIs, and the PPIs that it was given.
    pub private: u32,
    /// The word (1 to 31) in which EL2 makes interrupts for it, or 0 if none.
    pub made_word: u32,
    /// Which of them; none of them in `owned`.
    pub made: u32,
    /// GICD_TYPER.
    pub typer: u32,
}

impl<'p> Partition<'p> {
    /// A partition with these SPIs and this many virtual cores on GICv3 (`v3`) or GICv2, whose physical timer is its
    /// own unless it is trapped.
    pub fn new(owned: &'p [u32], vcpus: usize, v3: bool, own_physical_timer: bool) -> Self {
        let timers = bit(VIRTUAL_TIMER) | if own_physical_timer { bit(PHYSICAL_TIMER) } else { 0 };
        let private = SGIS | timers;
        let partition = Self { owned, vcpus, private, made_word: 0, made: 0, typer: 0 };
        partition.with_typer(v3)
    }

    /// The same, with interrupts `made` of word `word` (1 to 31; 0 for none) made by EL2. What it owns physically is left
    /// out.
    pub fn with_made(mut self, word: u32, made: u32, v3: bool) -> Self {
        self.made_word = word & 31;
        self.made = if self.made_word == 0 { 0 } else { made & !self.owned(self.made_word) };
        self.with_typer(v3)
    }

    /// GICD_TYPER: ITLinesNumber, and GICv2's CPUNumber or GICv3's IDbits (10 of them) and No1N. No LPIs, no extended
    /// ranges, one Security state (IHI 0048B 4.3.2, IHI 0069H 12.9.38).
    fn with_typer(mut self, v3: bool) -> Self {
        let lines = (self.owned.len().min(31) as u32).max(self.made_word);
        let cpus = (self.vcpus as u32).wrapping_sub(1) & 7;
        self.typer = lines | if v3 { 9 << 19 | 1 << 25 } else { cpus << 5 };
        self
    }

    /// The physical interrupts of word `word` (1 to 31) that it owns.
    pub fn owned(&self, word: u32) -> u32 {
        self.owned.get(word.wrapping_sub(1) as usize).copied().unwrap_or(0)
    }

    /// The interrupts of word `word` that EL2 makes for it.
    pub fn made(&self, word: u32) -> u32 {
        if word == self.made_word && word != 0 { self.made } else { 0 }
    }

    /// Every interrupt of SPI word `word` that it has.
    pub fn visible(&self, word: u32) -> u32 {
        self.owned(word) | self.made(word)
    }
}

/// A virtual core's interrupt controller, put together for one trap.
pub struct Vgic<'a, H> {
    /// The board.
    pub hardware: &'a H,
    /// The partition.
    pub partition: &'a Partition<'a>,
    /// The board's SPI bytes.
    pub spis: &'a Spis,
    /// The virtual core's index in its partition.
    pub vcpu: usize,
    /// The virtual core's own mailbox.
    pub own: &'a Mailbox,
    /// The virtual core's queue.
    pub queue: &'a mut Queue,
}

impl<H: Hardware> Vgic<'_, H> {
    /// Takes physical interrupt `intid`, which EL2 has just acknowledged and whose priority it has dropped. Returns
    /// whether it is the guest's: if not, it stays active, and the caller handles and deactivates it.
    pub fn take(&mut self, intid: u32) -> bool {
        let register = if intid < 32 { self.own.private(intid) } else { self.take_spi(intid) };
        // A physical SGI is EL2's, though the guest has a virtual one with its number.
        if !register.is_hardware() {
            return false;
        }
        let empty = self.hardware.empty();
        if empty != 0 {
            self.hardware.set(empty.trailing_zeros(), register);
        } else {
            self.queue.waiting.insert(intid);
            self.refill();
        }
        true
    }

    fn take_spi(&self, intid: u32) -> ListRegister {
        if self.partition.owned(intid >> 5) & bit(intid) == 0 {
            return ListRegister::EMPTY;
        }
        self.spis.set_holder(intid, self.vcpu);
        self.spis.list_register(intid, true)
    }

    /// The reset state of what the partition's cores share: its SPIs disabled, idle and sent to virtual core 0; and of each
    /// virtual core's private interrupts. Called by one core before the partition starts, when none of its virtual cores
    /// runs and [`Vgic::leave_core`] has been called on each that ever did.
    pub fn reset_partition(&mut self) {
        for word in 1..32 {
            crate::dev::gic::distributor::silence(&Physical(self.hardware), word, self.partition.owned(word));
            for low in Bits(self.partition.visible(word)) {
                let intid = word << 5 | low;
                self.spis.reset(intid, u8::from(!self.hardware.is_v3()), self.hardware.is_v3());
                // The number of an interrupt that EL2 makes may physically be EL2's or another partition's.
                if self.partition.owned(word) & bit(low) != 0 {
                    self.hardware.route(intid, u8::from(!self.hardware.is_v3()));
                }
            }
        }
        for vcpu in 0..self.partition.vcpus {
            self.reset_private(vcpu);
        }
        if let Some(shared) = self.hardware.mailbox(0) {
            shared.control.store(0, Relaxed);
            shared.made.reset();
        }
    }

    /// The reset state of virtual core `vcpu`'s redistributor, or of its banked registers: private interrupts off and idle.
    /// Nobody else can reach another core's PPIs on GICv2; [`Vgic::leave_core`] has silenced them.
    fn reset_private(&self, vcpu: usize) {
        let Some(mailbox) = self.hardware.mailbox(vcpu) else { return };
        let v3 = self.hardware.is_v3();
        if v3 {
            self.silence_private(vcpu);
        }
        for intid in Bits(self.partition.private) {
            let register =
                if intid < 16 { ListRegister::software(intid, 0, v3) } else { ListRegister::hardware(intid, 0, v3) };
            mailbox.set_private(intid, register);
        }
        mailbox.sgi_pending.store(0, Relaxed);
        mailbox.sgi_enabled.store(if v3 { 0 } else { SGIS }, Relaxed);
        mailbox.sleep.store(1, Relaxed);
        mailbox.sgi_sources.iter().for_each(|word| word.store(0, Relaxed));
        // Where nobody has said that there is something, there is nothing.
        if mailbox.work.load(Relaxed) & work::CLEAR != 0 {
            for words in [&mailbox.clear_pending, &mailbox.clear_active] {
                words.iter().for_each(|word| word.store(0, Relaxed));
            }
        }
    }

    fn silence_private(&self, vcpu: usize) {
        let ppis = self.partition.private & !SGIS;
        for register in [offset::ICENABLER, offset::ICPENDR, offset::ICACTIVER] {
            self.hardware.write_private(vcpu, register, ppis);
        }
    }

    /// The virtual core starts, with its list registers empty and its virtual interface reset by the caller. Its private
    /// interrupts are as they were left (IHI 0069H 11.1: the redistributor has not been off): what is pending comes now.
    pub fn start_core(&mut self) {
        self.own.on.store(1, Relaxed);
        self.hardware.admit(true);
        self.refill();
    }

    /// The virtual core stops. What it had pending is pending where it was before it came here; what it had active stays so,
    /// without a list register, until somebody writes GICD_ICACTIVER. What comes from now on stays pending, in the
    /// physical GIC or in the mailbox.
    pub fn stop_core(&mut self) {
        self.hardware.admit(false);
        self.own.on.store(0, Relaxed);
        self.own.sleep.store(1, Relaxed);
        self.recall();
        self.park_all();
        self.hardware.set_control(0);
    }

    /// The partition has come to its end on this core, for good or until it starts anew. Its private interrupts are silent.
    /// The caller has emptied the list registers; what they held stays active until [`Vgic::reset_partition`].
    pub fn leave_core(&mut self) {
        self.hardware.admit(false);
        self.own.on.store(0, Relaxed);
        *self.queue = Queue::new();
        self.silence_private(self.vcpu);
    }

    fn is_on(&self) -> bool {
        self.own.on.load(Relaxed) != 0
    }

    /// Whether the partition has any group enabled in GICD_CTLR.
    fn enabled(&self) -> bool {
        self.hardware.mailbox(0).is_some_and(|shared| shared.control.load(Relaxed) != 0)
    }
}

/// The physical distributor as a register block.
struct Physical<'a, H>(&'a H);

impl<H: Hardware> crate::dev::Mmio for Physical<'_, H> {
    fn read(&self, offset: u32) -> u32 {
        self.0.read(offset)
    }

    fn write(&self, offset: u32, value: u32) {
        self.0.write(offset, value);
    }

    fn write_byte(&self, _: u32, _: u8) {}

    fn write_double(&self, _: u32, _: u64) {}
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
