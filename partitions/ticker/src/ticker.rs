//! What the partition does.

use embassy_time::{Duration, Instant, Timer};
use septum_guest::{embassy, println, psci};

use crate::arguments::Arguments;

septum_guest::entry!(ticker);

fn ticker(text: &'static str) {
    let arguments = Arguments::parse(text);
    if let Err(error) = embassy::start() {
        println!("ticker: {error}");
        return;
    }
    println!("ticker: {} ticks at {} Hz", arguments.ticks, arguments.hz);
    let worst = embassy::block_on(tick(&arguments));
    println!("ticker: {} ticks done, worst lateness {} us", arguments.ticks, worst.as_micros());
    let periods = worst.as_ticks() / arguments.period_micros();
    println!("ticker: {}", if periods == 0 { "never late by a period" } else { "LATE by a period or more" });
    if !arguments.off {
        psci::park();
    }
}

/// How late the latest tick was.
async fn tick(arguments: &Arguments) -> Duration {
    let start = Instant::now();
    let mut worst = Duration::from_ticks(0);
    for tick in 1..=arguments.ticks {
        let due = start + Duration::from_micros(u64::from(tick) * arguments.period_micros());
        Timer::at(due).await;
        worst = worst.max(due.elapsed());
        if tick % arguments.hz == 0 {
            defmt::info!("tick {=u32} of {=u32}, worst lateness {=u64} us", tick, arguments.ticks, worst.as_micros());
        }
    }
    worst
}
