//! What memories without a place of their own ask for.

use super::draft::{Draft, Index, Memory};
use crate::place::{Gap, Request};

/// Every memory without a place of its own, and what it asks for.
pub(super) fn requests(drafts: &[Draft<'_>]) -> (Vec<Index>, Vec<Request>) {
    let mut wanted = Vec::new();
    let mut requests = Vec::new();
    for (partition, draft) in drafts.iter().enumerate() {
        for (index, memory) in draft.memory.iter().enumerate().filter(|(_, memory)| memory.pa.is_none()) {
            wanted.push((partition, index));
            requests.push(request(draft, memory, memory.ipa));
        }
    }
    (wanted, requests)
}

/// A place for `memory` of `draft`, which is seen at `ipa`, or where it lies.
pub(super) fn request(draft: &Draft<'_>, memory: &Memory<'_>, ipa: Option<u64>) -> Request {
    let forbidden = if ipa.is_some() { Vec::new() } else { seen(draft) };
    Request { ipa, size: memory.size, granule: draft.granule.bytes(), forbidden }
}

/// What the partition sees where it says so itself: memory that is seen where it lies must not lie there.
fn seen(draft: &Draft<'_>) -> Vec<Gap> {
    let memory = draft.memory.iter().filter_map(|memory| Some((memory.ipa?, memory.size)));
    let pages = draft.pages.iter().map(|pages| (pages.ipa, pages.size));
    let emulated = draft.emulated.iter();
    let emulated = emulated.map(|frame| (frame.ipa, frame.bytes.next_multiple_of(draft.granule.bytes())));
    let mut seen: Vec<_> =
        memory.chain(pages).chain(emulated).map(|(start, size)| Gap { start, end: start + size }).collect();
    seen.sort_unstable();
    seen
}
