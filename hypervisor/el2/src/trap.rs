//! What follows an exception: the hot paths, everything else, and EL2's own faults. docs/decisions/0007-trap-path.md.

mod interrupt_controller;
mod undefined;

use interrupt_controller::{hot_access, slow};
use septum_core::psci::VERSION_1_1;
use septum_plan::calls::{NOT_SUPPORTED, PSCI_VERSION};

use crate::arch::vectors::{CallerSaved, DECLINED, DONE, FINISH, FINISH_AARCH32, FIQ, SYNCHRONOUS, TrapFrame};
use crate::fault::own::own_fault;
use crate::percpu::{CoreState, this_core};
use crate::{calls, fault, log, vdev};

/// ESR_EL2 of `HVC #0` from AArch64: its class, and IL.
const ESR_HVC_0: u64 = 0x16 << 26 | 1 << 25;
/// ESR_EL2 of a trapped `SMC #0` from AArch64.
const ESR_SMC_0: u64 = 0x17 << 26 | 1 << 25;

crate::arch::vectors::assemble! {
    mailbox: <crate::percpu::slot::Mailbox as crate::percpu::Slot>::START as usize,
    peers: offset_of!(crate::percpu::CoreState, peers),
    hot_call: hot_call,
    hot_access: hot_access,
    slow: slow,
    interrupt: interrupt,
    rare: rare,
    own_fault: own_fault,
}

/// A call, or something else of bit 27 in ESR_EL2, with only the caller-saved registers saved: [`DONE`], [`FINISH`] or
/// [`DECLINED`].
pub extern "C" fn hot_call(frame: &mut CallerSaved, esr: u64) -> u64 {
    if esr == ESR_HVC_0 { quick_call(frame) } else { quick_smc(frame, esr) }
}

#[inline(always)]
fn quick_call(frame: &mut CallerSaved) -> u64 {
    let [number, ..] = &mut frame.x;
    if !septum_core::calls::is_unknown(*number as u32) {
        return quick_call_rest(frame);
    }
    *number = NOT_SUPPORTED as u64;
    DONE
}

/// Apart, so that an unknown call branches once.
#[cold]
#[inline(never)]
fn quick_call_rest(frame: &mut CallerSaved) -> u64 {
    quick_psci(frame)
}

/// PSCI_VERSION.
#[inline(always)]
fn quick_psci(frame: &mut CallerSaved) -> u64 {
    let [number, ..] = &mut frame.x;
    if *number as u32 != PSCI_VERSION {
        return DECLINED;
    }
    *number = VERSION_1_1 as u64;
    DONE
}

/// Kept out of line so that HVC is tested first. A trapped SMC comes from its own address, an HVC from the next.
#[cold]
#[inline(never)]
fn quick_smc(frame: &mut CallerSaved, esr: u64) -> u64 {
    if esr == ESR_SMC_0 && quick_psci(frame) == DONE { FINISH } else { DECLINED }
}

/// A physical interrupt while the partition ran, that the vector has not dealt with itself. `acknowledged`: what it read
/// from IAR, or [`NOT_ACKNOWLEDGED`](crate::arch::vectors::NOT_ACKNOWLEDGED).
pub extern "C" fn interrupt(_frame: &mut CallerSaved, acknowledged: u64) {
    let core = this_core();
    interrupt_controller::handle_acknowledged(core, acknowledged);
}

/// Every other exception from below EL2, with the whole frame.
pub extern "C" fn rare(frame: &mut TrapFrame, kind: u64) {
    let core = this_core();
    match kind {
        SYNCHRONOUS => synchronous(core, frame),
        FIQ => fault::fiq(core, frame),
        FINISH_AARCH32 => frame.finish(),
        _ => fault::serror(core, frame),
    }
    log::pump(core);
}

fn synchronous(core: &'static CoreState, frame: &mut TrapFrame) {
    match (frame.esr, core.assignment) {
        (ESR_HVC_0, Some(assignment)) => calls::answer(core, assignment, frame),
        (ESR_SMC_0, Some(assignment)) => {
            frame.finish();
            calls::answer(core, assignment, frame);
        }
        _ if interrupt_controller::rare(core, frame) => {}
        (_, Some(assignment)) if vdev::access(core, assignment, frame) => {}
        _ if undefined::answer(core, frame) => {}
        _ => fault::synchronous(core, frame),
    }
}
