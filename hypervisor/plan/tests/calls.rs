//! The table of calls holds together: no number means two calls, and the numbers say what SMCCC makes of them.

use septum_plan::calls::{CALLS, Call, FACTS, Firmware, Information, Kind, Own, SMC64};

fn calls() -> impl Iterator<Item = &'static Call> {
    CALLS.iter().copied().flatten()
}

#[test]
fn no_number_means_two_calls() {
    let mut ranges: Vec<_> =
        calls().flat_map(|call| call.numbers).map(|numbers| (numbers.first, numbers.last)).collect();
    ranges.sort_unstable();
    assert!(ranges.iter().all(|(first, last)| first <= last));
    assert!(ranges.array_windows().all(|[(_, last), (first, _)]| last < first), "{ranges:#x?}");
}

#[test]
fn every_number_is_of_its_own_family_and_no_other() {
    for (own, numbers) in [true, false]
        .into_iter()
        .zip(CALLS)
        .flat_map(|(own, calls)| calls.iter().flat_map(|call| call.numbers).map(move |numbers| (own, numbers)))
    {
        for number in numbers.first..=numbers.last {
            assert_eq!((Own::of(number).is_some(), Firmware::of(number).is_some()), (own, !own), "{number:#x}");
        }
    }
    for number in [0x8400_0005, 0x8400_0007, 0x8400_0012, 0xc400_0000, 0xc600_0000, 0xc600_0004, 0xc700_0001, u32::MAX]
    {
        assert_eq!((Own::of(number), Firmware::of(number)), (None, None), "{number:#x}");
    }
}

#[test]
fn every_number_is_a_fast_call_and_two_forms_differ_in_the_bit_that_says_so() {
    for call in calls() {
        // DEN0028 2.5: bit 31 fast call, bits 23:17 zero.
        assert!(
            call.numbers.iter().all(|numbers| numbers.first >> 31 == 1 && numbers.first & 0x00fe_0000 == 0),
            "{call:?}"
        );
        match call.numbers {
            [_] => {}
            [smc32, smc64] => {
                assert_eq!((smc32.first | SMC64, smc32.last | SMC64), (smc64.first, smc64.last), "{call:?}");
                assert!(smc32.name.ends_with("_32") && smc64.name.ends_with("_64"), "{call:?}");
            }
            _ => panic!("{call:?}"),
        }
    }
}

#[test]
fn arguments_and_results_find_room_in_the_registers() {
    for call in calls() {
        let registers =
            |values: &[septum_plan::calls::Value]| values.iter().map(|value| value.registers).sum::<usize>();
        assert!(registers(call.arguments) <= 7 && registers(call.results) <= 4, "{call:?}");
        assert!(call.arguments.iter().all(|argument| argument.kind != Kind::Code), "{call:?}");
        assert!(call.sentence.ends_with('.'), "{call:?}");
    }
}

#[test]
fn facts_are_numbered_from_0() {
    for (number, fact) in (0..).zip(FACTS) {
        assert_eq!(fact.number, number, "{fact:?}");
        assert!(Information::of(number).is_some(), "{fact:?}");
    }
    assert_eq!(Information::of(FACTS.len() as u64), None);
}
