//! What is typed at the log's UART: one core takes the UART's interrupt and hands the bytes to the emulated consoles.
//!
//! That core is the first core of the first partition that has a console and has not ended; it hands over when its
//! partition ends. Without such a partition the interrupt stays off.

use core::sync::atomic::Ordering::{Relaxed, Release};

use septum_core::input::{Input, Typed};
use septum_core::vdev::gic::state::work;
use septum_plan::{EmulatedKind, PartitionRecord};

use crate::arch::cpu;
use crate::dev::gic::controller;
use crate::log;
use crate::percpu::{Area, CoreState, slot};
use crate::vdev::pl011;

/// Where input goes; used by the core that takes the interrupt.
static INPUT: Input = Input::new();
/// Most bytes taken at once: more than any FIFO holds, and a bound where bytes come faster than they go.
const BYTES: usize = 64;

/// Has the UART's interrupt come to this core, if it is the one to take it; before its partition starts.
pub fn claim_first(core: &CoreState) {
    if taker(core) == Some(core.index) {
        log::listen(core);
        route(core, core.index);
    }
}

/// This core's partition has ended: another one's first core takes the interrupt, if there is one.
pub fn hand_over(core: &CoreState) {
    if core.assignment.is_none_or(|assignment| assignment.vcpu != 0) {
        return;
    }
    // The next taker's partition may end while the interrupt is routed there, and its core hand over before that is done;
    // so it is looked up again. Partitions end for good, so each time round is another one's end.
    let mut routed = None;
    for _ in 0..=core.plan.partitions().len() {
        let next = taker(core).filter(|next| routed != Some(*next));
        let Some(next) = next else { return };
        route(core, next);
        cpu::complete();
        routed = Some(next);
    }
}

/// A physical interrupt that is nobody else's: the UART's, or a spurious one.
#[cold]
#[inline(never)]
pub fn take(core: &CoreState, intid: u32) {
    if intid != core.plan.console().intid {
        return;
    }
    for byte in core::iter::from_fn(|| log::typed(core)).take(BYTES) {
        if let Some(typed) = INPUT.push(byte) {
            deliver(core, typed);
        }
    }
}

fn deliver(core: &CoreState, typed: Typed) {
    let record = match typed.partition {
        Some(index) => core.plan.partitions().get(usize::from(index)).filter(|record| has_console(core, record)),
        None => running(core).next(),
    };
    let Some(home) = record.and_then(|record| home(core, record)) else { return };
    home.shared::<slot::VirtualUart>().receive(typed.byte);
    if home == core.area() {
        pl011::on_ipi(core);
    } else {
        let mailbox = home.shared::<slot::Mailbox>();
        mailbox.work.fetch_or(work::OUTSIDE, Release);
        controller(core).send_ipi(mailbox.ipi_word.load(Relaxed));
    }
}

/// The core that is to take the interrupt.
fn taker(core: &CoreState) -> Option<u16> {
    running(core).find_map(|record| core.plan.vcpus(record).first().copied())
}

/// Partitions with a console that have not ended.
fn running(core: &CoreState) -> impl Iterator<Item = &'static PartitionRecord> {
    let partitions = core.plan.partitions().iter();
    partitions.filter(move |record| {
        has_console(core, record) && home(core, record).is_some_and(|home| !home.shared::<slot::Progress>().has_ended())
    })
}

fn has_console(core: &CoreState, record: &PartitionRecord) -> bool {
    core.plan.emulated_of(record, EmulatedKind::Pl011).is_some()
}

fn home(core: &CoreState, record: &PartitionRecord) -> Option<Area> {
    core.area_of(*core.plan.vcpus(record).first()?)
}

fn route(core: &CoreState, target: u16) {
    let intid = core.plan.console().intid;
    let record = core.plan.cores().get(usize::from(target));
    let target = core.area_of(target);
    if let (Some(record), Some(target), true) = (record, target, intid != 0) {
        // A GICv2's interface is a bit in a byte; GICv3 routes by `mpidr` and leaves it.
        let interface = target.shared::<slot::Mailbox>().interface.load(Relaxed) as u8;
        controller(core).take_spi(intid, record.mpidr, interface);
    }
}
