//! Memories, each by itself: sizes, alignments, address sizes.

use septum_stage2::Granule;

use super::draft::Memory;
use crate::board::{Board, PaSpan};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::{self, Partition};
use crate::source::{Span, Spanned};

/// The memories of `raw` whose numbers are good; everything else is reported. Without a `board` no number is too large.
pub(super) fn resolve<'a>(
    raw: &'a Partition,
    granule: Granule,
    board: Option<&Board>,
    problems: &mut Problems,
) -> Vec<Memory<'a>> {
    let check = Check { partition: &raw.name.value, granule, board };
    raw.memory.iter().filter_map(|memory| check.memory(memory, problems)).collect()
}

struct Check<'a> {
    partition: &'a str,
    granule: Granule,
    board: Option<&'a Board>,
}

impl Check<'_> {
    fn memory<'a>(&self, raw: &'a config::Memory, problems: &mut Problems) -> Option<Memory<'a>> {
        let before = problems.len();
        let size = raw.size?;
        let (ipa, pa) = self.addresses(raw, problems);
        self.size(raw, size, problems);
        for (key, address) in [("ipa", ipa), ("pa", pa)] {
            let Some(address) = address.filter(|address| is_own(raw, key, address.span)) else { continue };
            self.granule(raw, key, address, problems);
        }
        if let Some(ipa) = ipa.filter(|_| raw.ipa.is_some()) {
            self.bits(raw, "ipa", ipa, size.value, Code::BeyondIpaSize, problems);
        }
        if let Some(pa) = pa {
            self.bits(raw, "pa", pa, size.value, Code::BeyondPaSize, problems);
        }
        let value = |address: Option<Spanned<u64>>| address.map(|address| address.value);
        (problems.len() == before).then_some(Memory { raw, ipa: value(ipa), pa: value(pa), size: size.value })
    }

    fn title(&self, raw: &config::Memory) -> String {
        format!("memory `{}` of partition `{}`", raw.name.value, self.partition)
    }

    /// Where the partition sees it and where it must lie, as far as the configuration says.
    fn addresses(&self, raw: &config::Memory, problems: &mut Problems) -> (Option<Spanned<u64>>, Option<Spanned<u64>>) {
        let Some(identity) = raw.identity else {
            if raw.ipa.is_none() {
                let message = format!("{} does not say where the partition sees it", self.title(raw));
                let help = "add `ipa = ..`, or `identity = true` for its physical address";
                problems.add(Problem::new(Code::NoIpa, raw.name.span, message).help(help));
            }
            return (raw.ipa, raw.pa);
        };
        if let (Some(ipa), Some(pa)) = (raw.ipa, raw.pa)
            && ipa.value != pa.value
        {
            let message = format!("{} cannot have `identity` with `ipa` and `pa` apart", self.title(raw));
            let problem = Problem::new(Code::IdentityMismatch, identity, message).here("says that they are equal");
            problems.add(problem.label(ipa.span, "seen here").label(pa.span, "lies here"));
        }
        let either = raw.ipa.or(raw.pa);
        (either, either)
    }

    fn size(&self, raw: &config::Memory, size: Spanned<u64>, problems: &mut Problems) {
        if size.value == 0 {
            let problem = Problem::new(Code::SizeZero, size.span, format!("{} has no bytes", self.title(raw)));
            problems
                .add(problem.here("zero").help(format!("the smallest memory is {}", show::size(self.granule.bytes()))));
        } else {
            self.granule(raw, "size", size, problems);
        }
    }

    fn granule(&self, raw: &config::Memory, key: &str, number: Spanned<u64>, problems: &mut Problems) {
        let bytes = self.granule.bytes();
        if number.value.is_multiple_of(bytes) {
            return;
        }
        let message = format!("`{key}` of {} is not a multiple of the {} granule", self.title(raw), self.granule);
        let below = number.value / bytes * bytes;
        let shown = |value| if key == "size" { show::size(value) } else { show::address(value) };
        let help = match below.checked_add(bytes) {
            Some(above) if below > 0 || key != "size" => format!("use {} or {}", shown(below), shown(above)),
            _ => format!("use {}", shown(bytes)),
        };
        problems.add(Problem::new(Code::NotGranuleMultiple, number.span, message).here(shown(number.value)).help(help));
    }

    fn bits(&self, raw: &config::Memory, key: &str, at: Spanned<u64>, size: u64, code: Code, problems: &mut Problems) {
        let Some(end) = at.value.checked_add(size) else {
            let message = format!("{} wraps past the end of the address space", self.title(raw));
            problems
                .add(Problem::new(Code::Wraps, at.span, message).here(format!("`{key}` + `size` is more than 2^64")));
            return;
        };
        let Some(board) = self.board else { return };
        let bits = board.pa_range.bits();
        if end > 1 << bits {
            let kind = if key == "ipa" { "intermediate" } else { "physical" };
            let message =
                format!("{} lies beyond the {bits}-bit {kind} addresses of board `{}`", self.title(raw), board.name);
            let problem = Problem::new(code, at.span, message).here(format!("ends at {}", show::address(end)));
            problems.add(problem.help(format!("it must end by {}", show::address(1 << bits))));
        }
    }
}

/// Whether the address was written for `key` itself, and not taken over from the other one by `identity`.
fn is_own(raw: &config::Memory, key: &str, span: Span) -> bool {
    let own = if key == "ipa" { raw.ipa } else { raw.pa };
    own.is_some_and(|own| own.span == span)
}

/// The banks with neighbours that touch made one.
pub(super) fn joined(banks: &[PaSpan]) -> Vec<PaSpan> {
    let mut joined: Vec<PaSpan> = Vec::new();
    for bank in banks {
        match joined.last_mut().filter(|last| last.end() == bank.start.get()) {
            Some(last) => last.size += bank.size,
            None => joined.push(*bank),
        }
    }
    joined
}
