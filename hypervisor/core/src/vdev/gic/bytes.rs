//! Registers with one byte or more per interrupt: priority, target, route, level or edge.

use core::sync::atomic::Ordering::Relaxed;

use super::list_register::PRIORITY_BITS;
use super::state::{bit, byte_of};
use super::{Hardware, Vgic, vcpu_of_affinity, virtual_affinity};
use crate::dev::gic::offset;

impl<H: Hardware> Vgic<'_, H> {
    /// Whether the guest has `intid`.
    fn has(&self, intid: u32) -> bool {
        let visible = if intid < 32 { self.partition.private } else { self.partition.visible(intid >> 5) };
        visible & bit(intid) != 0
    }

    /// GICD_IPRIORITYR's or GICR_IPRIORITYR's `bytes` from `intid` on, of virtual core `vcpu`.
    pub fn priorities(&self, vcpu: usize, intid: u32, bytes: u32) -> u64 {
        gather(intid, bytes, |intid| self.priority(vcpu, intid))
    }

    fn priority(&self, vcpu: usize, intid: u32) -> u8 {
        match (self.has(intid), intid < 32) {
            (false, _) => 0,
            (true, true) => self.hardware.mailbox(vcpu).map_or(0, |mailbox| mailbox.private(intid).priority()),
            (true, false) => self.spis.priority(intid),
        }
    }

    /// GICD_IPRIORITYR or GICR_IPRIORITYR, written. What is in a list register keeps its priority.
    pub fn set_priorities(&mut self, vcpu: usize, intid: u32, bytes: u32, value: u64) {
        scatter(intid, bytes, value, |intid, priority| {
            if self.has(intid) {
                self.set_priority(vcpu, intid, priority & PRIORITY_BITS);
            }
        });
    }

    fn set_priority(&self, vcpu: usize, intid: u32, priority: u8) {
        if intid >= 32 {
            self.spis.set_priority(intid, priority);
        } else if let Some(mailbox) = self.hardware.mailbox(vcpu) {
            let register = mailbox.private(intid);
            mailbox.set_private(intid, register.with_attributes(priority, register.group_1()));
        }
    }

    /// GICv2's GICD_ITARGETSR: `bytes` from `intid` on. Private interrupts show the reader's own interface.
    pub fn targets(&self, intid: u32, bytes: u32) -> u64 {
        gather(intid, bytes, |intid| match (intid < 32, self.has(intid)) {
            (true, _) => 1_u8.wrapping_shl(self.vcpu as u32),
            (false, true) => self.spis.target(intid),
            (false, false) => 0,
        })
    }

    /// GICv2's GICD_ITARGETSR, written: the interfaces that the partition has.
    pub fn set_targets(&mut self, intid: u32, bytes: u32, value: u64) {
        let interfaces = bit(self.partition.vcpus.min(8) as u32).wrapping_sub(1) as u8;
        scatter(intid, bytes, value, |intid, target| {
            if intid >= 32 && self.has(intid) {
                self.retarget(intid, target & interfaces);
            }
        });
    }

    fn retarget(&mut self, intid: u32, target: u8) {
        self.spis.set_target(intid, target);
        if self.partition.owned(intid >> 5) & bit(intid) != 0 {
            self.hardware.route(intid, target);
        }
        self.redirect(intid);
    }

    /// GICv3's GICD_IROUTER: `bytes` (4 or 8) from `offset` on.
    pub fn router(&self, offset: u32, bytes: u32) -> u64 {
        let intid = offset.wrapping_sub(offset::IROUTER) >> 3;
        if intid < 32 || !self.has(intid) {
            return 0;
        }
        let affinity = virtual_affinity(self.spis.target(intid).into());
        if offset & 4 == 0 {
            affinity
        } else if bytes == 4 {
            affinity >> 32
        } else {
            0
        }
    }

    /// GICv3's GICD_IROUTER, written: an affinity that no virtual core has is ignored, as are the mode bit (GICD_TYPER
    /// says No1N) and the upper half (no virtual core has Aff3).
    pub fn set_router(&mut self, offset: u32, bytes: u32, value: u64) {
        let intid = offset.wrapping_sub(offset::IROUTER) >> 3;
        let low_half = offset & 4 == 0;
        let affinity = if bytes == 8 { value & septum_plan::affinity::AFFINITY } else { value & 0xff_ffff };
        let vcpu = vcpu_of_affinity(affinity, self.partition.vcpus);
        if let Some(vcpu) = vcpu.filter(|_| intid >= 32 && low_half && self.has(intid)) {
            self.retarget(intid, byte_of(vcpu));
        }
    }

    /// `GICD_ICFGR<index>`, read; SGIs are edge-triggered.
    pub fn configuration(&self, vcpu: usize, index: u32) -> u32 {
        let register = offset::word(offset::ICFGR, index);
        match index {
            0 => 0xaaaa_aaaa,
            1 => self.hardware.read_private(vcpu, register) & pairs(self.partition.private >> 16),
            _ => {
                let (word, half) = (index >> 1, index << 4 & 16);
                let physical = self.hardware.read(register) & pairs(self.partition.owned(word).wrapping_shr(half));
                physical | pairs((self.made_edges() & self.partition.made(word)).wrapping_shr(half))
            }
        }
    }

    fn made_edges(&self) -> u32 {
        self.hardware.mailbox(0).map_or(0, |shared| shared.made.edge.load(Relaxed))
    }

    /// `GICD_ICFGR<index>`, written. Private interrupts are what they are (IHI 0069H 12.9.9 allows that).
    pub fn set_configuration(&mut self, index: u32, value: u32) {
        if index < 2 {
            return;
        }
        let (word, half) = (index >> 1, index << 4 & 16);
        let owned = pairs(self.partition.owned(word).wrapping_shr(half));
        let register = offset::word(offset::ICFGR, index);
        if owned != 0 {
            self.spis.with_configuration(|| {
                let others = self.hardware.read(register) & !owned;
                self.hardware.write(register, others | value & owned);
            });
        }
        self.set_made_configuration(self.partition.made(word) & 0xffffu32.wrapping_shl(half), half, value);
    }

    fn set_made_configuration(&mut self, made: u32, half: u32, value: u32) {
        let Some(shared) = self.hardware.mailbox(0).filter(|_| made != 0) else { return };
        let edges = singles(value).wrapping_shl(half) & made;
        shared.made.edge.fetch_or(edges, Relaxed);
        shared.made.edge.fetch_and(!made | edges, Relaxed);
    }
}

/// Up to eight bytes, one per interrupt from `intid` on, the first in the lowest bits.
fn gather(intid: u32, bytes: u32, mut of: impl FnMut(u32) -> u8) -> u64 {
    (0..bytes.min(8)).fold(0, |all, index| all | u64::from(of(intid.wrapping_add(index))).wrapping_shl(index << 3))
}

/// Hands each of up to eight bytes of `value` out, one per interrupt from `intid` on.
fn scatter(intid: u32, bytes: u32, value: u64, mut to: impl FnMut(u32, u8)) {
    for index in 0..bytes.min(8) {
        to(intid.wrapping_add(index), value.wrapping_shr(index << 3) as u8);
    }
}

/// The 16 low bits of `mask`, each at the upper bit of its pair.
pub(super) const fn pairs(mask: u32) -> u32 {
    let mut spread = mask & 0xffff;
    spread = (spread | spread << 8) & 0x00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f;
    spread = (spread | spread << 2) & 0x3333_3333;
    spread = (spread | spread << 1) & 0x5555_5555;
    spread << 1
}

/// The upper bit of each pair of `value`, in 16 low bits: what [`pairs`] spread.
pub(super) const fn singles(value: u32) -> u32 {
    let mut packed = value >> 1 & 0x5555_5555;
    packed = (packed | packed >> 1) & 0x3333_3333;
    packed = (packed | packed >> 2) & 0x0f0f_0f0f;
    packed = (packed | packed >> 4) & 0x00ff_00ff;
    (packed | packed >> 8) & 0xffff
}
