//! What EL2 decides, apart from what it does: no module here names a system register or an address of the machine, so all
//! of it is tested on the host.
//!
//! `septum-el2` has, for most subjects, a module of the same name that does what the one here decides.
//!
//! * [`board_check`]: whether the board is the one that the plan was made for;
//! * [`calls`] and [`psci`]: what a partition's calls are answered;
//! * [`console`]: a partition's text on its way to the log; [`input`]: what is typed, on its way to a partition;
//! * [`dev`]: drivers of what EL2 itself uses: interrupt controller, log's UART, power;
//! * [`fault`]: what a fault is, and whose is what lies where it happened;
//! * [`lifecycle`]: how a partition's cores agree on its end and its restart;
//! * [`loader`]: a partition's payload, copied and checked;
//! * [`log`]: a core's ring of records;
//! * [`time`]: ticks, microseconds, wake-ups;
//! * [`trap`]: what the architecture makes of a trapped instruction;
//! * [`vdev`]: devices that EL2 emulates: interrupt controller, PL011.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used))]

pub mod board_check;
pub mod calls;
pub mod console;
pub mod dev;
pub mod fault;
pub mod input;
pub mod lifecycle;
pub mod loader;
pub mod log;
pub mod psci;
pub mod time;
pub mod trap;
pub mod vdev;
