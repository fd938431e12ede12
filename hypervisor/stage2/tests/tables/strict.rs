//! Each reason for which the Stage-2 walker refuses a descriptor, and each fault that it raises, on single words.

use septum_stage2::{
    Access, AccessKind, Attributes, Fault, FaultKind, Geometry, Granule, Ipa, Mapping, Memory, Pa, PaRange, Reason,
    TableBytes, Walker,
};

use crate::regions::{BASE, Reach, Tables};

const DEVICE: u64 = 0x0900_0000;

/// A root of two tables, then level 2 and level 3: a megabyte of memory at 0x4000_0000 and a page of a device at 0.
fn tables() -> Tables {
    let memory = Attributes { access: Access::RWX, memory: Memory::Normal };
    let device = Attributes { access: Access::RW, memory: Memory::Device };
    let mapping = |ipa, pa, size, attributes| Mapping { ipa: Ipa::new(ipa), pa: Pa::new(pa), size, attributes };
    let geometry = Geometry::whole(Granule::K4, PaRange::from_bits(40).unwrap());
    Tables::of(geometry, &[mapping(0, DEVICE, 0x1000, device), mapping(0x4000_0000, 0x8000_0000, 1 << 20, memory)])
}

/// Indices of descriptors in [`tables`]: level 1 for both regions, level 3 of the device and of memory.
const LEVEL_1: usize = 0;
const DEVICE_PAGE: usize = 1536;
const MEMORY_PAGE: usize = 2560;

fn change(index: usize, change: impl Fn(u64) -> u64) -> Tables {
    let mut tables = tables();
    let word: &mut [u8; 8] = (&mut tables.bytes[index * 8..][..8]).try_into().unwrap();
    *word = change(u64::from_le_bytes(*word)).to_le_bytes();
    tables
}

#[test]
fn each_reason_to_refuse_is_told_apart() {
    let reason = |index, f: fn(u64) -> u64| change(index, f).reach().err().map(|refusal| refusal.reason);
    assert_eq!(reason(DEVICE_PAGE, |word| word), None);
    assert_eq!(reason(LEVEL_1, |word| word + (1 << 30)), Some(Reason::Unreadable));
    assert_eq!(reason(LEVEL_1, |word| word | 1 << 40), Some(Reason::AddressSize));
    assert_eq!(reason(DEVICE_PAGE, |word| word | 1 << 47), Some(Reason::AddressSize));
    assert_eq!(reason(DEVICE_PAGE, |word| word & !1), Some(Reason::InvalidNotZero));
    assert_eq!(reason(DEVICE_PAGE, |word| word & !2), Some(Reason::InvalidNotZero));
    assert_eq!(reason(DEVICE_PAGE + 1, |_| 1 << 63), Some(Reason::InvalidNotZero));
    assert_eq!(reason(DEVICE_PAGE, |word| word | 1 << 55), Some(Reason::UnusedBits(1 << 55)));
    assert_eq!(reason(LEVEL_1, |word| word | 1 << 2), Some(Reason::UnusedBits(1 << 2)));
    assert_eq!(reason(DEVICE_PAGE, |word| word & !(1 << 10)), Some(Reason::AccessFlag));
    assert_eq!(reason(DEVICE_PAGE, |word| word & !(3 << 6)), Some(Reason::NoAccess));
    assert_eq!(reason(DEVICE_PAGE, |word| word & !(1 << 2)), Some(Reason::MemoryType));
    assert_eq!(reason(DEVICE_PAGE, |word| word | 1 << 8), Some(Reason::Shareability));
    assert_eq!(reason(DEVICE_PAGE, |word| word & !(1 << 54)), Some(Reason::ExecutableDevice));
    assert_eq!(reason(DEVICE_PAGE, |word| word | 1 << 52), Some(Reason::Contiguous));
    assert_eq!(reason(MEMORY_PAGE + 7, |word| word & !(1 << 52)), Some(Reason::Contiguous));
    assert_eq!(reason(MEMORY_PAGE + 7, |word| word & !(1 << 7)), Some(Reason::Contiguous));
    assert_eq!(reason(MEMORY_PAGE + 7, |word| word ^ 1 << 12), Some(Reason::Contiguous));
}

#[test]
fn a_budget_below_the_number_of_tables_is_refused() {
    let tables = tables();
    let leaves = |budget| tables.walker().leaves(&tables.memory(), budget, &mut Reach::default());
    // The root's two tables count once.
    assert_eq!(tables.tables, 6);
    assert!(leaves(5).is_ok());
    assert_eq!(leaves(4).unwrap_err().reason, Reason::TooManyTables);
}

#[test]
fn a_refusal_says_where() {
    let refusal = change(DEVICE_PAGE, |word| word | 1 << 63).reach().err().unwrap();
    assert_eq!((refusal.at, refusal.level, refusal.input), (Pa::new(BASE + 1536 * 8), 3, 0));
    let text = "level 3 descriptor 0x80400000090006c7 at 0x40003000 for 0x0 differs from what is expected in bits \
                0x8000000000000000";
    assert_eq!(refusal.to_string(), text);
}

#[test]
fn a_contiguous_group_larger_than_the_input_is_refused() {
    // 33 bits from level 1: eight entries, where a group has sixteen (AArch64.ContiguousBitFaults).
    let vtcr = Geometry::whole(Granule::K4, PaRange::from_bits(40).unwrap()).vtcr() & !0x3f | 31;
    let walker = Walker::new(vtcr, BASE, PaRange::from_bits(40).unwrap()).unwrap();
    let block = |index: u64| (1 << 52 | 0x0040_0000_0000_07fd | index << 30).to_le_bytes();
    let bytes: Vec<u8> = (0..16).flat_map(block).collect();
    let memory = TableBytes { base: Pa::new(BASE), bytes: &bytes };
    let refusal = walker.leaves(&memory, 1, &mut Reach::default()).unwrap_err();
    assert_eq!(refusal.reason, Reason::Contiguous);
}

#[test]
fn a_contiguous_group_off_its_alignment_is_refused() {
    let mut tables = tables();
    for page in 0..16 {
        let word = 1 << 52 | 0x07ff | (0x8000_1000 + page * 0x1000);
        tables.bytes[(MEMORY_PAGE + page as usize) * 8..][..8].copy_from_slice(&u64::to_le_bytes(word));
    }
    assert_eq!(tables.reach().err().unwrap().reason, Reason::Contiguous);
}

#[test]
fn faults_are_raised_with_arm_s_kind_level_and_code() {
    let fault = |index, f: fn(u64) -> u64, kind| {
        let tables = change(index, f);
        let fault: Fault = tables.walker().translate(&tables.memory(), Ipa::new(0), kind).unwrap_err();
        (fault.kind(), fault.level().unwrap(), fault.code())
    };
    let read = AccessKind::Read;
    assert_eq!(fault(LEVEL_1, |_| 0, read), (FaultKind::Translation, 1, 0x05));
    assert_eq!(fault(DEVICE_PAGE, |_| 0, read), (FaultKind::Translation, 3, 0x07));
    // A block encoding at level 3 is reserved.
    assert_eq!(fault(DEVICE_PAGE, |word| word & !2, read), (FaultKind::Translation, 3, 0x07));
    assert_eq!(fault(LEVEL_1, |word| word | 1 << 40, read), (FaultKind::AddressSize, 1, 0x01));
    assert_eq!(fault(DEVICE_PAGE, |word| word | 1 << 40, read), (FaultKind::AddressSize, 3, 0x03));
    assert_eq!(fault(DEVICE_PAGE, |word| word & !(1 << 10), read), (FaultKind::AccessFlag, 3, 0x0b));
    assert_eq!(fault(DEVICE_PAGE, |word| word & !(1 << 6), read), (FaultKind::Permission, 3, 0x0f));
    assert_eq!(fault(DEVICE_PAGE, |word| word & !(1 << 7), AccessKind::Write), (FaultKind::Permission, 3, 0x0f));
    assert_eq!(fault(DEVICE_PAGE, |word| word, AccessKind::Fetch), (FaultKind::Permission, 3, 0x0f));
    let on_walk = FaultKind::SynchronousExternalAbortOnWalk;
    assert_eq!(fault(LEVEL_1, |word| word + (1 << 30), read), (on_walk, 2, 0x16));
}

#[test]
fn an_address_beyond_the_input_is_a_translation_fault_at_level_0() {
    let tables = tables();
    let fault = tables.walker().translate(&tables.memory(), Ipa::new(1 << 40), AccessKind::Read).unwrap_err();
    assert_eq!((fault.kind(), fault.level()), (FaultKind::Translation, Some(0)));
}

#[test]
fn blocks_stand_only_at_the_levels_that_have_them() {
    // Level 0 with 4 KiB, level 1 with 16 KiB and 64 KiB have no blocks without FEAT_LPA2 and FEAT_LPA.
    for (granule, level) in [(Granule::K4, 0), (Granule::K16, 1), (Granule::K64, 1)] {
        let geometry = Geometry::whole(granule, PaRange::from_bits(48).unwrap());
        assert_eq!(geometry.start_level(), level);
        let mut bytes = vec![0; geometry.root_bytes() as usize];
        bytes[..8].copy_from_slice(&0x7fd_u64.to_le_bytes());
        let walker = Walker::new(geometry.vtcr(), BASE, geometry.pa_range()).unwrap();
        let memory = TableBytes { base: Pa::new(BASE), bytes: &bytes };
        let fault = walker.translate(&memory, Ipa::new(0), AccessKind::Read).unwrap_err();
        assert_eq!((fault.kind(), fault.level()), (FaultKind::Translation, Some(level as u8)));
    }
}
