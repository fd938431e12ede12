//! The compiler: configuration text in, a proven image out. Its core does no I/O.
//!
//! * [`board`]: what the hardware is, read from `boards/<name>/board.toml`;
//! * [`check`]: configuration -> [`system::System`], or all [`problem::Problems`] of it, each with its [`source`];
//! * [`device_tree`]: the device tree that a guest is given;
//! * [`image`]: the image's bytes, made from EL2's ELF ([`el2_elf`]); [`format`](mod@format): the same bytes as they are read;
//! * [`payload`]: what a partition runs, read from a file;
//! * [`linux`]: a Linux guest placed in its memory;
//! * [`inspect`]: what is in an image, as numbers;
//! * [`explain`]: who owns an address or an interrupt;
//! * [`report`]: an image for human eyes;
//! * [`verify`]: what an image's bytes really do;
//! * [`c_header`]: the C header of the calls that EL2 answers;
//! * [`refusal`](mod@refusal): why EL2 does not start a board, for readers of its log;
//! * [`schema`]: the keys of configurations and board files, as JSON schemas and as tables;
//! * [`system`]: the checked whole, which only the checker makes; after it nothing can fail on the user's input.
#![forbid(unsafe_code)]

pub mod board;
pub mod bus_masters;
pub mod c_header;
pub mod check;
pub mod device_tree;
pub mod el2_elf;
pub mod explain;
pub mod format;
pub mod image;
pub mod inspect;
pub mod linux;
pub mod payload;
mod place;
pub mod problem;
mod raw;
pub mod report;
pub mod schema;
pub mod source;
pub mod system;
pub mod verify;

pub use septum_plan::refusal;
