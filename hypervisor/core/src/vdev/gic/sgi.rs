//! Software-generated interrupts: GICv2's GICD_SGIR and pending registers, GICv3's ICC_SGI*R_EL1. They reach the
//! partition's own virtual cores only, because the numbers in them are virtual ones.

use core::sync::atomic::Ordering::Relaxed;

use super::state::{Bits, Mailbox};
use super::{Hardware, Vgic};

/// Which of GICv3's three registers an SGI is sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SgiRegister {
    /// ICC_SGI1R_EL1: group 1.
    Group1,
    /// ICC_ASGI1R_EL1: with one Security state group 0, like ICC_SGI0R_EL1 (IHI 0069H 12.2.18, table 12-14).
    Alternate,
    /// ICC_SGI0R_EL1: group 0.
    Group0,
}

/// ICC_SGI1R_EL1.INTID.
const INTID: u64 = 0xf << 24;

/// The other virtual cores of the first cluster, as a virtual core sends SGIs to one of them again and again.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Peers<'a> {
    /// First, for the vectors. Virtual core 15's first: found by leading zeroes, which are one instruction.
    mailboxes: [&'a Mailbox; 16],
    /// Bits that ICC_SGI1R_EL1 may have for it to go to them alone.
    allowed: u64,
}

impl<'a> Peers<'a> {
    /// Where `allowed` lies, for the vectors.
    pub const ALLOWED_OFFSET: usize = core::mem::offset_of!(Self, allowed);

    /// The peers of the virtual core that has mailbox `own`: those of virtual cores 0 to 15 that `others` gives.
    pub fn new(own: &'a Mailbox, others: impl Fn(usize) -> Option<&'a Mailbox>) -> Self {
        let mut peers = Self { mailboxes: [own; 16], allowed: INTID };
        for (vcpu, place) in peers.mailboxes.iter_mut().rev().enumerate() {
            if let Some(mailbox) = others(vcpu) {
                *place = mailbox;
                peers.allowed |= u64::from(super::bit(vcpu as u32));
            }
        }
        peers
    }

    /// The guest has written `value` to ICC_SGI1R_EL1. If that is an SGI to one peer and in group 1 there, makes it
    /// pending and returns the peer's IPI word; otherwise does nothing. The vector does this itself, in the same steps
    /// (`system_register` in arch/vectors.s); the tests hold it together with the emulation.
    pub fn post(&self, value: u64) -> Option<u64> {
        let targets = (value as u32) << 16;
        if value & !self.allowed != 0 || targets & targets.wrapping_sub(1) != 0 {
            return None;
        }
        let intid = (value >> 24) as u32 & 0xf;
        let mailbox = self.mailboxes.get(targets.leading_zeros() as usize)?;
        if !mailbox.private(intid).group_1() {
            return None;
        }
        mailbox.post_sgi(intid, None);
        Some(mailbox.ipi_word.load(Relaxed))
    }

    /// The same for virtual interface `source` of a GICv2 and `value` written to GICD_SGIR, with a list of one target.
    #[inline(always)]
    pub fn post_v2(&self, source: u8, value: u32) -> Option<u64> {
        let targets = value >> 16;
        // Bits 25:24, the filter, are bits 9:8 of `targets`: no peer has them.
        if u64::from(targets) & !(self.allowed & 0xff) != 0 || targets & targets.wrapping_sub(1) != 0 {
            return None;
        }
        let mailbox = self.mailboxes.get((targets << 16).leading_zeros() as usize)?;
        mailbox.post_sgi(value & 0xf, Some(source));
        Some(mailbox.ipi_word.load(Relaxed))
    }
}

impl<H: Hardware> Vgic<'_, H> {
    /// GICv3: the guest has written `value` to `register`.
    pub fn send_sgi(&mut self, register: SgiRegister, value: u64) {
        let intid = (value >> 24) as u32 & 0xf;
        let group_1 = register == SgiRegister::Group1;
        if value & 1 << 40 != 0 {
            for vcpu in 0..self.partition.vcpus {
                if vcpu != self.vcpu {
                    self.send_to(vcpu, intid, group_1);
                }
            }
            return;
        }
        // No virtual core has Aff3, Aff2 or an Aff0 above 15 (range selector).
        if value & (0xff << 48 | 0xff << 32 | 0xf << 44) != 0 {
            return;
        }
        let cluster = (value >> 16) as usize & 0xff;
        for aff0 in Bits(value as u32 & 0xffff) {
            self.send_to(cluster << 4 | aff0 as usize, intid, group_1);
        }
    }

    fn send_to(&mut self, vcpu: usize, intid: u32, group_1: bool) {
        let Some(mailbox) = self.hardware.mailbox(vcpu) else { return };
        if mailbox.private(intid).group_1() != group_1 {
            return;
        }
        let known = mailbox.post_sgi(intid, None);
        self.tell(vcpu, known);
    }

    /// An SGI is pending at `vcpu`: its core puts it into a list register. If it was pending before, the core has been
    /// told, or will look when the SGI is enabled.
    fn tell(&mut self, vcpu: usize, known: bool) {
        if vcpu == self.vcpu {
            self.refill();
        } else if !known {
            self.hardware.kick(vcpu);
        }
    }

    /// GICv2: the guest has written `value` to GICD_SGIR (IHI 0048B 4.3.15). Filter 3 is reserved and sends nothing.
    pub fn send_sgi_v2(&mut self, value: u32) {
        let intid = value & 0xf;
        let all = super::bit(self.partition.vcpus.min(8) as u32).wrapping_sub(1);
        let own = super::bit(self.vcpu as u32);
        let targets = match value >> 24 & 3 {
            0 => value >> 16 & all,
            1 => all & !own,
            2 => own,
            _ => 0,
        };
        for vcpu in Bits(targets) {
            self.post_from(vcpu as usize, intid, self.vcpu as u8);
        }
    }

    fn post_from(&mut self, vcpu: usize, intid: u32, source: u8) {
        if let Some(mailbox) = self.hardware.mailbox(vcpu) {
            // Another source of the same SGI is news: no short cut over what was pending.
            mailbox.post_sgi(intid, Some(source));
            self.tell(vcpu, false);
        }
    }

    /// GICv2's GICD_SPENDSGIR and GICD_CPENDSGIR: `bytes` from SGI `intid` on, one per SGI, its pending sources.
    pub fn sgi_sources(&self, intid: u32, bytes: u32) -> u64 {
        let held = |sgi: u32| Bits(self.held_sources(sgi)).fold(0, |all, source| all | super::bit(source));
        let of = |sgi: u32| if sgi < 16 { self.own.sources(sgi) | held(sgi) } else { 0 };
        (0..bytes.min(4))
            .fold(0, |all, index| all | u64::from(of(intid.wrapping_add(index)) & 0xff).wrapping_shl(index << 3))
    }

    /// Sources of `sgi` that are pending in list registers.
    fn held_sources(&self, sgi: u32) -> u32 {
        let pending = self.held(0).0 & super::bit(sgi);
        if pending == 0 { 0 } else { self.listed_source(sgi).map_or(0, |source| super::bit(source.into())) }
    }

    /// GICD_SPENDSGIR, written.
    pub fn set_sgi_sources(&mut self, intid: u32, bytes: u32, value: u64) {
        let all = super::bit(self.partition.vcpus.min(8) as u32).wrapping_sub(1);
        for index in 0..bytes.min(4) {
            let sgi = intid.wrapping_add(index);
            for source in Bits((value.wrapping_shr(index << 3) as u32) & all) {
                if sgi < 16 {
                    self.own.post_sgi(sgi, Some(source as u8));
                }
            }
        }
        self.refill();
    }

    /// GICD_CPENDSGIR, written.
    pub fn clear_sgi_sources(&mut self, intid: u32, bytes: u32, value: u64) {
        for index in 0..bytes.min(4) {
            let sgi = intid.wrapping_add(index);
            let sources = value.wrapping_shr(index << 3) as u32 & 0xff;
            if sgi >= 16 || sources == 0 {
                continue;
            }
            if self.listed_source(sgi).is_some_and(|source| sources & super::bit(source.into()) != 0) {
                self.take_back(sgi, false);
            }
            Bits(sources).for_each(|source| self.own.claim_source(sgi, source as u8));
        }
        self.refill();
    }
}
