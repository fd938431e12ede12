//! What `septum run` makes of a run: its end, its exit code, an image that is damaged.

use std::fs;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use septum_plan::{BootBlock, boot};

use super::case::{Case, tree};
use super::console::u_boot_in_the_log;
use super::isolation::three_partitions;

#[test]
fn a_run_ends_well_as_soon_as_the_text_has_come() {
    let output = three_partitions("virt-hello").run_with(&["--until", "left: 1 of 5"]);
    let log = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.lines().last().is_some_and(|line| line.contains("left: 1 of 5")), "{log}");
}

/// A configuration's image, in a folder of the test's own.
fn image_of(config: &str, test: &str) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let mut command = Command::new(env!("CARGO_BIN_EXE_septum"));
    command.current_dir(tree()).arg("build").arg(format!("configs/{config}.toml")).arg("--out").arg(&out);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    out.join("septum.img")
}

/// Runs `config`'s image with one bit flipped in the sealed range, `permille` of its length from its start.
fn run_damaged(config: &str, permille: usize) -> Output {
    let image = image_of(config, &format!("damaged-{config}-{permille}"));
    let mut bytes = fs::read(&image).unwrap();
    let word =
        |offset: usize| usize::try_from(u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())).unwrap();
    let field = |offset| word(boot::OFFSET + offset);
    let plan = field(offset_of!(BootBlock, plan)) - field(offset_of!(BootBlock, load));
    let place = plan + (field(offset_of!(BootBlock, sealed_bytes)) - 1) * permille / 1000;
    bytes[place] ^= 0x10;
    fs::write(&image, bytes).unwrap();
    three_partitions(config).run_with(&["--image", image.to_str().unwrap()])
}

#[test]
fn a_board_refuses_an_image_with_a_flipped_bit_in_plan_or_tables() {
    for (config, permille) in [("virt-hello", 0), ("rpi4-hello", 500), ("imx8mp-hello", 1000)] {
        let output = run_damaged(config, permille);
        let log = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{config}: {log}");
        assert!(log.contains("septum: boot refused: "), "{config}: {log}");
        assert!(!log.contains("hello, I am"), "{config}: {log}");
    }
}

#[test]
fn a_run_with_a_partition_that_was_not_started_fails() {
    let image = image_of("virt-hello", "not-started");
    let mut bytes = fs::read(&image).unwrap();
    let script = b"say not reached";
    let at = bytes.windows(script.len()).position(|window| window == script).unwrap();
    bytes[at] ^= 1;
    fs::write(&image, bytes).unwrap();
    let output = three_partitions("virt-hello").run_with(&["--image", image.to_str().unwrap()]);
    let (log, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{log}{said}");
    assert!(log.contains("partition `prober` not started: L01"), "{log}");
    assert!(log.contains("all partitions have ended"), "{log}");
    assert!(said.contains("warning: ") && said.contains("error: not every partition was started"), "{said}");
}

#[test]
fn a_run_whose_text_never_comes_fails_when_the_board_is_off() {
    // The second is in EL2's first line.
    for text in ["a text that never comes", "partitions: 3"] {
        let output = three_partitions("virt-hello").run_with(&["--until", text]);
        assert_eq!(output.status.code(), Some(1));
        let said = format!("no line after EL2's first ones contained `{text}`");
        assert!(String::from_utf8_lossy(&output.stderr).contains(&said));
    }
}

#[test]
fn a_run_ends_well_when_a_prompt_has_come_whose_line_has_no_end() {
    let case = u_boot_in_the_log("tools/septum/tests/configs/virt-console");
    let output = Case { typed: &[("stop autoboot", "")], ..case }.run_with(&["--until", "u-boot| => "]);
    let log = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.ends_with("u-boot| => \n"), "{log}");
}
