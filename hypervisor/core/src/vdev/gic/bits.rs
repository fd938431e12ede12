//! Registers with one bit per interrupt: group, enable, pending, active (IHI 0069H 12.9.7 to 12.9.30).
//!
//! A register of the guest's is answered in one step: the physical register under the mask of what the guest has, and
//! the software state of SGIs and of interrupts that EL2 makes. Set and clear registers need no lock, because a zero bit
//! changes nothing. What EL2 has acknowledged for the guest and the guest has not is active physically and pending to the
//! guest; `Vgic::held` tells the two apart for the own core.

use core::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Relaxed};

use super::state::{Bits, bit, work};
use super::{Hardware, SGIS, Vgic};
use crate::dev::gic::offset;

/// Which 32 interrupts a register is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// SGIs and PPIs of this virtual core.
    Private(usize),
    /// SPIs: 32 times this word, and up. 1 to 31.
    Shared(u32),
}

impl Scope {
    /// Where `intid` is, seen from virtual core `vcpu`.
    pub const fn of(intid: u32, vcpu: usize) -> Self {
        Self::word(intid >> 5, vcpu)
    }

    /// Word `index` of a distributor's register, seen from virtual core `vcpu`.
    pub const fn word(index: u32, vcpu: usize) -> Self {
        if index == 0 { Self::Private(vcpu) } else { Self::Shared(index) }
    }

    const fn index(self) -> u32 {
        match self {
            Self::Private(_) => 0,
            Self::Shared(word) => word,
        }
    }
}

impl<H: Hardware> Vgic<'_, H> {
    /// The interrupts of `scope` that have a physical one behind them.
    fn owned_physical(&self, scope: Scope) -> u32 {
        match scope {
            Scope::Private(_) => self.partition.private & !SGIS,
            Scope::Shared(word) => self.partition.owned(word),
        }
    }

    #[inline(never)]
    fn read_physical(&self, scope: Scope, register: u32) -> u32 {
        let owned = self.owned_physical(scope);
        match scope {
            Scope::Private(vcpu) => self.hardware.read_private(vcpu, register) & owned,
            Scope::Shared(word) => self.hardware.read(offset::word(register, word)) & owned,
        }
    }

    #[inline(never)]
    fn write_physical(&self, scope: Scope, register: u32, value: u32) {
        let value = value & self.owned_physical(scope);
        match scope {
            Scope::Private(vcpu) => self.hardware.write_private(vcpu, register, value),
            Scope::Shared(word) => self.hardware.write(offset::word(register, word), value),
        }
    }

    /// A word of software state for `scope` and the interrupts in it: the SGIs' or the made interrupts'.
    #[inline(never)]
    fn soft(&self, scope: Scope, kind: Soft) -> (u32, Option<&AtomicU32>) {
        match scope {
            Scope::Private(vcpu) => {
                let mailbox = self.hardware.mailbox(vcpu);
                (SGIS, mailbox.map(|of| if kind == Soft::Enabled { &of.sgi_enabled } else { &of.sgi_pending }))
            }
            Scope::Shared(word) => {
                let made = self.partition.made(word);
                let shared = if made == 0 { None } else { self.hardware.mailbox(0) };
                (made, shared.map(|of| if kind == Soft::Enabled { &of.made.enabled } else { &of.made.pending }))
            }
        }
    }

    fn read_soft(&self, scope: Scope, kind: Soft) -> u32 {
        let (mask, word) = self.soft(scope, kind);
        word.map_or(0, |word| word.load(Relaxed) & mask)
    }

    /// GICD_ISENABLER and GICD_ICENABLER, read.
    #[inline(never)]
    pub fn enables(&self, scope: Scope) -> u32 {
        self.read_physical(scope, offset::ISENABLER) | self.read_soft(scope, Soft::Enabled)
    }

    /// GICD_ISENABLER, written.
    #[inline(never)]
    pub fn set_enable(&mut self, scope: Scope, value: u32) {
        self.write_physical(scope, offset::ISENABLER, value);
        let (mask, word) = self.soft(scope, Soft::Enabled);
        if let Some(word) = word.filter(|_| value & mask != 0) {
            word.fetch_or(value & mask, Relaxed);
            self.announce(scope, value & mask);
        }
    }

    /// GICD_ICENABLER, written: what is pending in a list register is taken back, and stays pending.
    #[inline(never)]
    pub fn clear_enable(&mut self, scope: Scope, value: u32) {
        self.write_physical(scope, offset::ICENABLER, value);
        let sgis_stay = !self.hardware.is_v3() && matches!(scope, Scope::Private(_));
        let (mask, word) = self.soft(scope, Soft::Enabled);
        if let Some(word) = word.filter(|_| !sgis_stay) {
            word.fetch_and(!(value & mask), Relaxed);
        }
        if self.is_own(scope) && self.held(scope.index()).0 & value != 0 {
            self.recall();
        }
        self.ask_holders(scope, value, post_recall);
    }

    /// GICD_ISPENDR and GICD_ICPENDR, read.
    #[inline(never)]
    pub fn pending(&self, scope: Scope) -> u32 {
        let held = if self.is_own(scope) { self.held(scope.index()).0 } else { 0 };
        let physical = self.read_physical(scope, offset::ISPENDR);
        let visible = self.owned_physical(scope) | self.soft(scope, Soft::Pending).0;
        (physical | self.read_soft(scope, Soft::Pending) | self.made_lines(scope) | held) & visible
    }

    fn made_lines(&self, scope: Scope) -> u32 {
        let mask = self.partition.made(scope.index());
        let shared = if mask == 0 { None } else { self.hardware.mailbox(0) };
        shared.map_or(0, |of| of.made.level.load(Relaxed) & !of.made.edge.load(Relaxed) & mask)
    }

    /// GICD_ISPENDR, written. GICv2's SGIs are made pending by GICD_SPENDSGIR alone.
    pub fn set_pending(&mut self, scope: Scope, value: u32) {
        let held = if self.is_own(scope) { self.held(scope.index()).0 } else { 0 };
        self.write_physical(scope, offset::ISPENDR, value & !held);
        let (mask, word) = self.soft(scope, Soft::Pending);
        let mask = if !self.hardware.is_v3() && matches!(scope, Scope::Private(_)) { 0 } else { mask };
        if let Some(word) = word.filter(|_| value & mask != 0) {
            word.fetch_or(value & mask, Acquire);
            self.announce(scope, value & mask);
        }
    }

    /// GICD_ICPENDR, written: what is pending in a list register is taken back; a line that is high pends again.
    #[inline(never)]
    pub fn clear_pending(&mut self, scope: Scope, value: u32) {
        let sgis_stay = !self.hardware.is_v3() && matches!(scope, Scope::Private(_));
        let value = if sgis_stay { value & !SGIS } else { value };
        self.write_physical(scope, offset::ICPENDR, value);
        let (mask, word) = self.soft(scope, Soft::Pending);
        if let Some(word) = word {
            word.fetch_and(!(value & mask), Relaxed);
        }
        if self.is_own(scope) {
            let first = scope.index() << 5;
            Bits(self.held(scope.index()).0 & value).for_each(|low| self.take_back(first | low, false));
            self.refill();
        }
        self.ask_holders(scope, value, post_clear_pending);
    }

    /// GICD_ISACTIVER and GICD_ICACTIVER, read.
    #[inline(never)]
    pub fn active(&self, scope: Scope) -> u32 {
        let (pending, active) = if self.is_own(scope) { self.held(scope.index()) } else { (0, 0) };
        let visible = self.owned_physical(scope) | self.soft(scope, Soft::Pending).0;
        (self.read_physical(scope, offset::ISACTIVER) & !pending | active) & visible
    }

    /// GICD_ISACTIVER, written: the physical interrupts; SGIs and made ones have no active state but in a list register.
    pub fn set_active(&mut self, scope: Scope, value: u32) {
        self.write_physical(scope, offset::ISACTIVER, value);
    }

    /// GICD_ICACTIVER, written. The core that took an interrupt last clears it, because only it knows where it is.
    #[inline(never)]
    pub fn clear_active_bits(&mut self, scope: Scope, value: u32) {
        let remote = self.remote_holders(scope, value);
        if self.is_own(scope) {
            let visible = self.owned_physical(scope) | self.soft(scope, Soft::Pending).0;
            let (_, active) = self.held(scope.index());
            let physical = self.read_physical(scope, offset::ISACTIVER);
            let first = scope.index() << 5;
            Bits(value & visible & (active | physical) & !remote).for_each(|low| self.clear_active(first | low));
            self.refill();
        }
        self.ask_holders(scope, value, |mailbox, word, bits| post(&mailbox.clear_active, mailbox, word, bits));
    }

    /// GICD_IGROUPR, read.
    pub fn groups(&self, scope: Scope) -> u32 {
        match scope {
            Scope::Private(vcpu) => self.hardware.mailbox(vcpu).map_or(0, |mailbox| {
                Bits(self.partition.private)
                    .filter(|intid| mailbox.private(*intid).group_1())
                    .fold(0, |all, low| all | bit(low))
            }),
            Scope::Shared(word) => {
                let is_group_1 = |low: &u32| self.spis.group_1(word << 5 | low);
                Bits(self.partition.visible(word)).filter(is_group_1).fold(0, |all, low| all | bit(low))
            }
        }
    }

    /// GICD_IGROUPR, written. What is in a list register keeps its group.
    pub fn set_groups(&mut self, scope: Scope, value: u32) {
        match scope {
            Scope::Private(vcpu) => {
                let Some(mailbox) = self.hardware.mailbox(vcpu) else { return };
                for intid in Bits(self.partition.private) {
                    let register = mailbox.private(intid);
                    mailbox.set_private(intid, register.with_attributes(register.priority(), value & bit(intid) != 0));
                }
            }
            Scope::Shared(word) => {
                for low in Bits(self.partition.visible(word)) {
                    self.spis.set_group_1(word << 5 | low, value & bit(low) != 0);
                }
            }
        }
    }

    /// Whether `scope` is about this virtual core, as far as it can tell: SPIs are.
    fn is_own(&self, scope: Scope) -> bool {
        match scope {
            Scope::Private(vcpu) => vcpu == self.vcpu,
            Scope::Shared(_) => true,
        }
    }

    /// Software interrupts `bits` of `scope` may have become deliverable: tells who takes them.
    fn announce(&mut self, scope: Scope, bits: u32) {
        match scope {
            Scope::Private(vcpu) if vcpu != self.vcpu => self.hardware.kick(vcpu),
            Scope::Private(_) => self.refill(),
            Scope::Shared(word) => self.announce_made(word, bits),
        }
    }

    pub(super) fn ask_to_deliver(&self, vcpu: usize) {
        if let Some(mailbox) = self.hardware.mailbox(vcpu) {
            mailbox.work.fetch_or(work::MADE, core::sync::atomic::Ordering::Release);
            self.hardware.kick(vcpu);
        }
    }

    fn announce_made(&mut self, word: u32, bits: u32) {
        for low in Bits(bits) {
            let intid = word << 5 | low;
            match self.spis.holder(intid).or_else(|| self.made_target(intid, !0)) {
                Some(vcpu) if vcpu != self.vcpu => self.ask_to_deliver(vcpu),
                _ => {}
            }
        }
        self.refill();
    }

    /// SPI `intid` has a new target: whoever has it pending gives it back, so that it goes there.
    pub(super) fn redirect(&mut self, intid: u32) {
        let (word, low) = (intid >> 5, bit(intid));
        self.recall();
        self.ask_holders(Scope::Shared(word), low, post_recall);
        self.announce_made(word, low & self.partition.made(word));
    }

    /// EL2 makes edge `intid` of the partition's own making pending.
    pub fn raise(&mut self, intid: u32) {
        let (word, low) = (intid >> 5, bit(intid));
        if let Some(shared) = self.hardware.mailbox(0).filter(|_| self.partition.made(word) & low != 0) {
            shared.made.pending.fetch_or(low, Acquire);
            self.announce_made(word, low);
        }
    }

    /// EL2 sets the line of `intid`, which it makes for the partition. A line that falls takes a pending interrupt back.
    pub fn set_line(&mut self, intid: u32, high: bool) {
        let (word, low) = (intid >> 5, bit(intid));
        let Some(shared) = self.hardware.mailbox(0).filter(|_| self.partition.made(word) & low != 0) else { return };
        let edge = shared.made.edge.load(Relaxed) & low != 0;
        let before =
            if high { shared.made.level.fetch_or(low, Relaxed) } else { shared.made.level.fetch_and(!low, Relaxed) };
        match (high, before & low != 0) {
            (true, false) if edge => self.raise(intid),
            (true, false) => self.announce_made(word, low),
            (false, true) if !edge => {
                self.take_back(intid, false);
                self.ask_holders(Scope::Shared(word), low, post_clear_pending);
            }
            _ => {}
        }
    }

    /// Of `bits`, those that another core may hold in a list register.
    #[inline(never)]
    fn remote_holders(&self, scope: Scope, bits: u32) -> u32 {
        match scope {
            Scope::Private(_) => 0,
            Scope::Shared(word) => {
                let suspects = bits & (self.read_physical(scope, offset::ISACTIVER) | self.partition.made(word));
                let is_remote = |low: &u32| self.spis.holder(word << 5 | low).is_some_and(|holder| holder != self.vcpu);
                Bits(suspects).filter(is_remote).fold(0, |all, low| all | bit(low))
            }
        }
    }

    /// Tells every other core that may hold some of `bits`, by `post` into its mailbox and an IPI.
    fn ask_holders(&mut self, scope: Scope, bits: u32, post: fn(&super::Mailbox, u32, u32)) {
        match scope {
            Scope::Private(vcpu) if vcpu != self.vcpu => self.ask(vcpu, 0, bits & self.partition.private, post),
            Scope::Private(_) => {}
            Scope::Shared(word) => {
                for low in Bits(self.remote_holders(scope, bits)) {
                    if let Some(holder) = self.spis.holder(word << 5 | low) {
                        self.ask(holder, word, bit(low), post);
                    }
                }
            }
        }
    }

    fn ask(&self, vcpu: usize, word: u32, bits: u32, post: fn(&super::Mailbox, u32, u32)) {
        if let Some(mailbox) = self.hardware.mailbox(vcpu) {
            post(mailbox, word, bits);
            self.hardware.kick(vcpu);
        }
    }
}

/// Asks for everything back that is pending and not the core's any more.
fn post_recall(mailbox: &super::Mailbox, _: u32, _: u32) {
    mailbox.work.fetch_or(work::RECALL, core::sync::atomic::Ordering::Release);
}

/// Asks for pending `bits` of `word` back for good.
fn post_clear_pending(mailbox: &super::Mailbox, word: u32, bits: u32) {
    post(&mailbox.clear_pending, mailbox, word, bits);
}

/// Leaves `bits` of `word` in one of `mailbox`'s tables.
fn post(table: &[AtomicU32], mailbox: &super::Mailbox, word: u32, bits: u32) {
    if let Some(slot) = table.get(word as usize) {
        slot.fetch_or(bits, Relaxed);
        mailbox.work.fetch_or(work::CLEAR, core::sync::atomic::Ordering::Release);
    }
}

/// Which word of software state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Soft {
    Enabled,
    Pending,
}
