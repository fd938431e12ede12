//! From the boot stub to the partitions: what each core does once, in order.

use crate::arch::cpu;

/// The boot core arrives here from the stub, MMU and caches on with the boot root, on its own stack.
pub extern "C" fn primary(_index: u64, _device_tree: u64) -> ! {
    cpu::park()
}

/// Every other core arrives here from the stub, MMU and caches on with the run root, on its own stack.
pub extern "C" fn secondary(_index: u64) -> ! {
    cpu::park()
}
