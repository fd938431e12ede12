//! The log: each core's defmt frames go into its own ring, and from there, frame by frame, into the UART's FIFO.
//!
//! Nobody waits. Whoever has just written a frame takes the drain lock if it is free and pushes what the FIFO takes; what
//! is left is pushed a millisecond later, by CNTHP. Only [`flush`] waits, where its core has nothing else left to do.
//! docs/log.md fixes the records, docs/decisions/0006-log.md says why it is so.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use embassy_time::{Duration, Instant};
use septum_core::dev::uart::{self, Rate, Uart};
use septum_core::log::ring::{Cursor, Frame, Ring};
use septum_plan::{Plan, space};

use crate::arch::mmio::Window;
use crate::percpu::{self, CoreState, slot, this_core};
use crate::time::{self, WakeUp};

/// Who drains: 0 nobody, else the core's index + 1.
static DRAIN: AtomicU32 = AtomicU32::new(0);
/// Where the drain stands ([`Cursor::code`]); only the holder of [`DRAIN`] touches it.
static CURSOR: AtomicU32 = AtomicU32::new(0);

/// Bytes of a ring that only EL2's own records may use: a partition that floods its console cannot push its own fault
/// report out of the log.
const EL2_RESERVE: u32 = space::CORE_RING_BYTES as u32 / 4;
/// Most bytes of one drain: more than any FIFO holds, and a bound where the UART is faster than another core's flood.
const DRAIN_BYTES: u32 = 1024;
/// How long after a full FIFO the drain is tried again.
const RETRY: Duration = Duration::from_millis(1);
/// Longest that [`flush`] waits: four full rings at 115,200 bit/s take 2.9 s.
const FLUSH: Duration = Duration::from_secs(4);
/// How long [`flush`] respects another core's drain lock: a drain takes microseconds, so after this its holder is dead.
const HOLDER_DEAD: Duration = Duration::from_millis(100);

/// A core's part of the log.
pub struct Local {
    uart: Uart<Window>,
    /// The frame being written; `None` between `acquire` of the first frame and boot, and while a fragment is encoded.
    writer: Cell<Option<Writer>>,
    /// Ring bytes that the next frame must leave free.
    reserve: Cell<u32>,
    /// Whether a retry is scheduled.
    retrying: Cell<bool>,
}

struct Writer {
    encoder: defmt::Encoder,
    frame: Frame,
    /// Whether the frame is unfinished.
    open: bool,
}

impl Writer {
    /// A frame over `ring`, with the encoder of the frame before, unless that was cut in the middle.
    fn begin(before: Option<Self>, ring: &Ring<'_>, reserve: u32) -> Self {
        let encoder = match before {
            Some(Self { encoder, open: false, .. }) => encoder,
            _ => defmt::Encoder::new(),
        };
        let mut writer = Self { encoder, frame: Frame::begin(ring, reserve), open: true };
        writer.encoder.start_frame(|bytes| writer.frame.write(ring, bytes));
        writer
    }

    fn write(&mut self, ring: &Ring<'_>, bytes: &[u8]) {
        self.encoder.write(bytes, |bytes| self.frame.write(ring, bytes));
    }

    fn end(&mut self, ring: &Ring<'_>) {
        self.encoder.end_frame(|bytes| self.frame.write(ring, bytes));
        self.frame.end(ring);
        self.open = false;
    }
}

impl percpu::Local for slot::Log {
    type Part = Local;
}

/// This core's part of the log.
fn local(core: &CoreState) -> &Local {
    core.local::<slot::Log>()
}

impl Local {
    /// The state of a core that has logged nothing yet.
    ///
    /// # Safety
    /// The plan's console registers are mapped where it says, with their whole page.
    pub unsafe fn new(plan: &Plan<'static>) -> Self {
        let first = plan.console().va.wrapping_sub(uart::bytes_before(plan.uart()));
        Self {
            // SAFETY: the caller vouches for the mapping; the driver of the plan's kind stays in the page.
            uart: Uart::new(plan.uart(), unsafe { Window::new(first) }),
            writer: Cell::new(None),
            reserve: Cell::new(0),
            retrying: Cell::new(false),
        }
    }
}

/// Switches the UART on; for the boot core, once.
pub fn init(core: &CoreState) {
    let console = core.plan.console();
    local(core).uart.configure(Rate::from_plan(console.clock_hz, console.baud));
}

/// Has the UART interrupt when something is typed.
pub fn listen(core: &CoreState) {
    local(core).uart.listen();
}

/// The next byte typed; one core at a time asks.
pub fn typed(core: &CoreState) -> Option<u8> {
    local(core).uart.receive()
}

/// Logs bytes of this core's partition's own defmt stream.
pub fn partition_stream(core: &CoreState, partition: &str, vcpu: u16, bytes: &[u8]) {
    partition_record(core, || defmt::println!("{=str}.{=u16}# {=[u8]:02x}", partition, vcpu, bytes));
}

/// Runs `log`, whose one record must leave EL2's reserve free.
pub fn partition_record(core: &CoreState, log: impl FnOnce()) {
    local(core).reserve.set(EL2_RESERVE);
    log();
    local(core).reserve.set(0);
}

/// Reports lost records once there is space again, and drains on; at the end of whatever may have logged, and for the
/// retry.
pub fn pump(core: &CoreState) {
    let Some(ring) = core.ring(core.index) else { return };
    if ring.has_lost() && ring.has_space() {
        let lost = core.area().shared::<slot::LogPositions>().take_lost();
        defmt::warn!("{=u32} log records of core {=u16} lost", lost, core.index);
    } else if ring.backlog() != 0 {
        drain_and_retry(core);
    }
}

/// Waits until this core's ring is empty and the UART idle, at most [`FLUSH`] long: for a core that has nothing else left
/// to do, since its partition has ended or EL2 has failed.
pub fn flush(core: &CoreState) {
    let begin = embassy_time_driver::now();
    let mut drained = begin;
    // `Instant`'s own subtraction can panic.
    let since = |then: u64| Duration::from_ticks(embassy_time_driver::now().wrapping_sub(then));
    while since(begin) < FLUSH {
        match drain(core) {
            Drain::Empty if local(core).uart.is_idle() => return,
            Drain::Busy if since(drained) > HOLDER_DEAD => DRAIN.store(0, Ordering::Relaxed),
            Drain::Busy => {}
            Drain::Empty | Drain::Full => drained = embassy_time_driver::now(),
        }
    }
}

/// How a try to drain ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drain {
    /// All rings are empty.
    Empty,
    /// The UART's FIFO is full, or this drain's share is spent.
    Full,
    /// Another core drains.
    Busy,
}

fn drain(core: &CoreState) -> Drain {
    let me = u32::from(core.index).wrapping_add(1);
    match DRAIN.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
        // A fault of EL2 inside a drain: go on where it stopped.
        Err(holder) if holder != me => return Drain::Busy,
        _ => {}
    }
    let mut cursor = Cursor::from_code(CURSOR.load(Ordering::Relaxed));
    let count = core.plan.cores().len() as u32;
    let mut end = Drain::Full;
    for _ in 0..DRAIN_BYTES {
        if !local(core).uart.can_send() {
            break;
        }
        match cursor.take(count, |index| core.ring(index as u16)) {
            Some(byte) => local(core).uart.send(byte),
            None => {
                end = Drain::Empty;
                break;
            }
        }
    }
    CURSOR.store(cursor.code(), Ordering::Relaxed);
    DRAIN.store(0, Ordering::Release);
    end
}

/// Drains; where something is left, or another core may leave something, comes back in a millisecond.
fn drain_and_retry(core: &CoreState) {
    if drain(core) != Drain::Empty && !local(core).retrying.replace(true) {
        time::wake::<Retry>(Instant::now().saturating_add(RETRY));
    }
}

/// The wake-up for a backlog.
struct Retry;

impl WakeUp for Retry {
    fn act(core: &CoreState) {
        local(core).retrying.set(false);
        pump(core);
    }
}

#[defmt::global_logger]
struct Logger;

// SAFETY: each core has its own writer and ring, and EL2 takes no interrupt, so the only execution context that can
// acquire while a frame is open is a fault of EL2 itself. That one drops the open frame and never returns to it.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        let core = this_core();
        if let Some(ring) = core.ring(core.index) {
            let before = local(core).writer.take();
            local(core).writer.set(Some(Writer::begin(before, &ring, local(core).reserve.get())));
        }
    }

    unsafe fn write(bytes: &[u8]) {
        with_writer(|writer, ring| writer.write(ring, bytes));
    }

    unsafe fn flush() {
        flush(this_core());
    }

    unsafe fn release() {
        with_writer(Writer::end);
        drain_and_retry(this_core());
    }
}

/// Gives the open frame to `work`. It is out of its cell meanwhile, so that a fault of EL2 in there begins afresh.
fn with_writer(work: impl FnOnce(&mut Writer, &Ring<'_>)) {
    let core = this_core();
    let Some(ring) = core.ring(core.index) else { return };
    if let Some(mut writer) = local(core).writer.take() {
        work(&mut writer, &ring);
        local(core).writer.set(Some(writer));
    }
}
