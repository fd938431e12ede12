//! An image's bytes as anybody finds them: what is read of a file before it is believed, and where things stand in it.
//!
//! Whoever judges an image reads it by this alone, and by nothing of what writes images.

pub mod difference;
pub(crate) mod form;
pub mod header;
pub mod origin;
pub mod reader;
