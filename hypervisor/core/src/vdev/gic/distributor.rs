//! GICD: what an access at an offset means (IHI 0048B table 4-1, IHI 0069H table 12-25).
//!
//! An access that the architecture does not allow (size, alignment, reserved offset) reads as zero and writes nothing.

use core::sync::atomic::Ordering::Relaxed;

use super::bits::Scope;
use super::state::work;
use super::{Hardware, IIDR, Vgic};
use crate::dev::gic::offset;

/// GICD_CTLR: EnableGrp0, EnableGrp1.
const ENABLES: u32 = 3;
/// GICv3's GICD_CTLR: ARE and DS, fixed: affinity routing only, one Security state.
const FIXED_V3: u32 = 1 << 4 | 1 << 6;
/// ArchRev and the JEDEC nibbles of PIDR2.
const PIDR2_V2: u32 = 0x2b;
const PIDR2_V3: u32 = 0x3b;

impl<H: Hardware> Vgic<'_, H> {
    /// Reads `bytes` (1, 2, 4 or 8) at `offset` of GICD.
    pub fn read_distributor(&mut self, offset: u32, bytes: u32) -> u64 {
        if bytes != 4 || offset & 3 != 0 || offset >= 0x1000 {
            return self.read_distributor_rest(offset, bytes);
        }
        let word = Scope::word(offset >> 2 & 31, self.vcpu);
        let value = match offset >> 7 {
            0 => self.read_head(offset),
            2 | 3 if self.private_allowed(word) => self.enables(word),
            _ => return self.read_word(offset, word),
        };
        value.into()
    }

    fn read_head(&self, offset: u32) -> u32 {
        match offset {
            offset::TYPER => self.partition.typer,
            offset::CTLR => self.read_control(),
            offset::IIDR => IIDR,
            _ => 0,
        }
    }

    fn read_control(&self) -> u32 {
        let enables = self.hardware.mailbox(0).map_or(0, |shared| shared.control.load(Relaxed));
        enables | if self.hardware.is_v3() { FIXED_V3 } else { 0 }
    }

    fn read_word(&mut self, offset: u32, word: Scope) -> u64 {
        if (0x400..0xc00).contains(&offset) || offset >= 0xf00 {
            return self.read_distributor_rest(offset, 4);
        }
        if offset >= offset::ICFGR {
            return self.read_configuration(offset).into();
        }
        if !self.private_allowed(word) {
            return 0;
        }
        let value = match offset >> 7 {
            1 => self.groups(word),
            4 | 5 => self.pending(word),
            6 | 7 => self.active(word),
            _ => 0,
        };
        value.into()
    }

    fn read_configuration(&self, offset: u32) -> u32 {
        let index = offset.wrapping_sub(offset::ICFGR) >> 2;
        if index >= 64 || (self.hardware.is_v3() && index < 2) { 0 } else { self.configuration(self.vcpu, index) }
    }

    /// Registers that take other sizes than words, and what lies above 4 KiB.
    fn read_distributor_rest(&mut self, offset: u32, bytes: u32) -> u64 {
        if offset & bytes.wrapping_sub(1) != 0 {
            return 0;
        }
        let first = offset & 0x3ff;
        match (self.hardware.is_v3(), offset, bytes) {
            (_, 0x400..0x800, 1 | 2 | 4) if !self.hardware.is_v3() || first >= 32 => {
                self.priorities(self.vcpu, first, bytes)
            }
            (false, 0x800..0xc00, 1 | 2 | 4) => self.targets(first, bytes),
            (false, offset::CPENDSGIR..0xf30, 1 | 2 | 4) => self.sgi_sources(offset & 0xf, bytes),
            (false, offset::ICPIDR2, 4) => PIDR2_V2.into(),
            (true, offset::PIDR2, 4) => PIDR2_V3.into(),
            (true, 0x6100..0x7fe0, 4 | 8) => self.router(offset, bytes),
            _ => 0,
        }
    }

    /// Writes `bytes` (1, 2, 4 or 8) of `value` at `offset` of GICD.
    pub fn write_distributor(&mut self, offset: u32, bytes: u32, value: u64) {
        if bytes != 4 || offset & 3 != 0 || offset >= 0x1000 {
            return self.write_distributor_rest(offset, bytes, value);
        }
        let word = Scope::word(offset >> 2 & 31, self.vcpu);
        match offset >> 7 {
            2 if self.private_allowed(word) => self.set_enable(word, value as u32),
            _ => self.write_word(offset, word, value as u32),
        }
    }

    fn write_word(&mut self, offset: u32, word: Scope, value: u32) {
        match offset >> 7 {
            0 if offset == offset::CTLR => self.write_control(value),
            1..8 if !self.private_allowed(word) => {}
            1 => self.set_groups(word, value),
            3 => self.clear_enable(word, value),
            4 => self.set_pending(word, value),
            5 => self.clear_pending(word, value),
            6 => self.set_active(word, value),
            7 => self.clear_active_bits(word, value),
            8..24 | 30 => self.write_distributor_rest(offset, 4, value.into()),
            24 | 25 => self.set_configuration(offset.wrapping_sub(offset::ICFGR) >> 2, value),
            _ => {}
        }
    }

    fn write_distributor_rest(&mut self, offset: u32, bytes: u32, value: u64) {
        if offset & bytes.wrapping_sub(1) != 0 {
            return;
        }
        let first = offset & 0x3ff;
        match (self.hardware.is_v3(), offset, bytes) {
            (_, 0x400..0x800, 1 | 2 | 4) if !self.hardware.is_v3() || first >= 32 => {
                self.set_priorities(self.vcpu, first, bytes, value);
            }
            (false, 0x800..0xc00, 1 | 2 | 4) => self.set_targets(first, bytes, value),
            (false, offset::SGIR, 4) => self.send_sgi_v2(value as u32),
            (false, offset::CPENDSGIR..offset::SPENDSGIR, 1 | 2 | 4) => {
                self.clear_sgi_sources(offset & 0xf, bytes, value);
            }
            (false, offset::SPENDSGIR..0xf30, 1 | 2 | 4) => self.set_sgi_sources(offset & 0xf, bytes, value),
            (true, 0x6100..0x7fe0, 4 | 8) => self.set_router(offset, bytes, value),
            _ => {}
        }
    }

    /// GICD_CTLR, written: with both groups off, no list register signals on any of the partition's cores.
    fn write_control(&mut self, value: u32) {
        let Some(shared) = self.hardware.mailbox(0) else { return };
        shared.control.store(value & ENABLES, Relaxed);
        self.refill();
        for vcpu in 0..self.partition.vcpus {
            if let Some(mailbox) = self.hardware.mailbox(vcpu).filter(|_| vcpu != self.vcpu) {
                mailbox.work.fetch_or(work::CONTROL, core::sync::atomic::Ordering::Release);
                self.hardware.kick(vcpu);
            }
        }
    }

    /// With affinity routing, private interrupts are the redistributors' alone: word 0 of the distributor is RES0.
    fn private_allowed(&self, word: Scope) -> bool {
        !self.hardware.is_v3() || matches!(word, Scope::Shared(_))
    }
}
