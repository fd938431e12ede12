//! The decoding process: whatever comes over the serial line, it answers each frame and goes on.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Bytes that look like nothing, the same at each run (xorshift64).
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(next).collect()
}

#[test]
fn noise_is_answered_frame_by_frame() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("decoder");
    let septum = || Command::new(env!("CARGO_BIN_EXE_septum"));
    let built =
        septum().current_dir(tree).args(["build", "configs/virt-hello.toml", "--out"]).arg(&out).status().unwrap();
    assert!(built.success());

    let bytes = noise(1 << 20);
    let frames = bytes.split_inclusive(|byte| *byte == 0).count();
    let mut decoder = septum();
    decoder.arg("decode").arg(out.join("el2.elf")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = decoder.spawn().unwrap();
    let mut input = running.stdin.take().unwrap();
    let writer = thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = running.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout.split(|byte| *byte == b'\n').count() - 1, frames);
}
