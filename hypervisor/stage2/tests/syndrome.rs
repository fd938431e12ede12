//! ESR_EL2, FAR_EL2 and HPFAR_EL2 as hardware gives them, decoded.
#![allow(clippy::unwrap_used)]

use septum_stage2::{
    AbortAccess, ExceptionClass, Fault, FaultAddress, FaultKind, Ipa, Syndrome, SystemRegisterAccess, Transfer, Va,
};

/// EC 0x24, IL.
const DATA_ABORT_LOWER: u64 = 0x24 << 26 | 1 << 25;
const INSTRUCTION_ABORT_LOWER: u64 = 0x20 << 26 | 1 << 25;

#[test]
fn a_store_with_a_syndrome_is_decoded_whole() {
    // STRH w3, [x0] to an unmapped address: ISV, SAS = half, SRT = 3, WnR, translation fault at level 3.
    let abort = Syndrome::new(DATA_ABORT_LOWER | 1 << 24 | 1 << 22 | 3 << 16 | 1 << 6 | 0x07).abort().unwrap();
    assert_eq!(abort.access, AbortAccess::Write);
    assert_eq!((abort.fault.kind(), abort.fault.level()), (FaultKind::Translation, Some(3)));
    let transfer = abort.transfer.unwrap();
    let plain = Transfer { bytes: 2, sign_extend: false, register: 3, register_64: false, acquire_release: false };
    assert_eq!(transfer, plain);
    assert_eq!(abort.fault.to_string(), "translation fault, level 3");
}

#[test]
fn a_sign_extending_load_acquire_of_a_double_word_is_decoded() {
    let iss = 1 << 24 | 3 << 22 | 1 << 21 | 31 << 16 | 1 << 15 | 1 << 14 | 0x05;
    let abort = Syndrome::new(DATA_ABORT_LOWER | iss).abort().unwrap();
    assert_eq!(abort.access, AbortAccess::Read);
    let all = Transfer { bytes: 8, sign_extend: true, register: 31, register_64: true, acquire_release: true };
    assert_eq!(abort.transfer, Some(all));
}

#[test]
fn a_load_pair_has_no_transfer() {
    let abort = Syndrome::new(DATA_ABORT_LOWER | 0x06).abort().unwrap();
    assert_eq!((abort.access, abort.transfer), (AbortAccess::Read, None));
}

#[test]
fn cache_maintenance_is_not_a_store() {
    let abort = Syndrome::new(DATA_ABORT_LOWER | 1 << 8 | 1 << 6 | 0x06).abort().unwrap();
    assert_eq!(abort.access, AbortAccess::CacheMaintenance);
}

#[test]
fn a_fetch_is_a_fetch_whatever_the_bits_of_a_data_abort_say() {
    let abort = Syndrome::new(INSTRUCTION_ABORT_LOWER | 1 << 24 | 1 << 8 | 1 << 6 | 0x0f).abort().unwrap();
    assert_eq!((abort.access, abort.transfer), (AbortAccess::Fetch, None));
    assert_eq!((abort.fault.kind(), abort.fault.level()), (FaultKind::Permission, Some(3)));
}

/// The address of a data abort with these low ISS bits; HPFAR_EL2 holds page 0x4_0012_3000, FAR_EL2 ends in 0x456.
fn address(iss: u64, stage1_off: bool) -> FaultAddress {
    let abort = Syndrome::new(DATA_ABORT_LOWER | iss).abort().unwrap();
    abort.fault_address(0x4_0012_3000 >> 8, Va::new(0x8765_4456), stage1_off)
}

#[test]
fn hpfar_is_trusted_for_the_faults_that_fill_it() {
    for code in [0x00, 0x05, 0x0b] {
        assert_eq!(address(code, false), FaultAddress::Exact(Ipa::new(0x4_0012_3456)), "{code:#x}");
    }
}

#[test]
fn a_permission_fault_has_an_address_only_with_stage_1_off() {
    assert_eq!(address(0x0f, false), FaultAddress::Unknown);
    assert_eq!(address(0x0f, true), FaultAddress::Exact(Ipa::new(0x8765_4456)));
}

#[test]
fn a_fault_on_the_guest_s_walk_names_the_page_of_its_table() {
    for code in [0x06, 0x0e] {
        assert_eq!(address(1 << 7 | code, false), FaultAddress::WalkPage(Ipa::new(0x4_0012_3000)));
    }
}

#[test]
fn an_external_abort_has_no_intermediate_address() {
    assert_eq!(address(0x10, true), FaultAddress::Unknown);
    let abort = Syndrome::new(DATA_ABORT_LOWER | 1 << 10 | 1 << 9 | 0x10).abort().unwrap();
    assert!(!abort.far_valid && abort.external);
}

#[test]
fn only_fipa_is_taken_from_hpfar() {
    let abort = Syndrome::new(DATA_ABORT_LOWER | 0x07).abort().unwrap();
    let found = abort.fault_address(u64::MAX, Va::new(0), false);
    assert_eq!(found, FaultAddress::Exact(Ipa::new(0x000f_ffff_ffff_f000)));
}

#[test]
fn a_trapped_system_register_is_named_by_its_encoding() {
    // MRS x5, PMCR_EL0: op0 3, op1 3, CRn 9, CRm 12, op2 0.
    let esr = 0x18 << 26 | 1 << 25 | 3 << 20 | 3 << 14 | 9 << 10 | 5 << 5 | 12 << 1 | 1;
    let access = Syndrome::new(esr).system_register().unwrap();
    let pmcr = SystemRegisterAccess { op0: 3, op1: 3, crn: 9, crm: 12, op2: 0, register: 5, read: true };
    assert_eq!(access, pmcr);
    assert_eq!(Syndrome::new(DATA_ABORT_LOWER).system_register(), None);
}

#[test]
fn a_call_has_its_immediate_and_length() {
    let syndrome = Syndrome::new(0x16 << 26 | 1 << 25 | 0xbeef);
    assert_eq!(syndrome.class(), ExceptionClass::Hvc64);
    assert_eq!((syndrome.immediate(), syndrome.instruction_bytes()), (0xbeef, 4));
    assert_eq!(Syndrome::new(0x05 << 26).instruction_bytes(), 2);
    assert!(syndrome.abort().is_none());
}

#[test]
fn each_class_and_fault_code_has_a_name_of_its_own() {
    let mut names = std::collections::HashSet::new();
    for code in 0..64 {
        let class = ExceptionClass::from_code(code);
        if let ExceptionClass::Reserved(kept) = class {
            assert_eq!((kept, class.name()), (code, "reserved exception class"));
        } else {
            assert!(names.insert(class.name()), "{class:?}");
        }
        assert_eq!(ExceptionClass::from_code(code | 0xc0), class);
        assert_eq!(Fault::from_code(code).code(), code);
    }
    // Arm ARM, ESR_EL2 lists these, and no others of them matter to AArch64 EL2.
    assert_eq!(names.len(), 42);
}
