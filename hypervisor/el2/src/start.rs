//! From the boot stub to the partitions: what each core does once, in order.
//!
//! The boot core checks the plan against the board, starts all other cores and joins them. Every core checks itself;
//! the first core of each partition loads it. When all cores have arrived and all partitions are loaded, and nobody has
//! refused, all partitions start; the other cores sleep.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use embassy_time::{Duration, Instant};
use septum_plan::{CoreRecord, CoreStart, Plan, refusal, space};

use crate::arch::{boot, cpu, mmu, smc, vectors};
use crate::board_check::{self, Refused};
use crate::dev::gic::{Controller, controller, remind};
use crate::lifecycle::cores;
use crate::lifecycle::park;
use crate::percpu::{self, Area, Assignment, CoreState, slot};
use crate::vcpu::Refused as RefusedCounts;
use crate::vdev::gic::{self, Guest};
use crate::{console, input, interrupts, lifecycle, loader, log, time};

/// How long the boot core waits for the others: cores come up in microseconds, an emulator's on a busy host in seconds.
const ARRIVAL: Duration = Duration::from_secs(10);
/// How often it looks meanwhile: a core that refuses may have no interrupt controller to wake it by.
const LOOK: Duration = Duration::from_millis(10);

/// Cores that have checked themselves, the boot core among them.
static ARRIVED: AtomicU32 = AtomicU32::new(0);
/// The same, by name: bit i for core i, as far as 64 bits go.
static ARRIVED_CORES: AtomicU64 = AtomicU64::new(0);
/// Partitions that are loaded, or will not be.
static LOADED: AtomicU32 = AtomicU32::new(0);
/// Whether some core has refused: then no partition starts.
static REFUSED: AtomicBool = AtomicBool::new(false);
/// The plan, for the secondary cores.
static PLAN: PlanCell = PlanCell(UnsafeCell::new(MaybeUninit::uninit()));

struct PlanCell(UnsafeCell<MaybeUninit<Plan<'static>>>);

// SAFETY: written once, by the boot core, before it starts any other; read by the others only.
unsafe impl Sync for PlanCell {}

impl PlanCell {
    /// Puts the plan in.
    ///
    /// # Safety
    /// Called once, before any other core runs.
    unsafe fn set(&self, plan: Plan<'static>) {
        // SAFETY: no other core runs, and this one holds no reference into the cell.
        unsafe { (*self.0.get()).write(plan) };
    }

    /// The plan.
    ///
    /// # Safety
    /// Called on cores that were started after [`PlanCell::set`].
    unsafe fn get(&self) -> Plan<'static> {
        // SAFETY: written before this core was started, and never again.
        unsafe { (*self.0.get()).assume_init_read() }
    }
}

/// The boot core arrives here from the stub, MMU and caches on with the boot root, on its own stack. `index` is its index
/// in the plan, `device_tree` what firmware left in x0.
pub extern "C" fn primary(index: u64, device_tree: u64) -> ! {
    let Ok(plan) = Plan::parse_unsealed(sealed_range()) else { boot::refuse_unreadable_plan() };
    // SAFETY: the boot core's only call of each, in this order, before any other core runs; the compiler maps every
    // core's area.
    let core = unsafe {
        PLAN.set(plan);
        percpu::prepare(&plan, fill);
        set_up(index as u16, plan)
    };
    // SAFETY: the state is set up.
    unsafe { vectors::install() };
    lifecycle::prepare(&plan);
    log::init(core);
    defmt::info!(
        "Septum {=str}+{=u64:016x} on {=str}: {=str}, partitions: {=usize}, cores: {=usize}{=str}",
        env!("CARGO_PKG_VERSION"),
        plan.header().el2_seal,
        plan.board(),
        plan.config(),
        plan.partitions().len(),
        plan.cores().len(),
        plan.exception()
    );
    let checked = board_check::core(core)
        .and_then(|()| board_check::distributor(core))
        .and_then(|()| board_check::device_tree(core, device_tree))
        .and_then(|()| controller(core).init_distributor().map_err(|error| board_check::report_gic(core.index, error)))
        .and_then(|()| start_others(core));
    if checked.is_err() {
        refuse(core);
    }
    // SAFETY: both roots are the plan's; the device tree, which only the boot root maps, is no longer referred to.
    unsafe { mmu::set_root(plan.header().run_root) };
    join(core, Some(Instant::now().saturating_add(ARRIVAL)))
}

/// Every other core arrives here from the stub, MMU and caches on with the run root, on its own stack.
pub extern "C" fn secondary(index: u64) -> ! {
    // The stub found the index among the plan's cores (`space::CORES_MAX`).
    // SAFETY: the boot core has put the plan in and prepared the shared state before it started this core, which calls
    // this once; the compiler maps every core's area.
    let core = unsafe { set_up(index as u16, PLAN.get()) };
    // SAFETY: the state is set up.
    unsafe { vectors::install() };
    match board_check::core(core) {
        Ok(()) => join(core, None),
        Err(Refused) => refuse(core),
    }
}

boot::assemble! { primary: primary, secondary: secondary }

/// Puts into a core's state page what all cores share there.
///
/// # Safety
/// As [`Area::put`].
unsafe fn fill(area: Area) {
    // SAFETY: the caller's promise; each slot once, and all of them.
    unsafe {
        area.put::<slot::Mailbox>(Default::default());
        area.put::<slot::LogPositions>(Default::default());
        area.put::<slot::Progress>(Default::default());
        area.put::<slot::Vcpu>(Default::default());
        area.put::<slot::ConsoleLine>(Default::default());
        area.put::<slot::VirtualUart>(Default::default());
    }
}

/// Sets up this core's own state.
///
/// # Safety
/// As [`percpu::init`], whose slots it fills.
unsafe fn set_up(index: u16, plan: Plan<'static>) -> &'static CoreState {
    // SAFETY: the plan is checked, so the interrupt controller and the console are mapped as it says; the caller vouches
    // for the rest. Each slot once, and all of them.
    unsafe {
        let core = percpu::init(index, plan);
        let controller = Controller::new(&plan);
        let guest = core.assignment.filter(|_| board_check::has_planned_gic(&plan));
        core.put::<slot::VirtualGic>(guest.and_then(|assignment| Guest::new(&plan, &controller, assignment, index)));
        core.put::<slot::Gic>(controller);
        core.put::<slot::Time>(time::Local::new());
        core.put::<slot::Log>(log::Local::new(&plan));
        core.put::<slot::Console>(console::Local::new());
        core.put::<slot::Refused>(RefusedCounts::default());
        core.put::<slot::Reporting>(Cell::new(false));
        core
    }
}

/// Plan and tables, whose seal the stub has checked.
fn sealed_range() -> &'static [u8] {
    let first: *const u8 = core::ptr::with_exposed_provenance(space::PLAN_VA as usize);
    // SAFETY: the boot block, whose seal the stub has checked, holds the length of the range that the compiler maps at
    // `PLAN_VA`, read-only.
    unsafe { core::slice::from_raw_parts(first, boot::block().sealed_bytes as usize) }
}

/// Starts all cores but this one.
fn start_others(core: &CoreState) -> Result<(), Refused> {
    let plan = &core.plan;
    let entry = boot::secondary_entry(plan.header().load_pa);
    let others = || plan.cores().iter().enumerate().filter(|(index, _)| *index != usize::from(core.index));
    match plan.core_start() {
        CoreStart::None => {}
        CoreStart::PsciSmc => others().try_for_each(|(index, other)| start_by_psci(index, other, entry))?,
        CoreStart::SpinTable => {
            // SAFETY: the boot root is in force, and with this start method the plan holds release addresses.
            others().for_each(|(_, other)| unsafe { boot::release(other.release_va, entry) });
            boot::release_done();
        }
    }
    Ok(())
}

fn start_by_psci(index: usize, other: &CoreRecord, entry: u64) -> Result<(), Refused> {
    smc::cpu_on(other.mpidr, entry).map_err(|error| {
        refusal!(C01: defmt::error, index, other.mpidr, i64::from(error));
        Refused
    })
}

/// What all cores do alike. `deadline` is the boot core's, who watches that all others arrive.
fn join(core: &'static CoreState, deadline: Option<Instant>) -> ! {
    let record = core.plan.cores().get(usize::from(core.index));
    let own = core.area().shared::<slot::Mailbox>();
    // SAFETY: this core's record, in the plan that the controller was made from.
    match record.map(|record| unsafe { controller(core).init_core(&core.plan, record, own) }) {
        Some(Ok(ipi_word)) => gic::publish(core, ipi_word),
        Some(Err(error)) => {
            board_check::report_gic(core.index, error);
            refuse(core)
        }
        None => refuse(core),
    }
    remind(core);
    ARRIVED_CORES.fetch_or(1_u64.checked_shl(u32::from(core.index)).unwrap_or(0), Ordering::SeqCst);
    count(core, &ARRIVED);
    match core.assignment {
        Some(assignment) if assignment.vcpu == 0 => first_core(core, assignment, deadline),
        _ => {
            if deadline.is_some() {
                wait_for_all(core, deadline);
            }
            core.assignment.map_or_else(|| park(core), |assignment| cores::wait_for_start(core, assignment))
        }
    }
}

/// Loads this core's partition, waits for everybody, and enters it.
fn first_core(core: &'static CoreState, assignment: Assignment, deadline: Option<Instant>) -> ! {
    let loaded = loader::load(&core.plan, assignment.record, false);
    count(core, &LOADED);
    wait_for_all(core, deadline);
    if let Err(error) = loaded {
        lifecycle::abandon(core, error)
    }
    input::claim_first(core);
    cores::enter_first(core, assignment)
}

/// Counts one more. Whoever completes the counts wakes those who wait for that.
fn count(core: &CoreState, counter: &AtomicU32) {
    counter.fetch_add(1, Ordering::SeqCst);
    if all_ready(&core.plan) {
        wake_others(core);
    }
}

/// Whether all cores have arrived and all partitions are loaded.
fn all_ready(plan: &Plan<'static>) -> bool {
    all_arrived(plan) && LOADED.load(Ordering::SeqCst) >= plan.partitions().len() as u32
}

fn all_arrived(plan: &Plan<'static>) -> bool {
    ARRIVED.load(Ordering::SeqCst) >= plan.cores().len() as u32
}

/// Interrupts all other cores that can be. Nobody sleeps through the last change of the counts: a core publishes its word
/// before it counts itself, so whoever sees the counts complete sees the word; and the counts change in one order
/// (`SeqCst`), so whoever changes one last sees both complete.
fn wake_others(core: &CoreState) {
    if !has_controller(core) {
        return;
    }
    for index in (0..core.plan.cores().len() as u16).filter(|index| *index != core.index) {
        let word =
            core.area_of(index).map_or(0, |other| other.shared::<slot::Mailbox>().ipi_word.load(Ordering::Relaxed));
        if word != 0 {
            controller(core).send_ipi(word);
        }
    }
}

/// Whether this core's part of the interrupt controller is up.
fn has_controller(core: &CoreState) -> bool {
    core.area().shared::<slot::Mailbox>().ipi_word.load(Ordering::Relaxed) != 0
}

/// Sleeps until all cores have arrived and all partitions are loaded; does not come back if somebody has refused.
fn wait_for_all(core: &CoreState, deadline: Option<Instant>) {
    while !all_ready(&core.plan) {
        if REFUSED.load(Ordering::SeqCst) {
            refuse(core);
        }
        if let Some(deadline) = deadline
            && !all_arrived(&core.plan)
        {
            watch(core, deadline);
        }
        cpu::wait_for_interrupt();
        interrupts::take(core);
    }
    if deadline.is_some() {
        time::expired(core);
    }
}

/// The boot core's part while cores are missing: gives up after `deadline`, and has itself woken before.
fn watch(core: &CoreState, deadline: Instant) {
    let now = Instant::now();
    if now > deadline {
        report_missing(core);
        refuse(core);
    }
    time::wake_at(core, now.saturating_add(LOOK));
}

fn report_missing(core: &CoreState) {
    let arrived = ARRIVED_CORES.load(Ordering::SeqCst);
    for (index, other) in core.plan.cores().iter().enumerate().take(u64::BITS as usize) {
        if arrived >> index & 1 == 0 {
            refusal!(C02: defmt::error, index, other.mpidr);
        }
    }
}

/// The board does not start. The log has said why.
fn refuse(core: &CoreState) -> ! {
    REFUSED.store(true, Ordering::SeqCst);
    wake_others(core);
    park(core)
}
