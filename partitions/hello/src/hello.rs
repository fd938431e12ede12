//! What the partition does.

use core::fmt::Write;
use core::ptr::{NonNull, with_exposed_provenance_mut};

use septum_guest::pl011::Pl011;
use septum_guest::{println, psci, registers, time};

use crate::arguments::Arguments;

septum_guest::entry!(hello);

fn hello(text: &'static str) {
    let arguments = Arguments::parse(text);
    let name = arguments.name;
    println!("hello, I am {name} at EL{}, core {}", registers::current_el() >> 2, registers::mpidr() & 0xff);
    defmt::info!("{=str} has a counter of {=u64} Hz", name, registers::counter_frequency());
    say_by_uart(&arguments);
    for line in 1..=arguments.lines {
        time::wait(arguments.every);
        println!("{name}: {line} of {} at {} ms", arguments.lines, time::now().as_millis());
        defmt::debug!("line {=u32}", line);
    }
    println!("{name}: done");
    if !arguments.off {
        psci::park();
    }
}

fn say_by_uart(arguments: &Arguments<'_>) {
    let Some(base) = arguments.uart.and_then(|address| NonNull::new(with_exposed_provenance_mut(address))) else {
        return;
    };
    // SAFETY: whoever wrote the configuration says that a PL011 is mapped there; nothing else here uses it.
    let mut uart = unsafe { Pl011::new(base) };
    // Output to a UART cannot fail.
    let _ = writeln!(uart, "{}: hello by UART", arguments.name);
}
