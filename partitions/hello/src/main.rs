//! Example partition.
fn main() {}
