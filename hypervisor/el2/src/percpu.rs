//! Each core's state page: the core's own record, and a place for every module's part.
//!
//! | what | where | who writes | why that is sound |
//! |---|---|---|---|
//! | [`CoreState`], [`Local`] parts | core's state page, TPIDR_EL2 | its core only | never referred to from another core; cells, no locks |
//! | [`Shared`] parts | core's state page | any core | atomics only; set up before the second core starts |
//! | log ring | core's ring pages | its core; read by the drain lock's holder | atomics only ([`septum_core::log::ring`]) |
//! | emergency stack | end of the state page | its core, in a fault of EL2 itself | used only by assembly and what it calls |
//! | `log::DRAIN`, `log::CURSOR` | bss | any core | atomics; the second is touched by the first's holder only |
//! | `lifecycle::RUNNING` | bss | any core | an atomic counter |
//! | `input::INPUT` | bss | the core that takes the UART's interrupt | atomics |
//! | `vdev::gic::SPIS` | bss | any core | atomics |
//! | `start`'s counters | bss | any core | atomics; the plan's cell is written before the second core starts |
//!
//! There is no `static mut`, and nothing in EL2 takes an interrupt, so a core's cells have one user at a time.

use core::mem::{align_of, size_of};
use core::ptr;
use core::sync::atomic::AtomicU8;

use septum_core::log::ring::Ring;
use septum_core::vdev::gic::sgi::Peers;
use septum_plan::{CoreRecord, PartitionRecord, Plan, space};

use crate::arch::exception;

/// A place in each core's state page: a half-open range of bytes.
pub trait Slot {
    /// The first byte.
    const START: u64;
    /// The one behind the last.
    const END: u64;
}

/// A module's part of a core's state that no other core sees. The module whose part it is implements this for its
/// [`slot`]; there can be one implementation, so whoever asks for the part gets what was put there.
pub trait Local: slot::OfOneCore {
    /// What lies there.
    type Part: 'static;
}

/// A module's part of a core's state that every core may use; as [`Local`].
pub trait Shared: slot::OfAllCores {
    /// What lies there.
    type Part: Sync + 'static;
}

/// The state page's map: which module's part lies where.
pub mod slot {
    use super::{Shared, Slot};

    /// Slots of [`Local`](super::Local) parts.
    pub trait OfOneCore: Slot {}
    /// Slots of [`Shared`] parts.
    pub trait OfAllCores: Slot {}

    macro_rules! slots {
        ($($(#[$doc:meta])* $name:ident: $sharing:ident, $start:literal..$end:literal;)*) => {
            $(
                $(#[$doc])*
                pub struct $name;

                impl Slot for $name {
                    const START: u64 = $start;
                    const END: u64 = $end;
                }

                impl $sharing for $name {}
            )*

            /// The slots' bounds, in the order of the map.
            const BOUNDS: &[(u64, u64)] = &[$(($start, $end)),*];
        };
    }

    slots! {
        /// [`CoreState`](super::CoreState).
        Core: OfOneCore, 0x000..0x160;
        /// The interrupt controller as this core reaches it.
        Gic: OfOneCore, 0x160..0x180;
        /// The interrupt controller that the core's partition sees.
        VirtualGic: OfOneCore, 0x180..0x370;
        /// Wake-ups.
        Time: OfOneCore, 0x370..0x400;
        /// The log's UART and the record being written.
        Log: OfOneCore, 0x400..0x430;
        /// The console line that the partition is writing.
        Console: OfOneCore, 0x430..0x4d0;
        /// What the vCPU did that was refused.
        Refused: OfOneCore, 0x4d0..0x4d8;
        /// Whether a fault of EL2 is being reported.
        Reporting: OfOneCore, 0x4d8..0x4e0;
        /// What other cores ask of this one's interrupts, and the word that interrupts it.
        Mailbox: OfAllCores, 0x4e0..0x750;
        /// The positions in the core's log ring.
        LogPositions: OfAllCores, 0x750..0x760;
        /// How far the core's partition is; counts only in the state of the partition's first core.
        Progress: OfAllCores, 0x760..0x770;
        /// The core as its partition's virtual core.
        Vcpu: OfAllCores, 0x770..0x7a0;
        /// Text to the emulated console that is not yet a line; counts only for the partition's first core.
        ConsoleLine: OfAllCores, 0x7a0..0x820;
        /// The emulated PL011; counts only for the partition's first core.
        VirtualUart: OfAllCores, 0x820..0x8e0;
    }

    const _: () = {
        let mut rest = BOUNDS;
        let mut end = 0;
        while let [(first, last), others @ ..] = rest {
            assert!(end <= *first && *first < *last && first.is_multiple_of(8), "slots ascend and do not overlap");
            (end, rest) = (*last, others);
        }
        assert!(end <= super::EMERGENCY_STACK_OFFSET, "the slots end before the emergency stack");
    };

    // What core defines, and more than one module uses.
    impl Shared for Mailbox {
        type Part = septum_core::vdev::gic::state::Mailbox;
    }
    impl Shared for LogPositions {
        type Part = septum_core::log::ring::Positions;
    }
    impl Shared for Progress {
        type Part = septum_core::lifecycle::Progress;
    }
}

/// Where the emergency stack's lowest byte lies in the state page. Its top is the page's end.
const EMERGENCY_STACK_OFFSET: u64 = 0x900;

const _: () = assert!(EMERGENCY_STACK_OFFSET + 0x700 <= space::CORE_STATE_BYTES);
const _: () = fits::<CoreState, slot::Core>();

/// Refuses to compile a part that its slot does not hold.
const fn fits<T, S: Slot>() {
    assert!(size_of::<T>() as u64 <= S::END.wrapping_sub(S::START), "the part is larger than its slot");
    assert!(S::START.is_multiple_of(align_of::<T>() as u64), "the slot is not aligned as its part");
}

/// What this core's partition is, and the core in it.
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
    /// The partition's first core: what all its cores have in common is there.
    pub home: Area,
}

/// A core's state page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Area(u64);

impl Area {
    fn of(index: u16) -> Self {
        Self(space::core_area(u32::from(index)).wrapping_add(space::CORE_STATE_OFFSET))
    }

    /// What lies in the slot.
    #[inline(always)]
    pub fn shared<S: Shared>(self) -> &'static S::Part {
        const { fits::<S::Part, S>() };
        // SAFETY: areas are made of cores of the plan, whose pages are mapped; `prepare` has had this part written, and
        // as it is `Sync`, any core may use it.
        unsafe { &*ptr::with_exposed_provenance(self.0.wrapping_add(S::START) as usize) }
    }

    /// Puts a part into its slot.
    ///
    /// # Safety
    /// Called once for each slot, from the function that [`prepare`] is given.
    #[inline(always)]
    pub unsafe fn put<S: Shared>(self, part: S::Part) {
        const { fits::<S::Part, S>() };
        // SAFETY: the page is mapped, and nobody refers to the part yet, by the caller's promise.
        unsafe { ptr::write(ptr::with_exposed_provenance_mut(self.0.wrapping_add(S::START) as usize), part) };
    }
}

/// A core's own record. Other cores never see it.
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
}

impl CoreState {
    /// This core's part in the slot.
    #[inline(always)]
    pub fn local<S: Local>(&self) -> &S::Part {
        const { fits::<S::Part, S>() };
        // SAFETY: this core has put it there before it used it ([`CoreState::put`]), and never writes to it again but
        // through its cells; only this core has its `CoreState`.
        unsafe { &*ptr::with_exposed_provenance(self.address().wrapping_add(S::START) as usize) }
    }

    /// Puts this core's part into its slot.
    ///
    /// # Safety
    /// Called once for each slot, before anything that uses its part.
    #[inline(always)]
    pub unsafe fn put<S: Local>(&self, part: S::Part) {
        const { fits::<S::Part, S>() };
        // SAFETY: the page is mapped and this core's alone, and nobody refers to the part yet, by the caller's promise.
        unsafe { ptr::write(ptr::with_exposed_provenance_mut(self.address().wrapping_add(S::START) as usize), part) };
    }

    /// This core's page.
    #[inline(always)]
    pub fn area(&self) -> Area {
        Area(self.address())
    }

    /// The page of core `index`, or `None` where the plan has no such core.
    pub fn area_of(&self, index: u16) -> Option<Area> {
        self.plan.cores().get(usize::from(index)).map(|_| Area::of(index))
    }

    /// The pages of the partition's virtual cores, the first one's first.
    pub fn areas(&self, partition: &PartitionRecord) -> impl Iterator<Item = Area> {
        self.plan.vcpus(partition).iter().filter_map(|index| self.area_of(*index))
    }

    /// The log ring of core `index`, or `None` where the plan has no such core.
    pub fn ring(&self, index: u16) -> Option<Ring<'static>> {
        let positions = self.area_of(index)?.shared::<slot::LogPositions>();
        let base = space::core_area(u32::from(index)).wrapping_add(space::CORE_RING_OFFSET) as *const AtomicU8;
        // SAFETY: the ring's pages are mapped for every core of the plan and used through atomics only; any byte is a
        // valid `AtomicU8`.
        let bytes = unsafe { core::slice::from_raw_parts(base, space::CORE_RING_BYTES as usize) };
        Some(Ring::new(bytes, positions))
    }

    /// The address above the core's stack.
    pub fn stack_top(&self) -> u64 {
        space::core_area(u32::from(self.index)).wrapping_add(space::CORE_STACK_OFFSET + space::CORE_STACK_BYTES)
    }

    /// Whether `stack_pointer` is in the core's stack, just below it (an overflow into the guard page), or elsewhere.
    pub fn stack_verdict(&self, stack_pointer: u64) -> &'static str {
        let low = space::core_area(u32::from(self.index)).wrapping_add(space::CORE_STACK_OFFSET);
        match stack_pointer.checked_sub(low) {
            Some(above) if above <= space::CORE_STACK_BYTES => "in its stack",
            None if low.saturating_sub(stack_pointer) <= space::CORE_STACK_OFFSET => "its stack overflowed",
            _ => "outside its stack",
        }
    }

    #[inline(always)]
    fn address(&self) -> u64 {
        ptr::from_ref(self).addr() as u64
    }
}

/// Has `fill` set up what each core of `plan` shares.
///
/// # Safety
/// Called once, by the boot core, before any other core runs and before anything else in this module; all cores' areas
/// are mapped, and `fill` puts something into every slot of [`slot::OfAllCores`].
pub unsafe fn prepare(plan: &Plan<'static>, fill: unsafe fn(Area)) {
    // Every core has an area in the map of EL2's devices and cores: an index is below `space::CORES_MAX`.
    // SAFETY: the caller's promise: nobody refers to what is filled.
    (0..plan.cores().len() as u16).for_each(|index| unsafe { fill(Area::of(index)) });
}

/// Sets up this core's own record and makes it [`this_core`]'s. `parts` puts every module's part in.
///
/// # Safety
/// Called once per core, on core `index` of `plan`, after [`prepare`]; the core's area is mapped, and nothing else of this
/// core's is used before all of its [`slot::OfOneCore`] have been filled.
pub unsafe fn init(index: u16, plan: Plan<'static>) -> &'static CoreState {
    let area = Area::of(index);
    let assignment = assignment(&plan, index);
    let state = CoreState { peers: peers(&plan, area, assignment), index, plan, assignment };
    // SAFETY: the page is mapped, this core's alone and not yet used; the state fits into its slot (asserted above), which
    // is the first, and is complete before TPIDR_EL2 leads to it.
    unsafe {
        ptr::write(ptr::with_exposed_provenance_mut(area.0 as usize), state);
        exception::set_core_state_address(area.0);
    }
    this_core()
}

const _: () = assert!(<slot::Core as Slot>::START == 0);

fn assignment(plan: &Plan<'static>, index: u16) -> Option<Assignment> {
    let core = plan.cores().get(usize::from(index))?;
    let record = plan.partitions().get(usize::from(core.partition))?;
    let first = *plan.vcpus(record).first()?;
    plan.cores().get(usize::from(first))?;
    Some(Assignment {
        partition: core.partition,
        name: plan.text(record.name),
        vcpu: core.vcpu,
        record,
        home: Area::of(first),
    })
}

/// The virtual cores to which a core with this `assignment` sends SGIs; none without a partition.
fn peers(plan: &Plan<'static>, own: Area, assignment: Option<Assignment>) -> Peers<'static> {
    Peers::new(own.shared::<slot::Mailbox>(), |vcpu| {
        let assignment = assignment.filter(|assignment| vcpu != usize::from(assignment.vcpu))?;
        mailbox(plan.cores(), *plan.vcpus(assignment.record).get(vcpu)?)
    })
}

/// This core's state.
#[inline(always)]
pub fn this_core() -> &'static CoreState {
    // SAFETY: TPIDR_EL2 holds what `init` put there: the address of a complete state that is never written again, and that
    // only this core refers to.
    unsafe { &*(exception::core_state_address() as *const CoreState) }
}

/// The mailbox of core `index` of `records`, or `None` where there is no such core.
#[inline(always)]
pub fn mailbox(records: &'static [CoreRecord], index: u16) -> Option<&'static septum_core::vdev::gic::state::Mailbox> {
    records.get(usize::from(index))?;
    Some(Area::of(index).shared::<slot::Mailbox>())
}
