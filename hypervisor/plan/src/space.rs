//! EL2's virtual address space, the same on every board: where the compiler maps what, and where EL2 finds it.
//!
//! EL2's regime is non-VHE, 4 KiB granule, 39 bits (T0SZ = 25, walks start at level 1). EL2's ELF is linked at
//! [`IMAGE_VA`], below 4 GiB, because defmt addresses its symbols at 0 by ADRP. Besides these windows only the
//! image's boot page is mapped, at its physical address, for the instructions that turn the MMU on.
//!
//! | window | what | rights |
//! |---|---|---|
//! | [`IMAGE_VA`] | EL2's ELF segments | text rx, rodata r, data and bss rw |
//! | [`PLAN_VA`] | plan and all translation tables (the sealed range) | r |
//! | [`CORES_VA`] | per core: guard, stack, guard, state, log ring | rw |
//! | [`DEVICES_VA`] | EL2's devices, a guard page after each | rw, device |
//! | [`RAM_VA`] | all RAM but the carve-outs, for the firmware's device tree; in the boot root only | r |
//! | [`LOADER_VA`] | one partition's memory (rw) and its payload in the image (r); in its loader root only | rw, r |

use crate::frames;

/// Bits of EL2's virtual addresses.
pub const VA_BITS: u32 = 39;
/// Where EL2's ELF is linked, in bytes.
pub const IMAGE_VA: u64 = 0xc000_0000;
/// Most bytes that EL2's ELF may take in memory.
pub const IMAGE_BYTES_MAX: u64 = 0x0020_0000;
/// The first core's area.
pub const CORES_VA: u64 = 0xc020_0000;
/// Bytes of address space per core.
pub const CORE_STRIDE: u64 = 0x8000;
/// Most cores of a board: each has such an area. An index of a core fits 16 bits everywhere.
pub const CORES_MAX: u64 = (DEVICES_VA - CORES_VA) / CORE_STRIDE;
/// Offset of the stack's lowest byte in a core's area; the page below is not mapped.
pub const CORE_STACK_OFFSET: u64 = 0x1000;
/// Bytes of a core's stack.
pub const CORE_STACK_BYTES: u64 = 0x2000;
/// Offset of a core's state in its area (TPIDR_EL2); the page below, above the stack's top, is not mapped.
pub const CORE_STATE_OFFSET: u64 = 0x4000;
/// Bytes of a core's state.
pub const CORE_STATE_BYTES: u64 = 0x1000;
/// Offset of a core's log ring, right after its state.
pub const CORE_RING_OFFSET: u64 = 0x5000;
/// Bytes of a core's log ring, a power of two.
pub const CORE_RING_BYTES: u64 = 0x2000;
/// Bytes of memory behind one core's area: stack, state and ring.
pub const CORE_MEMORY_BYTES: u64 = CORE_STACK_BYTES + CORE_STATE_BYTES + CORE_RING_BYTES;
/// EL2's devices.
pub const DEVICES_VA: u64 = 0xc800_0000;
/// Bytes of address space from one piece of GICR to the next: 128 KiB and a page that is not mapped.
pub const GICR_STRIDE: u64 = frames::GICR_BYTES + 0x1000;
/// End (exclusive) of the devices' window.
pub const DEVICES_VA_END: u64 = 0xd000_0000;
/// Plan and translation tables.
pub const PLAN_VA: u64 = 0xd000_0000;
/// Most bytes of plan and tables together.
pub const PLAN_BYTES_MAX: u64 = 0x1000_0000;
/// RAM banks in the boot root.
pub const RAM_VA: u64 = 0x10_0000_0000;
/// A partition's memory and payload in its loader root: each GiB of physical memory that has some in a slot of its own.
pub const LOADER_VA: u64 = 0x40_0000_0000;

/// The lowest virtual address of core `index`'s area.
pub const fn core_area(index: u32) -> u64 {
    CORES_VA + index as u64 * CORE_STRIDE
}

const _: () = assert!(CORES_MAX < u16::MAX as u64);
const _: () = assert!(IMAGE_VA + IMAGE_BYTES_MAX <= CORES_VA);
const _: () = assert!(CORE_STACK_OFFSET + CORE_STACK_BYTES < CORE_STATE_OFFSET);
const _: () = assert!(CORE_STATE_OFFSET + CORE_STATE_BYTES == CORE_RING_OFFSET);
const _: () = assert!(CORE_RING_OFFSET + CORE_RING_BYTES < CORE_STRIDE);
const _: () = assert!(PLAN_VA + PLAN_BYTES_MAX <= 1 << 32);
