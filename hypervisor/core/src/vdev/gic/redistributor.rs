//! GICR: two frames for each virtual core, one after the other (IHI 0069H tables 12-27 and 12-29).

use core::sync::atomic::Ordering::Relaxed;

use septum_plan::frames::GICR_BYTES;

use super::bits::Scope;
use super::state::Mailbox;
use super::{Hardware, IIDR, Vgic, virtual_affinity};
use crate::dev::gic::offset;

/// GICR_TYPER.Last.
const LAST: u64 = 1 << 4;
/// GICR_WAKER.ProcessorSleep, and ChildrenAsleep, which follows it at once.
const PROCESSOR_SLEEP: u32 = 1 << 1;
const ASLEEP: u32 = PROCESSOR_SLEEP | 1 << 2;
const PIDR2: u32 = 0x3b;

/// Offset of virtual core `vcpu`'s SGI frame from the first redistributor, in bytes.
pub const fn private_frame(vcpu: u16) -> u64 {
    (vcpu as u64).wrapping_mul(GICR_BYTES) | offset::GICR_SGI_FRAME as u64
}

impl<H: Hardware> Vgic<'_, H> {
    /// Reads `bytes` (1, 2, 4 or 8) at `offset` from the first redistributor on.
    pub fn read_redistributor(&mut self, offset: u32, bytes: u32) -> u64 {
        let vcpu = (offset >> 17) as usize;
        let register = offset & 0xffff;
        let is_enable = register == offset::ISENABLER || register == offset::ICENABLER;
        if offset & offset::GICR_SGI_FRAME != 0 && is_enable && bytes == 4 && vcpu < self.partition.vcpus {
            return self.enables(Scope::Private(vcpu)).into();
        }
        self.read_redistributor_rest(offset, bytes)
    }

    fn read_redistributor_rest(&mut self, offset: u32, bytes: u32) -> u64 {
        let vcpu = (offset >> 17) as usize;
        if vcpu >= self.partition.vcpus || offset & bytes.wrapping_sub(1) != 0 {
            return 0;
        }
        if offset & offset::GICR_SGI_FRAME != 0 {
            self.read_private_frame(vcpu, offset & 0xffff, bytes)
        } else {
            self.read_control_frame(vcpu, offset & 0xffff, bytes)
        }
    }

    fn read_control_frame(&self, vcpu: usize, register: u32, bytes: u32) -> u64 {
        let typer = self.redistributor_typer(vcpu);
        match (register, bytes) {
            (offset::GICR_IIDR, 4) => IIDR.into(),
            (offset::GICR_TYPER, 8) => typer,
            (offset::GICR_TYPER, 4) => typer & 0xffff_ffff,
            (0x00c, 4) => typer >> 32,
            (offset::GICR_WAKER, 4) => self.waker(vcpu).into(),
            (offset::PIDR2, 4) => PIDR2.into(),
            _ => 0,
        }
    }

    /// GICR_TYPER: affinity 63:32, processor number 23:8, Last.
    fn redistributor_typer(&self, vcpu: usize) -> u64 {
        let last = if vcpu.wrapping_add(1) == self.partition.vcpus { LAST } else { 0 };
        virtual_affinity(vcpu) << 32 | (vcpu as u64) << 8 | last
    }

    fn waker(&self, vcpu: usize) -> u32 {
        let asleep = self.hardware.mailbox(vcpu).is_some_and(|mailbox| mailbox.sleep.load(Relaxed) != 0);
        if asleep { ASLEEP } else { 0 }
    }

    fn read_private_frame(&mut self, vcpu: usize, register: u32, bytes: u32) -> u64 {
        let scope = Scope::Private(vcpu);
        if (0x400..0x420).contains(&register) && bytes <= 4 {
            return self.priorities(vcpu, register & 0x1f, bytes);
        }
        if bytes != 4 {
            return 0;
        }
        let value = match register {
            offset::IGROUPR => self.groups(scope),
            offset::ISENABLER | offset::ICENABLER => self.enables(scope),
            offset::ISPENDR | offset::ICPENDR => self.pending(scope),
            offset::ISACTIVER | offset::ICACTIVER => self.active(scope),
            offset::ICFGR => self.configuration(vcpu, 0),
            0xc04 => self.configuration(vcpu, 1),
            _ => 0,
        };
        value.into()
    }

    /// Writes `bytes` (1, 2, 4 or 8) of `value` at `offset` from the first redistributor on.
    pub fn write_redistributor(&mut self, offset: u32, bytes: u32, value: u64) {
        let vcpu = (offset >> 17) as usize;
        let Some(mailbox) = self.hardware.mailbox(vcpu).filter(|_| offset & bytes.wrapping_sub(1) == 0) else { return };
        if offset & offset::GICR_SGI_FRAME != 0 {
            self.write_private_frame(vcpu, offset & 0xffff, bytes, value);
        } else if offset & 0xffff == offset::GICR_WAKER && bytes == 4 {
            set_waker(mailbox, value as u32);
        }
    }

    fn write_private_frame(&mut self, vcpu: usize, register: u32, bytes: u32, value: u64) {
        let scope = Scope::Private(vcpu);
        if (0x400..0x420).contains(&register) && bytes <= 4 {
            return self.set_priorities(vcpu, register & 0x1f, bytes, value);
        }
        let value = value as u32;
        match (register, bytes) {
            (offset::IGROUPR, 4) => self.set_groups(scope, value),
            (offset::ISENABLER, 4) => self.set_enable(scope, value),
            (offset::ICENABLER, 4) => self.clear_enable(scope, value),
            (offset::ISPENDR, 4) => self.set_pending(scope, value),
            (offset::ICPENDR, 4) => self.clear_pending(scope, value),
            (offset::ISACTIVER, 4) => self.set_active(scope, value),
            (offset::ICACTIVER, 4) => self.clear_active_bits(scope, value),
            _ => {}
        }
    }
}

fn set_waker(mailbox: &Mailbox, value: u32) {
    mailbox.sleep.store(value & PROCESSOR_SLEEP, Relaxed);
}
