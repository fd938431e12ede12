//! Running the script.

use septum_guest::{hypercall, println, probe, psci, time};

use crate::script::{Call, Number, Step, parse};

septum_guest::entry!(prober);

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
