//! The calls that EL2 offers to partitions: SMCCC fast calls, SMC64/HVC64, in the vendor-specific hypervisor range.
//!
//! Arguments and results travel in registers only, because EL2 maps no partition's memory. docs/abi.md is the prose.

/// Result: done.
pub const SUCCESS: i64 = 0;
/// Result: no such call (SMCCC 5.2).
pub const NOT_SUPPORTED: i64 = -1;
/// Result: an argument is out of its range.
pub const INVALID_PARAMETERS: i64 = -2;

/// First number of the vendor-specific hypervisor range, SMC64 form.
pub const VENDOR_64: u32 = 0xc600_0000;
/// Call count of the vendor range (SMCCC 6.2).
pub const CALL_COUNT: u32 = 0x8600_ff00;
/// The vendor range's UID in w0 to w3 (SMCCC 6.2).
pub const CALL_UID: u32 = 0x8600_ff01;
/// The vendor range's revision: major in w0, minor in w1 (SMCCC 6.2).
pub const CALL_REVISION: u32 = 0x8600_ff03;
/// Septum's UID, as four little-endian words.
pub const UID: [u32; 4] = [0x6d75_7470, 0x7365_0b5e, 0x41a7_9e2c, 0x5a1d_c3f0];

/// Console bytes: x1 = how many (1 to [`CONSOLE_BYTES_MAX`]), x2 up to x7 = the bytes, eight a register, the first in
/// the lowest bits.
pub const CONSOLE_WRITE: u32 = VENDOR_64 + 1;
/// Most bytes of one [`CONSOLE_WRITE`] or [`DEFMT_WRITE`].
pub const CONSOLE_BYTES_MAX: usize = 48;
/// Bytes of the partition's own defmt stream (rzcobs frames, each closed by a zero byte), as [`CONSOLE_WRITE`].
pub const DEFMT_WRITE: u32 = VENDOR_64 + 2;
/// Facts: x1 = which ([`information`]); the answer is in x1, x0 = [`SUCCESS`].
pub const INFORMATION: u32 = VENDOR_64 + 3;

/// What [`INFORMATION`] can tell.
pub mod information {
    /// The version of these calls: 1.
    pub const ABI_VERSION: u64 = 0;
    /// How many virtual cores the partition has.
    pub const VCPU_COUNT: u64 = 1;
    /// Index of the calling virtual core.
    pub const VCPU_INDEX: u64 = 2;
    /// The interrupt controller's architecture version: 2 or 3.
    pub const GIC_VERSION: u64 = 3;
    /// IPA of the distributor.
    pub const GICD: u64 = 4;
    /// IPA of a GICv2's CPU interface.
    pub const GICC: u64 = 5;
    /// IPA of a GICv3's first redistributor.
    pub const GICR: u64 = 6;
    /// IPA of the emulated PL011.
    pub const CONSOLE: u64 = 7;
}

/// PSCI and SMCCC function numbers that EL2 answers (DEN0022, DEN0028).
pub mod psci {
    /// PSCI_VERSION.
    pub const VERSION: u32 = 0x8400_0000;
    /// CPU_SUSPEND, SMC32.
    pub const CPU_SUSPEND_32: u32 = 0x8400_0001;
    /// CPU_SUSPEND, SMC64.
    pub const CPU_SUSPEND_64: u32 = 0xc400_0001;
    /// CPU_OFF.
    pub const CPU_OFF: u32 = 0x8400_0002;
    /// CPU_ON, SMC32.
    pub const CPU_ON_32: u32 = 0x8400_0003;
    /// CPU_ON, SMC64.
    pub const CPU_ON_64: u32 = 0xc400_0003;
    /// AFFINITY_INFO, SMC32.
    pub const AFFINITY_INFO_32: u32 = 0x8400_0004;
    /// AFFINITY_INFO, SMC64.
    pub const AFFINITY_INFO_64: u32 = 0xc400_0004;
    /// MIGRATE_INFO_TYPE.
    pub const MIGRATE_INFO_TYPE: u32 = 0x8400_0006;
    /// SYSTEM_OFF.
    pub const SYSTEM_OFF: u32 = 0x8400_0008;
    /// SYSTEM_RESET.
    pub const SYSTEM_RESET: u32 = 0x8400_0009;
    /// PSCI_FEATURES.
    pub const FEATURES: u32 = 0x8400_000a;
    /// SYSTEM_RESET2, SMC32.
    pub const SYSTEM_RESET2_32: u32 = 0x8400_0012;
    /// SMCCC_VERSION.
    pub const SMCCC_VERSION: u32 = 0x8000_0000;
    /// SMCCC_ARCH_FEATURES.
    pub const SMCCC_ARCH_FEATURES: u32 = 0x8000_0001;
}
