//! Cores beyond the fifteenth: what their affinity is, and whether calls and interrupts find them by it.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

use septum_guest::{Width, cores, hypercall, interrupt, println, probe, psci, registers, time};
use septum_plan::calls::{AFFINITY_INFO_64, Information};
use septum_plan::{affinity::AFFINITY, virtual_affinity};

use crate::script::Number;

/// The SGI that the first core sends.
const SGI: u32 = 1;
/// GICv3's GICD_ISPENDR and GICD_IROUTER (IHI 0069H 12.8).
const ISPENDR: u64 = 0x200;
const IROUTER: u64 = 0x6000;
/// How often a millisecond is waited for something to come.
const PATIENCE: u32 = 10_000;

/// The core that has begun, and its affinity; SGIs and SPIs that it has taken.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static SEEN: AtomicU64 = AtomicU64::new(0);
static SGIS: AtomicU32 = AtomicU32::new(0);
static SPIS: AtomicU32 = AtomicU32::new(0);

/// Tries cores 15, 16 and the last one.
pub fn run(intid: Number) {
    let intid = intid as u32;
    if let Err(error) = interrupt::start(taken).and_then(|()| interrupt::enable(intid)) {
        println!("prober: {error}");
        return;
    }
    let count = hypercall::information(Information::VCPU_COUNT).unwrap_or(1);
    for core in [15, 16, count - 1] {
        probe_core(core, intid);
    }
}

fn probe_core(core: u64, intid: u32) {
    if let Err(error) = cores::start(core, further_core) {
        println!("prober: core {core}: {error}");
        return;
    }
    wait_until(|| BEGUN.load(Ordering::Acquire) == core);
    let affinity = virtual_affinity(core as usize);
    let answer = hypercall::hvc(AFFINITY_INFO_64, [affinity, 0, 0, 0, 0, 0, 0])[0];
    let sgis = SGIS.load(Ordering::Acquire);
    if let Err(error) = interrupt::send_to(SGI, core) {
        println!("prober: core {core}: {error}");
    }
    let sgi = wait_until(|| SGIS.load(Ordering::Acquire) == sgis + 1);
    let spi = sends_spi(affinity, intid);
    let seen = SEEN.load(Ordering::Acquire);
    println!("prober: core {core}: MPIDR {seen:#x}, PSCI {answer}, SGI {sgi}, SPI {spi}");
}

/// Routes `intid` to the core with `affinity` and makes it pending; whether the core that has begun last took it.
fn sends_spi(affinity: u64, intid: u32) -> bool {
    let Some(gicd) = hypercall::information(Information::GICD) else { return false };
    let (spis, place) = (SPIS.load(Ordering::Acquire), u64::from(intid));
    // SAFETY: EL2 says that the distributor is there, and it has these registers.
    unsafe {
        probe::write(gicd + IROUTER + 8 * place, Width::Double, affinity);
        probe::write(gicd + ISPENDR + place / 32 * 4, Width::Word, 1 << (place % 32));
    }
    wait_until(|| SPIS.load(Ordering::Acquire) == spis + 1)
}

fn wait_until(condition: impl Fn() -> bool) -> bool {
    (0..PATIENCE).any(|_| {
        time::wait(Duration::from_millis(1));
        condition()
    })
}

/// Counts what comes to the core that has begun last, and nothing that another one takes.
fn taken(intid: u32) {
    if interrupt::core_index() == BEGUN.load(Ordering::Acquire) {
        let count = if intid == SGI { &SGIS } else { &SPIS };
        count.fetch_add(1, Ordering::AcqRel);
    }
}

fn further_core() {
    let begun = interrupt::start_further_core().and_then(|()| interrupt::enable(SGI));
    if let Err(error) = begun {
        println!("prober: {error}");
        return;
    }
    SEEN.store(registers::mpidr() & AFFINITY, Ordering::Release);
    BEGUN.store(interrupt::core_index(), Ordering::Release);
    psci::park()
}
