//! Where partitions' memory goes: free RAM, cut so that the largest blocks fit (docs/decisions/0004-placement.md).
//!
//! A block needs its IPA and its physical address at the same offset in it. So each request is put at the lowest free
//! address that is congruent to its IPA modulo the largest block that it can hold; the largest requests choose first.
//! Where the strictest alignments leave no room for somebody, all start again with a laxer one. The same requests
//! always give the same places.

use std::cmp::Reverse;

/// A half-open range of physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// First byte.
    pub start: u64,
    /// One past the last.
    pub end: u64,
}

/// Memory that wants a place.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where its partition sees it; `None`: where it is.
    pub ipa: Option<u64>,
    /// Bytes, a multiple of `granule`, not 0.
    pub size: u64,
    /// Bytes of a page.
    pub granule: u64,
    /// Where it must not lie, sorted: what else its partition sees, for memory without an `ipa` of its own.
    pub forbidden: Vec<Gap>,
}

/// Why not all requests have a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// The requests that found none, even with the laxest alignment.
    pub failed: Vec<usize>,
    /// What is left beside the others.
    pub left: Vec<Gap>,
}

/// Alignments to try, largest first: 1 GiB and 512 MiB blocks, contiguous groups, 2 MiB blocks, pages.
const ALIGNMENTS: [u64; 6] = [1 << 30, 1 << 29, 1 << 25, 1 << 21, 1 << 16, 1 << 12];

/// Takes `taken`, which is sorted, out of `free`, which is sorted and disjoint within itself.
pub fn without(free: &[Gap], taken: &[Gap]) -> Vec<Gap> {
    let taken = merged(taken);
    let mut left = Vec::new();
    let mut next = 0;
    for gap in free {
        let mut start = gap.start;
        while next > 0 && taken[next - 1].end > start {
            next -= 1;
        }
        while let Some(hole) = taken.get(next).filter(|hole| hole.start < gap.end) {
            push(&mut left, start, hole.start);
            start = start.max(hole.end);
            next += 1;
        }
        push(&mut left, start, gap.end);
    }
    left
}

/// `gaps`, which are sorted, with those made one that have a byte in common.
fn merged(gaps: &[Gap]) -> Vec<Gap> {
    let mut merged: Vec<Gap> = Vec::new();
    for gap in gaps {
        match merged.last_mut().filter(|last| gap.start < last.end) {
            Some(last) => last.end = last.end.max(gap.end),
            None => merged.push(*gap),
        }
    }
    merged
}

fn push(gaps: &mut Vec<Gap>, start: u64, end: u64) {
    if start < end {
        gaps.push(Gap { start, end });
    }
}

/// The places of all `requests` in `free`, in their order.
///
/// # Errors
/// Some request found no place even with the laxest alignment.
pub fn place(free: &[Gap], requests: &[Request]) -> Result<Vec<u64>, NoRoom> {
    let mut alignments = ALIGNMENTS.as_slice();
    loop {
        let placed = place_with(free, requests, alignments);
        match alignments {
            [_, laxer @ ..] if placed.is_err() && !laxer.is_empty() => alignments = laxer,
            _ => return placed,
        }
    }
}

fn place_with(free: &[Gap], requests: &[Request], alignments: &[u64]) -> Result<Vec<u64>, NoRoom> {
    let mut free = free.to_vec();
    let mut order: Vec<usize> = (0..requests.len()).collect();
    order.sort_by_key(|index| (Reverse(requests[*index].size), *index));
    let mut places = vec![0; requests.len()];
    let mut failed = Vec::new();
    for index in order {
        match place_one(&mut free, &requests[index], alignments) {
            Some(place) => places[index] = place,
            None => failed.push(index),
        }
    }
    failed.sort_unstable();
    if failed.is_empty() { Ok(places) } else { Err(NoRoom { failed, left: free }) }
}

fn place_one(free: &mut Vec<Gap>, request: &Request, alignments: &[u64]) -> Option<u64> {
    let useful = alignments.iter().filter(|alignment| is_useful(request, **alignment));
    let (index, start) = useful.chain([&request.granule]).find_map(|alignment| find(free, request, *alignment))?;
    let gap = free[index];
    let rest = [Gap { start: gap.start, end: start }, Gap { start: start + request.size, end: gap.end }];
    free.splice(index..=index, rest.into_iter().filter(|gap| gap.start < gap.end));
    Some(start)
}

/// Whether the request holds a whole block of `alignment` bytes.
fn is_useful(request: &Request, alignment: u64) -> bool {
    let offset = request.ipa.map_or(0, |ipa| ipa.wrapping_neg() % alignment);
    alignment > request.granule && request.size.checked_sub(offset).is_some_and(|rest| rest >= alignment)
}

/// The lowest place that is congruent to the request's IPA modulo `alignment`, and the gap that it is in.
fn find(free: &[Gap], request: &Request, alignment: u64) -> Option<(usize, u64)> {
    let phase = request.ipa.unwrap_or(0) % alignment;
    free.iter().enumerate().find_map(|(index, gap)| Some((index, find_in(*gap, request, alignment, phase)?)))
}

fn find_in(gap: Gap, request: &Request, alignment: u64, phase: u64) -> Option<u64> {
    let mut from = gap.start;
    loop {
        let start = from.checked_add(phase.wrapping_sub(from) % alignment)?;
        let end = start.checked_add(request.size).filter(|end| *end <= gap.end)?;
        match request.forbidden.iter().find(|hole| hole.start < end && start < hole.end) {
            None => return Some(start),
            Some(hole) => from = hole.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn request(ipa: u64, size: u64) -> Request {
        Request { ipa: Some(ipa), size, granule: 4096, forbidden: Vec::new() }
    }

    #[test]
    fn a_request_lies_congruent_to_its_ipa() {
        let free = [Gap { start: 0x4030_0000, end: 0x8000_0000 }];
        let requests = [request(0x1_0000, 16 * MIB), request(0x4000_0000, 512 * MIB), request(0, 4096)];
        let places = place(&free, &requests).expect("room");
        assert_eq!(places[1] % (512 * MIB), 0);
        assert_eq!(places[0] % (2 * MIB), 0x1_0000);
        assert_eq!(places[2], 0x4030_0000);
    }

    #[test]
    fn alignment_gives_way_where_room_is_short() {
        let free = [Gap { start: 0x1000, end: 0x1000 + 2 * MIB }];
        assert_eq!(place(&free, &[request(0, 2 * MIB)]), Ok(vec![0x1000]));
        let too_much = [request(0, 2 * MIB + 4096), request(0, MIB)];
        let left = vec![Gap { start: 0x1000 + MIB, end: 0x1000 + 2 * MIB }];
        assert_eq!(place(&free, &too_much), Err(NoRoom { failed: vec![0], left }));
    }

    #[test]
    fn memory_without_an_ipa_keeps_clear_of_what_its_partition_sees() {
        let free = [Gap { start: 0, end: 64 * MIB }];
        let hole = Gap { start: 3 * MIB, end: 5 * MIB };
        let request = Request { ipa: None, size: 4 * MIB, granule: 4096, forbidden: vec![hole] };
        assert_eq!(place(&free, &[request]), Ok(vec![6 * MIB]));
    }

    #[test]
    fn holes_are_taken_out() {
        let free = [Gap { start: 0, end: 100 }, Gap { start: 200, end: 300 }];
        let taken = [Gap { start: 0, end: 10 }, Gap { start: 50, end: 60 }, Gap { start: 90, end: 210 }];
        let expected = [Gap { start: 10, end: 50 }, Gap { start: 60, end: 90 }, Gap { start: 210, end: 300 }];
        assert_eq!(without(&free, &taken), expected);
        // One that holds others, some of them before the gap that it takes away.
        let free = [Gap { start: 0, end: 10 }, Gap { start: 50, end: 60 }, Gap { start: 70, end: 80 }];
        let taken = [Gap { start: 5, end: 75 }, Gap { start: 6, end: 7 }, Gap { start: 20, end: 30 }];
        assert_eq!(without(&free, &taken), [Gap { start: 0, end: 5 }, Gap { start: 75, end: 80 }]);
    }
}
