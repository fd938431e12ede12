//! A physical interrupt, and whose it is: the partition's, or one of EL2's own.

use septum_core::dev::gic::{self, HYPERVISOR_TIMER, IPI, MAINTENANCE};

use crate::dev::gic::controller;
use crate::percpu::CoreState;
use crate::vdev::gic::{Guest, guest};
use crate::vdev::pl011;
use crate::{input, time};

/// Takes one physical interrupt, if one is pending.
pub fn take(core: &CoreState) {
    if let Some(acknowledged) = controller(core).acknowledge() {
        handle(core, acknowledged);
    }
}

/// Handles an interrupt that is acknowledged, and its priority dropped. The guest's stays active until the guest ends it.
#[inline(never)]
pub fn handle(core: &CoreState, acknowledged: u32) {
    let intid = gic::intid(acknowledged);
    if guest(core).as_ref().is_some_and(|guest| guest.take(intid)) {
        return;
    }
    match intid {
        IPI => {
            guest(core).iter().for_each(Guest::on_ipi);
            pl011::on_ipi(core);
        }
        MAINTENANCE => guest(core).iter().for_each(Guest::maintain),
        HYPERVISOR_TIMER => time::expired(core),
        intid => input::take(core, intid),
    }
    controller(core).deactivate(acknowledged);
}
