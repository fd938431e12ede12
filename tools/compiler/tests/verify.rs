//! The proof catches what it must: damage, widened tables, and configurations that the checker should have refused.
#![allow(clippy::unwrap_used)]

#[path = "common/files.rs"]
mod files;
#[path = "common/shipped.rs"]
mod shipped;
#[path = "common/support.rs"]
mod support;

use proptest::prelude::*;
use septum_compiler::board::{Core, Device};
use septum_compiler::el2_elf::El2;
use septum_compiler::image::{self, BuildError};
use septum_compiler::system::{self, Region, System};
use septum_compiler::verify::{self, VerifyError, Violation, verify};
use septum_plan::{BootBlock, CoreRecord, DeviceKind, PlanHeader, RegionKind, SegmentRecord, UartKind, boot, space};
use septum_stage2::walk::TablePage;
use septum_stage2::{Access, Ipa, Pa};
use zerocopy::{FromBytes, IntoBytes};

fn build(system: &System) -> Vec<u8> {
    image::build(system, &support::el2_elf()).unwrap().into_bytes()
}

fn block(image: &[u8]) -> BootBlock {
    BootBlock::read_from_prefix(&image[boot::OFFSET..]).unwrap().0
}

/// Makes both seals right again, so that only the walk can notice a change.
fn reseal(image: &mut [u8]) {
    let mut block = block(image);
    let start = (block.plan - block.load) as usize;
    block.sealed = septum_plan::seal(&image[start..start + block.sealed_bytes as usize]);
    image[boot::OFFSET..boot::OFFSET + size_of::<BootBlock>()].copy_from_slice(block.sealed().as_bytes());
}

fn violations(result: Result<impl std::fmt::Debug, BuildError>) -> Vec<Violation> {
    match result {
        Err(BuildError::Unproven(VerifyError::Violations(violations))) => violations,
        other => panic!("{other:?}"),
    }
}

/// All tables that the walks pass.
fn tables(image: &[u8]) -> Vec<TablePage> {
    let verified = verify(image).unwrap();
    let el2 = verified.el2.loaders.iter().chain([&verified.el2.run, &verified.el2.boot]);
    let reached = verified.partitions.iter().map(|partition| &partition.reached).chain(el2);
    let mut tables: Vec<_> = reached.flat_map(|reached| reached.tables.iter().copied()).collect();
    tables.sort_by_key(|table| table.pa);
    tables.dedup();
    tables
}

#[test]
fn a_good_image_is_what_its_configuration_says() {
    for system in support::systems() {
        let image = build(&system);
        let verified = verify(&image).unwrap();
        assert_eq!(verified.partitions.len(), 3);
        let sizes = verified.partitions.iter().map(|p| p.reached.stretches.iter().map(|s| s.size).sum::<u64>());
        let expected = system.partitions.iter().map(|p| p.regions.iter().map(|r| r.size).sum::<u64>());
        assert!(sizes.eq(expected));
    }
}

/// Every bit of a sample of descriptors in every table: the seal is made right again, so the walk must notice.
#[test]
fn any_flipped_bit_of_any_table_is_noticed_by_the_walk() {
    for system in support::systems() {
        let mut image = build(&system);
        let noticed = flips(&mut image, |_| (0..64).collect());
        assert!(noticed > 1000);
    }
}

/// The same for every shipped configuration, with the bits that can widen access and one more that changes from
/// descriptor to descriptor. Payloads are cut, because each try would hash them; no table depends on their length
/// but those of EL2's loader roots.
#[test]
fn a_widened_descriptor_of_a_shipped_configuration_is_noticed_by_the_walk() {
    const WIDENING: [usize; 13] = [0, 1, 5, 6, 7, 10, 12, 16, 21, 30, 47, 52, 54];
    for mut system in shipped::systems() {
        for partition in &mut system.partitions {
            partition.segments.iter_mut().for_each(|segment| segment.bytes.truncate(0x1001));
            partition.segments = system::cover(&partition.regions, std::mem::take(&mut partition.segments));
        }
        let noticed = flips(&mut build(&system), |place| WIDENING.into_iter().chain([place * 7 % 64]).collect());
        assert!(noticed > 500, "{}", system.config);
    }
}

/// Flips each of `bits(place)` of a sample of descriptors of every table, and panics where [`verify`] does not notice;
/// says how many it noticed.
fn flips(image: &mut [u8], bits: impl Fn(usize) -> Vec<usize>) -> usize {
    let load = block(image).load;
    let mut noticed = 0;
    for table in tables(image) {
        let first = (table.pa.get() - load) as usize;
        for word in sample(&image[first..first + table.bytes as usize]) {
            for bit in bits(first / 8 + word) {
                let place = first + word * 8 + bit / 8;
                image[place] ^= 1 << (bit % 8);
                reseal(image);
                let refused = matches!(verify(image), Err(VerifyError::Violations(_)));
                assert!(refused, "{table:?} descriptor {word} bit {bit}");
                image[place] ^= 1 << (bit % 8);
                noticed += 1;
            }
        }
    }
    reseal(image);
    verify(image).unwrap();
    noticed
}

/// Up to two used and two unused descriptors of a table.
fn sample(table: &[u8]) -> Vec<usize> {
    let words: Vec<u64> = table.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    let used = |wanted: bool| words.iter().enumerate().filter(move |(_, word)| (**word != 0) == wanted).map(|(i, _)| i);
    let mut places: Vec<usize> = used(true).take(1).chain(used(true).next_back()).collect();
    places.extend(used(false).take(1).chain(used(false).next_back()));
    places.sort_unstable();
    places.dedup();
    places
}

#[test]
fn any_flipped_bit_of_boot_block_plan_or_tables_breaks_a_seal() {
    let mut image = build(&support::systems()[0]);
    let block = block(&image);
    let start = (block.plan - block.load) as usize;
    let sealed = (start..start + block.sealed_bytes as usize).step_by(251);
    let boot_block = boot::OFFSET..boot::OFFSET + size_of::<BootBlock>();
    for (index, byte) in boot_block.chain(sealed).enumerate() {
        let bit = 1 << (index % 8);
        image[byte] ^= bit;
        assert!(matches!(verify(&image), Err(VerifyError::Image(_))), "byte {byte:#x}");
        image[byte] ^= bit;
    }
}

#[test]
fn a_damaged_payload_is_noticed() {
    let mut image = build(&support::systems()[0]);
    let end = image.len() - 0x1000;
    image[end] ^= 1;
    let Err(VerifyError::Violations(found)) = verify(&image) else { panic!("not noticed") };
    assert!(matches!(&found[..], [Violation::Segment { partition, .. }] if partition == "three"), "{found:?}");
}

#[test]
fn two_partitions_on_the_same_memory_give_no_image() {
    let [mut system, _] = support::systems();
    system.partitions[1].regions[0].pa = Pa::new(0x50e0_0000);
    let found = violations(image::build(&system, &support::el2_elf()));
    let text = "[0x50e00000..0x51000000) is reached as `ram` of partition `one` and as `ram` of partition `two`";
    assert!(found.iter().any(|violation| violation.to_string() == text), "{found:#?}");
}

/// Changes the plan of `system`'s image and says what the walk finds then.
fn found_in_plan(system: &System, change: impl FnOnce(&mut [u8], PlanHeader)) -> String {
    let mut image = build(system);
    let start = (block(&image).plan - block(&image).load) as usize;
    let header = PlanHeader::read_from_prefix(&image[start..]).unwrap().0;
    change(&mut image[start..], header);
    reseal(&mut image);
    let Err(VerifyError::Violations(found)) = verify(&image) else { panic!("not noticed") };
    found.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn two_cores_with_one_affinity_are_refused() {
    let [system, _] = support::systems();
    let found = found_in_plan(&system, |plan, header| {
        let first = header.cores.offset as usize;
        let second = first + size_of::<CoreRecord>();
        plan.copy_within(first..first + 8, second);
    });
    assert!(found.contains("cores 0 and 1 have the same MPIDR 0x0"), "{found}");
}

/// Changes a record of the first partition's segments, of which there is one, and says what the walk finds then.
fn found_in_segment(change: impl FnOnce(&mut SegmentRecord)) -> String {
    let [system, _] = support::systems();
    assert_eq!(system.partitions[0].segments.len(), 1);
    found_in_plan(&system, |plan, header| {
        let bytes = &mut plan[header.segments.offset as usize..][..size_of::<SegmentRecord>()];
        let mut record = SegmentRecord::read_from_bytes(bytes).unwrap();
        change(&mut record);
        bytes.copy_from_slice(record.as_bytes());
    })
}

#[test]
fn memory_of_which_no_segment_says_what_it_holds_is_refused() {
    let at = |ipa| format!("memory `ram` of partition `one`: no segment says what lies at IPA {ipa:#x} at its start");
    assert_eq!(found_in_segment(|segment| segment.zero_bytes -= 0x1000), at(0x40ff_f000));
    assert!(found_in_segment(|segment| segment.keep_bytes += 0x1000).contains(&at(0x4100_1000)));
    let moved =
        found_in_segment(|segment| (segment.ipa, segment.target_va) = (segment.ipa + 64, segment.target_va + 64));
    assert!(moved.contains(&at(0x4000_0000)), "{moved}");
}

#[test]
fn memory_that_stays_as_it_is_is_told_and_must_be_in_the_configuration() {
    let [mut system, _] = support::systems();
    let el2 = El2::read(&support::el2_elf()).unwrap();
    assert!(verify(&build(&system)).unwrap().kept.is_empty());
    let partition = &mut system.partitions[1];
    partition.regions[1].keep = true;
    partition.segments.retain(|segment| segment.ipa.get() == 0x4000_0000);
    partition.segments[0].zero_bytes = 0x100;
    partition.segments = system::cover(&partition.regions, std::mem::take(&mut partition.segments));
    let image = build(&system);
    assert_eq!(verify(&image).unwrap().kept, ["`constants` of `two`"]);
    system.partitions[1].regions[1].keep = false;
    let Err(VerifyError::Violations(found)) = verify::prove(&system, &el2, &image) else { panic!("proved") };
    assert_eq!(found[0].to_string(), "`two`: image and configuration disagree about the memory that stays as it is");
}

/// All memory of a partition, and no other partition's, is in its loader root: with blocks, and one table for each GiB.
#[test]
fn a_loader_root_maps_just_its_partitions_memory_and_payload() {
    for system in support::systems() {
        let image = build(&system);
        let verified = verify(&image).unwrap();
        for (partition, loader) in system.partitions.iter().zip(&verified.el2.loaders) {
            let memory = partition.regions.iter().filter(|region| region.kind == RegionKind::Memory);
            let expected: Vec<_> = memory.map(|region| (region.pa.get(), region.pa.get() + region.size)).collect();
            let window = loader.stretches.iter().filter(|reach| reach.input >= space::LOADER_VA);
            let writable: Vec<_> = window.clone().filter(|reach| reach.access == Access::RW).collect();
            let bytes =
                |spans: &mut dyn Iterator<Item = (u64, u64)>| spans.map(|(start, end)| end - start).sum::<u64>();
            let spans = || writable.iter().map(|reach| (reach.pa, reach.pa + reach.size));
            assert_eq!(bytes(&mut spans()), bytes(&mut expected.iter().copied()), "{}", partition.name);
            let inside = |(start, end): (u64, u64)| {
                let covered = expected.iter().map(|(from, to)| (start.max(*from), end.min(*to))).filter(|(a, b)| a < b);
                bytes(&mut covered.into_iter()) == end - start
            };
            assert!(spans().all(inside), "{}", partition.name);
            assert!(window.filter(|reach| reach.access == Access::R).count() >= 1, "the payload");
        }
    }
}

#[test]
fn the_log_uarts_interrupt_is_nobody_elses_and_the_configurations() {
    let [system, _] = support::systems();
    let owned = system.partitions[2].interrupts[0];
    let change = |plan: &mut [u8], mut header: PlanHeader| {
        header.devices[DeviceKind::Uart.place()].intid = owned;
        plan[..size_of::<PlanHeader>()].copy_from_slice(header.as_bytes());
    };
    let found = found_in_plan(&system, change);
    assert!(found.contains(&format!("interrupt {owned} belongs to both `EL2` and `three`")), "{found}");
}

#[test]
fn a_cpu_interface_longer_than_any_is_shared_memory() {
    let [_, mut system] = support::systems();
    for partition in &mut system.partitions {
        let at = partition.cpu_interface;
        let region = partition.regions.iter_mut().find(|region| Some(region.ipa) == at).unwrap();
        region.size = 0x3_0000;
    }
    let found = violations(image::build(&system, &support::el2_elf()));
    let shared = found.iter().filter(|violation| matches!(violation, Violation::Shared { .. })).count();
    assert!(shared >= 3, "{found:#?}");
}

/// What each change of a good system must be called.
#[test]
fn nobody_reaches_what_is_not_his() {
    type Change = fn(&mut System);
    let cases: [(&str, Change, &str); 8] = [
        ("EL2's memory", |s| last(s).pa = Pa::new(0x4020_0000), "memory of EL2"),
        ("the distributor", |s| last(s).pa = Pa::new(0x0800_0000), "`gicd` of EL2"),
        ("a redistributor", |s| last(s).pa = Pa::new(0x080c_0000), "`gicr` of EL2"),
        ("the log's UART", |s| last(s).pa = Pa::new(0x0900_0000), "`uart0` of EL2"),
        ("a third end of a channel", |s| third_end(s), "has 3 ends"),
        ("its own memory twice", |s| last(s).pa = Pa::new(0x5400_0000), "`ram` of partition `three`"),
        ("an emulated distributor", |s| last(s).ipa = Ipa::new(0x0800_0000), "emulates the distributor"),
        ("another's interrupt", |s| s.partitions[0].interrupts = vec![40], "interrupt 40 belongs to both"),
    ];
    for (what, change, expected) in cases {
        let [mut system, _] = support::systems();
        change(&mut system);
        system.partitions[2].regions.sort_by_key(|region| region.ipa);
        let found = violations(image::build(&system, &support::el2_elf()));
        assert!(found.iter().any(|violation| violation.to_string().contains(expected)), "{what}: {found:#?}");
    }
}

#[test]
fn a_board_that_cannot_be_is_not_proved() {
    let frame = "is not where such registers can be";
    let cases: [Case; 6] = [
        ("nine cores on a GICv2", 1, five_more_cores, "more cores than the interrupt controller has interfaces"),
        ("a GICv3's distributor within 64 KiB", 0, |s| s.board.gic.distributor.start = Pa::new(0x0800_1000), frame),
        ("GICV within a page", 1, |s| s.board.gic.virtual_cpu = Some(support::span(0xff84_6800, 0x2000)), frame),
        ("a UART at no word", 0, |s| log_uart(s).registers[0] = support::span(0x0900_0002, 0x800), frame),
        ("a mini-UART without AUX_ENABLES", 0, |s| s.console.kind = UartKind::Bcm2835Aux, frame),
        (
            "a UART without its last register",
            0,
            |s| log_uart(s).registers[0].size = 0x44,
            "is shorter than its registers",
        ),
    ];
    for (what, which, change, expected) in cases {
        let mut system = support::systems()[which].clone();
        change(&mut system);
        let found = violations(image::build(&system, &support::el2_elf()));
        assert!(found.iter().any(|violation| violation.to_string().contains(expected)), "{what}: {found:#?}");
    }
}

/// What is tried, on which of the systems, by what change, and what is found.
type Case = (&'static str, usize, fn(&mut System), &'static str);

fn five_more_cores(system: &mut System) {
    let core = |n: u64| Core { mpidr: 0x100 + n, release: Some(Pa::new(0x200 + 8 * n)) };
    system.board.cores.extend((0..5).map(core));
}

/// The device that carries the log.
fn log_uart(system: &mut System) -> &mut Device {
    let name = system.console.device.clone();
    system.board.devices.iter_mut().find(|device| device.name == name).unwrap()
}

/// The registers of partition three.
fn last(system: &mut System) -> &mut Region {
    system.partitions[2].regions.iter_mut().find(|region| region.name == "uart1").unwrap()
}

fn third_end(system: &mut System) {
    let channel = system.partitions[1].regions[2].clone();
    system.partitions[0].regions.push(channel);
}

#[test]
fn an_image_of_another_configuration_is_not_proved() {
    let [system, _] = support::systems();
    let (image, el2) = (build(&system), El2::read(&support::el2_elf()).unwrap());
    let changed = |change: fn(&mut System)| {
        let mut other = system.clone();
        change(&mut other);
        let Err(VerifyError::Violations(found)) = verify::prove(&other, &el2, &image) else { panic!("proved") };
        found.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(
        changed(|s| s.partitions[0].regions[0].access = Access::RW),
        "`one`: image and configuration disagree about the regions"
    );
    assert_eq!(
        changed(|s| s.partitions[1].segments[0].bytes[7] = 0),
        "`two`: image and configuration disagree about the payload"
    );
    assert_eq!(
        changed(|s| s.partitions[2].interrupts.clear()),
        "`three`: image and configuration disagree about the interrupts"
    );
    assert_eq!(
        changed(|s| log_uart(s).interrupts.clear()),
        "board: image and configuration disagree about the console's interrupt"
    );
    assert_eq!(
        changed(|s| log_uart(s).registers[0].size += 0x1000),
        "board: image and configuration disagree about the devices"
    );
    assert_eq!(changed(|s| s.board.ram[0].size += 0x1000), "board: image and configuration disagree about the RAM");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_it_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..40),
        sealed in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut image = build(&support::systems()[0]);
        let plan = block(&image).plan - block(&image).load;
        for (place, value, early) in damage {
            // The plan's records are few among the bytes, but where most fields are.
            let byte = if early { plan as usize + place.index(0x1000) } else { place.index(image.len()) };
            image[byte] = value;
        }
        if sealed && verify_frame(&image) {
            reseal(&mut image);
        }
        image.truncate(cut.map_or(image.len(), |cut| cut.index(image.len())));
        let _ = verify(&image);
    }
}

/// Whether the boot block still leads to a sealed range.
fn verify_frame(image: &[u8]) -> bool {
    let block = block(image);
    let start = block.plan.checked_sub(block.load);
    start.and_then(|start| start.checked_add(block.sealed_bytes)).is_some_and(|end| end <= image.len() as u64)
}
