//! Plans that nobody's compiler makes, with every seal right: [`verify`] refuses what contradicts itself or would be obeyed by
//! a terminal, and `inspect` shows what no other fact of the image can tell.
#![allow(clippy::unwrap_used)]

#[path = "common/forge.rs"]
mod forge;
#[path = "common/support.rs"]
mod support;

use std::mem::offset_of;

use forge::Forged;
use septum_compiler::image;
use septum_compiler::inspect::inspect;
use septum_compiler::system::System;
use septum_compiler::verify::verify;
use septum_plan::frames::Frame;
use septum_plan::{BootBlock, DeviceKind, DeviceRecord, EmulatedKind, PartitionRecord, PlanHeader, boot};
use zerocopy::{FromBytes, IntoBytes};

/// What [`verify`] says against the image of the system for GICv3, or with `v2` for GICv2, as `change` makes it.
fn built(v2: bool, change: impl FnOnce(&mut System)) -> String {
    let mut system = support::systems()[usize::from(v2)].clone();
    change(&mut system);
    match image::build(&system, &support::el2_elf()) {
        Ok(image) => verify(&image.into_bytes()).map_or_else(|error| error.to_string(), |_| String::new()),
        Err(error) => error.to_string(),
    }
}

/// An emulated console at `ipa` with interrupt `intid`.
fn console(ipa: u64, intid: u32) -> Frame {
    Frame { kind: EmulatedKind::Pl011, ipa, bytes: 0x1000, intid }
}

/// The same, where `change` is made to the record of partition `index`.
fn forged(v2: bool, index: usize, change: impl FnOnce(&mut PartitionRecord)) -> String {
    let mut forged = Forged::new(&support::systems()[usize::from(v2)]);
    let places = forged.places();
    let first = places.iter().find(|place| place.record == "partition" && place.index == index).unwrap().byte;
    let mut record = PartitionRecord::read_from_prefix(&forged.image()[first..]).unwrap().0;
    change(&mut record);
    for (at, word) in (first..).step_by(8).zip(record.as_bytes().as_chunks::<8>().0) {
        forged.write(at, u64::from_le_bytes(*word));
    }
    verify(forged.image()).map_or_else(|error| error.to_string(), |_| String::new())
}

#[test]
fn no_text_of_a_plan_moves_a_cursor_or_begins_a_line() {
    for (text, shown) in [("a\u{1b}[2J", "a\\u{1b}[2J"), ("a\nb", "a\\nb"), ("\u{202e}x", "\\u{202e}x"), ("", "")] {
        let found = [
            built(false, |system| system.partitions[1].name = text.into()),
            built(false, |system| system.partitions[1].regions[0].name = text.into()),
            built(false, |system| system.board.name = text.into()),
            built(false, |system| system.config_name = text.into()),
        ];
        for (found, kind) in found.iter().zip(["partition", "region", "board", "configuration"]) {
            assert!(found.contains(&format!("its plan is malformed: `{shown}` cannot name a {kind}")), "{found:?}");
        }
    }
}

#[test]
fn no_two_partitions_have_one_name() {
    let found = built(false, |system| system.partitions[0].name = "two".into());
    assert!(found.contains("two partitions are called `two`"), "{found}");
    for name in ["a b", "a`b", "a|", "a#"] {
        let found = built(false, |system| system.partitions[0].name = name.into());
        assert!(found.contains(&format!("`{name}` cannot name a partition")), "{found}");
    }
}

#[test]
fn a_partition_owns_shared_interrupts_and_cores() {
    for v2 in [false, true] {
        let spi = |intid| {
            built(v2, |system| {
                system.board.gic.spis = 5000;
                system.partitions[0].interrupts = vec![intid];
            })
        };
        assert_eq!(spi(1019), "");
        for intid in [1020, 1023, 1024, 4096] {
            assert!(spi(intid).contains("the interrupts of partition `one` are no SPIs"), "{}", spi(intid));
        }
        let found = built(v2, |system| system.partitions[0].cpus.clear());
        assert!(found.contains("the cores of partition `one` are none"), "{found}");
        let own = support::systems()[usize::from(v2)].partitions[2].interrupts[0];
        let found = built(v2, |system| system.partitions[2].emulate(console(0x3000_0000, own)));
        assert!(found.contains("the interrupts of partition `three` are no SPIs, or those of what is"), "{found}");
    }
}

#[test]
fn what_el2_emulates_is_one_thing_on_whole_pages_within_the_partitions_addresses() {
    for v2 in [false, true] {
        let seen_at = |ipa| built(v2, |system| system.partitions[2].emulate(console(ipa, 50)));
        assert_eq!(seen_at(0x3000_0000), "");
        for ipa in [0x3000_0010, 1 << 50] {
            let found = seen_at(ipa);
            assert!(found.contains(&format!("the console at {ipa:#x} overlaps other registers")), "{found}");
        }
        for ipa in [0x800_0000, 0xffff_ffff_ffff_f000] {
            assert!(!seen_at(ipa).is_empty(), "{ipa:#x}");
        }
        let moved = |by| built(v2, |system| system.partitions[0].emulated[0].ipa += by);
        assert!(moved(0x10).contains("the distributor at 0x8000010 overlaps"), "{}", moved(0x10));
    }
    let found = built(false, |system| system.partitions[0].emulated[1].ipa = 0x800_0000);
    assert!(found.contains("the redistributors of partition `one` is there twice, or not behind"), "{found}");
    let found = built(false, |system| system.partitions[0].emulated[1].bytes += 0x2_0000);
    assert!(found.contains("the redistributors of partition `one` has 0x40000 bytes, not 0x20000"), "{found}");
    let found = built(false, |system| system.partitions[0].emulated[0].intid = 50);
    assert!(found.contains("the distributor of partition `one` has an interrupt that it cannot have"), "{found}");
}

#[test]
fn a_partition_starts_at_an_instruction() {
    let found = forged(false, 0, |record| record.entry += 2);
    assert!(found.contains("starts at 0x40000002, where it may not or cannot execute"), "{found}");
}

/// Facts that boot block and plan both hold, changed in both.
#[test]
fn no_bit_of_what_boot_block_and_header_both_say_goes_unnoticed() {
    let facts = [
        (offset_of!(BootBlock, load), offset_of!(PlanHeader, load_pa), 64),
        (offset_of!(BootBlock, memory_bytes), offset_of!(PlanHeader, memory_bytes), 64),
        (offset_of!(BootBlock, boot_root), offset_of!(PlanHeader, boot_root), 64),
        (offset_of!(BootBlock, run_root), offset_of!(PlanHeader, run_root), 64),
        (offset_of!(BootBlock, tcr), offset_of!(PlanHeader, tcr), 64),
        (offset_of!(BootBlock, mair), offset_of!(PlanHeader, mair), 64),
        (offset_of!(BootBlock, console), offset_of!(PlanHeader, devices), 8 * size_of::<DeviceRecord>()),
    ];
    for system in support::systems() {
        let mut forged = Forged::new(&system);
        let shown = inspect(forged.image()).unwrap();
        let header = forged.places().iter().find(|place| place.record == "header").unwrap().byte;
        assert_eq!(DeviceKind::Uart.place(), 0, "the console is the first device");
        for (block, plan, bits) in facts {
            for bit in 0..bits {
                let flip = |forged: &mut Forged| {
                    forged.flip(boot::OFFSET + block + bit / 8, bit % 8);
                    forged.flip(header + plan + bit / 8, bit % 8);
                };
                flip(&mut forged);
                let seen = verify(forged.image()).is_err() || inspect(forged.image()).is_ok_and(|now| now != shown);
                flip(&mut forged);
                assert!(seen, "byte {plan} of the header, bit {bit}");
            }
        }
    }
}
