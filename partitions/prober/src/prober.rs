//! Running the script.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use septum_guest::{Width, cores, hypercall, println, probe, psci, time};
use septum_plan::calls::Information;

use crate::script::{Call, Number, Step, parse};
use crate::{far, level, narrow, power, steps, suspend};

septum_guest::entry!(prober);

/// In .data: what the image holds, until a run changes it.
static FRESH: AtomicU32 = AtomicU32::new(PRISTINE);
const PRISTINE: u32 = 0x7072_6973;
/// What `reset-once` leaves in memory that is kept and that no image covers.
const RESET_DONE: u64 = 0x6f6e_6365;
/// What `fill` puts into every byte.
const FILLING: u64 = 0xa5;
/// Further cores that have come.
static ARRIVED: AtomicU32 = AtomicU32::new(0);

fn prober(script: &'static str) {
    for step in script.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        match parse(step) {
            Ok(parsed) => run(step, parsed),
            Err(problem) => {
                println!("prober: `{step}`: {problem}");
                return;
            }
        }
    }
    println!("prober: script done");
    psci::park()
}

fn run(text: &str, step: Step<'_>) {
    match step {
        Step::Say(words) => println!("prober: {words}"),
        Step::Read(width, address) => {
            // SAFETY: reading what the script names is this program's purpose; it keeps nothing at such addresses.
            let value = unsafe { probe::read(address, width) };
            println!("prober: {text}: {value:#x}");
        }
        Step::Write(width, address, value) => {
            // SAFETY: as for reading; a script that overwrites this program's own image breaks its own run only.
            unsafe { probe::write(address, width, value) };
            println!("prober: {text}: written");
        }
        Step::Execute(address) => {
            // SAFETY: the script's author answers for what lies there; mostly the fetch itself is what is probed.
            unsafe { probe::execute(address) };
            println!("prober: {text}: returned");
        }
        Step::Call(call, function, arguments) => report_call(text, call, function, arguments),
        Step::Wait(duration) => time::wait(duration),
        Step::Undefined => probe::undefined(),
        Step::Park => psci::park(),
        Step::Off => psci::system_off(),
        Step::Reset => psci::system_reset(),
        Step::ResetOnce(address) => reset_once(address),
        Step::Fill(address, bytes) => fill(address, bytes),
        Step::Zeroes(address, bytes) => say_zeroes(text, address, bytes),
        Step::Cores => start_cores(),
        Step::Far(intid) => far::run(intid),
        Step::Steps => steps::all(),
        Step::Narrow => narrow::run(),
        Step::Suspend => suspend::all(),
        Step::Level => level::run(),
        Step::Power(device, intid) => power::all(device, intid),
    }
}

fn report_call(text: &str, call: Call, function: u32, [a, b, c]: [Number; 3]) {
    let arguments = [a, b, c, 0, 0, 0, 0];
    let answer = match call {
        Call::Hvc => hypercall::hvc(function, arguments),
        Call::Smc => hypercall::smc(function, arguments),
    };
    println!("prober: {text}: {:#x} {:#x} {:#x} {:#x}", answer[0], answer[1], answer[2], answer[3]);
}

fn reset_once(address: Number) {
    let fresh = FRESH.swap(0, Ordering::Relaxed) == PRISTINE;
    println!("prober: data is {}", if fresh { "fresh" } else { "STALE" });
    // SAFETY: as for the script's own reads and writes.
    unsafe {
        if probe::read(address, Width::Word) != RESET_DONE {
            probe::write(address, Width::Word, RESET_DONE);
            psci::system_reset()
        }
        probe::write(address, Width::Word, 0);
    }
    println!("prober: reset once");
}

fn fill(start: Number, bytes: Number) {
    for address in start..start.saturating_add(bytes) {
        // SAFETY: as for the script's own writes.
        unsafe { probe::write(address, Width::Byte, FILLING) };
    }
}

fn say_zeroes(text: &str, start: Number, bytes: Number) {
    // SAFETY: as for the script's own reads.
    let is_set = |address: &Number| unsafe { probe::read(*address, Width::Byte) } != 0;
    match (start..start.saturating_add(bytes)).filter(is_set).count() {
        0 => println!("prober: {text}: yes"),
        set => println!("prober: {text}: no, {set} bytes are set"),
    }
}

fn start_cores() {
    let count = hypercall::information(Information::VCPU_COUNT).unwrap_or(1);
    for index in 1..count {
        if let Err(error) = cores::start(index, further_core) {
            println!("prober: core {index}: {error}");
        }
    }
    while u64::from(ARRIVED.load(Ordering::Acquire)) + 1 < count {
        time::wait(Duration::from_millis(1));
    }
    println!("prober: {count} cores");
}

/// Odd ones never give up their core.
fn further_core() {
    if ARRIVED.fetch_add(1, Ordering::AcqRel).is_multiple_of(2) {
        loop {
            core::hint::spin_loop();
        }
    }
    psci::park()
}
