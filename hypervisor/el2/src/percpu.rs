//! What a core knows of itself, and what cores share: the menu of EL2's mutable memory.
//!
//! | what | where | who writes | why that is sound |
//! |---|---|---|---|
//! | [`CoreState`] | core's state page, TPIDR_EL2 | its core only | never referred to from another core; cells, no locks |
//! | [`Shared`] | core's state page | any core | atomics only; set up before the second core starts |
//! | log ring | core's ring pages | its core; read by the drain lock's holder | atomics only ([`septum_core::log::ring`]) |
//! | emergency stack | end of the state page | its core, in a fault of EL2 itself | used only by assembly and what it calls |
//! | `log::DRAIN`, `log::CURSOR` | bss | any core | atomics; the second is touched by the first's holder only |
//! | `lifecycle::RUNNING` | bss | any core | an atomic counter |
//! | `input::INPUT` | bss | the core that takes the UART's interrupt | atomics |
//!
//! There is no `static mut`, and nothing in EL2 takes an interrupt, so a core's cells have one user at a time.

use core::cell::Cell;
use core::mem::size_of;
use core::ptr;
use core::sync::atomic::AtomicU8;

use septum_core::lifecycle::Progress;
use septum_core::log::ring::{Positions, Ring};
use septum_core::vdev::gic::sgi::Peers;
use septum_core::vdev::gic::state::Mailbox;
use septum_plan::{CoreRecord, PartitionRecord, Plan, space};

use crate::arch::exception;
use crate::dev::gic::Controller;
use crate::lifecycle::cores::Vcpu;
use crate::vdev::gic::{self, Guest};
use crate::vdev::pl011;
use crate::{board_check, console, log, time};

/// Where [`Shared`] lies in the state page, in bytes.
const SHARED_OFFSET: u64 = 0x500;
/// Where [`Shared::mailbox`] lies in the state page, in bytes: for the vectors.
pub const MAILBOX_OFFSET: u64 = SHARED_OFFSET + core::mem::offset_of!(Shared, mailbox) as u64;
/// Where the emergency stack's lowest byte lies in the state page. Its top is the page's end.
const EMERGENCY_STACK_OFFSET: u64 = 0x900;

const _: () = assert!(size_of::<CoreState>() as u64 <= SHARED_OFFSET);
const _: () = assert!(size_of::<Shared>() as u64 <= EMERGENCY_STACK_OFFSET - SHARED_OFFSET);
const _: () = assert!(EMERGENCY_STACK_OFFSET + 0x700 <= space::CORE_STATE_BYTES);

/// The core's partition and place in it.
#[derive(Clone, Copy)]
pub struct Assignment {
    /// Index of the partition in the plan.
    pub partition: u16,
    /// Its TOML name.
    pub name: &'static str,
    /// Index of this core among the partition's virtual cores.
    pub vcpu: u16,
    /// The partition's record.
    pub record: &'static PartitionRecord,
    /// What the partition's first core shares: the partition's own progress is there.
    pub home: &'static Shared,
}

/// One core's own state. Other cores never see it.
#[repr(C)]
pub struct CoreState {
    /// Where SGIs go. First, because that saves the way there an instruction.
    pub peers: Peers<'static>,
    /// The core's index in the plan.
    pub index: u16,
    /// The plan.
    pub plan: Plan<'static>,
    /// What the core runs, if anything.
    pub assignment: Option<Assignment>,
    /// The console line that its partition is writing.
    pub line: console::Local,
    /// The log's state.
    pub log: log::Local,
    /// The timer queue.
    pub time: time::Local,
    /// The interrupt controller as this core reaches it.
    pub controller: Controller,
    /// The interrupt controller that its partition sees.
    pub guest: Option<Guest>,
    /// What this core shares.
    pub shared: &'static Shared,
    /// Calls of the partition that nobody knows.
    pub denied: Cell<u32>,
    /// Instructions of the partition that were undefined.
    pub undefined: Cell<u32>,
    /// Whether a fault of EL2 is being reported on this core.
    pub reporting: Cell<bool>,
}

/// The part of a core's state that every core may use.
#[derive(Default)]
#[repr(C)]
pub struct Shared {
    /// What other cores ask of this one's interrupts, and the word that interrupts it.
    pub mailbox: Mailbox,
    /// The positions in the core's log ring.
    pub ring: Positions,
    /// How far the core's partition is; counts only in the state of the partition's first core.
    pub progress: Progress,
    /// The core as its partition's virtual core.
    pub vcpu: Vcpu,
    /// The emulated console; counts only in the state of the partition's first core.
    pub console: pl011::State,
}

/// Sets up what cores share, for all cores of `plan`.
///
/// # Safety
/// Called once, by the boot core, before any other core runs and before anything else in this module; all cores' areas
/// are mapped.
pub unsafe fn prepare(plan: &Plan<'static>) {
    // Every core has an area in the map of EL2's devices and cores: an index is below `space::CORES_MAX`.
    for index in 0..plan.cores().len() as u16 {
        // SAFETY: the state page of every core of the plan is mapped, and nobody uses it yet.
        unsafe { ptr::write(shared_address(index) as *mut Shared, Shared::default()) };
    }
}

/// Sets up this core's own state and makes it [`this_core`]'s.
///
/// # Safety
/// Called once per core, on core `index` of `plan`, after [`prepare`]; the core's area is mapped.
pub unsafe fn init(index: u16, plan: Plan<'static>) -> &'static CoreState {
    let address = state_address(index);
    // SAFETY: the plan is checked, so the interrupt controller is mapped as it says.
    let controller = unsafe { Controller::new(plan.header(), plan.gic()) };
    let assignment = assignment(&plan, index);
    // SAFETY: `prepare` has written it, and it holds atomics only.
    let shared = unsafe { &*(shared_address(index) as *const Shared) };
    let state = CoreState {
        peers: gic::peers(&plan, &shared.mailbox, assignment),
        index,
        // SAFETY: the plan is checked, so its console is mapped as it says.
        log: unsafe { log::Local::new(&plan) },
        guest: assignment
            .filter(|_| board_check::has_planned_gic(&plan))
            .and_then(|assignment| Guest::new(&plan, &controller, assignment, index)),
        assignment,
        plan,
        line: console::Local::new(),
        time: time::Local::new(),
        controller,
        shared,
        denied: Cell::new(0),
        undefined: Cell::new(0),
        reporting: Cell::new(false),
    };
    // SAFETY: the page is mapped, this core's alone and not yet used; the state fits in front of `SHARED_OFFSET`
    // (asserted above) and is complete before TPIDR_EL2 leads to it.
    unsafe {
        ptr::write(address as *mut CoreState, state);
        exception::set_core_state_address(address);
    }
    this_core()
}

fn assignment(plan: &Plan<'static>, index: u16) -> Option<Assignment> {
    let core = plan.cores().get(usize::from(index))?;
    let record = plan.partitions().get(usize::from(core.partition))?;
    let home = shared(plan, *plan.vcpus(record).first()?)?;
    Some(Assignment { partition: core.partition, name: plan.text(record.name), vcpu: core.vcpu, record, home })
}

/// This core's state.
#[inline(always)]
pub fn this_core() -> &'static CoreState {
    // SAFETY: TPIDR_EL2 holds what `init` put there: the address of a complete state that is never written again but
    // through its cells, and that only this core refers to.
    unsafe { &*(exception::core_state_address() as *const CoreState) }
}

/// What core `index` shares, or `None` where the plan has no such core.
pub fn shared(plan: &Plan<'static>, index: u16) -> Option<&'static Shared> {
    plan.cores().get(usize::from(index))?;
    // SAFETY: `prepare` has written the structure for every core of the plan, before any caller's core ran; it holds
    // atomics only.
    Some(unsafe { &*(shared_address(index) as *const Shared) })
}

/// The mailbox of core `index` of `records`, or `None` where there is no such core.
#[inline(always)]
pub fn mailbox(records: &'static [CoreRecord], index: u16) -> Option<&'static Mailbox> {
    records.get(usize::from(index))?;
    // SAFETY: as in `shared`.
    Some(unsafe { &(*(shared_address(index) as *const Shared)).mailbox })
}

/// The log ring of core `index`, or `None` where the plan has no such core.
pub fn ring(plan: &Plan<'static>, index: u16) -> Option<Ring<'static>> {
    let positions = &shared(plan, index)?.ring;
    let base = space::core_area(u32::from(index)).wrapping_add(space::CORE_RING_OFFSET) as *const AtomicU8;
    // SAFETY: the ring's pages are mapped for every core of the plan and used through atomics only; any byte is a valid
    // `AtomicU8`.
    let bytes = unsafe { core::slice::from_raw_parts(base, space::CORE_RING_BYTES as usize) };
    Some(Ring::new(bytes, positions))
}

/// Whether `stack_pointer` is in core `index`'s stack, just below it (an overflow into the guard page), or elsewhere.
pub fn stack_verdict(index: u16, stack_pointer: u64) -> &'static str {
    let low = space::core_area(u32::from(index)).wrapping_add(space::CORE_STACK_OFFSET);
    match stack_pointer.checked_sub(low) {
        Some(above) if above <= space::CORE_STACK_BYTES => "in its stack",
        None if low.saturating_sub(stack_pointer) <= space::CORE_STACK_OFFSET => "its stack overflowed",
        _ => "outside its stack",
    }
}

fn state_address(index: u16) -> u64 {
    space::core_area(u32::from(index)).wrapping_add(space::CORE_STATE_OFFSET)
}

fn shared_address(index: u16) -> u64 {
    state_address(index).wrapping_add(SHARED_OFFSET)
}
