//! What a partition did wrong, and where: a trap's syndrome put beside the plan. The words are docs/log.md's.

use septum_plan::record::{ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE, OWNER_BOARD, OWNER_EL2};
use septum_plan::{EmulatedKind, Plan, RegionKind, RegionRecord, frames};
use septum_stage2::{Abort, AbortAccess, FaultAddress, FaultKind, Ipa, Va};

/// The registers of an abort.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// FAR_EL2.
    pub far: u64,
    /// HPFAR_EL2.
    pub hpfar: u64,
    /// Whether the partition ran with Stage 1 off: SCTLR_EL1.M and HCR_EL2.DC are 0.
    pub stage1_off: bool,
}

/// Where an access went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// This intermediate address.
    Ipa(Ipa),
    /// This virtual address; the hardware did not say which intermediate one.
    Va(Va),
    /// The hardware did not say.
    Unknown,
}

/// What lies at an intermediate address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A region of the partition.
    Region {
        /// Its name.
        name: &'a str,
        /// What the partition may do there: `r`, `rw` and so on.
        rights: &'static str,
    },
    /// Registers that EL2 emulates; this is whose. The access is one whose registers the hardware does not tell.
    Emulated(&'static str),
    /// Nothing of the partition's; and what has this number as its physical address, if anything.
    Nothing(Option<Neighbour<'a>>),
    /// The address is not known.
    Unknown,
}

/// Somebody's piece of physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour<'a> {
    /// Its TOML or board name.
    pub name: &'a str,
    /// Whose it is.
    pub owner: Owner<'a>,
}

/// Who owns a piece of physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// This partition.
    Partition(&'a str),
    /// EL2.
    El2,
    /// The board's firmware, which keeps it.
    Firmware,
    /// Nobody was given it.
    Nobody,
}

/// An abort put beside the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// What the access was about to do.
    pub access: AbortAccess,
    /// How many bytes, where the hardware says.
    pub bytes: Option<u8>,
    /// Whether it was the partition's own table walk, on the way to the access.
    pub on_walk: bool,
    /// Where it went.
    pub address: Address,
    /// What lies there.
    pub place: Place<'a>,
    /// Why it was refused.
    pub cause: FaultKind,
    /// At which level of the walk, where that applies.
    pub level: Option<u8>,
}

impl<'a> Report<'a> {
    /// The report on `abort` of partition `index` of `plan`.
    pub fn new(plan: &Plan<'a>, index: u16, abort: Abort, registers: Registers) -> Self {
        let address = address(plan, index, abort, registers);
        Self {
            access: abort.access,
            bytes: abort.transfer.map(|transfer| transfer.bytes),
            on_walk: abort.on_stage1_walk,
            address,
            place: match address {
                Address::Ipa(ipa) => place(plan, index, ipa),
                Address::Va(_) | Address::Unknown => Place::Unknown,
            },
            cause: abort.fault.kind(),
            level: abort.fault.level(),
        }
    }
}

fn address(plan: &Plan<'_>, index: u16, abort: Abort, registers: Registers) -> Address {
    let far = Va::new(registers.far);
    match abort.fault_address(registers.hpfar, far, registers.stage1_off) {
        FaultAddress::Exact(ipa) | FaultAddress::WalkPage(ipa) => Address::Ipa(ipa),
        FaultAddress::Unknown if !abort.far_valid => Address::Unknown,
        FaultAddress::Unknown if registers.stage1_off => Address::Ipa(Ipa::new(far.get())),
        FaultAddress::Unknown => likely(plan, index, abort, registers).map_or(Address::Va(far), Address::Ipa),
    }
}

/// The address in HPFAR_EL2 after a permission fault with Stage 1 on, where the plan bears it out. The architecture
/// leaves the register open then, though cores mostly write it; a translation by AT is out of the question (errata
/// 1530924 of Cortex-A53, 1319367 of Cortex-A72). A region that refuses just this access at just this address, which
/// only a permission fault could be about, is no accident.
fn likely(plan: &Plan<'_>, index: u16, abort: Abort, registers: Registers) -> Option<Ipa> {
    if abort.fault.kind() != FaultKind::Permission {
        return None;
    }
    // HPFAR_EL2.FIPA, bits 43:4, is the address' bits 51:12.
    let ipa = Ipa::new((registers.hpfar & 0x0fff_ffff_fff0) << 8 | registers.far & 0xfff);
    let needed = match abort.access {
        AbortAccess::Read => ACCESS_READ,
        AbortAccess::Write | AbortAccess::CacheMaintenance => ACCESS_WRITE,
        AbortAccess::Fetch => ACCESS_EXECUTE,
    };
    own_region(plan, index, ipa).is_some_and(|region| region.access & needed == 0).then_some(ipa)
}

/// What partition `index` has at `ipa`.
pub fn place<'a>(plan: &Plan<'a>, index: u16, ipa: Ipa) -> Place<'a> {
    match (own_region(plan, index, ipa), emulated(plan, index, ipa.get())) {
        (Some(region), _) => Place::Region { name: plan.text(region.name), rights: rights(region.access) },
        (None, Some(what)) => Place::Emulated(what),
        (None, None) => Place::Nothing(neighbour(plan, ipa.get())),
    }
}

/// What EL2 emulates for partition `index` at `ipa`.
fn emulated(plan: &Plan<'_>, index: u16, ipa: u64) -> Option<&'static str> {
    let partition = plan.partitions().get(usize::from(index))?;
    let record = frames::at(plan.emulated(partition), ipa)?;
    EmulatedKind::from_code(record.kind).map(|kind| match kind {
        EmulatedKind::Gicd | EmulatedKind::Gicr => "interrupt controller",
        EmulatedKind::Pl011 => "console",
    })
}

fn own_region<'a>(plan: &Plan<'a>, index: u16, ipa: Ipa) -> Option<&'a RegionRecord> {
    let partition = plan.partitions().get(usize::from(index))?;
    plan.regions_of(partition).iter().find(|region| covers(region.ipa, region.size, ipa.get()))
}

fn neighbour<'a>(plan: &Plan<'a>, pa: u64) -> Option<Neighbour<'a>> {
    let region = plan.regions().iter().find(|region| covers(region.pa, region.size, pa))?;
    Some(Neighbour { name: plan.text(region.name), owner: owner(plan, region) })
}

fn owner<'a>(plan: &Plan<'a>, region: &RegionRecord) -> Owner<'a> {
    match region.owner {
        OWNER_EL2 => Owner::El2,
        OWNER_BOARD if region.kind == RegionKind::CarveOut.code() => Owner::Firmware,
        OWNER_BOARD => Owner::Nobody,
        index => match plan.partitions().get(usize::from(index)) {
            Some(partition) => Owner::Partition(plan.text(partition.name)),
            None => Owner::Nobody,
        },
    }
}

fn covers(start: u64, size: u64, address: u64) -> bool {
    address.checked_sub(start).is_some_and(|offset| offset < size)
}

/// `r`, `rw` and so on for `ACCESS_*` bits.
pub const fn rights(access: u8) -> &'static str {
    match (access & ACCESS_READ != 0, access & ACCESS_WRITE != 0, access & ACCESS_EXECUTE != 0) {
        (true, true, true) => "rwx",
        (true, true, false) => "rw",
        (true, false, true) => "rx",
        (true, false, false) => "r",
        (false, true, true) => "wx",
        (false, true, false) => "w",
        (false, false, true) => "x",
        (false, false, false) => "-",
    }
}

#[cfg(test)]
mod tests {
    use septum_plan::frames::Frame;
    use septum_plan::record::{MAGIC, NO_ADDRESS, VERSION};
    use septum_plan::{
        CoreRecord, CoreStart, DeviceKind, DeviceRecord, GicVersion, PartitionRecord, PlanHeader, Slice, Text, UartKind,
    };
    use septum_stage2::Syndrome;
    use zerocopy::IntoBytes;

    use super::*;

    /// Names, one after the other, of a plan for the tests.
    const NAMES: &[(&str, u32)] = &[("hello", 0), ("prober", 5), ("ram", 11), ("uart1", 14), ("el2", 19), ("tfa", 22)];

    fn text(name: &str) -> Text {
        let (name, offset) = NAMES.iter().find(|(n, _)| *n == name).unwrap();
        Text { offset: *offset, length: name.len() as u32 }
    }

    fn region(name: &str, kind: RegionKind, owner: u16, ipa: u64, pa: u64, size: u64, access: u8) -> RegionRecord {
        RegionRecord { name: text(name), ipa, pa, size, line: 0, owner, kind: kind.code(), access }
    }

    /// A plan of `hello` (0) with RAM and uart1, `prober` (1) with RAM, EL2, and a carve-out.
    fn plan_bytes() -> Vec<u8> {
        let mut regions = [
            region("uart1", RegionKind::Device, 0, 0x900_0000, 0x5000_0000, 0x1000, 3),
            region("ram", RegionKind::Memory, 0, 0x4000_0000, 0x8000_0000, 0x10_0000, 7),
            region("ram", RegionKind::Memory, 1, 0x4000_0000, 0x8010_0000, 0x10_0000, 1),
            region("el2", RegionKind::El2, OWNER_EL2, NO_ADDRESS, 0x20_0000, 0x20_0000, 0),
            region("tfa", RegionKind::CarveOut, OWNER_BOARD, NO_ADDRESS, 0, 0x8_0000, 0),
            region("uart1", RegionKind::Device, OWNER_BOARD, NO_ADDRESS, 0x6000_0000, 0x1000, 0),
        ];
        let header_bytes = size_of::<PlanHeader>();
        let regions_at = header_bytes;
        let partitions_at = regions_at + size_of_val(&regions);
        let core = CoreRecord::default();
        let cores_at = partitions_at + 2 * size_of::<PartitionRecord>();
        let vcpus_at = cores_at + size_of_val(&core);
        let emulated_at = vcpus_at + 8;
        let emulated = [(EmulatedKind::Gicd, 0x800_0000, 0x1_0000), (EmulatedKind::Gicr, 0x80a_0000, 0x2_0000)];
        let emulated = emulated.map(|(kind, ipa, bytes)| Frame { kind, ipa, bytes, intid: 0 }.record());
        let (kind, driver) = (DeviceKind::Uart.code(), UartKind::Pl011.code());
        let mut devices = [DeviceRecord::NONE; DeviceKind::ALL.len()];
        devices[DeviceKind::Uart.place()] = DeviceRecord { kind, driver, ..DeviceRecord::NONE };
        let names_at = emulated_at + size_of_val(&emulated);
        let at = |text: Text| Text { offset: text.offset + names_at as u32, ..text };
        for region in &mut regions {
            region.name = at(region.name);
        }
        let partition = |name, offset, count| PartitionRecord {
            name: at(text(name)),
            regions: Slice { offset, count },
            emulated: Slice { offset: 0, count: 2 },
            vcpus: Slice { offset: 0, count: 1 },
            ..Default::default()
        };
        let mut header = PlanHeader {
            magic: MAGIC,
            version: VERSION,
            header_bytes: header_bytes as u32,
            plan_bytes: 4096,
            sealed_bytes: 4096,
            gic: GicVersion::V3.code(),
            core_start: CoreStart::None.code(),
            regions: Slice { offset: regions_at as u32, count: regions.len() as u32 },
            partitions: Slice { offset: partitions_at as u32, count: 2 },
            cores: Slice { offset: cores_at as u32, count: 1 },
            vcpus: Slice { offset: vcpus_at as u32, count: 1 },
            emulated: Slice { offset: emulated_at as u32, count: 2 },
            devices,
            ..Default::default()
        };
        for empty in [&mut header.segments, &mut header.ram] {
            *empty = Slice { offset: header_bytes as u32, count: 0 };
        }
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(regions.as_bytes());
        bytes.extend_from_slice(partition("hello", 0, 2).as_bytes());
        bytes.extend_from_slice(partition("prober", 2, 1).as_bytes());
        bytes.extend_from_slice(core.as_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(emulated.as_bytes());
        bytes.extend(NAMES.iter().flat_map(|(name, _)| name.bytes()));
        bytes.resize(4096, 0);
        bytes
    }

    /// Runs `test` with the plan; the records must be 8-byte aligned.
    fn with_plan(test: impl FnOnce(&Plan<'_>)) {
        let words: Vec<u64> =
            plan_bytes().chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        test(&Plan::parse_unsealed(words.as_bytes()).unwrap());
    }

    /// Data Abort from a lower level, with ISV, 4 bytes, this WnR and DFSC.
    fn data_abort(write: bool, dfsc: u64) -> Abort {
        Syndrome::new(0x24 << 26 | 1 << 25 | 1 << 24 | 2 << 22 | u64::from(write) << 6 | dfsc).abort().unwrap()
    }

    #[test]
    fn a_write_outside_names_whose_device_has_that_number() {
        with_plan(|plan| {
            let registers = Registers { far: 0x5000_0004, hpfar: 0x5_0000 << 4, stage1_off: true };
            let report = Report::new(plan, 1, data_abort(true, 0x06), registers);
            let neighbour = Neighbour { name: "uart1", owner: Owner::Partition("hello") };
            assert_eq!(
                report,
                Report {
                    access: AbortAccess::Write,
                    bytes: Some(4),
                    on_walk: false,
                    address: Address::Ipa(Ipa::new(0x5000_0004)),
                    place: Place::Nothing(Some(neighbour)),
                    cause: FaultKind::Translation,
                    level: Some(2),
                }
            );
        });
    }

    #[test]
    fn a_write_to_a_read_only_region_names_the_region() {
        with_plan(|plan| {
            let registers = Registers { far: 0x4000_0010, hpfar: 0, stage1_off: true };
            let report = Report::new(plan, 1, data_abort(true, 0x0f), registers);
            assert_eq!(report.address, Address::Ipa(Ipa::new(0x4000_0010)));
            assert_eq!(report.place, Place::Region { name: "ram", rights: "r" });
            assert_eq!((report.cause, report.level), (FaultKind::Permission, Some(3)));
        });
    }

    #[test]
    fn with_stage_1_on_a_permission_fault_has_an_intermediate_address_only_if_the_plan_bears_it_out() {
        with_plan(|plan| {
            let address = |write, hpfar: u64| {
                let registers = Registers { far: 0xffff_8000_0000_1234, hpfar: hpfar << 4, stage1_off: false };
                Report::new(plan, 1, data_abort(write, 0x0f), registers).address
            };
            let unknown = Address::Va(Va::new(0xffff_8000_0000_1234));
            assert_eq!(address(true, 0x4_0000), Address::Ipa(Ipa::new(0x4000_0234)));
            assert_eq!(address(false, 0x4_0000), unknown, "the region may be read: this is not where it was refused");
            assert_eq!(address(true, 0x5_0000), unknown, "nothing is mapped there: no permission to lack");
        });
    }

    #[test]
    fn emulated_registers_are_named() {
        with_plan(|plan| {
            let at = |ipa| place(plan, 0, Ipa::new(ipa));
            for ipa in [0x800_0000, 0x800_fffc, 0x80a_0000, 0x80b_fff8] {
                assert_eq!(at(ipa), Place::Emulated("interrupt controller"), "{ipa:#x}");
            }
            for ipa in [0x7ff_fffc, 0x801_0000, 0x80c_0000, 0] {
                assert_eq!(at(ipa), Place::Nothing(neighbour(plan, ipa)), "{ipa:#x}");
            }
        });
    }

    #[test]
    fn every_owner_is_told_apart() {
        with_plan(|plan| {
            let owner = |pa| neighbour(plan, pa).map(|neighbour| neighbour.owner);
            assert_eq!(owner(0x8010_0000), Some(Owner::Partition("prober")));
            assert_eq!(owner(0x3f_ffff), Some(Owner::El2));
            assert_eq!(owner(0x7_ffff), Some(Owner::Firmware));
            assert_eq!(owner(0x6000_0fff), Some(Owner::Nobody));
            assert_eq!(owner(0x6000_1000), None);
            assert_eq!(owner(NO_ADDRESS), None);
        });
    }

    #[test]
    fn an_unknown_partition_has_nothing() {
        with_plan(|plan| assert_eq!(place(plan, 9, Ipa::new(0x7000_0000)), Place::Nothing(None)));
    }

    #[test]
    fn an_abort_without_a_valid_far_says_nothing_of_the_address() {
        with_plan(|plan| {
            let abort = Syndrome::new(0x24 << 26 | 1 << 10 | 0x10).abort().unwrap();
            let registers = Registers { far: 0x1234, hpfar: 0x5678, stage1_off: false };
            let report = Report::new(plan, 0, abort, registers);
            assert_eq!((report.address, report.place, report.bytes), (Address::Unknown, Place::Unknown, None));
        });
    }

    #[test]
    fn rights_are_spelt_as_in_the_configuration() {
        assert_eq!([1, 3, 5, 7, 0].map(rights), ["r", "rw", "rx", "rwx", "-"]);
    }
}
