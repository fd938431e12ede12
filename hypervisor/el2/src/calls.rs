//! A partition's calls, done: PSCI and SMCCC by [`septum_core::psci`], Septum's own by [`septum_core::calls`].

use septum_core::calls::{self, Caller, Outcome, Results};
use septum_core::psci::{self, Action, CpuState};
use septum_plan::calls::NOT_SUPPORTED;
use septum_plan::record::ACCESS_EXECUTE;
use septum_plan::{CoreStart, PowerControl};

use crate::arch::smc;
use crate::arch::vectors::TrapFrame;
use crate::lifecycle::cores;
use crate::percpu::{Assignment, CoreState, slot};
use crate::{console, lifecycle, log};

/// Answers the call in `frame`'s x0 to x7.
pub fn answer(core: &'static CoreState, assignment: Assignment, frame: &mut TrapFrame) {
    let x = &mut frame.caller_saved.x;
    let results = match psci::decide(x, &Calling { core, assignment }) {
        Action::Return(x0) => Results::one(x0),
        Action::CpuOn { vcpu, entry, context } => Results::one(cores::start(core, assignment, vcpu, entry, context)),
        Action::CpuOff => cores::off(core, assignment),
        Action::Standby => {
            cores::sleep(core);
            Results::SUCCESS
        }
        Action::PowerDown { entry, context } => cores::power_down(core, entry, context),
        Action::End(how) => lifecycle::end(core, how),
        Action::Restart => lifecycle::restart::restart(core, assignment),
        Action::Forward => Results::one(forward(x)),
        Action::Unknown => own_call(core, assignment, x),
    };
    for (register, value) in x.iter_mut().zip(results.values()) {
        *register = *value;
    }
}

/// Septum's own calls.
fn own_call(core: &CoreState, assignment: Assignment, x: &[u64]) -> Results {
    // No partition has more cores than the board (`space::CORES_MAX`).
    let vcpus = core.plan.vcpus(assignment.record).len() as u16;
    let (partition, emulated) = (assignment.record, core.plan.emulated(assignment.record));
    let caller = Caller { vcpu: assignment.vcpu, vcpus, gic: core.plan.gic(), partition, emulated };
    match calls::decide(x, caller) {
        Outcome::Return(results) => results,
        Outcome::Console(bytes) => {
            console::write(core, assignment, bytes.get());
            Results::SUCCESS
        }
        Outcome::Stream(bytes) => {
            log::partition_stream(core, assignment.name, assignment.vcpu, bytes.get());
            Results::SUCCESS
        }
        Outcome::Unknown => {
            let denied = &core.local::<slot::Refused>().calls;
            denied.set(denied.get().saturating_add(1));
            Results::one(NOT_SUPPORTED)
        }
    }
}

/// Asks the firmware what the partition asked, and gives its answer: w0, sign-extended as the SMC32 convention allows.
fn forward(x: &[u64]) -> i64 {
    let word = |index| x.get(index).map_or(0, |x| *x as u32);
    i64::from(smc::forward([word(0), word(1), word(2), word(3)]) as i32)
}

/// The calling partition, as PSCI sees it.
struct Calling {
    core: &'static CoreState,
    assignment: Assignment,
}

impl psci::Partition for Calling {
    fn vcpus(&self) -> u16 {
        self.core.plan.vcpus(self.assignment.record).len() as u16
    }

    fn state(&self, vcpu: u16) -> CpuState {
        let area = cores::area(self.core, self.assignment, vcpu);
        area.map_or(CpuState::Off, |area| area.shared::<slot::Vcpu>().state())
    }

    fn is_executable(&self, ipa: u64) -> bool {
        let regions = self.core.plan.regions_of(self.assignment.record);
        let hit = regions.iter().find(|region| ipa.checked_sub(region.ipa).is_some_and(|offset| offset < region.size));
        hit.is_some_and(|region| region.access & ACCESS_EXECUTE != 0)
    }

    fn has_firmware(&self) -> bool {
        let plan = &self.core.plan;
        plan.core_start() == CoreStart::PsciSmc || plan.power_control() == PowerControl::PsciSmc
    }
}
