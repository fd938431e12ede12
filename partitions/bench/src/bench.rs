//! The rows.

use core::sync::atomic::{AtomicU64, Ordering};

use septum_guest::cores;
use septum_guest::interrupt::{self, VIRTUAL_TIMER};
use septum_guest::{hypercall, println, registers};
use septum_plan::calls::Information;

use crate::controller::Controller;
use crate::measure;
use crate::statistics::{SAMPLES, summary};
use crate::vectors;

septum_guest::entry!(bench);

/// GICD_TYPER, GICD_ISENABLER1, and GICR_ISENABLER0 in the second frame of a redistributor.
const GICD_TYPER: u64 = 0x004;
const GICD_ISENABLER1: u64 = 0x104;
const GICR_ISENABLER0: u64 = 0x1_0100;
/// Ticks from setting the timer to its deadline.
const DELAY: u64 = 5_000;
/// The SGI that the first core sends, and the one that answers.
const CALL: u32 = 1;
const ANSWER: u32 = 2;

/// When the second core's handler began; 0: not yet.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// Set when the second core waits for its first interrupt.
static READY: AtomicU64 = AtomicU64::new(0);

fn bench(_: &'static str) {
    let Some(controller) = Controller::find() else {
        println!("bench: the partition has no interrupt controller");
        return;
    };
    let overhead = row("overhead", 0, measure::nothing);
    row("null-hypercall", overhead, measure::null_hypercall);
    row("psci-version-smc", overhead, measure::psci_version);
    row("read-gicd-typer", overhead, || measure::read(controller.distributor + GICD_TYPER));
    row("read-gicd-isenabler1", overhead, || measure::read(controller.distributor + GICD_ISENABLER1));
    row("write-gicd-isenabler1", overhead, || measure::write(controller.distributor + GICD_ISENABLER1));
    if let Some(base) = controller.redistributor {
        row("read-gicr-isenabler0", overhead, || measure::read(base + GICR_ISENABLER0));
    }
    if let Err(error) = interrupts(controller, overhead) {
        println!("bench: {error}");
        return;
    }
    println!("bench: compute-16m {}", measure::computing().saturating_sub(overhead));
    println!("bench: done");
}

/// Takes the samples and prints their summary; its median.
fn row(name: &str, overhead: u64, mut sample: impl FnMut() -> u64) -> u64 {
    let mut samples = [0; SAMPLES];
    // The first one pays for what is not yet in the translation caches.
    sample();
    samples.iter_mut().for_each(|place| *place = sample());
    print(name, &mut samples, overhead)
}

fn print(name: &str, samples: &mut [u64; SAMPLES], overhead: u64) -> u64 {
    let summary = summary(samples, overhead);
    println!("bench: {name} min {} median {} max {}", summary.minimum, summary.median, summary.maximum);
    summary.median
}

fn interrupts(controller: Controller, overhead: u64) -> Result<(), interrupt::InterruptError> {
    interrupt::start(|_| ())?;
    registers::mask_interrupts();
    interrupt::enable(VIRTUAL_TIMER)?;
    interrupt::enable(ANSWER)?;
    timer(controller, overhead);
    if hypercall::information(Information::VCPU_COUNT) > Some(1) && start_second_core() {
        other_core(controller, overhead);
    }
    Ok(())
}

/// The timer's way to the handler, which the handler's own read of the counter ends, and the end of interrupt.
fn timer(controller: Controller, overhead: u64) {
    let (mut latencies, mut ends) = ([0; SAMPLES], [0; SAMPLES]);
    let old = vectors::install();
    for (latency, end) in latencies.iter_mut().zip(&mut ends) {
        *latency = vectors::wait_for_timer(DELAY);
        registers::stop_timer();
        *end = controller.end(controller.acknowledge());
    }
    vectors::remove(old);
    print("virtual-timer", &mut latencies, 0);
    print("end-of-interrupt", &mut ends, overhead);
}

fn other_core(controller: Controller, overhead: u64) {
    let (mut sends, mut ways) = ([0; SAMPLES], [0; SAMPLES]);
    let old = vectors::install();
    for (send, way) in sends.iter_mut().zip(&mut ways) {
        ARRIVED.store(0, Ordering::Release);
        let (before, after) = controller.send(u64::from(CALL), 1);
        *send = after - before;
        vectors::wait();
        controller.end(controller.acknowledge());
        *way = ARRIVED.load(Ordering::Acquire).saturating_sub(before);
    }
    vectors::remove(old);
    print("send-sgi", &mut sends, overhead);
    print("sgi-one-way", &mut ways, 0);
}

/// Whether the second core runs and waits for interrupts.
fn start_second_core() -> bool {
    if let Err(error) = cores::start(1, second_core) {
        println!("bench: second core: {error}");
        return false;
    }
    while READY.load(Ordering::Acquire) == 0 {
        core::hint::spin_loop();
    }
    true
}

/// Answers each interrupt from the first core, for as long as the partition lives.
fn second_core() {
    let set_up = interrupt::start_further_core();
    registers::mask_interrupts();
    let (Ok(()), Ok(()), Some(controller)) = (set_up, interrupt::enable(CALL), Controller::find()) else {
        println!("bench: the second core has no interrupts");
        return;
    };
    vectors::install();
    READY.store(1, Ordering::Release);
    loop {
        let arrived = vectors::wait();
        controller.end(controller.acknowledge());
        ARRIVED.store(arrived, Ordering::Release);
        controller.send(u64::from(ANSWER), 0);
    }
}
