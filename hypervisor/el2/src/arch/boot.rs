//! The image's first page: arm64 Image header, boot block, and the stub that runs with the MMU off.
//!
//! The stub is position independent and writes no memory but where it moves the image. In order: EL2 or refuse; boot
//! block's seal; caches cleaned and MMU off if firmware left them on (U-Boot `go`); image moved to its place; seal over
//! plan and tables; this core's index from the plan; MMU and caches on with the compiled tables; stack; Rust.
//! docs/boot.md tells the whole of it, docs/decisions/0005-boot-stub.md why.

use core::arch::asm;
use core::mem::offset_of;

use septum_plan::{BootBlock, boot, space};

/// SCTLR_EL2's RES1 bits: 29, 28, 23, 22, 18, 16, 11, 5, 4 (Arm ARM D24.2.176). Little-endian, everything off.
pub const SCTLR_OFF: u64 = 0x30c5_0830;
/// SCTLR_EL2 of the running EL2: M, C, SA (stack alignment), I, WXN (nothing writable is executable).
pub const SCTLR_ON: u64 = SCTLR_OFF | 1 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 19;
/// SCTLR_EL2's M and C: whether data may lie in a cache only.
pub const SCTLR_CACHED: u64 = 1 | 1 << 2;
/// HCR_EL2 while EL2 boots: EL1 is AArch64; E2H and TGE off, whatever a core with VHE was left at.
pub const HCR_BOOT: u64 = 1 << 31;
/// The affinity fields of MPIDR_EL1.
pub const MPIDR_AFFINITY: u64 = 0xff_00ff_ffff;
/// Top of the first core's stack.
pub const FIRST_STACK_TOP: u64 = space::CORES_VA + space::CORE_STACK_OFFSET + space::CORE_STACK_BYTES;

// The stub's loops work in these units; the compiler's page-sized ranges are multiples of them.
const _: () = assert!(boot::OFFSET == 64 && size_of::<BootBlock>().is_multiple_of(8));
const _: () = assert!(space::CORE_STRIDE.is_power_of_two());
const _: () = assert!(matches!(size_of::<BootBlock>().checked_sub(offset_of!(BootBlock, seal)), Some(8)));

/// What the assembly's operands are made of.
pub mod operands {
    pub use core::mem::offset_of;

    pub use septum_plan::{
        BootBlock, CoreRecord, DeviceRecord, PlanHeader, Slice, UartPort, boot, record, seal, space,
    };

    pub use super::{FIRST_STACK_TOP, HCR_BOOT, MPIDR_AFFINITY, SCTLR_CACHED, SCTLR_OFF, SCTLR_ON};
}

/// An assembler macro `text_NUMBER`: a refusal's text, closed by a zero byte.
macro_rules! text {
    ($number:ident) => {
        concat!(".macro text_", stringify!($number), "\n.asciz \"", septum_plan::refusal!($number: concat), "\"\n.endm")
    };
}
pub(crate) use text;

/// Assembles the stub, once. The caller's module has the functions that it enters on the boot core and on every other one.
macro_rules! assemble {
    (primary: $primary:ident, secondary: $secondary:ident $(,)?) => {
        mod stub {
            use crate::arch::boot::operands::*;

            const PORT: usize = offset_of!(BootBlock, console) + offset_of!(DeviceRecord, port);

            core::arch::global_asm!(
                concat!(".macro text_prefix\n.asciz \"\\r\\nseptum: ", septum_plan::refusal_prefix!(), "\"\n.endm"),
                $crate::arch::boot::text!(B01),
                $crate::arch::boot::text!(B02),
                $crate::arch::boot::text!(B03),
                $crate::arch::boot::text!(B04),
                $crate::arch::boot::text!(B05),
                $crate::arch::boot::text!(B06),
                $crate::arch::boot::text!(B07),
                $crate::arch::boot::text!(B08),
                $crate::arch::boot::text!(B09),
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/arch/boot.s")),
                BLOCK_BYTES = const size_of::<BootBlock>(),
                BLOCK_COVERED = const offset_of!(BootBlock, seal),
                BLOCK_MAGIC = const offset_of!(BootBlock, magic),
                BLOCK_VERSION = const offset_of!(BootBlock, version),
                BLOCK_CONSOLE = const offset_of!(BootBlock, console) + offset_of!(DeviceRecord, pa),
                BLOCK_PORT_DATA = const PORT + offset_of!(UartPort, data),
                BLOCK_PORT_STATUS = const PORT + offset_of!(UartPort, status),
                BLOCK_PORT_MASK = const PORT + offset_of!(UartPort, mask),
                BLOCK_PORT_READY = const PORT + offset_of!(UartPort, ready),
                BLOCK_LOAD = const offset_of!(BootBlock, load),
                BLOCK_IMAGE_BYTES = const offset_of!(BootBlock, image_bytes),
                BLOCK_PLAN = const offset_of!(BootBlock, plan),
                BLOCK_SEALED_BYTES = const offset_of!(BootBlock, sealed_bytes),
                BLOCK_SEALED = const offset_of!(BootBlock, sealed),
                BLOCK_BOOT_ROOT = const offset_of!(BootBlock, boot_root),
                BLOCK_RUN_ROOT = const offset_of!(BootBlock, run_root),
                BLOCK_TCR = const offset_of!(BootBlock, tcr),
                BLOCK_MAIR = const offset_of!(BootBlock, mair),
                BLOCK_SEAL = const offset_of!(BootBlock, seal),
                PLAN_CORES = const offset_of!(PlanHeader, cores) + offset_of!(Slice, offset),
                PLAN_CORE_COUNT = const offset_of!(PlanHeader, cores) + offset_of!(Slice, count),
                CORE_MPIDR = const offset_of!(CoreRecord, mpidr),
                CORE_BYTES = const size_of::<CoreRecord>(),
                VERSION = const record::VERSION,
                MAGIC = const boot::MAGIC,
                SEED = const seal::SEED,
                MULTIPLIER = const seal::MULTIPLIER,
                ROTATION = const seal::ROTATION,
                UNROTATION = const u64::BITS - seal::ROTATION,
                SCTLR_OFF = const SCTLR_OFF,
                SCTLR_ON = const SCTLR_ON,
                SCTLR_CACHED = const SCTLR_CACHED,
                HCR_BOOT = const HCR_BOOT,
                MPIDR_AFFINITY = const MPIDR_AFFINITY,
                FIRST_STACK_TOP = const FIRST_STACK_TOP,
                CORE_STRIDE_SHIFT = const space::CORE_STRIDE.trailing_zeros(),
                PRIMARY = sym super::$primary,
                SECONDARY = sym super::$secondary,
            );
        }
    };
}
pub(crate) use assemble;

unsafe extern "C" {
    static image_start: u8;
    static boot_secondary: u8;
    static boot_refuse_unreadable: u8;
}

/// Where a secondary core must enter, physically, when the image's first byte lies at `load_pa`.
pub fn secondary_entry(load_pa: u64) -> u64 {
    physical(load_pa, &raw const boot_secondary)
}

/// The boot block, whose seal the stub has checked.
pub fn block() -> &'static BootBlock {
    let block = (&raw const image_start).wrapping_add(boot::OFFSET).cast::<BootBlock>();
    // SAFETY: the compiler has put the block there; the boot page is mapped, readable, at its linked address, and nobody
    // writes to it.
    unsafe { &*block }
}

/// Says in plain text that the plan cannot be read, and parks: for the boot core, before there is a log.
pub fn refuse_unreadable_plan() -> ! {
    let load_pa = block().load;
    // SAFETY: the boot page is also mapped, executable, at its physical address, in every root; the code there turns
    // the MMU off and needs nothing of Rust.
    unsafe { asm!("br {}", in(reg) physical(load_pa, &raw const boot_refuse_unreadable), options(noreturn)) }
}

/// Lets a core that polls the release address which the boot root maps at `release_va` start at the physical address
/// `entry`, once [`release_done`] is called.
///
/// # Safety
/// `release_va` is a core's release address in the boot root, and that is this core's root.
pub unsafe fn release(release_va: u64, entry: u64) {
    // SAFETY: eight aligned bytes that only a waiting core reads, by the caller's promise. The boot root maps them
    // non-cacheable, so they reach memory, where a core with its caches off looks.
    unsafe { asm!("str {}, [{}]", in(reg) entry, in(reg) release_va, options(nostack, preserves_flags)) };
}

/// Wakes the cores that poll release addresses.
pub fn release_done() {
    // SAFETY: a barrier and an event.
    unsafe { asm!("dsb sy", "sev", options(nostack, preserves_flags)) };
}

fn physical(load_pa: u64, symbol: *const u8) -> u64 {
    load_pa.wrapping_add((symbol.addr() as u64).wrapping_sub((&raw const image_start).addr() as u64))
}
