//! For a partition's `build.rs`: hands the linker script to the linker. Host only.

use std::path::PathBuf;
use std::{env, fs, io};

const SCRIPT: &str = include_str!("../partition.ld");
const SCRIPT_NAME: &str = "septum-partition.ld";

/// Links the calling package's binaries as a partition: at IPA 0x4000_0000, with page-aligned RX, R and RW segments.
/// With septum-guest's feature `defmt` also as defmt wants it. Does nothing for other targets than bare metal.
///
/// # Errors
/// Where the script cannot be written to cargo's output folder, or this is not called by a build script.
pub fn link() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return Ok(());
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(folder.join(SCRIPT_NAME), SCRIPT)?;
    println!("cargo:rustc-link-search={}", folder.display());
    println!("cargo:rustc-link-arg-bins=-T{SCRIPT_NAME}");
    println!("cargo:rustc-link-arg-bins=-zmax-page-size=4096");
    if cfg!(feature = "defmt") {
        println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    }
    Ok(())
}
