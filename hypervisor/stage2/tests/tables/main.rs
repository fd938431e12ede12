//! The builders judged by the walkers: for every granule and physical size, over random regions and damaged bytes.
#![allow(clippy::unwrap_used)]

mod mutation;
mod oracle;
mod random;
mod regions;
mod sizes;
mod stage1;
mod strict;
