//! Which ranges overlap, in one sweep over them by rising address.

/// A half-open range that somebody claims.
#[derive(Clone, Copy, Debug)]
pub struct Claim<T> {
    /// First byte.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Who.
    pub who: T,
}

/// Pairs that overlap, the one that starts lower first. Each claim is set against the one that reaches furthest of
/// those before it, so there are at most as many pairs as claims, and none only if nothing overlaps.
pub fn overlaps<T: Copy>(mut claims: Vec<Claim<T>>) -> Vec<(Claim<T>, Claim<T>)> {
    claims.sort_by_key(|claim| claim.start);
    let mut pairs = Vec::new();
    let mut furthest: Option<Claim<T>> = None;
    for claim in claims {
        if let Some(before) = furthest.filter(|before| before.end > claim.start) {
            pairs.push((before, claim));
        }
        if furthest.is_none_or(|before| before.end < claim.end) {
            furthest = Some(claim);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_that_overlaps_an_earlier_one_is_found() {
        let claims = [(0, 10, 'a'), (5, 6, 'b'), (8, 12, 'c'), (11, 13, 'd'), (13, 14, 'e')];
        let claims = claims.map(|(start, end, who)| Claim { start, end, who }).to_vec();
        let pairs: Vec<_> = overlaps(claims).iter().map(|(low, high)| (low.who, high.who)).collect();
        assert_eq!(pairs, [('a', 'b'), ('a', 'c'), ('c', 'd')]);
    }
}
