//! A plan for the tests: two cores; `one` with RAM, EL2, and a carve-out that nobody uses.

use septum_plan::record::{MAGIC, NO_ADDRESS, NO_PARTITION, OWNER_BOARD, OWNER_EL2, VERSION};
use septum_plan::{
    CoreRecord, CoreStart, DeviceKind, DeviceRecord, GicVersion, PartitionRecord, Plan, PlanHeader, RegionKind,
    RegionRecord, Slice, Text, UartKind,
};
use zerocopy::IntoBytes;

/// Where `one`'s RAM lies: 0x200000 bytes.
pub const RAM: u64 = 0x5000_0000;
/// Where EL2 lies: 0x100000 bytes.
pub const EL2: u64 = 0x4020_0000;
/// Where the carve-out lies: 0x10000 bytes.
pub const CARVE_OUT: u64 = 0x4000_0000;

/// Runs `test` with the plan, whose header `change` has changed.
pub fn with_plan(change: impl FnOnce(&mut PlanHeader), test: impl FnOnce(&Plan<'_>)) {
    let regions = [
        region(RegionKind::Memory, 0, RAM, 0x20_0000),
        region(RegionKind::Device, 0, 0x900_0000, 0x1000),
        region(RegionKind::El2, OWNER_EL2, EL2, 0x10_0000),
        region(RegionKind::CarveOut, OWNER_BOARD, CARVE_OUT, 0x1_0000),
    ];
    let cores = [0_u64, 1].map(|mpidr| CoreRecord { mpidr, partition: NO_PARTITION, ..Default::default() });
    let partitions = [PartitionRecord { regions: Slice { offset: 0, count: 2 }, ..Default::default() }];
    let header_bytes = size_of::<PlanHeader>() as u32;
    let regions_at = header_bytes + size_of_val(&cores) as u32;
    let partitions_at = regions_at + size_of_val(&regions) as u32;
    let (kind, driver) = (DeviceKind::Uart.code(), UartKind::Pl011.code());
    let console = DeviceRecord { kind, driver, ..DeviceRecord::NONE };
    let mut devices = [DeviceRecord::NONE; DeviceKind::ALL.len()];
    devices[DeviceKind::Uart.place()] = console;
    let none = Slice { offset: header_bytes, count: 0 };
    let mut header = PlanHeader {
        magic: MAGIC,
        version: VERSION,
        header_bytes,
        plan_bytes: 4096,
        sealed_bytes: 4096,
        gic: GicVersion::V3.code(),
        core_start: CoreStart::None.code(),
        cores: Slice { offset: header_bytes, count: 2 },
        regions: Slice { offset: regions_at, count: regions.len() as u32 },
        partitions: Slice { offset: partitions_at, count: 1 },
        vcpus: none,
        segments: none,
        ram: none,
        interrupts: none,
        emulated: none,
        devices,
        ..Default::default()
    };
    change(&mut header);
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(cores.as_bytes().iter().chain(regions.as_bytes()).chain(partitions.as_bytes()));
    bytes.resize(4096, 0);
    let words: Vec<u64> = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    test(&Plan::parse_unsealed(words.as_bytes()).unwrap());
}

/// Memory is seen at 0, below the device, which is seen where it is.
fn region(kind: RegionKind, owner: u16, pa: u64, size: u64) -> RegionRecord {
    let ipa = match (owner, kind) {
        (OWNER_EL2 | OWNER_BOARD, _) => NO_ADDRESS,
        (_, RegionKind::Memory) => 0,
        _ => pa,
    };
    RegionRecord { name: Text::default(), ipa, pa, size, line: 0, owner, kind: kind.code(), access: 0 }
}
