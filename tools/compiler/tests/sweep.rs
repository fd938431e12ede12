//! No bit of a plan is without effect: whichever is flipped, with all seals made right again, [`verify`] refuses the
//! image or `inspect` shows it.
#![allow(clippy::unwrap_used)]

#[path = "common/files.rs"]
mod files;
#[path = "common/forge.rs"]
mod forge;
#[path = "common/shipped.rs"]
mod shipped;
#[path = "common/support.rs"]
mod support;

use forge::{Forged, Place};
use septum_compiler::board::PaSpan;
use septum_compiler::image;
use septum_compiler::inspect::inspect;
use septum_compiler::system::{self, CONSOLE_IPA, System};
use septum_compiler::verify::verify;
use septum_plan::frames::GICR_BYTES;
use septum_plan::{DeviceKind, DeviceRecord, PlanHeader, space};

/// Which bits of a byte are flipped.
type Bits = fn(byte: usize) -> std::ops::Range<usize>;

/// Flips bits of Image header, boot block, plan and the zeroes behind it, one at a time; says which flips nobody notices.
fn unnoticed(system: &System, bits: Bits) -> Vec<Place> {
    let mut forged = Forged::new(system);
    let shown = inspect(forged.image()).unwrap();
    let mut unnoticed = Vec::new();
    for place in forged.places() {
        for bit in bits(place.byte) {
            forged.flip(place.byte, bit);
            let seen = verify(forged.image()).is_err() || inspect(forged.image()).is_ok_and(|now| now != shown);
            if !seen {
                unnoticed.push(Place { bit, ..place });
            }
            forged.flip(place.byte, bit);
        }
    }
    verify(forged.image()).unwrap();
    unnoticed
}

fn check(systems: &[System], bits: Bits) {
    for system in systems {
        let found = unnoticed(system, bits);
        let found = (found.len(), forge::list(&found));
        assert!(found.0 == 0, "{} on {}: {} bits:\n{}", system.config, system.board.name, found.0, found.1);
    }
}

/// The hand-written systems, with everything that the checker could add to them.
fn systems() -> [System; 2] {
    let mut systems = support::systems();
    // No more pieces of GICR than cores: every look walks them all.
    systems[0].board.gic.redistributors = Some(support::span(0x080a_0000, 0x8_0000));
    for system in &mut systems {
        let one = &mut system.partitions[0];
        one.emulate(system::console(CONSOLE_IPA, &[]));
        one.trap_physical_timer = true;
        one.arguments = [1, 2, 3, 4];
        system.board.counter_hz = Some(62_500_000);
        (system.console.clock_hz, system.console.baud) = (Some(48_000_000), Some(115_200));
    }
    systems
}

#[test]
fn no_flipped_bit_of_a_plan_on_gicv3_goes_unnoticed() {
    check(&systems()[..1], |_| 0..8);
}

#[test]
fn no_flipped_bit_of_a_plan_on_gicv2_goes_unnoticed() {
    check(&systems()[1..], |_| 0..8);
}

/// The same with what the checker makes of files, one configuration for each board, and one bit of each byte: which one
/// follows from the byte's place.
#[test]
fn no_flipped_byte_of_a_shipped_configurations_plan_goes_unnoticed() {
    let mut boards = std::collections::BTreeSet::new();
    let mut systems = shipped::systems();
    systems.retain(|system| boards.insert(system.board.name.clone()));
    systems.iter_mut().for_each(forge::cut_payloads);
    check(&systems, |byte| {
        let bit = (byte ^ (byte / 8)) % 8;
        bit..bit + 1
    });
}

/// Changes the plan's header by `change`, seals, and says what [`verify`] finds.
fn refusal(system: &System, change: impl FnOnce(&mut PlanHeader)) -> String {
    let mut forged = Forged::new(system);
    forged.change(change);
    verify(forged.image()).unwrap_err().to_string()
}

/// Addresses that are right for another device: single bits of the sweep hardly make them.
#[test]
fn one_devices_address_in_anothers_place_is_refused() {
    let [v3, v2] = systems();
    let place = DeviceKind::place;
    let swapped = |system, one: DeviceKind, other: DeviceKind| {
        refusal(system, |PlanHeader { devices, .. }| {
            let va = devices[place(one)].va;
            devices[place(one)].va = std::mem::replace(&mut devices[place(other)].va, va);
        })
    };
    let unmapped = "is not mapped as a device of EL2";
    let distributor = swapped(&v3, DeviceKind::Gicd, DeviceKind::Gicr);
    assert!(distributor.contains(unmapped), "{distributor}");
    let interface = swapped(&v2, DeviceKind::Gich, DeviceKind::Gicc);
    assert!(interface.contains(unmapped), "{interface}");
    let shifted = refusal(&v3, |header| header.devices[place(DeviceKind::Gicr)].va += 0x1_0000);
    assert!(shifted.contains(unmapped), "{shifted}");
    let shorter = refusal(&v3, |header| {
        let gicr = &mut header.devices[place(DeviceKind::Gicr)];
        (gicr.va, gicr.pa, gicr.bytes) = (gicr.va + space::GICR_STRIDE, gicr.pa + GICR_BYTES, 3 * GICR_BYTES);
    });
    assert!(shorter.contains("is shorter than its registers"), "{shorter}");
}

/// Records of which each is right, but not for this plan, or not in this place.
#[test]
fn a_device_that_the_plan_cannot_have_is_refused() {
    type Change = fn(&mut PlanHeader);
    let cases: [(usize, Change, &str); 7] = [
        (0, |h| h.devices[5].driver = 2, "the device of kind 6 has no bytes"),
        (0, |h| h.devices[5] = DeviceRecord { kind: 6, ..h.devices[1] }, "the device of kind 6 has no driver"),
        (0, |h| h.devices.swap(1, 4), "the device of kind 2 is of another"),
        (0, |h| h.devices[1].baud = 1, "the device of kind 2 has what only a UART has"),
        (0, |h| h.devices[6] = DeviceRecord { kind: 7, va: 0, ..h.devices[1] }, "are not those of its interrupt"),
        (1, |h| h.devices[6] = DeviceRecord::NONE, "are not those of its interrupt"),
        (1, |h| h.devices[4] = DeviceRecord { kind: 5, ..h.devices[1] }, "are not those of its interrupt"),
    ];
    for (system, change, expected) in cases {
        let found = refusal(&systems()[system], change);
        assert!(found.contains(expected), "{expected}: {found}");
    }
}

/// No address or length of a device, however large, makes [`verify`] panic or take long.
#[test]
fn devices_without_end_are_refused() {
    for system in systems() {
        let forged = Forged::new(&system);
        let devices: Vec<_> = forged.places().into_iter().filter(|place| place.record == "device").collect();
        for field in devices.chunks(8).filter(|field| field[0].offset < 24) {
            for value in [u64::MAX, 1 << 63, (1 << 52) - 1, 1 << 51] {
                let mut forged = Forged::new(&system);
                forged.write(field[0].byte, value);
                verify(forged.image()).unwrap_err();
            }
        }
    }
}

/// GICV in front of memory that two partitions then have: record and regions agree, and RAM tells.
#[test]
fn gicv_is_nowhere_in_ram() {
    let [_, mut system] = systems();
    let ram = septum_stage2::Pa::new(0x7000_0000);
    let gicv = system.board.gic.virtual_cpu.unwrap();
    system.board.gic.virtual_cpu = Some(PaSpan { start: ram, ..gicv });
    let regions = system.partitions.iter_mut().flat_map(|partition| &mut partition.regions);
    regions.filter(|region| region.pa == gicv.start).for_each(|region| region.pa = ram);
    let refusal = image::build(&system, &support::el2_elf()).unwrap_err().to_string();
    assert!(refusal.contains("GICV at [0x70000000..0x70002000) is in RAM"), "{refusal}");
}
