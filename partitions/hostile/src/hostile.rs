//! The kinds of nonsense, by name.

use septum_guest::{println, psci, taken};

use crate::{calls, controller, floods, instructions};

septum_guest::entry!(hostile);

fn hostile(kinds: &'static str) {
    taken::step_over();
    for kind in kinds.split_ascii_whitespace() {
        let before = taken::stepped_over();
        if !run(kind) {
            println!("hostile: no such kind: {kind}");
            return;
        }
        println!("hostile: {kind} survived, {} exceptions at EL1", taken::stepped_over() - before);
    }
    println!("hostile: done");
}

/// Whether `kind` is one.
fn run(kind: &str) -> bool {
    match kind {
        "gic" => controller::sweep(),
        "sgi" => controller::interrupt_everybody(),
        "calls" => calls::sweep(),
        "cores" => calls::start_everybody(),
        "registers" => instructions::registers(),
        "immediates" => instructions::immediates(),
        "pair" => controller::pair(),
        "write-back" => controller::write_back(),
        "vector" => controller::vector(),
        "log" => floods::log(),
        "console" => floods::console(),
        "restart" => floods::restart(),
        "timer" => floods::timer(),
        "maintenance" => floods::maintenance(),
        "park" => psci::park(),
        _ => return false,
    }
    true
}
