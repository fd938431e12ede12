//! What the architecture makes of a trapped instruction: how it is finished, what a system register answers, how an
//! exception enters EL1.

pub mod exception_entry;
pub mod instruction;
pub mod system_register;
