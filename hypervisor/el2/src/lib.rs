//! What EL2 decides, apart from what it touches: no module here names a register, so all of it is tested on the host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

pub mod cache;
pub mod call;
pub mod clock;
pub mod console;
pub mod exception_entry;
pub mod fault;
pub mod gic;
pub mod instruction;
pub mod machine;
pub mod payload;
pub mod pl011;
pub mod progress;
pub mod psci;
pub mod ring;
pub mod shared_line;
pub mod system_register;
pub mod typed;
pub mod uart;
pub mod vgic;
pub mod wake_ups;
