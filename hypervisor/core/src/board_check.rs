//! Whether this board is the one that the plan was made for: pure comparisons, each failure with a number and a name.
//!
//! [`core`] compares one core's identification registers, [`device_tree`] what firmware says about memory. `septum_plan::refusal`
//! has the numbers.

pub mod core;
pub mod device_tree;
