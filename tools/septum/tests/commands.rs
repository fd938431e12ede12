//! What the commands print, and their exit codes: 0 done, 1 input wrong, 2 usage, 3 environment.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::mem::offset_of;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use septum_plan::{BootBlock, boot};

/// A shipped configuration: one of those that need no fetched guest.
const GOOD: &str = "configs/virt-hello.toml";

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_septum"));
    command.current_dir(tree()).args(arguments).stdin(Stdio::null());
    command
}

fn septum(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Asserts the exit code, showing all output if it is another.
fn assert_code(output: &Output, expected: i32) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(expected), "stdout:\n{stdout}\nstderr:\n{stderr}");
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A configuration with the board misspelt, in `folder`.
fn bad_config(folder: &Path) -> PathBuf {
    let text =
        fs::read_to_string(tree().join(GOOD)).unwrap().replace("board = \"qemu-virt\"", "board = \"qemu-virtt\"");
    let path = folder.join("bad.toml");
    fs::write(&path, text).unwrap();
    path
}

/// Builds the good configuration into an empty folder.
fn built(name: &str) -> PathBuf {
    let out = folder(name);
    assert_code(&septum(&["build", GOOD, "--out", out.to_str().unwrap()]), 0);
    out
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    assert_code(&septum(&[]), 2);
    assert_code(&septum(&["frobnicate"]), 2);
    assert_code(&septum(&["check"]), 2);
    assert_code(&septum(&["explain", GOOD, "neither"]), 2);
    assert_code(&septum(&["run", GOOD, "--timeout", "soon"]), 2);
}

#[test]
fn a_good_configuration_passes_the_check() {
    assert_code(&septum(&["check", GOOD]), 0);
}

#[test]
fn a_missing_configuration_is_wrong_input_and_named() {
    let output = septum(&["check", "configs/no-such.toml"]);
    assert_code(&output, 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("configs/no-such.toml"));
}

#[test]
fn problems_name_file_line_and_suggestion() {
    let config = bad_config(&folder("problems"));
    let output = septum(&["check", config.to_str().unwrap()]);
    assert_code(&output, 1);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("bad.toml:") && stderr.contains("qemu-virtt") && stderr.contains("`qemu-virt`"),
        "{stderr}"
    );
}

#[test]
fn problems_are_json_when_asked() {
    let config = bad_config(&folder("json"));
    let output = septum(&["check", "--format", "json", config.to_str().unwrap()]);
    assert_code(&output, 1);
    let problems: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(problems[0]["line"].as_u64().is_some_and(|line| line > 0), "{problems}");
    let output = septum(&["check", "--format", "json", GOOD]);
    assert_code(&output, 0);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), serde_json::json!([]));
}

#[test]
fn a_wrong_configuration_touches_no_output() {
    let out = built("untouched");
    let before: Vec<_> = files(&out).iter().map(|name| fs::read(out.join(name)).unwrap()).collect();
    let config = bad_config(&folder("untouched-config"));
    assert_code(&septum(&["build", config.to_str().unwrap(), "--out", out.to_str().unwrap()]), 1);
    let after: Vec<_> = files(&out).iter().map(|name| fs::read(out.join(name)).unwrap()).collect();
    assert!(before == after);
}

#[test]
fn a_build_gives_image_keys_and_reports_with_their_hashes() {
    let out = built("outputs");
    let expected = ["SHA256SUMS", "el2.elf", "plan.json", "report.html", "septum.h", "septum.img"];
    let names = files(&out);
    assert!(expected.iter().all(|name| names.iter().any(|there| there == name)), "{names:?}");
    assert!(names.iter().filter(|name| name.ends_with(".elf")).count() > 1, "{names:?}");
    let checked =
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&out).status().unwrap();
    assert!(checked.success());
    assert_eq!(fs::read_to_string(out.join("SHA256SUMS")).unwrap().lines().count() + 1, names.len());
}

#[test]
fn the_header_that_is_shown_is_the_one_in_files_and_builds() {
    let shown = septum(&["header"]);
    assert_code(&shown, 0);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("#define SEPTUM_CONSOLE_WRITE 0xc6000001\n"));
    let file = folder("header").join("calls.h");
    assert_code(&septum(&["header", file.to_str().unwrap()]), 0);
    assert!(fs::read(file).unwrap() == shown.stdout);
    assert!(fs::read(built("with-header").join("septum.h")).unwrap() == shown.stdout);
    assert_code(&septum(&["header", "no/such/folder/septum.h"]), 1);
}

#[test]
fn a_schema_tells_editors_the_keys_of_configurations_or_boards() {
    let keys = |arguments: &[&str]| {
        let shown = septum(arguments);
        assert_code(&shown, 0);
        let schema: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        schema["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert!(keys(&["schema"]).contains(&"partition".to_owned()));
    assert_eq!(keys(&["schema"]), keys(&["schema", "config"]));
    assert!(keys(&["schema", "board"]).contains(&"gic".to_owned()));
    assert_code(&septum(&["schema", "partition"]), 2);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (built("same-one"), built("same-two"));
    for name in files(&one) {
        assert!(fs::read(one.join(&name)).unwrap() == fs::read(two.join(&name)).unwrap(), "{name} differs");
    }
}

#[test]
fn a_configuration_gives_the_same_image_however_its_path_is_typed() {
    let (out, absolute) = (folder("spelt"), tree().join(GOOD));
    let upwards = format!("../{}/{GOOD}", tree().file_name().unwrap().to_str().unwrap());
    let typed =
        [(".", GOOD), (".", "./configs/../configs/virt-hello.toml"), (".", &upwards), ("configs", "virt-hello.toml")];
    let elsewhere = [(out.as_path(), absolute.to_str().unwrap()), (Path::new("/"), absolute.to_str().unwrap())];
    let images = typed.map(|(folder, typed)| (tree().join(folder), typed)).into_iter();
    let images = images.chain(elsewhere.map(|(folder, typed)| (folder.to_owned(), typed))).map(|(folder, typed)| {
        let output = command(&["build", typed, "--out", out.to_str().unwrap()]).current_dir(&folder).output().unwrap();
        assert_code(&output, 0);
        (typed, fs::read(out.join("septum.img")).unwrap())
    });
    let images: Vec<_> = images.collect();
    images.iter().for_each(|(typed, image)| assert!(*image == images[0].1, "{typed}"));
    assert!(images[0].1.windows(GOOD.len()).any(|bytes| bytes == GOOD.as_bytes()));
}

#[test]
fn a_configuration_outside_the_tree_is_called_by_its_file_name_in_every_folder() {
    let images = ["one", "two"].map(|name| {
        let folder = folder(&format!("outside-{name}"));
        // The target folder lies in the tree: only a path elsewhere is outside.
        let outside = std::env::temp_dir().join(format!("septum-{}-{name}", std::process::id()));
        fs::create_dir_all(&outside).unwrap();
        fs::copy(tree().join(GOOD), outside.join("mine.toml")).unwrap();
        let output = septum(&["build", outside.join("mine.toml").to_str().unwrap(), "--out", folder.to_str().unwrap()]);
        fs::remove_dir_all(&outside).unwrap();
        assert_code(&output, 0);
        fs::read(folder.join("septum.img")).unwrap()
    });
    assert!(images[0] == images[1]);
}

#[test]
fn a_built_image_is_inspected_and_verified() {
    let image = built("whole").join("septum.img");
    let image = image.to_str().unwrap();
    assert_code(&septum(&["inspect", image]), 0);
    assert_code(&septum(&["verify", image]), 0);
    let output = septum(&["inspect", "--json", image]);
    assert_code(&output, 0);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["board"], "qemu-virt");
    assert_eq!(shown["partitions"].as_array().unwrap().len(), 3);
}

#[test]
fn an_image_is_inspected_by_its_configuration_too() {
    let by_image = septum(&["inspect", "--json", built("by-config").join("septum.img").to_str().unwrap()]);
    let by_config = septum(&["inspect", "--json", GOOD]);
    assert_code(&by_config, 0);
    assert_eq!(by_image.stdout, by_config.stdout);
}

#[test]
fn what_is_no_image_is_refused_without_a_panic() {
    let folder = folder("no-image");
    for (name, bytes) in [("empty", vec![]), ("zeroes", vec![0; 8192]), ("text", b"board = 1\n".repeat(1000))] {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        for command in ["verify", "inspect"] {
            let output = septum(&[command, path.to_str().unwrap()]);
            assert_code(&output, 1);
            assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{command} {name}");
        }
    }
}

#[test]
fn a_board_beside_the_configuration_is_named_and_so_is_what_it_shadows() {
    let folder = folder("shadow");
    let text = fs::read_to_string(tree().join(GOOD)).unwrap();
    for board in ["qemu-virt", "mine"] {
        fs::create_dir_all(folder.join("boards").join(board)).unwrap();
        let file = folder.join("boards").join(board).join("board.toml");
        fs::copy(tree().join("boards/qemu-virt/board.toml"), file).unwrap();
        let config = folder.join(board).with_extension("toml");
        fs::write(&config, text.replace("board = \"qemu-virt\"", &format!("board = \"{board}\""))).unwrap();
        let output = septum(&["check", config.to_str().unwrap()]);
        assert_code(&output, 0);
        let instead = if board == "mine" { "" } else { ", in place of Septum's own of that name" };
        let remark = format!("board `{board}` is boards/{board}/board.toml beside the configuration{instead}");
        // On a slow host the tool says beside it what it builds.
        assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("note[N0101]: {remark}\n")));
        let out = folder.join("out");
        let output = septum(&["build", config.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        assert_code(&output, 0);
        assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("note[N0101]: {remark}\n")));
        let page = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(page.contains(&format!("<p><strong>{remark}.</strong></p>")));
    }
    assert!(!String::from_utf8_lossy(&septum(&["check", GOOD]).stderr).contains("N0101"));
}

/// A little-endian number in an image.
fn word(image: &[u8], offset: usize) -> usize {
    u64::from_le_bytes(image[offset..offset + 8].try_into().unwrap()).try_into().unwrap()
}

#[test]
fn an_image_with_a_flipped_bit_in_plan_or_tables_is_refused() {
    let out = built("damaged");
    let bytes = fs::read(out.join("septum.img")).unwrap();
    let field = |offset| word(&bytes, boot::OFFSET + offset);
    let first = field(offset_of!(BootBlock, plan)) - field(offset_of!(BootBlock, load));
    let sealed = field(offset_of!(BootBlock, sealed_bytes));
    for place in
        [boot::OFFSET, boot::OFFSET + offset_of!(BootBlock, load), first, first + sealed / 2, first + sealed - 1]
    {
        let mut damaged = bytes.clone();
        damaged[place] ^= 4;
        let path = out.join("damaged.img");
        fs::write(&path, damaged).unwrap();
        assert_code(&septum(&["verify", path.to_str().unwrap()]), 1);
        assert_code(&septum(&["inspect", path.to_str().unwrap()]), 1);
    }
}

#[test]
fn explain_names_the_owner_of_an_address() {
    let output = septum(&["explain", GOOD, "0x4000_0000"]);
    assert_code(&output, 0);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("physical address 0x40000000: RAM") && stdout.contains("partition `"), "{stdout}");
}

#[test]
fn without_the_emulator_run_says_what_to_do() {
    let output = command(&["run", GOOD]).env("SEPTUM_QEMU", "/no/such/qemu").output().unwrap();
    assert_code(&output, 3);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("/no/such/qemu") && stderr.contains("help:"), "{stderr}");
}

#[test]
fn a_guest_that_cannot_be_fetched_is_no_fault_of_the_configuration() {
    let output = command(&["check", "configs/virt-uboot.toml"]).env("SEPTUM_CACHE", "/dev/null/none").output().unwrap();
    assert_code(&output, 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("help:"));
}

#[test]
fn a_board_without_a_twin_cannot_be_run() {
    let output = septum(&["run", "configs/server-42-hello.toml"]);
    assert_code(&output, 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no QEMU twin"));
}

/// Runs the good configuration's machine with another image; what `run` says of it.
fn run_with_image(image: &Path, code: i32) -> String {
    let output = septum(&["run", GOOD, "--timeout", "0", "--image", image.to_str().unwrap()]);
    assert_code(&output, code);
    String::from_utf8(output.stderr).unwrap()
}

/// The good configuration's image with its keys in `folder`, EL2's code changed as another build's would be: in the image,
/// and if `key` says so in the ELF beside it.
fn of_another_build(name: &str, key: bool) -> PathBuf {
    let out = built(name);
    // EL2's second page is its code's first: 4 KiB into the image, and where the ELF holds the same bytes.
    let mut image = fs::read(out.join("septum.img")).unwrap();
    let mut elf = fs::read(out.join("el2.elf")).unwrap();
    let code = image[0x1000..0x1100].to_vec();
    let at = elf.windows(code.len()).position(|window| window == code).unwrap();
    image[0x1010] ^= 1;
    fs::write(out.join("septum.img"), image).unwrap();
    if key {
        elf[at + 0x10] ^= 1;
        fs::write(out.join("el2.elf"), elf).unwrap();
    }
    out.join("septum.img")
}

#[test]
fn the_log_of_another_el2_is_read_with_the_elf_beside_its_image_or_not_at_all() {
    let said = run_with_image(&of_another_build("other-el2", false), 1);
    assert!(said.contains("its EL2 is another build than this tree's and than `el2.elf` beside it"), "{said}");
    assert!(said.contains("help: put the `el2.elf` that was built with it beside it"), "{said}");
    let image = of_another_build("other-el2-and-key", true);
    let said = run_with_image(&image, 1);
    assert!(!said.contains("another build") && said.contains("0 s are over"), "{said}");
    fs::remove_file(image.with_file_name("el2.elf")).unwrap();
    assert!(run_with_image(&image, 1).contains("its EL2 is another build than this tree's: its log"));
}

#[test]
fn a_program_that_is_not_in_the_image_explains_no_address_of_it() {
    let out = folder("other-program");
    let config = out.join("virt-hello.toml");
    let text = fs::read_to_string(tree().join(GOOD)).unwrap();
    fs::write(&config, text.replacen("image = \"hello\"", "image = \"prober\"", 1)).unwrap();
    assert_code(&septum(&["build", config.to_str().unwrap(), "--out", out.to_str().unwrap()]), 0);
    let said = run_with_image(&out.join("septum.img"), 1);
    assert!(!said.contains("another program"), "its own ELF lies beside it: {said}");
    fs::remove_file(out.join("left.elf")).unwrap();
    let said = run_with_image(&out.join("septum.img"), 1);
    assert!(said.contains("`left` in it is another program than this tree's"), "{said}");
    assert!(!said.contains("`right` in it"), "{said}");
}

#[test]
fn an_image_from_another_state_of_its_configuration_is_told_with_what_differs() {
    let out = folder("other-state");
    let config = out.join("virt-hello.toml");
    let text = fs::read_to_string(tree().join(GOOD)).unwrap();
    let build = |text: String| {
        fs::write(&config, text).unwrap();
        assert_code(&septum(&["build", config.to_str().unwrap(), "--out", out.to_str().unwrap()]), 0);
        run_with_image(&out.join("septum.img"), 1)
    };
    let said = build(format!("# One line more.\n{text}"));
    assert!(!said.contains("another state"), "what moves by lines is the same: {said}");
    let said =
        build(text.replace("partition.prober", "partition.spy").replace("0x5000_0000, size", "0x5001_0000, size"));
    let differs = "it has a partition `spy`, it has no partition `prober`; names and lines below may be wrong";
    assert!(said.contains(&format!("made from another state of {GOOD}: {differs}")), "{said}");
    assert!(!said.contains("another program"), "{said}");
    let said = build(text.replace("0x5000_0000, size", "0x5001_0000, size").replacen("cpus = [0]", "cpus = [3]", 1));
    let differs = "`left` has cores [3] in it and [0] now, `constants` of `prober` is [0x50010000..0x50020000) at ";
    assert!(said.contains(differs), "{said}");
    let said = build(text.replacen("lines=5", "lines=6", 1));
    assert!(said.contains("`left` is loaded with something else in it"), "{said}");
}

#[test]
fn an_image_that_cannot_run_on_the_board_is_refused_by_name() {
    let folder = folder("other-images");
    let said = run_with_image(&folder.join("none.img"), 1);
    assert!(said.contains("none.img`: No such file"), "{said}");
    let text = folder.join("text.img");
    fs::write(&text, "no image".repeat(4096)).unwrap();
    let said = run_with_image(&text, 1);
    assert!(said.contains("text.img`: it has no arm64 Image header"), "{said}");
    let out = folder.join("other-board");
    assert_code(&septum(&["build", "configs/virt-48-hello.toml", "--out", out.to_str().unwrap()]), 0);
    let said = run_with_image(&out.join("septum.img"), 1);
    assert!(
        said.contains("is for board `qemu-virt-48`, but configs/virt-hello.toml is for board `qemu-virt`"),
        "{said}"
    );
}

#[test]
fn an_image_of_another_configuration_or_a_damaged_one_is_warned_of() {
    let folder = folder("warned-images");
    let config = folder.join("renamed.toml");
    fs::copy(tree().join(GOOD), &config).unwrap();
    assert_code(&septum(&["build", config.to_str().unwrap(), "--out", folder.to_str().unwrap()]), 0);
    let image = folder.join("septum.img");
    let said = run_with_image(&image, 1);
    assert!(said.contains("warning: ") && said.contains("renamed.toml, not from configs/virt-hello.toml"), "{said}");
    let mut bytes = fs::read(&image).unwrap();
    bytes[64 + 24] ^= 4;
    fs::write(&image, bytes).unwrap();
    let said = run_with_image(&image, 1);
    assert!(said.contains("its boot block is damaged (seal); the board should refuse it"), "{said}");
    assert!(said.contains("0 s are over"), "the board is started nevertheless: {said}");
}

#[test]
fn a_variant_without_a_twin_is_told_which_has_one() {
    let text = fs::read_to_string(tree().join("configs/rpi4-hello.toml")).unwrap();
    let line = text.lines().position(|line| line.starts_with("variant = \"2GiB\"")).unwrap() + 1;
    let config = folder("variant").join("four.toml");
    fs::write(&config, text.replace("variant = \"2GiB\"", "variant = \"4GiB\"")).unwrap();
    let output = septum(&["run", config.to_str().unwrap()]);
    assert_code(&output, 1);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("four.toml:{line}: board `rpi4` has a QEMU twin only as ")), "{said}");
    assert!(said.contains("help: write `variant = \"2GiB\"`"), "{said}");
}

#[test]
fn json_holds_the_remark_at_the_problem_and_a_missing_file_too() {
    let config = bad_config(&folder("json-label"));
    let output = septum(&["check", "--format", "json", config.to_str().unwrap()]);
    let problems: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(problems[0]["label"], "no folder of boards/");
    let output = septum(&["check", "--format", "json", "configs/no-such.toml"]);
    assert_code(&output, 1);
    let problems: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&"configs/no-such.toml".into(), &1.into()));
}

#[test]
fn without_cargo_one_message_says_what_to_do() {
    let output = command(&["build", GOOD]).env("CARGO", "/no/such/cargo").output().unwrap();
    assert_code(&output, 3);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("/no/such/cargo").count(), 1, "{said}");
    assert!(said.contains("help: install Rust"), "{said}");
}

/// The packages of one call of cargo. Built together they would share features, and a program would depend on its
/// neighbours.
fn packages(call: &str) -> String {
    let words: Vec<_> = call.split(' ').collect();
    let packages: Vec<_> = words.windows(2).filter(|pair| pair[0] == "--package").map(|pair| pair[1]).collect();
    packages.join("+")
}

/// The crates that cargo is asked for, one call after the other, when `config` is checked.
fn asked_of_cargo(folder: &Path, config: &Path) -> Vec<String> {
    let (cargo, calls) = (folder.join("cargo"), folder.join("calls"));
    fs::write(&cargo, "#!/bin/sh\necho \"$@\" >>\"$CALLS\"\nexec \"$REAL_CARGO\" \"$@\"\n").unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = command(&["check", config.to_str().unwrap()]);
    command.env("CARGO", &cargo).env("REAL_CARGO", env!("CARGO")).env("CALLS", &calls);
    assert_code(&command.output().unwrap(), 0);
    let calls = fs::read_to_string(calls).unwrap();
    calls.lines().map(packages).collect()
}

#[test]
fn cargo_builds_each_crate_once_and_alone() {
    let folder = folder("cargo-calls");
    let config = folder.join("many.toml");
    let mut text = "board = \"server-42\"\n".to_owned();
    for core in 0..8 {
        let image = if core == 5 { "prober" } else { "hello" };
        let memory = "memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }";
        text += &format!("[partition.p{core}]\ncpus = [{core}]\nimage = \"{image}\"\n{memory}\n");
    }
    fs::write(&config, text).unwrap();
    assert_eq!(asked_of_cargo(&folder, &config), ["hello", "prober"]);
}

#[test]
fn the_folder_of_a_build_is_no_file_and_keeps_nothing_of_an_earlier_one() {
    let out = folder("stale");
    fs::write(out.join("file"), "").unwrap();
    let output = septum(&["build", GOOD, "--out", out.join("file").to_str().unwrap()]);
    assert_code(&output, 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("is a file: `--out` names the folder"));
    fs::write(out.join("gone.elf"), "").unwrap();
    fs::write(out.join("SHA256SUMS"), "00  gone.elf\n00  ../file\n").unwrap();
    assert_code(&septum(&["build", GOOD, "--out", out.to_str().unwrap()]), 0);
    assert!(!out.join("gone.elf").exists() && out.join("file").exists());
    let output = septum(&["build", bad_config(&out).to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_code(&output, 1);
    let said = format!("note: `{}` is of an earlier build", out.join("septum.img").display());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&said));
}

#[test]
fn a_configuration_that_is_to_be_verified_is_told_from_a_damaged_image() {
    let output = septum(&["verify", GOOD]);
    assert_code(&output, 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("help: `septum build {GOOD}`")));
}

#[test]
fn a_run_that_takes_too_long_fails() {
    assert_code(&septum(&["run", GOOD, "--timeout", "0", "--until", "a text that never comes"]), 1);
}
