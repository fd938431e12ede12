//! Translation tables as pure functions: what a table must look like, how it is written, how hardware reads it.
//!
//! No `unsafe`, no allocation, no I/O. The builder and the walker share only the vocabulary of
//! [`address`] and [`attributes`]: every descriptor bit is encoded in `descriptor` and `builder` and
//! decoded again, independently and from the Arm ARM's pseudocode, in `walker`.
#![no_std]
#![forbid(unsafe_code)]

pub mod address;
pub mod attributes;
pub mod builder;
mod descriptor;
pub mod geometry;
pub mod granule;
pub mod stage1;
mod tree;

pub use address::{Ipa, Pa, Va};
pub use attributes::{Access, Attributes, Memory};
pub use builder::{BuildError, Built, Mapping, TableCount, build, tables_bytes};
pub use geometry::{Geometry, GeometryError};
pub use granule::{Granule, PaRange};
