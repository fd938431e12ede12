//! The known word that a wrong one was probably meant to be.

/// The closest of `known` to `word`, if it is close enough to be meant. The first of equals wins.
pub fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count().max(3)) / 3;
    let scored = known.map(|candidate| (distance(word, candidate), candidate));
    scored.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// Longest word that is compared: beyond it nobody meant one of our keys.
const LONGEST: usize = 64;

/// Levenshtein's distance, letter case apart, with a swap of neighbours as one step.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (letters(a), letters(b));
    if a.len() > LONGEST || b.len() > LONGEST {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let change = rows[i][j] + usize::from(from != to);
            let swapped = i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to;
            let swap = if swapped { rows[i - 1][j - 1] + 1 } else { usize::MAX };
            row.push(change.min(rows[i][j + 1] + 1).min(row[j] + 1).min(swap));
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

fn letters(word: &str) -> Vec<char> {
    word.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["memory", "devices", "cpus", "image"];
        assert_eq!(suggest("memroy", known.into_iter()), Some("memory"));
        assert_eq!(suggest("device", known.into_iter()), Some("devices"));
        assert_eq!(suggest("CPU", known.into_iter()), Some("cpus"));
        assert_eq!(suggest("colour", known.into_iter()), None);
    }
}
