//! Which interrupt is in which list register: placing, overflow, taking back, the guest's ends of interrupt.
//!
//! A physical interrupt that EL2 has acknowledged is active in the physical GIC until the guest's end, so it cannot come
//! again, and is in exactly one of three places: a list register, `waiting` (pending for the guest) or `parked` (active
//! for the guest). SGIs and interrupts that EL2 makes are pending in a word until they are in a list register; two list
//! registers never hold one virtual INTID, which the architecture leaves UNPREDICTABLE.
//!
//! A virtual core has an interrupt pending only while it is on and the interrupt is enabled and goes there. Whoever changes
//! one of the three has it recalled (`Vgic::recall`). A core that is off may have interrupts parked, and nothing else.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::list_register::{ListRegister, VirtualInterface, control};
use super::state::{Bits, Mailbox, bit, work};
use super::{Hardware, Vgic};
use crate::dev::gic::offset;

/// More rounds than [`Vgic::refill`] can need: each places an interrupt, and the list registers are at most 32.
const ROUNDS: u32 = 64;

impl<H: Hardware> Vgic<'_, H> {
    /// EL2's IPI has arrived: does what other cores asked for, then fills the list registers.
    pub fn on_ipi(&mut self) {
        let asked = self.own.work.swap(0, Acquire);
        self.do_work(asked);
        self.refill();
    }

    fn do_work(&mut self, asked: u32) {
        if asked & work::RECALL != 0 {
            self.recall();
        }
        if asked & work::CLEAR != 0 {
            self.clear_for_others();
        }
    }

    /// Whether an interrupt is pending for the guest, whatever it masks. If one is, so is a list register: what waits makes
    /// way for nothing less (`Vgic::victim`).
    pub fn is_pending(&self) -> bool {
        self.used().any(|index| self.hardware.get(index).is_pending())
    }

    /// The maintenance interrupt: list registers have become free, or the guest ended what none held.
    pub fn maintain(&mut self) {
        let value = self.hardware.control();
        let ends = value.wrapping_shr(control::END_COUNT_SHIFT);
        if ends != 0 {
            self.hardware.set_control(value & !(!0 << control::END_COUNT_SHIFT));
            for _ in 0..ends {
                self.end_parked();
            }
        }
        self.refill();
    }

    /// The guest has written `intid` to ICC_DIR_EL1 while [`control::TRAP_DEACTIVATE`] was set. Its EOI mode is 1, or the
    /// architecture ignores the write; `eoi_mode_1` says which (ICH_VMCR_EL2.VEOIM).
    pub fn deactivate(&mut self, intid: u32, eoi_mode_1: bool) {
        if eoi_mode_1 && intid < 1020 {
            self.make_inactive(intid);
            self.refill();
        }
    }

    /// Fills free list registers with what waits, the highest priority first; then sees to it that EL2 hears of the next
    /// chance for what still does.
    pub fn refill(&mut self) {
        if !self.is_on() {
            // For what it hands on.
            self.best_candidate();
            return;
        }
        for index in Bits(self.hardware.ended()) {
            self.hardware.set(index, ListRegister::EMPTY);
        }
        let mut left = self.fill();
        if !left && !self.queue.parked.is_empty() {
            self.unpark();
            // What is back in a list register can take what became pending meanwhile.
            left = self.fill();
        }
        self.watch(left);
    }

    /// Places candidates while there is room; returns whether one is left. Looking for the next one also sees to what
    /// the last one's list register must report ([`Vgic::merge`]).
    fn fill(&mut self) -> bool {
        for _ in 0..ROUNDS {
            let Some(register) = self.best_candidate() else { return false };
            let Some(index) = self.room_for(register) else { return true };
            if self.claim(register) {
                self.hardware.set(index, register);
            }
        }
        true
    }

    /// The pending interrupt with the highest priority that no list register and no parking place holds.
    fn best_candidate(&mut self) -> Option<ListRegister> {
        let sgis = self.own.sgi_pending.load(Relaxed) & self.own.sgi_enabled.load(Relaxed);
        let made = self.made_candidates();
        if sgis == 0 && made == 0 && self.queue.waiting.is_empty() {
            return None;
        }
        let free_sgis = sgis & !self.merge(0, sgis);
        let free_made = made & !self.merge(self.partition.made_word, made);
        let free_made = self.hand_on(free_made);
        self.best_of_three(free_sgis, free_made)
    }

    #[inline(never)]
    fn best_of_three(&self, sgis: u32, made: u32) -> Option<ListRegister> {
        let mut best = None;
        Bits(sgis).for_each(|intid| prefer(&mut best, self.sgi_register(intid)));
        self.queue.waiting.iter().for_each(|intid| prefer(&mut best, self.physical_register(intid)));
        let first = self.partition.made_word << 5;
        Bits(made).for_each(|low| prefer(&mut best, self.spis.list_register(first | low, false)));
        best
    }

    fn sgi_register(&self, intid: u32) -> ListRegister {
        let register = self.own.private(intid);
        if self.hardware.is_v3() { register } else { register.from_source(self.lowest_source(intid)) }
    }

    fn physical_register(&self, intid: u32) -> ListRegister {
        if intid < 32 { self.own.private(intid) } else { self.spis.list_register(intid, true) }
    }

    /// Interrupts that EL2 makes, are pending and enabled, and are this virtual core's to look after: it holds them, or they
    /// go there and nobody does.
    fn made_candidates(&self) -> u32 {
        if self.partition.made == 0 {
            return 0;
        }
        let Some(shared) = self.hardware.mailbox(0) else { return 0 };
        let made = &shared.made;
        let level = made.level.load(Relaxed) & !made.edge.load(Relaxed);
        let pending = (made.pending.load(Relaxed) | level) & made.enabled.load(Relaxed) & self.partition.made;
        let first = self.partition.made_word << 5;
        let is_ours = |low: &u32| {
            let intid = first | low;
            self.spis.holder(intid).map_or_else(|| self.is_target(intid), |holder| holder == self.vcpu)
        };
        Bits(pending).filter(is_ours).fold(0, |all, low| all | bit(low))
    }

    /// Of the interrupts `free`, made by EL2, pending, and in none of this core's list registers: those that this core
    /// delivers. The others are released, and their targets told.
    fn hand_on(&mut self, free: u32) -> u32 {
        let (first, mut kept) = (self.partition.made_word << 5, 0);
        for low in Bits(free) {
            let intid = first | low;
            if self.is_on() && self.is_target(intid) {
                kept |= bit(low);
                continue;
            }
            // Where several could take it, one that is off asks the next one up, so that this comes to an end.
            let held = self.spis.holder(intid).is_some();
            let among = if held { !bit(self.vcpu as u32) } else { (!1_u32).wrapping_shl(self.vcpu as u32) };
            self.spis.release(intid);
            if let Some(next) = self.made_target(intid, among).filter(|next| *next != self.vcpu) {
                self.ask_to_deliver(next);
            }
        }
        kept
    }

    /// Whether SPI `intid` may come to this virtual core.
    fn is_target(&self, intid: u32) -> bool {
        self.made_target(intid, bit(self.vcpu as u32)) == Some(self.vcpu)
    }

    /// The virtual core that takes SPI `intid`, made by EL2: on GICv2, which may have several, the lowest `among` these.
    pub(super) fn made_target(&self, intid: u32, among: u32) -> Option<usize> {
        let target = u32::from(self.spis.target(intid));
        if self.hardware.is_v3() {
            Some(target as usize)
        } else {
            Bits(target & among).next().map(|lowest| lowest as usize)
        }
    }

    /// Which of `pending` (in `word`, not linked to hardware) are held already, in list registers or parked. One that is
    /// active in a list register becomes pending there too, or asks for maintenance at its end.
    fn merge(&mut self, word: u32, pending: u32) -> u32 {
        let mut held = self.queue.parked.word(word) & pending;
        for index in self.used() {
            let register = self.hardware.get(index);
            let low = bit(register.intid());
            if register.intid() >> 5 == word && pending & low != 0 && register.is_valid() {
                held |= low;
                self.merge_into(index, register);
            }
        }
        held
    }

    fn merge_into(&mut self, index: u32, register: ListRegister) {
        let same_source = word_is_made(register)
            || self.hardware.is_v3()
            || self.sources(register.intid()) & 1u32.wrapping_shl(register.source().into()) != 0;
        let stays = word_is_made(register) && (self.is_level(register.intid()) || !self.is_target(register.intid()));
        if same_source && !stays {
            self.claim(register);
            self.hardware.set(index, register.with_pending());
        }
        // What is left pending now comes from another source, is a line that may still be high at the end, or goes to
        // another core then.
        if stays || (!self.hardware.is_v3() && self.sources_left(register)) {
            let current = self.hardware.get(index);
            if current.with_eoi() != current {
                self.hardware.set(index, current.with_eoi());
            }
        }
    }

    fn sources_left(&self, register: ListRegister) -> bool {
        register.intid() < 16 && self.own.sgi_pending.load(Relaxed) & bit(register.intid()) != 0
    }

    fn is_level(&self, intid: u32) -> bool {
        self.hardware.mailbox(0).is_some_and(|shared| shared.made.edge.load(Relaxed) & bit(intid) == 0)
    }

    /// Takes `register`'s interrupt out of where it was pending; `false` if another core has done so.
    #[inline(never)]
    fn claim(&mut self, register: ListRegister) -> bool {
        let intid = register.intid();
        if register.is_hardware() {
            self.queue.waiting.remove(intid);
        } else if intid >= 32 {
            if !self.spis.hold(intid, self.vcpu) {
                return false;
            }
            if let Some(shared) = self.hardware.mailbox(0) {
                // Whoever makes it pending again after that (Acquire) sees the holder.
                shared.made.pending.fetch_and(!bit(intid), Release);
            }
        } else if self.hardware.is_v3() {
            self.own.sgi_pending.fetch_and(!bit(intid), Relaxed);
        } else {
            self.own.claim_source(intid, register.source());
        }
        true
    }

    /// Undoes [`Vgic::claim`]: `register`'s interrupt is pending again, in no list register. A line says so itself.
    #[inline(never)]
    fn unclaim(&mut self, register: ListRegister) {
        let intid = register.intid();
        if register.is_hardware() {
            self.queue.waiting.insert(intid);
        } else if intid >= 32 {
            if let Some(shared) = self.hardware.mailbox(0).filter(|_| !self.is_level(intid)) {
                shared.made.pending.fetch_or(bit(intid), Relaxed);
            }
        } else {
            self.own.post_sgi(intid, (!self.hardware.is_v3()).then_some(register.source()));
        }
    }

    /// A list register for `register`: a free one, or one whose interrupt can wait or be parked.
    fn room_for(&mut self, register: ListRegister) -> Option<u32> {
        let empty = self.hardware.empty();
        if empty != 0 {
            return Some(empty.trailing_zeros());
        }
        let index = self.victim(register.priority())?;
        let evicted = self.hardware.get(index);
        if evicted.is_active() {
            self.park(evicted);
        } else {
            self.unclaim(evicted);
        }
        Some(index)
    }

    /// Which list register gives way to an interrupt of `priority`: the least urgent pending one, if it is less urgent.
    /// Only when none is pending, so that the guest would hear of nothing, the least urgent active one.
    fn victim(&self, priority: u8) -> Option<u32> {
        let by_priority = |index: &u32| self.hardware.get(*index).priority();
        let is_waiting = |index: &u32| !self.hardware.get(*index).is_active();
        match self.used().filter(is_waiting).max_by_key(by_priority) {
            Some(index) => (by_priority(&index) > priority).then_some(index),
            None => self.used().max_by_key(by_priority),
        }
    }

    fn park(&mut self, register: ListRegister) {
        let intid = register.intid();
        if register.is_pending() {
            self.unclaim(register);
        }
        self.queue.parked.insert(intid);
        if intid < 16 {
            let shift = intid.wrapping_mul(3);
            let cleared = self.queue.parked_sources & !7u64.wrapping_shl(shift);
            self.queue.parked_sources = cleared | u64::from(register.source()).wrapping_shl(shift);
        }
    }

    /// Brings parked interrupts back while list registers are free: one there is ended without EL2.
    fn unpark(&mut self) {
        while !self.queue.parked.is_empty() {
            let empty = self.hardware.empty();
            let Some(register) = self.best_parked() else { return };
            if empty == 0 {
                return;
            }
            self.queue.parked.remove(register.intid());
            self.hardware.set(empty.trailing_zeros(), register.active());
        }
    }

    #[inline(never)]
    fn best_parked(&self) -> Option<ListRegister> {
        let mut best = None;
        self.queue.parked.iter().for_each(|intid| prefer(&mut best, self.parked_register(intid)));
        best
    }

    fn parked_register(&self, intid: u32) -> ListRegister {
        if intid < 16 {
            let source = self.queue.parked_sources.wrapping_shr(intid.wrapping_mul(3)) as u8;
            let register = self.own.private(intid);
            return if self.hardware.is_v3() { register } else { register.from_source(source) };
        }
        if self.partition.made(intid >> 5) & bit(intid) != 0 {
            return self.spis.list_register(intid, false);
        }
        self.physical_register(intid)
    }

    /// The guest ended an interrupt that no list register held: its running one, so the most urgent parked.
    fn end_parked(&mut self) {
        if let Some(register) = self.best_parked() {
            self.make_inactive(register.intid());
        }
    }

    /// Makes `intid` inactive for the guest, wherever it is active, and in the physical GIC.
    #[inline(never)]
    pub(super) fn make_inactive(&mut self, intid: u32) {
        if self.queue.parked.contains(intid) {
            self.queue.parked.remove(intid);
            self.deactivate_physical(intid);
        }
        for index in self.used() {
            let register = self.hardware.get(index);
            if register.intid() == intid && register.is_active() {
                self.hardware
                    .set(index, if register.is_pending() { register.without_active() } else { ListRegister::EMPTY });
                self.deactivate_physical(intid);
            }
        }
    }

    /// Deactivates physical interrupt `intid` if the partition has it.
    #[inline(never)]
    pub(super) fn deactivate_physical(&self, intid: u32) {
        if intid < 32 {
            let ppi = bit(intid) & self.partition.private & !super::SGIS;
            self.hardware.write_private(self.vcpu, offset::ICACTIVER, ppi);
        } else {
            let word = intid >> 5;
            self.hardware.write(offset::word(offset::ICACTIVER, word), bit(intid) & self.partition.owned(word));
        }
    }

    /// Takes pending interrupt `intid` back from the list register or the queue that holds it, so that the guest does
    /// not see it. With `keep`, it stays pending where the guest left it: in software, or in the physical GIC (an edge by
    /// its pending bit, a level by its line). Without `keep`, it is not pending any more, unless its line is.
    #[inline(never)]
    pub(super) fn take_back(&mut self, intid: u32, keep: bool) {
        if self.queue.waiting.contains(intid) {
            self.queue.waiting.remove(intid);
            self.give_back_physical(intid, keep);
        }
        for index in self.used() {
            let register = self.hardware.get(index);
            if register.intid() == intid && register.is_pending() {
                self.hardware
                    .set(index, if register.is_active() { register.without_pending() } else { ListRegister::EMPTY });
                if register.is_hardware() {
                    self.give_back_physical(intid, keep);
                } else if keep {
                    self.unclaim(register);
                }
            }
        }
    }

    #[inline(never)]
    fn give_back_physical(&self, intid: u32, keep: bool) {
        if keep && self.is_physical_edge(intid) {
            if intid < 32 {
                self.hardware.write_private(self.vcpu, offset::ISPENDR, bit(intid));
            } else {
                self.hardware.write(offset::word(offset::ISPENDR, intid >> 5), bit(intid));
            }
        }
        self.deactivate_physical(intid);
    }

    /// GICD_ICFGR's upper bit of `intid`, from the hardware.
    fn is_physical_edge(&self, intid: u32) -> bool {
        let register = offset::word(offset::ICFGR, intid >> 4);
        let word =
            if intid < 32 { self.hardware.read_private(self.vcpu, register) } else { self.hardware.read(register) };
        word & bit((intid << 1 & 0x1f) | 1) != 0
    }

    /// Takes back every pending interrupt that is not this core's any more.
    pub(super) fn recall(&mut self) {
        for index in self.used() {
            let register = self.hardware.get(index);
            if register.is_pending() && !self.is_ours(register.intid()) {
                self.take_back(register.intid(), true);
            }
        }
        while let Some(intid) = self.waiting_for_others() {
            self.take_back(intid, true);
        }
        self.refill();
    }

    fn waiting_for_others(&self) -> Option<u32> {
        self.queue.waiting.iter().find(|intid| !self.is_ours(*intid))
    }

    /// Whether `intid` may be pending here: the core is on, the interrupt enabled, and this is where it goes.
    fn is_ours(&self, intid: u32) -> bool {
        let scope = super::bits::Scope::of(intid, self.vcpu);
        self.is_on() && self.enables(scope) & bit(intid) != 0 && (intid < 32 || self.is_target(intid))
    }

    fn clear_for_others(&mut self) {
        for word in 0..32 {
            let at = word as usize;
            let pending = self.own.clear_pending.get(at).map_or(0, |bits| bits.swap(0, Relaxed));
            Bits(pending).for_each(|low| self.take_back(word << 5 | low, false));
            let active = self.own.clear_active.get(at).map_or(0, |bits| bits.swap(0, Relaxed));
            Bits(active).for_each(|low| self.clear_active(word << 5 | low));
        }
        self.refill();
    }

    /// GICD_ICACTIVER for one interrupt that this core holds or nobody does. One that waits for the guest must stay active
    /// in the physical GIC: to the guest it is pending. One that another core has taken since that was asked is not active
    /// any more as it was then.
    pub(super) fn clear_active(&mut self, intid: u32) {
        let (pending, active) = self.held(intid >> 5);
        if active & bit(intid) != 0 {
            self.make_inactive(intid);
        } else if pending & bit(intid) == 0 && self.spis.holder(intid).is_none_or(|holder| holder == self.vcpu) {
            self.deactivate_physical(intid);
        }
    }

    /// What this core's list registers and queues hold of `word`: pending for the guest, and active for it.
    #[inline(never)]
    pub(super) fn held(&self, word: u32) -> (u32, u32) {
        let (mut pending, mut active) = (self.queue.waiting.word(word), self.queue.parked.word(word));
        for index in self.used() {
            let register = self.hardware.get(index);
            if register.intid() >> 5 == word {
                let low = bit(register.intid());
                pending |= if register.is_pending() { low } else { 0 };
                active |= if register.is_active() { low } else { 0 };
            }
        }
        (pending, active)
    }

    /// Indices of the list registers that hold something.
    fn used(&self) -> Bits {
        Bits(all(self.hardware) & !self.hardware.empty())
    }

    #[inline(never)]
    fn watch(&mut self, left: bool) {
        let mut wanted = if self.enabled() { control::ENABLE } else { 0 };
        if left {
            // With one list register, "at most one in use" would always hold.
            wanted |= control::NO_PENDING | if self.hardware.count() > 1 { control::UNDERFLOW } else { 0 };
        }
        if !self.queue.parked.is_empty() {
            wanted |= control::NOT_PRESENT | if self.hardware.is_v3() { control::TRAP_DEACTIVATE } else { 0 };
        }
        if left || !self.queue.parked.is_empty() {
            self.own.work.fetch_or(work::BUSY, Relaxed);
        }
        self.hardware.set_control(wanted);
    }

    /// Parks what is active in list registers, where nothing is pending, and empties them.
    pub(super) fn park_all(&mut self) {
        for index in self.used() {
            let register = self.hardware.get(index);
            if register.is_active() {
                self.park(register);
            }
            self.hardware.set(index, ListRegister::EMPTY);
        }
    }

    /// GICv2: the source of the pending `sgi` in a list register.
    #[inline(never)]
    pub(super) fn listed_source(&self, sgi: u32) -> Option<u8> {
        let registers = self.used().map(|index| self.hardware.get(index));
        registers
            .filter(|register| register.is_pending())
            .find(|register| register.intid() == sgi)
            .map(ListRegister::source)
    }

    fn sources(&self, intid: u32) -> u32 {
        self.own.sources(intid)
    }

    fn lowest_source(&self, intid: u32) -> u8 {
        self.sources(intid).trailing_zeros().min(7) as u8
    }
}

/// Makes `register` the `best`, if it is more urgent.
#[inline(never)]
fn prefer(best: &mut Option<ListRegister>, register: ListRegister) {
    if best.is_none_or(|best| register.priority() < best.priority()) {
        *best = Some(register);
    }
}

/// A set bit for each list register.
#[inline(always)]
pub(super) fn all(hardware: &impl VirtualInterface) -> u32 {
    let count = hardware.count();
    if count >= 32 { !0 } else { bit(count).wrapping_sub(1) }
}

/// Whether `register` holds an SPI that EL2 makes.
const fn word_is_made(register: ListRegister) -> bool {
    register.intid() >= 32 && !register.is_hardware()
}

impl Mailbox {
    /// GICv2: the sources from which SGI `intid` is pending.
    pub fn sources(&self, intid: u32) -> u32 {
        let word = self.sgi_sources.get(intid as usize >> 2).map_or(0, |word| word.load(Relaxed));
        word.wrapping_shr(intid << 3) & 0xff
    }

    /// Makes SGI `intid` pending, from a `source` on GICv2. Returns whether it was pending already, and the core hence
    /// knows or will.
    #[inline(always)]
    pub fn post_sgi(&self, intid: u32, source: Option<u8>) -> bool {
        if let (Some(source), Some(word)) = (source, self.sgi_sources.get(intid as usize >> 2)) {
            word.fetch_or(bit(intid << 3 | u32::from(source)), Relaxed);
        }
        // The sources must be seen by whoever sees the summary bit.
        self.sgi_pending.fetch_or(bit(intid), core::sync::atomic::Ordering::Release) & bit(intid) != 0
    }

    /// GICv2: takes `source` away from pending SGI `intid`; the SGI stays pending while another source is left.
    #[inline(never)]
    pub fn claim_source(&self, intid: u32, source: u8) {
        let Some(word) = self.sgi_sources.get(intid as usize >> 2) else { return };
        // First the summary bit goes, so that a sender that adds a source meanwhile sets it again.
        self.sgi_pending.fetch_and(!bit(intid), Relaxed);
        word.fetch_and(!bit(intid << 3 | u32::from(source)), Relaxed);
        if self.sources(intid) != 0 {
            self.sgi_pending.fetch_or(bit(intid), Relaxed);
        }
    }
}
