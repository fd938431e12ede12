//! A plan's bytes are checked field by field: each corruption has its name, and no bytes make the parser panic.
#![allow(clippy::unwrap_used)]

use std::mem::offset_of;

use proptest::prelude::*;
use septum_plan::affinity::VCPUS_MAX;
use septum_plan::frames::Frame;
use septum_plan::record::{MAGIC, NO_ADDRESS, NO_PARTITION, OWNER_BOARD, OWNER_EL2, VERSION};
use septum_plan::{
    CoreRecord, DeviceKind, DeviceRecord, EmulatedKind, EmulatedRecord, PartitionRecord, Plan, PlanError, PlanHeader,
    RamRecord, RegionRecord, SegmentRecord, Slice, Text,
};
use zerocopy::IntoBytes;

const PAGE: usize = 4096;
/// Where each array of [`plan`] starts.
const CORES: usize = size_of::<PlanHeader>();
const PARTITIONS: usize = CORES + 3 * size_of::<CoreRecord>();
const REGIONS: usize = PARTITIONS + 2 * size_of::<PartitionRecord>();
const SEGMENTS: usize = REGIONS + 4 * size_of::<RegionRecord>();
const RAM: usize = SEGMENTS + 2 * size_of::<SegmentRecord>();
const EMULATED: usize = RAM + size_of::<RamRecord>();
const INTERRUPTS: usize = EMULATED + 2 * size_of::<EmulatedRecord>();
const VCPUS: usize = INTERRUPTS + 4 * size_of::<u32>();
const STRINGS: usize = VCPUS + 4 * size_of::<u16>();

/// Words, so that the records are aligned as EL2 finds them.
struct Bytes(Vec<u64>);

impl Bytes {
    fn get(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn set(&mut self, offset: usize, value: &[u8]) {
        self.0.as_mut_bytes()[offset..offset + value.len()].copy_from_slice(value);
    }
}

/// Two partitions, three cores of which one is unused, and a page of tables behind.
fn plan() -> Bytes {
    let text = |offset: usize, length| Text { offset: (STRINGS + offset) as u32, length };
    let array = |offset: usize, count| Slice { offset: offset as u32, count };
    let of = |offset, count| Slice { offset, count };
    let device = |kind: DeviceKind| DeviceRecord { kind: kind.code(), driver: 1, ..DeviceRecord::NONE };
    let header = PlanHeader {
        magic: MAGIC,
        version: VERSION,
        header_bytes: size_of::<PlanHeader>() as u32,
        plan_bytes: PAGE as u64,
        sealed_bytes: 2 * PAGE as u64,
        load_pa: 0x4020_0000,
        memory_bytes: 0x10_0000,
        pa_range: 2,
        gic: 3,
        core_start: 2,
        board: text(0, 4),
        config: text(4, 9),
        cores: array(CORES, 3),
        partitions: array(PARTITIONS, 2),
        regions: array(REGIONS, 4),
        segments: array(SEGMENTS, 2),
        ram: array(RAM, 1),
        interrupts: array(INTERRUPTS, 4),
        devices: DeviceKind::ALL.iter().map(|kind| device(*kind)).collect::<Vec<_>>().try_into().unwrap(),
        emulated: array(EMULATED, 2),
        vcpus: array(VCPUS, 2),
        ..PlanHeader::default()
    };
    let core = |mpidr, partition| CoreRecord { mpidr, partition, ..CoreRecord::default() };
    let partition = |index: u32| PartitionRecord {
        name: text(13 + 3 * index as usize, 3),
        vcpus: of(index, 1),
        regions: of(index, 1),
        segments: of(index, 1),
        interrupts: of(2 * index, 2),
        vmid: 1 + index as u16,
        emulated: of(index, 1),
        ..PartitionRecord::default()
    };
    let region = |owner, ipa, pa, kind| RegionRecord {
        name: text(19, 3),
        ipa,
        pa,
        size: 0x20_0000,
        owner,
        kind,
        ..RegionRecord::default()
    };
    let segment =
        SegmentRecord { target_va: 0x40_0000_0000, file_bytes: 16, zero_bytes: 16, ..SegmentRecord::default() };
    let mut bytes = Bytes(vec![0; 2 * PAGE / 8]);
    bytes.set(0, header.as_bytes());
    bytes.set(CORES, [core(0, 0), core(1, 1), core(2, NO_PARTITION)].as_bytes());
    bytes.set(PARTITIONS, [partition(0), partition(1)].as_bytes());
    let regions = [
        region(0, 0x4000_0000, 0x5000_0000, 0),
        region(1, 0x3000_0000, 0x6000_0000, 0),
        region(OWNER_EL2, NO_ADDRESS, 0x4020_0000, 4),
        region(OWNER_BOARD, NO_ADDRESS, 0, 3),
    ];
    bytes.set(REGIONS, regions.as_bytes());
    bytes.set(SEGMENTS, [segment, segment].as_bytes());
    bytes.set(RAM, RamRecord { pa: 0x4000_0000, va: 0x10_0000_0000, size: 0x4000_0000 }.as_bytes());
    let console = Frame { kind: EmulatedKind::Pl011, ipa: 0x900_0000, bytes: 0x1000, intid: 33 };
    bytes.set(EMULATED, [console.record(), console.record()].as_bytes());
    bytes.set(INTERRUPTS, [1_u32, 2, 3, 4].as_bytes());
    bytes.set(VCPUS, [0_u16, 1].as_bytes());
    bytes.set(STRINGS, b"virttest.tomlonetworam");
    bytes
}

/// What becomes of the plan with `value` at `offset`.
fn with(offset: usize, value: impl IntoBytes + zerocopy::Immutable) -> Result<(), PlanError> {
    let mut bytes = plan();
    bytes.set(offset, value.as_bytes());
    Plan::parse_unsealed(bytes.get()).map(|_| ())
}

/// Reads everything that a plan gives: none of it may panic.
fn read_all(plan: &Plan<'_>) -> usize {
    let mut read = plan.board().len() + plan.config().len() + plan.cores().len() + plan.ram().len();
    for partition in plan.partitions() {
        read += plan.text(partition.name).len() + plan.vcpus(partition).len() + plan.segments(partition).len();
        read += plan.regions_of(partition).iter().map(|region| plan.text(region.name).len()).sum::<usize>();
        read += plan.interrupts(partition).len();
    }
    read + plan.regions().len()
}

#[test]
fn a_good_plan_reads_back_as_it_was_written() {
    let bytes = plan();
    let plan = Plan::parse(bytes.get(), septum_plan::seal(bytes.get())).unwrap();
    assert_eq!((plan.board(), plan.config()), ("virt", "test.toml"));
    let names: Vec<_> = plan.partitions().iter().map(|partition| plan.text(partition.name)).collect();
    assert_eq!(names, ["one", "two"]);
    let second = &plan.partitions()[1];
    assert_eq!((plan.vcpus(second), plan.interrupts(second)), (&[1][..], &[3, 4][..]));
    assert_eq!(plan.regions_of(second)[0].pa, 0x6000_0000);
    assert_eq!(plan.segments(second)[0].file_bytes, 16);
}

#[test]
fn a_wrong_seal_is_refused() {
    let bytes = plan();
    let seal = septum_plan::seal(bytes.get());
    assert_eq!(Plan::parse(bytes.get(), seal ^ 1).map(|_| ()), Err(PlanError::Seal));
    let mut damaged = plan();
    damaged.set(2 * PAGE - 1, &[1]);
    assert_eq!(Plan::parse(damaged.get(), seal).map(|_| ()), Err(PlanError::Seal), "the tables are sealed too");
}

#[test]
fn every_corrupted_field_of_the_header_is_named() {
    use PlanError::{Code, Index, Length, Range, Slice as Array, Text as String, Version};
    let far = Slice { offset: u32::MAX, count: 1 };
    let odd = Slice { offset: 221, count: 1 };
    let long = Slice { offset: 0, count: u32::MAX };
    let cases = [
        (with(offset_of!(PlanHeader, magic), [0_u8]), PlanError::Magic),
        (with(offset_of!(PlanHeader, version), 7_u32), Version(7)),
        (with(offset_of!(PlanHeader, header_bytes), 8_u32), Length),
        (with(offset_of!(PlanHeader, plan_bytes), u64::MAX), Length),
        (with(offset_of!(PlanHeader, plan_bytes), 2 * PAGE as u64 + 1), Length),
        (with(offset_of!(PlanHeader, sealed_bytes), PAGE as u64), Length),
        (with(offset_of!(PlanHeader, memory_bytes), u64::MAX), Range("memory_bytes")),
        (with(offset_of!(PlanHeader, pa_range), 6_u8), Code("pa_range")),
        (with(offset_of!(PlanHeader, gic), 1_u8), Code("gic")),
        (with(offset_of!(PlanHeader, core_start), 99_u8), Code("core_start")),
        (with(offset_of!(PlanHeader, board), Text { offset: u32::MAX, length: u32::MAX }), String("board")),
        (with(offset_of!(PlanHeader, config), Text { offset: PAGE as u32, length: 1 }), String("config")),
        (with(offset_of!(PlanHeader, cores), far), Array("cores")),
        (with(offset_of!(PlanHeader, partitions), odd), Array("partitions")),
        (with(offset_of!(PlanHeader, vcpus), odd), Array("vcpus")),
        (with(offset_of!(PlanHeader, regions), long), Array("regions")),
        (with(offset_of!(PlanHeader, segments), far), Array("segments")),
        (with(offset_of!(PlanHeader, ram), odd), Array("ram")),
        (with(offset_of!(PlanHeader, interrupts), long), Array("interrupts")),
        (with(offset_of!(PlanHeader, emulated), odd), Array("emulated")),
        (with(offset_of!(PlanHeader, vcpus), Slice::default()), Index("partition.vcpus")),
        (with(STRINGS, [0xff_u8]), String("board")),
    ];
    for (index, (found, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found, Err(expected), "case {index}");
    }
}

#[test]
fn every_corrupted_field_of_a_record_is_named() {
    use PlanError::{Code, Index, Range, Text as String};
    let nowhere = Text { offset: u32::MAX, length: 1 };
    let beyond = Slice { offset: 3, count: 2 };
    let wraps = u64::MAX - 0xf;
    let core = |field| CORES + size_of::<CoreRecord>() + field;
    let partition = |field| PARTITIONS + size_of::<PartitionRecord>() + field;
    let region = |field| REGIONS + size_of::<RegionRecord>() + field;
    let segment = |field| SEGMENTS + size_of::<SegmentRecord>() + field;
    let emulated = |field| EMULATED + size_of::<EmulatedRecord>() + field;
    let device =
        |kind: DeviceKind, field| offset_of!(PlanHeader, devices) + kind.place() * size_of::<DeviceRecord>() + field;
    let console = |field| device(DeviceKind::Uart, field);
    let cases = [
        (with(console(offset_of!(DeviceRecord, driver)), 0_u8), Code("device.driver")),
        (with(console(offset_of!(DeviceRecord, intid)), 1020_u32), Code("device.intid")),
        (with(device(DeviceKind::Power, offset_of!(DeviceRecord, driver)), 99_u8), Code("device.driver")),
        (with(core(offset_of!(CoreRecord, partition)), 2_u16), Index("core.partition")),
        (with(core(offset_of!(CoreRecord, vcpu)), 1_u16), Index("core.vcpu")),
        (with(VCPUS, 3_u16), Index("vcpus")),
        (with(partition(offset_of!(PartitionRecord, name)), nowhere), String("partition.name")),
        (with(partition(offset_of!(PartitionRecord, vcpus)), beyond), Index("partition.vcpus")),
        (with(partition(offset_of!(PartitionRecord, regions)), beyond), Index("partition.regions")),
        (with(partition(offset_of!(PartitionRecord, segments)), beyond), Index("partition.segments")),
        (with(partition(offset_of!(PartitionRecord, interrupts)), beyond), Index("partition.interrupts")),
        (with(partition(offset_of!(PartitionRecord, emulated)), beyond), Index("partition.emulated")),
        (with(emulated(offset_of!(EmulatedRecord, intid)), 31_u32), Code("emulated.intid")),
        (with(emulated(offset_of!(EmulatedRecord, kind)), 0_u8), Code("emulated.kind")),
        (with(emulated(offset_of!(EmulatedRecord, ipa)), wraps), Range("emulated.ipa")),
        (
            with(partition(offset_of!(PartitionRecord, regions)), Slice { offset: 0, count: 2 }),
            Range("partition.regions"),
        ),
        (with(region(offset_of!(RegionRecord, name)), nowhere), String("region.name")),
        (with(region(offset_of!(RegionRecord, kind)), 5_u8), Code("region.kind")),
        (with(region(offset_of!(RegionRecord, owner)), 2_u16), Index("region.owner")),
        (with(region(offset_of!(RegionRecord, pa)), wraps), Range("region.pa")),
        (with(region(offset_of!(RegionRecord, ipa)), wraps), Range("region.ipa")),
        (with(segment(offset_of!(SegmentRecord, source_va)), wraps + 1), Range("segment.source_va")),
        (with(segment(offset_of!(SegmentRecord, target_va)), wraps), Range("segment.target_va")),
        (with(segment(offset_of!(SegmentRecord, ipa)), wraps), Range("segment.ipa")),
        (with(segment(offset_of!(SegmentRecord, zero_bytes)), wraps), Range("segment")),
        (with(RAM + offset_of!(RamRecord, pa), wraps), Range("ram.pa")),
        (with(RAM + offset_of!(RamRecord, va), wraps), Range("ram.va")),
    ];
    for (index, (found, expected)) in cases.into_iter().enumerate() {
        assert_eq!(found, Err(expected), "case {index}");
    }
}

#[test]
fn a_partition_has_no_more_virtual_cores_than_a_byte_can_number() {
    let parsed = |vcpus: u32| {
        let list = Slice { offset: VCPUS as u32, count: vcpus };
        let mut bytes = plan();
        bytes.set(VCPUS, &[0; 2 * 255]);
        bytes.set(offset_of!(PlanHeader, vcpus), list.as_bytes());
        bytes.set(PARTITIONS + offset_of!(PartitionRecord, vcpus), Slice { offset: 0, count: vcpus }.as_bytes());
        for text in [offset_of!(PlanHeader, board), offset_of!(PlanHeader, config)] {
            bytes.set(text, Text::default().as_bytes());
        }
        Plan::parse_unsealed(bytes.get()).map(|_| ())
    };
    assert_eq!((parsed(VCPUS_MAX as u32), parsed(255)), (Ok(()), Err(PlanError::Index("partition.vcpus"))));
}

#[test]
fn no_single_byte_makes_the_parser_or_its_views_panic() {
    for offset in 0..STRINGS + 24 {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = plan();
            bytes.set(offset, &[value]);
            if let Ok(plan) = Plan::parse_unsealed(bytes.get()) {
                assert!(read_all(&plan) < 2 * PAGE * PAGE);
            }
        }
    }
}

#[test]
fn a_cut_or_misaligned_plan_is_refused() {
    let bytes = plan();
    for length in 0..bytes.get().len() {
        assert!(Plan::parse_unsealed(&bytes.get()[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(Plan::parse_unsealed(&bytes.get()[1..]).map(|_| ()), Err(PlanError::TooShort));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(words in prop::collection::vec(any::<u64>(), 0..256), framed in any::<bool>()) {
        let mut bytes = Bytes(words);
        if framed && bytes.0.len() >= CORES / 8 {
            let length = bytes.get().len() as u64;
            bytes.set(0, &plan().get()[..16]);
            bytes.set(offset_of!(PlanHeader, plan_bytes), length.as_bytes());
            bytes.set(offset_of!(PlanHeader, sealed_bytes), length.as_bytes());
        }
        let _ = Plan::parse_unsealed(bytes.get()).map(|plan| read_all(&plan));
    }

    #[test]
    fn no_damage_makes_it_panic(damage in prop::collection::vec((0..STRINGS + 24, any::<u8>()), 1..24)) {
        let mut bytes = plan();
        damage.into_iter().for_each(|(offset, value)| bytes.set(offset, &[value]));
        let _ = Plan::parse_unsealed(bytes.get()).map(|plan| read_all(&plan));
    }
}
