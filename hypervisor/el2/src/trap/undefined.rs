//! What a partition has no business with: the answers of [`septum_core::trap::system_register`], and everything else that is
//! UNDEFINED, as an exception at EL1.

use septum_core::trap::exception_entry;
use septum_core::trap::instruction::A64_BYTES;
use septum_core::trap::system_register::{self, Answer, MDSCR};
use septum_stage2::{Syndrome, SystemRegisterAccess};

use crate::arch::vectors::TrapFrame;
use crate::arch::{cpu, exception};
use crate::fault;
use crate::percpu::{CoreState, slot};

/// Classes (ESR_EL2.EC) of instructions that trap: AArch32's coprocessor accesses (3 to 6, 8, 0xc), floating point (7),
/// pointer authentication (9), LD64B (0xa), HVC and SMC (0x12, 0x13, 0x16, 0x17), system registers (0x18), SVE (0x19),
/// SME (0x1d).
const INSTRUCTIONS: u64 = 0b1_0111_1111_1000 | 0b1100_1100 << 16 | 0b10_0011 << 24;
/// The class of HVC, whose preferred return address is the next instruction's.
const HVC: u64 = 0x16;

/// Answers a trapped instruction that nothing else has an answer to; `false` if the exception is about something else.
#[cold]
#[inline(never)]
pub fn answer(core: &CoreState, frame: &mut TrapFrame) -> bool {
    let class = frame.esr >> 26 & 0x3f;
    if INSTRUCTIONS >> class & 1 == 0 {
        return false;
    }
    let access = Syndrome::new(frame.esr).system_register();
    if access.is_some_and(|access| emulate(core, frame, access)) {
        frame.finish();
        return true;
    }
    if class == HVC {
        frame.elr = frame.elr.wrapping_sub(A64_BYTES);
    }
    count(core, frame);
    let entry = exception_entry::synchronous(frame.spsr, exception::vbar_el1(), exception::sctlr_el1());
    exception::set_el1_exception(frame.elr, frame.spsr, exception_entry::UNDEFINED);
    (frame.elr, frame.spsr) = (entry.pc, entry.pstate);
    true
}

/// Whether the register is there, and done with.
fn emulate(core: &CoreState, frame: &mut TrapFrame, access: SystemRegisterAccess) -> bool {
    let value = match system_register::answer(access, core.plan.gic()) {
        Answer::Undefined => return false,
        Answer::Constant(value) => value,
        Answer::Identification(mask) => cpu::identification_register(access.crm, access.op2) & mask,
        Answer::Mdscr if access.read => exception::mdscr_el1(),
        Answer::Mdscr => {
            exception::set_mdscr_el1(frame.register(access.register) & MDSCR);
            return true;
        }
    };
    // Register 31 is the zero register: nothing is set.
    if access.read && access.register != 31 {
        frame.set_register(access.register, value);
    }
    true
}

/// The first one on this core is worth a line, since a guest may not say what it died of; the others are counted.
fn count(core: &CoreState, frame: &TrapFrame) {
    let undefined = &core.local::<slot::Refused>().instructions;
    if undefined.replace(undefined.get().saturating_add(1)) == 0 {
        fault::say_undefined(core, frame);
    }
}
