//! From EL2's first instruction to the partition's first, counted in the emulator's trace: one instruction to a
//! translation block, one line for each.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};

use septum_compiler::inspect;

use super::BenchError;
use super::machine::Prepared;
use super::report::Row;
use crate::log::symbols::Symbols;

/// What makes QEMU write a line for each instruction.
const TRACE: [&str; 4] = ["-accel", "tcg,one-insn-per-tb=on", "-d", "exec,nochain"];
/// What makes an instruction take one nanosecond of the machine's time, and every run the same.
const COUNTED: [&str; 2] = ["-icount", "shift=0,sleep=off"];
/// Modules of EL2 that put a payload in place: copy, seal, zero, clean.
const LOADING: [&str; 3] = ["septum_el2::loader::", "septum_core::loader::", "septum_el2::arch::cache::"];
/// The line after one of an instruction that was not executed, because QEMU had something else to do first. It comes
/// again.
const NOT_EXECUTED: &str = "Stopped execution of TB chain";
/// The boot core, as QEMU numbers cores.
const BOOT_CORE: u32 = 0;

/// Instructions of one boot.
#[derive(Debug, Default)]
struct Count {
    /// The boot core's, without loading.
    boot: u64,
    /// The boot core's, for loading.
    payload: u64,
    /// The other cores' meanwhile.
    others: u64,
}

/// Boots until the first partition's first instruction on the boot core.
///
/// # Errors
/// The machine cannot be started, or the partition does not start.
pub fn measure(prepared: &Prepared) -> Result<Vec<Row>, BenchError> {
    let image = prepared.image()?;
    let unreadable = |_| prepared.unfinished("its image cannot be read back");
    let inspection = inspect::inspect(&image).map_err(unreadable)?;
    let first = inspection.partitions.first().ok_or_else(|| prepared.unfinished("it has no partition"))?;
    let arguments = TRACE.iter().chain(&COUNTED).map(OsString::from).collect();
    let mut machine = prepared.start(&[], arguments, true)?;
    let trace = machine.take_stderr().ok_or_else(|| prepared.unfinished("the emulator has no trace"))?;
    let mut phases = Phases::new(prepared);
    let count = count(BufReader::new(trace), inspection.load_address, first.entry, |pc| phases.is_loading(pc))?;
    let count = count.ok_or_else(|| prepared.unfinished("its first partition did not start"))?;
    Ok(vec![
        Row::single("boot", count.boot),
        Row::single("boot-payload", count.payload),
        Row::single("boot-other-cores", count.others),
    ])
}

/// Reads `trace` from the first instruction at `load` to the boot core's first at `entry`; `None` if that does not come.
fn count(
    trace: impl BufRead,
    load: u64,
    entry: u64,
    mut is_loading: impl FnMut(u64) -> bool,
) -> Result<Option<Count>, BenchError> {
    let mut count: Option<Count> = None;
    let mut last = None;
    for line in trace.lines() {
        let line = line?;
        if line.starts_with(NOT_EXECUTED) {
            last = None;
        }
        let Some(next) = executed(&line) else { continue };
        let Some((core, pc)) = last.replace(next) else { continue };
        if core == BOOT_CORE && pc == load && count.is_none() {
            count = Some(Count::default());
        }
        let Some(so_far) = &mut count else { continue };
        match core {
            BOOT_CORE if pc == entry => return Ok(count),
            BOOT_CORE if is_loading(pc) => so_far.payload += 1,
            BOOT_CORE => so_far.boot += 1,
            _ => so_far.others += 1,
        }
    }
    Ok(None)
}

/// The core and the address of a line `Trace CORE: 0xBLOCK [CS_BASE/PC/FLAGS/CFLAGS] SYMBOL`.
fn executed(line: &str) -> Option<(u32, u64)> {
    let (core, rest) = line.strip_prefix("Trace ")?.split_once(':')?;
    let pc = rest.split('/').nth(1)?;
    Some((core.trim().parse().ok()?, u64::from_str_radix(pc, 16).ok()?))
}

/// What EL2 does at an address, looked up once.
struct Phases {
    symbols: Option<Symbols>,
    known: HashMap<u64, bool>,
}

impl Phases {
    fn new(prepared: &Prepared) -> Self {
        Self { symbols: Symbols::load(&prepared.built.el2), known: HashMap::new() }
    }

    /// Whether the instruction at `pc` belongs to a function that loads, or was inlined into one.
    fn is_loading(&mut self, pc: u64) -> bool {
        let symbols = &self.symbols;
        let look_up = || {
            let places = symbols.as_ref().map(|symbols| symbols.describe(pc)).unwrap_or_default();
            places.iter().any(|place| LOADING.iter().any(|module| place.contains(module)))
        };
        *self.known.entry(pc).or_insert_with(look_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
Trace 0: 0x7f00 [00000000/0000000000000000/00000022/ff000001] \n\
Trace 0: 0x7f01 [00000000/0000000040200000/00000022/ff000001] image\n\
Trace 1: 0x7f02 [00000000/0000000040200040/00000022/ff000001] \n\
other lines\n\
Trace 0: 0x7f03 [00000000/00000000c0001000/00000022/ff000001] load\n\
Stopped execution of TB chain before 0x7f03 [00000000c0001000] load\n\
Trace 0: 0x7f03 [00000000/00000000c0001000/00000022/ff000001] load\n\
Trace 1: 0x7f04 [00000000/0000000040000000/00000022/ff000001] \n\
Trace 0: 0x7f04 [00000000/0000000040000000/00000022/ff000001] guest\n\
Trace 0: 0x7f04 [00000000/0000000040000004/00000022/ff000001] \n";

    #[test]
    fn instructions_count_from_el2s_first_to_the_guests_first_on_the_boot_core() {
        let is_loading = |pc| pc == 0xc000_1000;
        let counted = count(TRACE.as_bytes(), 0x4020_0000, 0x4000_0000, is_loading).unwrap().unwrap();
        assert_eq!((counted.boot, counted.payload, counted.others), (1, 1, 2));
        assert!(count(TRACE.as_bytes(), 0x4020_0000, 0x5000_0000, is_loading).unwrap().is_none());
    }
}
