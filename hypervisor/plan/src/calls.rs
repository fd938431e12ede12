//! Every call that EL2 answers to a partition, once: numbers, arguments, results and a sentence, by SMCCC (DEN0028).
//!
//! Each row makes a constant per function number, a variant of [`Own`] or [`Firmware`], whose matches in septum-core are
//! exhaustive, and a [`Call`] of [`CALLS`], from which docs/abi.md's tables and the C header are written. EL2 links
//! numbers only: nothing of [`CALLS`] is asked for there.
//!
//! Arguments and results travel in registers only, because EL2 maps no partition's memory.

mod information;
mod row;

pub use information::{FACTS, Fact, Information};
pub use row::{Call, Kind, Numbers, Value};

use row::{calls, codes};

// DEN0028 5.2 and DEN0022D 5.2.2.
codes! {
    /// Done.
    SUCCESS = 0,
    /// No such call.
    NOT_SUPPORTED = -1,
    /// An argument is out of its range.
    INVALID_PARAMETERS = -2,
    /// The core is on already.
    ALREADY_ON = -4,
    /// The core has been asked to start already.
    ON_PENDING = -5,
    /// The entry point lies in no memory that the partition may execute, or is not aligned.
    INVALID_ADDRESS = -9,
}

/// First number of the vendor-specific hypervisor range, SMC64 form.
pub const VENDOR_64: u32 = 0xc600_0000;
/// Most bytes of one [`CONSOLE_WRITE`] or [`DEFMT_WRITE`].
pub const CONSOLE_BYTES_MAX: usize = 48;
/// Septum's UID, as four little-endian words.
pub const UID: [u32; 4] = [0x6d75_7470, 0x7365_0b5e, 0x41a7_9e2c, 0x5a1d_c3f0];

/// A function number's bit that says SMC64: arguments have 64 bits (DEN0028 2.5).
pub const SMC64: u32 = 1 << 30;

calls! {
    /// Septum's own calls, in the vendor-specific hypervisor range (DEN0028 6).
    Own, OWN_CALLS:

    /// Tells how many calls Septum has, the range's own queries (CALL_COUNT, CALL_UID, CALL_REVISION) apart.
    CallCount "CALL_COUNT" [CALL_COUNT = 0x8600_ff00]
        () -> (count: Word "the number of Septum's own calls that are no queries");
    /// Tells whose calls the range holds.
    CallUid "CALL_UID" [CALL_UID = 0x8600_ff01]
        () -> (
            uid_0: Word "the UID's first four bytes, little-endian",
            uid_1: Word "its next four",
            uid_2: Word "its next four",
            uid_3: Word "its last four"
        );
    /// Tells which version of these calls EL2 has.
    CallRevision "CALL_REVISION" [CALL_REVISION = 0x8600_ff03]
        () -> (major: Word "major version", minor: Word "minor version");
    /// Appends bytes to the calling core's console line; a line feed sends the line.
    ConsoleWrite "CONSOLE_WRITE" [CONSOLE_WRITE = 0xc600_0001]
        (count: Long 1 "bytes, 1 to 48", bytes: Long 6 "the bytes, eight a register, the first in bits 7:0")
        -> (result: Code "SUCCESS or INVALID_PARAMETERS");
    /// Passes on bytes of the partition's own defmt stream: rzCOBS frames, each closed by a zero byte.
    DefmtWrite "DEFMT_WRITE" [DEFMT_WRITE = 0xc600_0002]
        (count: Long 1 "bytes, 1 to 48", bytes: Long 6 "the bytes, eight a register, the first in bits 7:0")
        -> (result: Code "SUCCESS or INVALID_PARAMETERS");
    /// Tells a fact about the partition and its board.
    Information "INFORMATION" [INFORMATION = 0xc600_0003]
        (which: Long 1 "the fact's number")
        -> (result: Code "SUCCESS; INVALID_PARAMETERS where there is no such fact", fact: Long "the fact");
}

calls! {
    /// What EL2 answers in firmware's place: PSCI 1.1 (DEN0022D) and SMCCC 1.2 (DEN0028).
    Firmware, FIRMWARE_CALLS:

    /// Tells PSCI's version.
    PsciVersion "PSCI_VERSION" [PSCI_VERSION = 0x8400_0000]
        () -> (version: Word "major in bits 31:16, minor in 15:0: 0x10001");
    /// Sleeps until an interrupt is pending for the core, even one that it masks; from a power-down the core goes on at the entry.
    CpuSuspend "CPU_SUSPEND" [CPU_SUSPEND_32 = 0x8400_0001, CPU_SUSPEND_64 = 0xc400_0001]
        (
            power_state: Word 1 "power state, original format",
            entry: Long 1 "IPA where the core goes on from a power-down",
            context: Long 1 "its x0 there"
        )
        -> (result: Code "SUCCESS from standby; INVALID_PARAMETERS for reserved bits; INVALID_ADDRESS for an entry that CPU_ON would not take");
    /// Switches the calling core off; on the last core that is on it ends the partition.
    CpuOff "CPU_OFF" [CPU_OFF = 0x8400_0002]
        () -> ();
    /// Starts one of the partition's own cores.
    CpuOn "CPU_ON" [CPU_ON_32 = 0x8400_0003, CPU_ON_64 = 0xc400_0003]
        (
            target: Long 1 "affinity of one of the partition's own cores",
            entry: Long 1 "IPA of that core's first instruction, in memory that it may execute",
            context: Long 1 "its x0 there"
        )
        -> (result: Code "SUCCESS, INVALID_PARAMETERS, ALREADY_ON, ON_PENDING or INVALID_ADDRESS");
    /// Tells whether a core, or any core of a group, is on.
    AffinityInfo "AFFINITY_INFO" [AFFINITY_INFO_32 = 0x8400_0004, AFFINITY_INFO_64 = 0xc400_0004]
        (target: Long 1 "affinity of one of the partition's own cores", level: Word 1 "lowest affinity level that counts, 0 to 3")
        -> (state: Code "0 on, 1 off, 2 on pending; or INVALID_PARAMETERS");
    /// Tells whether a Trusted OS has to be migrated.
    MigrateInfoType "MIGRATE_INFO_TYPE" [MIGRATE_INFO_TYPE = 0x8400_0006]
        () -> (kind: Word "2: nothing to migrate");
    /// Ends the partition.
    SystemOff "SYSTEM_OFF" [SYSTEM_OFF = 0x8400_0008]
        () -> ();
    /// Restarts the partition from its image.
    SystemReset "SYSTEM_RESET" [SYSTEM_RESET = 0x8400_0009]
        () -> ();
    /// Tells whether EL2 answers a call of PSCI's.
    PsciFeatures "PSCI_FEATURES" [PSCI_FEATURES = 0x8400_000a]
        (number: Word 1 "that call's function number")
        -> (result: Code "0 for PSCI's calls that EL2 answers and for SMCCC_VERSION, else NOT_SUPPORTED");
    /// Tells SMCCC's version.
    SmcccVersion "SMCCC_VERSION" [SMCCC_VERSION = 0x8000_0000]
        () -> (version: Word "major in bits 31:16, minor in 15:0: 0x10002");
    /// Tells whether there is a call of the architecture's.
    SmcccArchFeatures "SMCCC_ARCH_FEATURES" [SMCCC_ARCH_FEATURES = 0x8000_0001]
        (number: Word 1 "that call's function number")
        -> (result: Code "0 for itself and SMCCC_VERSION; firmware's answer for SMCCC_ARCH_WORKAROUND_1 to 4; else NOT_SUPPORTED");
    /// Firmware's workaround for CVE-2017-5715 on the calling core.
    SmcccArchWorkaround1 "SMCCC_ARCH_WORKAROUND_1" [SMCCC_ARCH_WORKAROUND_1 = 0x8000_8000]
        () -> (result: Code "firmware's; NOT_SUPPORTED without firmware");
    /// Firmware's workaround for CVE-2018-3639 on the calling core.
    SmcccArchWorkaround2 "SMCCC_ARCH_WORKAROUND_2" [SMCCC_ARCH_WORKAROUND_2 = 0x8000_7fff]
        (enable: Word 1 "1 on, 0 off") -> (result: Code "firmware's; NOT_SUPPORTED without firmware");
    /// Firmware's workaround for CVE-2017-5715 and CVE-2022-23960 on the calling core.
    SmcccArchWorkaround3 "SMCCC_ARCH_WORKAROUND_3" [SMCCC_ARCH_WORKAROUND_3 = 0x8000_3fff]
        () -> (result: Code "firmware's; NOT_SUPPORTED without firmware");
    /// Firmware's workaround for CVE-2024-7881 on the calling core.
    SmcccArchWorkaround4 "SMCCC_ARCH_WORKAROUND_4" [SMCCC_ARCH_WORKAROUND_4 = 0x8000_0004]
        () -> (result: Code "firmware's; NOT_SUPPORTED without firmware");
    /// TRNG_VERSION and all others of DEN0098: there is no entropy source. Not counted as unknown.
    Trng "TRNG" [TRNG_32 = 0x8400_0050 ..= 0x8400_005f, TRNG_64 = 0xc400_0050 ..= 0xc400_005f]
        () -> (result: Code "NOT_SUPPORTED");
}

/// Every call, in docs/abi.md's order.
pub const CALLS: [&[Call]; 2] = [OWN_CALLS, FIRMWARE_CALLS];

/// CALL_COUNT's answer: Septum's own calls without the range's queries, which have numbers of SMC32.
pub const CALL_COUNT_ANSWER: u32 = {
    let (mut count, mut calls) = (0, OWN_CALLS);
    while let [call, rest @ ..] = calls {
        if let [numbers, ..] = call.numbers
            && numbers.first >= VENDOR_64
        {
            count += 1;
        }
        calls = rest;
    }
    count
};
