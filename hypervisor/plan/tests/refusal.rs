//! Refusals are told apart by their numbers, in every line that says one.

use std::collections::BTreeSet;

use septum_plan::refusal::{NOT_STARTED, PREFIX, Refusal};

/// What EL2 or the boot stub says, with every value in `text` filled in.
fn line(refusal: Refusal) -> String {
    let filled = refusal.text().replace("{=str}", "x").replace("{=u64:#x}", "0x7");
    let filled = ["u8", "u16", "u32", "u64", "usize", "i64"]
        .iter()
        .fold(filled, |line, kind| line.replace(&format!("{{={kind}}}"), "7"));
    if refusal.number().starts_with('B') { format!("septum: {PREFIX}{filled}") } else { filled }
}

#[test]
fn every_refusal_is_found_in_its_own_line() {
    for refusal in Refusal::ALL {
        assert_eq!(Refusal::in_line(&line(*refusal)), Some(*refusal), "{}", line(*refusal));
    }
}

#[test]
fn every_line_begins_as_the_tools_expect_and_has_no_value_left() {
    for refusal in Refusal::ALL {
        let line = line(*refusal);
        let begins = line.trim_start_matches("septum: ").starts_with(PREFIX);
        assert!(begins != line.contains(NOT_STARTED) && !line.contains(['{', '}']), "{line}");
    }
}

#[test]
fn numbers_differ_and_rise_within_their_letter() {
    let numbers: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.number()).collect();
    assert_eq!(numbers.len(), Refusal::ALL.len());
    for letter in numbers.iter().map(|number| &number[..1]).collect::<BTreeSet<_>>() {
        let of_letter: Vec<_> = numbers.iter().filter(|number| number.starts_with(letter)).copied().collect();
        let expected: Vec<_> = (1..=of_letter.len()).map(|index| format!("{letter}{index:02}")).collect();
        assert_eq!(of_letter, expected);
    }
}

#[test]
fn every_refusal_says_what_is_compared_and_what_to_do() {
    for refusal in Refusal::ALL {
        let (compared, advice) = (refusal.compared(), refusal.advice());
        assert!(!compared.is_empty() && !advice.is_empty() && !advice.ends_with('.'), "{refusal:?}");
    }
}
