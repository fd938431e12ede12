//! Links the binary for the board: the linker script, with the one address it needs taken from the plan's crate.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=image.ld");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os != "none") {
        return;
    }
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for argument in [
        format!("-T{folder}/image.ld"),
        "-Tdefmt.x".to_owned(),
        format!("--defsym=IMAGE_VA={:#x}", septum_plan::space::IMAGE_VA),
        format!("--defsym=IMAGE_BYTES_MAX={:#x}", septum_plan::space::IMAGE_BYTES_MAX),
        "-zmax-page-size=4096".to_owned(),
        "--no-dynamic-linker".to_owned(),
        "-znorelro".to_owned(),
        "--build-id=sha1".to_owned(),
        "--icf=all".to_owned(),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
