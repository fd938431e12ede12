//! Faults of a partition: one line that says everything, then the partition stops.

pub mod own;

use defmt::{Format, Formatter};
use septum_core::fault::{Address, Neighbour, Owner, Place, Registers, Report};
use septum_stage2::{AbortAccess, Syndrome, SystemRegisterAccess};

use crate::arch::exception;
use crate::arch::vectors::TrapFrame;
use crate::lifecycle;
use crate::percpu::{Assignment, CoreState};

/// SCTLR_EL1.M: Stage 1 is on.
const SCTLR_M: u64 = 1;
/// HCR_EL2.DC: Stage 1 off means cacheable memory.
const HCR_DC: u64 = 1 << 12;

/// A synchronous exception that nothing else has answered.
pub fn synchronous(core: &CoreState, frame: &TrapFrame) -> ! {
    if let Some(assignment) = core.assignment {
        let syndrome = Syndrome::new(frame.esr);
        match syndrome.abort() {
            Some(abort) => {
                let report = Report::new(&core.plan, assignment.partition, abort, registers());
                say_abort(core, assignment, &report, frame.elr);
            }
            None => say_trap(core, assignment, &Trapped(syndrome), frame),
        }
    }
    lifecycle::stop(core)
}

/// An instruction that is undefined for the partition, which goes on at its own vector.
pub fn say_undefined(core: &CoreState, frame: &TrapFrame) {
    if let Some(assignment) = core.assignment {
        defmt::warn!(
            "partition `{=str}` core {=u16}: {}: undefined; PC {=u64:#x}",
            assignment.name,
            core.index,
            Trapped(Syndrome::new(frame.esr)),
            frame.elr
        );
    }
}

/// A physical FIQ: EL2 puts every interrupt into Group 1 and expects none.
pub fn fiq(core: &CoreState, frame: &TrapFrame) -> ! {
    if let Some(assignment) = core.assignment {
        say_trap(core, assignment, &Text("unexpected FIQ"), frame);
    }
    lifecycle::stop(core)
}

/// An SError while the partition ran.
pub fn serror(core: &CoreState, frame: &TrapFrame) -> ! {
    if let Some(assignment) = core.assignment {
        defmt::error!(
            "partition `{=str}` core {=u16}: SError; PC {=u64:#x} (ESR {=u64:#x})",
            assignment.name,
            core.index,
            frame.elr,
            frame.esr
        );
    }
    lifecycle::stop(core)
}

fn registers() -> Registers {
    let stage1_off = exception::sctlr_el1() & SCTLR_M == 0 && exception::hcr() & HCR_DC == 0;
    Registers { far: exception::far(), hpfar: exception::hpfar(), stage1_off }
}

fn say_abort(core: &CoreState, assignment: Assignment, report: &Report<'_>, pc: u64) {
    defmt::error!(
        "partition `{=str}` core {=u16}: {}: {}; PC {=u64:#x} ({})",
        assignment.name,
        core.index,
        Attempt(report),
        Where(report.place),
        pc,
        Cause(report)
    );
}

fn say_trap(core: &CoreState, assignment: Assignment, what: &impl Format, frame: &TrapFrame) {
    defmt::error!(
        "partition `{=str}` core {=u16}: {}; PC {=u64:#x} (EC {=u64:#x}, ISS {=u64:#x})",
        assignment.name,
        core.index,
        what,
        frame.elr,
        frame.esr >> 26 & 0x3f,
        frame.esr & 0x01ff_ffff
    );
}

/// `{access}` of docs/log.md.
struct Attempt<'a>(&'a Report<'a>);

impl Format for Attempt<'_> {
    fn format(&self, to: Formatter<'_>) {
        let at = At(self.0.address);
        match (self.0.on_walk, self.0.access, self.0.bytes) {
            (true, ..) => defmt::write!(to, "walk of its own page tables at {}", at),
            (_, AbortAccess::Fetch, _) => defmt::write!(to, "fetch from {}", at),
            (_, AbortAccess::CacheMaintenance, _) => defmt::write!(to, "cache maintenance at {}", at),
            (_, AbortAccess::Read, None) => defmt::write!(to, "read from {}", at),
            (_, AbortAccess::Write, None) => defmt::write!(to, "write to {}", at),
            (_, AbortAccess::Read, Some(1)) => defmt::write!(to, "read of 1 byte from {}", at),
            (_, AbortAccess::Write, Some(1)) => defmt::write!(to, "write of 1 byte to {}", at),
            (_, AbortAccess::Read, Some(n)) => defmt::write!(to, "read of {=u8} bytes from {}", n, at),
            (_, AbortAccess::Write, Some(n)) => defmt::write!(to, "write of {=u8} bytes to {}", n, at),
        }
    }
}

struct At(Address);

impl Format for At {
    fn format(&self, to: Formatter<'_>) {
        match self.0 {
            Address::Ipa(ipa) => defmt::write!(to, "IPA {=u64:#x}", ipa.get()),
            Address::Va(va) => defmt::write!(to, "VA {=u64:#x}", va.get()),
            Address::Unknown => defmt::write!(to, "an unknown address"),
        }
    }
}

/// `{place}` of docs/log.md.
struct Where<'a>(Place<'a>);

impl Format for Where<'_> {
    fn format(&self, to: Formatter<'_>) {
        match self.0 {
            Place::Region { name, rights } => defmt::write!(to, "region `{=str}` ({=str})", name, rights),
            Place::Emulated(what) => {
                defmt::write!(to, "emulated {=str} (one register at a time, no write-back)", what);
            }
            Place::Nothing(None) => defmt::write!(to, "no region"),
            Place::Nothing(Some(neighbour)) => defmt::write!(to, "no region; board: {}", Whose(neighbour)),
            Place::Unknown => defmt::write!(to, "region not known"),
        }
    }
}

struct Whose<'a>(Neighbour<'a>);

impl Format for Whose<'_> {
    fn format(&self, to: Formatter<'_>) {
        let name = self.0.name;
        match self.0.owner {
            Owner::Partition(owner) => defmt::write!(to, "{=str} of `{=str}`", name, owner),
            Owner::El2 => defmt::write!(to, "{=str} of EL2", name),
            Owner::Firmware => defmt::write!(to, "{=str} of the firmware", name),
            Owner::Nobody => defmt::write!(to, "{=str} of nobody", name),
        }
    }
}

/// `{cause}` of docs/log.md.
struct Cause<'a>(&'a Report<'a>);

impl Format for Cause<'_> {
    fn format(&self, to: Formatter<'_>) {
        match self.0.level {
            Some(level) => defmt::write!(to, "{=str}, level {=u8}", self.0.cause.name(), level),
            None => defmt::write!(to, "{=str}", self.0.cause.name()),
        }
    }
}

/// What was trapped.
struct Trapped(Syndrome);

impl Format for Trapped {
    #[inline(never)]
    fn format(&self, to: Formatter<'_>) {
        let Some(access) = self.0.system_register() else { return self.0.class().format(to) };
        let SystemRegisterAccess { op0, op1, crn, crm, op2, read, .. } = access;
        let what = if read { "read" } else { "write" };
        defmt::write!(to, "{=str} of system register S{=u8}_{=u8}_C{=u8}_C{=u8}_{=u8}", what, op0, op1, crn, crm, op2);
    }
}

struct Text(&'static str);

impl Format for Text {
    fn format(&self, to: Formatter<'_>) {
        defmt::write!(to, "{=str}", self.0);
    }
}
