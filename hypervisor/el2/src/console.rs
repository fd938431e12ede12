//! A core's console line on its way to the log: whole lines at once, and what stands there without an end, such as a
//! prompt, after a moment.

use core::cell::{Cell, RefCell};

use embassy_time::{Duration, Instant};
use septum_core::console::shared_line::SharedLine;
use septum_core::console::{Closed, Line};

use crate::log::partition_record;
use crate::percpu::{self, Assignment, CoreState, slot};
use crate::time::{self, WakeUp};

/// How long an unfinished line waits for its end.
const PATIENCE: Duration = Duration::from_millis(100);

/// The line of a core's partition.
pub struct Local {
    line: RefCell<Line>,
    /// Whether a wake-up for an unfinished line is scheduled.
    waiting: Cell<bool>,
    /// The same for the emulated console's line.
    waiting_shared: Cell<bool>,
}

impl percpu::Local for slot::Console {
    type Part = Local;
}

impl percpu::Shared for slot::ConsoleLine {
    type Part = SharedLine;
}

fn local(core: &CoreState) -> &Local {
    core.local::<slot::Console>()
}

impl Local {
    /// An empty line.
    pub const fn new() -> Self {
        Self { line: RefCell::new(Line::new()), waiting: Cell::new(false), waiting_shared: Cell::new(false) }
    }
}

/// Takes console bytes of this core's partition.
pub fn write(core: &CoreState, assignment: Assignment, bytes: &[u8]) {
    let Ok(mut line) = local(core).line.try_borrow_mut() else { return };
    for byte in bytes {
        line.push(*byte, &mut |text, closed| log(core, assignment, text, closed));
    }
    if !line.is_empty() && !local(core).waiting.replace(true) {
        time::wake::<Due>(Instant::now().saturating_add(PATIENCE));
    }
}

/// Takes a byte that any core of this core's partition sends to its emulated console.
pub fn write_shared(core: &CoreState, assignment: Assignment, byte: u8) {
    let shared = assignment.home.shared::<slot::ConsoleLine>();
    if shared.push(byte) {
        flush_shared(core, assignment);
    } else if !local(core).waiting_shared.replace(true) {
        time::wake::<DueShared>(Instant::now().saturating_add(PATIENCE));
    }
}

/// Logs what has gathered for the emulated console, if anything.
pub fn flush_shared(core: &CoreState, assignment: Assignment) {
    let mut line = Line::new();
    assignment
        .home
        .shared::<slot::ConsoleLine>()
        .take(|byte| line.push(byte, &mut |text, closed| log(core, assignment, text, closed)));
    line.flush(&mut |text, closed| log(core, assignment, text, closed));
}

/// Logs what has gathered, if anything.
pub fn flush(core: &CoreState, assignment: Assignment) {
    if let Ok(mut line) = local(core).line.try_borrow_mut() {
        line.flush(&mut |text, closed| log(core, assignment, text, closed));
    }
}

fn log(core: &CoreState, assignment: Assignment, text: &str, closed: Closed) {
    let name = assignment.name;
    partition_record(core, || match closed {
        Closed::Yes => defmt::println!("{=str}| {=str}", name, text),
        Closed::No => defmt::println!("{=str}|+ {=str}", name, text),
    });
}

/// The wake-up for an unfinished line.
struct Due;

impl WakeUp for Due {
    fn act(core: &CoreState) {
        local(core).waiting.set(false);
        if let Some(assignment) = core.assignment {
            flush(core, assignment);
        }
    }
}

/// The wake-up for an unfinished line of the emulated console.
struct DueShared;

impl WakeUp for DueShared {
    fn act(core: &CoreState) {
        local(core).waiting_shared.set(false);
        if let Some(assignment) = core.assignment {
            flush_shared(core, assignment);
        }
    }
}
