//! What several tests need: an EL2 of a few pages, and hand-written systems for two boards.
#![allow(dead_code, reason = "no test uses all of it")]

use septum_compiler::board::{Board, CarveOut, Console, Core, Device, Gic, PaSpan, Power};
use septum_compiler::system::{Partition, Region, Segment, System, cover};
use septum_plan::frames::{Frame, emulated_bytes};
use septum_plan::{CoreStart, EmulatedKind, GicVersion, PowerControl, RegionKind, UartKind, space};
use septum_stage2::{Access, Geometry, Granule, Ipa, Pa, PaRange};

/// An ELF with `segments` of (virtual address, rights, file bytes, memory bytes).
pub fn elf(segments: &[(u64, u32, Vec<u8>, u64)]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    let data = 64 + 56 * segments.len();
    for half in [2_u16, 183] {
        bytes.extend(half.to_le_bytes());
    }
    bytes.extend(1_u32.to_le_bytes());
    for word in [segments.first().map_or(0, |s| s.0), 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [64, 56, segments.len() as u16, 0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    let mut offset = data as u64;
    for (address, flags, file, memory) in segments {
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        for word in [offset, *address, *address, file.len() as u64, *memory, 0x1000] {
            bytes.extend(word.to_le_bytes());
        }
        offset += file.len() as u64;
    }
    segments.iter().for_each(|(_, _, file, _)| bytes.extend(file));
    bytes
}

/// An EL2 that does nothing: a boot page and text, read-only data, data with zeroes behind.
pub fn el2_elf() -> Vec<u8> {
    let mut text = vec![0; 0x2800];
    text[..4].copy_from_slice(&0x1400_0100_u32.to_le_bytes());
    text[0x400..].fill(0x1f);
    elf(&[
        (space::IMAGE_VA, 5, text, 0x2800),
        (space::IMAGE_VA + 0x3000, 4, vec![7; 0x123], 0x123),
        (space::IMAGE_VA + 0x5000, 6, vec![9; 0x10], 0x1800),
    ])
}

pub fn span(start: u64, size: u64) -> PaSpan {
    PaSpan { start: Pa::new(start), size }
}

fn uart(name: &str, start: u64, interrupt: u32) -> Device {
    Device {
        name: name.to_owned(),
        registers: vec![span(start, 0x1000)],
        interrupts: vec![interrupt],
        bus_master: false,
        dma_reach: None,
        resets_board: false,
        compatible: vec!["arm,pl011".to_owned()],
    }
}

fn console(device: &str) -> Console {
    Console { device: device.to_owned(), kind: UartKind::Pl011, clock_hz: None, baud: None }
}

pub fn virt_board() -> Board {
    Board {
        name: "qemu-virt".to_owned(),
        variant: None,
        pa_range: PaRange::from_bits(40).expect("a PA size"),
        granules: vec![Granule::K4, Granule::K64],
        cores: (0..4).map(|mpidr| Core { mpidr, release: None }).collect(),
        core_start: CoreStart::PsciSmc,
        ram: vec![span(0x4000_0000, 0x8000_0000)],
        carve_outs: vec![],
        load: Pa::new(0x4020_0000),
        gic: Gic {
            version: GicVersion::V3,
            distributor: span(0x0800_0000, 0x1_0000),
            redistributors: Some(span(0x080a_0000, 0xf6_0000)),
            cpu_interface: None,
            virtual_control: None,
            virtual_cpu: None,
            spis: 224,
        },
        counter_hz: None,
        consoles: vec![console("uart0")],
        power: Power { control: PowerControl::PsciSmc, registers: None },
        devices: vec![uart("uart0", 0x0900_0000, 33), uart("uart1", 0x0904_0000, 40)],
        smmu: false,
        twin: None,
        other_twin: None,
    }
}

pub fn rpi4_board() -> Board {
    Board {
        name: "rpi4".to_owned(),
        variant: Some("2GiB".to_owned()),
        pa_range: PaRange::from_bits(44).expect("a PA size"),
        granules: vec![Granule::K4, Granule::K64],
        cores: (0..4).map(|n| Core { mpidr: n, release: Some(Pa::new(0xd8 + 8 * n)) }).collect(),
        core_start: CoreStart::SpinTable,
        ram: vec![span(0, 0x3b40_0000), span(0x4000_0000, 0x4000_0000)],
        carve_outs: vec![CarveOut { name: "armstub".to_owned(), span: span(0, 0x1000) }],
        load: Pa::new(0x20_0000),
        gic: Gic {
            version: GicVersion::V2,
            distributor: span(0xff84_1000, 0x1000),
            redistributors: None,
            cpu_interface: Some(span(0xff84_2000, 0x2000)),
            virtual_control: Some(span(0xff84_4000, 0x2000)),
            virtual_cpu: Some(span(0xff84_6000, 0x2000)),
            spis: 192,
        },
        power: Power { control: PowerControl::Bcm2835Pm, registers: Some(span(0xfe10_0000, 0x114)) },
        devices: vec![uart("uart0", 0xfe20_1000, 153), uart("emmc2", 0xfe34_0000, 158)],
        consoles: vec![console("uart0")],
        ..virt_board()
    }
}

/// A memory region of a partition.
pub fn memory(name: &str, ipa: u64, pa: u64, size: u64, access: Access) -> Region {
    Region {
        name: name.to_owned(),
        devices: Vec::new(),
        kind: RegionKind::Memory,
        ipa: Ipa::new(ipa),
        pa: Pa::new(pa),
        size,
        access,
        keep: false,
        line: 9,
        bus_master: false,
    }
}

/// The first register block of `device`, seen at `ipa`.
pub fn registers(device: &Device, ipa: u64) -> Region {
    let PaSpan { start, size } = device.registers[0];
    let devices = vec![device.name.clone()];
    Region { kind: RegionKind::Device, devices, ..memory(&device.name, ipa, start.get(), size, Access::RW) }
}

/// Gives `partition` the cores `cpus`, and a redistributor for each where it has such.
pub fn set_cpus(partition: &mut Partition, cpus: Vec<u32>) {
    for frame in partition.emulated.iter_mut().filter(|frame| frame.kind == EmulatedKind::Gicr) {
        frame.bytes = emulated_bytes(frame.kind, GicVersion::V3, cpus.len());
    }
    partition.cpus = cpus;
}

/// A partition on core `vmid - 1` with `regions` and a small payload at the first one's start.
pub fn partition(board: &Board, name: &str, vmid: u16, regions: Vec<Region>) -> Partition {
    let start = regions[0].ipa;
    let v2 = board.gic.version == GicVersion::V2;
    let mut regions = regions;
    if let Some(gicv) = board.gic.virtual_cpu {
        let device =
            Region { kind: RegionKind::Device, ..memory("gicv", 0x801_0000, gicv.start.get(), gicv.size, Access::RW) };
        regions.push(device);
    }
    regions.sort_by_key(|region| region.ipa);
    let version = board.gic.version;
    let emulated = [(EmulatedKind::Gicd, 0x800_0000), (EmulatedKind::Gicr, 0x80a_0000)];
    let emulated = emulated.map(|(kind, ipa)| Frame { kind, ipa, bytes: emulated_bytes(kind, version, 1), intid: 0 });
    let emulated = emulated.into_iter().filter(|frame| !(v2 && frame.kind == EmulatedKind::Gicr)).collect();
    Partition {
        name: name.to_owned(),
        line: 3,
        cpus: vec![u32::from(vmid) - 1],
        vmid,
        geometry: Geometry::whole(Granule::K4, board.pa_range),
        segments: cover(&regions, vec![Segment::new(start.get(), vec![vmid as u8; 0x1234], 0x100)]),
        regions,
        interrupts: vec![],
        entry: start,
        arguments: [0; 4],
        emulated,
        cpu_interface: v2.then(|| Ipa::new(0x801_0000)),
        elf: None,
        trap_physical_timer: false,
    }
}

/// Three partitions on `board`: plain memory, memory with a read-only part and a channel, a device and the channel.
pub fn system(board: Board) -> System {
    let device = board.devices[1].clone();
    let channel =
        |ipa| Region { kind: RegionKind::Channel, ..memory("telemetry", ipa, 0x7e00_0000, 0x1_0000, Access::RW) };
    let registers = registers(&device, 0x900_0000);
    let one = vec![memory("ram", 0x4000_0000, 0x5000_0000, 0x100_0000, Access::RWX)];
    let two = vec![
        memory("ram", 0x4000_0000, 0x5200_0000, 0x20_0000, Access::RWX),
        memory("constants", 0x4020_0000, 0x5220_0000, 0x3000, Access::R),
        channel(0x6000_0000),
    ];
    let three = vec![memory("ram", 0x4000_0000, 0x5400_0000, 0x40_0000, Access::RWX), channel(0x7000_0000), registers];
    let mut partitions =
        vec![partition(&board, "one", 1, one), partition(&board, "two", 2, two), partition(&board, "three", 3, three)];
    partitions[2].interrupts = device.interrupts;
    System {
        config: "test.toml".to_owned(),
        config_name: "test.toml".to_owned(),
        console: board.consoles[0].clone(),
        el2: PaSpan { start: board.load, size: 0x100_0000 },
        board,
        partitions,
        remarks: septum_compiler::problem::Problems::default(),
    }
}

/// Both boards' systems.
pub fn systems() -> [System; 2] {
    [system(virt_board()), system(rpi4_board())]
}
