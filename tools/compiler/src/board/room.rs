//! Whether EL2's address space has room for a board's RAM, and for the image where the board loads it.

use septum_stage2::Pa;

use super::PaSpan;
use super::raw::Raw;
use crate::image::el2_space::{LOAD_END, OWN, RAM_GIBS, can_start_at, ram_that_fits};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::Range;
use crate::source::Spanned;

/// The alignment of the load address, in bytes: the arm64 Image protocol's.
const LOAD_ALIGNMENT: u64 = 0x20_0000;
/// Bytes of EL2's pages.
const PAGE: u64 = 0x1000;

/// Reports what has no room.
pub(super) fn check(raw: &Raw, problems: &mut Problems) {
    check_load(raw, problems);
    check_ram(raw, problems);
}

fn check_load(raw: &Raw, problems: &mut Problems) {
    let load = raw.load;
    let inside =
        |range: &Spanned<Range>| load.value.checked_sub(range.value.at).is_some_and(|offset| offset < range.value.size);
    let refuse = |here: String| {
        let message = format!("the image cannot be loaded at {}", show::address(load.value));
        Problem::new(Code::BoardLoad, load.span, message).here(here)
    };
    if !load.value.is_multiple_of(LOAD_ALIGNMENT) || !raw.ram.iter().any(inside) {
        problems.add(refuse("must be a multiple of 2 MiB in RAM".into()));
    } else if !can_start_at(load.value) {
        let own = show::range(OWN.start, OWN.end - OWN.start);
        let problem = refuse(format!("must be below {} and not in {own}", show::address(LOAD_END)));
        problems.add(problem.help("EL2 turns its MMU on there, and has other uses for those virtual addresses"));
    }
}

/// EL2 maps all RAM in whole pages while it starts, each bank and each spin table's page in GiB of its own.
fn check_ram(raw: &Raw, problems: &mut Problems) {
    for bank in
        raw.ram.iter().filter(|bank| !bank.value.at.is_multiple_of(PAGE) || !bank.value.size.is_multiple_of(PAGE))
    {
        let problem = Problem::new(Code::BoardRam, bank.span, "RAM that begins or ends within a page");
        problems.add(problem.here("`at` and `size` must be multiples of 4 KiB").help("leave the rest of the page out"));
    }
    let mut banks = raw.ram.clone();
    banks.sort_by_key(|bank| bank.value.at);
    let span = |range: &Range| PaSpan { start: Pa::new(range.at), size: range.size };
    let mut spans: Vec<_> = banks.iter().map(|bank| span(&bank.value)).collect();
    let releases = raw.start.release.iter().flat_map(|release| &release.value);
    let mut pages: Vec<_> = releases.map(|release| release.value / PAGE * PAGE).collect();
    pages.sort_unstable();
    pages.dedup();
    spans.extend(pages.iter().map(|page| PaSpan { start: Pa::new(*page), size: PAGE }));
    let fitting = ram_that_fits(&spans);
    if fitting < spans.len() {
        let Some(bank) = banks.get(fitting).or(banks.last()) else { return };
        let problem = Problem::new(Code::BoardRam, bank.span, "more RAM than EL2's address space has room for");
        let problem = problem.here(format!("ends past {RAM_GIBS} GiB, with the banks and spin tables before it"));
        problems.add(problem.help("each begins a GiB of its own: shorten banks, leave some out, or join neighbours"));
    }
}
