//! The EL2 binary: boot, exception vectors, drivers. On the host it is an empty program, so that plain cargo works.
fn main() {}
