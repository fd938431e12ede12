//! Time as EL2 counts it, and what it has asked to be woken for.

pub mod clock;
pub mod wake_ups;
