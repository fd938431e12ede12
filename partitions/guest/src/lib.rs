//! Runtime for Rust partitions at EL1.
#![cfg_attr(target_os = "none", no_std)]
