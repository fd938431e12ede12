//! Translation tables as pure functions: what a table must look like, how it is written, how hardware reads it.
//!
//! No `unsafe`, no allocation, no I/O. Two halves share only the vocabulary of [`address`], [`attributes`] and
//! [`granule`], so that one can judge the other:
//!
//! * what the compiler writes: [`geometry`], [`builder`] (Stage 2), [`stage1`] (EL2's own), over `tree` and `descriptor`;
//! * how hardware reads it, from the Arm ARM's pseudocode: [`walker`] (Stage 2), [`stage1_walker`], over [`walk`] and
//!   [`control`].
//!
//! [`fault`] names what a walk can raise, for the walkers and for [`syndrome`], which decodes what a trap tells EL2.
#![no_std]
#![forbid(unsafe_code)]

pub mod address;
pub mod attributes;
pub mod builder;
pub mod control;
mod descriptor;
pub mod fault;
pub mod geometry;
pub mod granule;
pub mod stage1;
pub mod stage1_walker;
pub mod syndrome;
mod tree;
pub mod walk;
pub mod walker;

pub use address::{Ipa, Pa, Va};
pub use attributes::{Access, Attributes, Memory};
pub use builder::{BuildError, Built, Mapping, TableCount, build, tables_bytes};
pub use control::RegisterError;
pub use fault::{Fault, FaultKind};
pub use geometry::{Geometry, GeometryError};
pub use granule::{Granule, PaRange};
pub use stage1_walker::Stage1Walker;
pub use syndrome::{Abort, AbortAccess, ExceptionClass, FaultAddress, Syndrome, SystemRegisterAccess, Transfer};
pub use walk::{Leaf, Reason, Refusal, TableBytes, TableMemory, TablePage, Visitor};
pub use walker::{AccessKind, Translation, Walker};
