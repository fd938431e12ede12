//! Whatever lies behind stdin, stdout and stderr, and whatever the words of the command line are, a command ends with its
//! exit code and a message, never with a panic.
#![allow(clippy::unwrap_used)]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A shipped configuration: one of those that need no fetched guest.
const GOOD: &str = "configs/virt-hello.toml";

/// A name that is no text.
const NO_TEXT: &[u8] = b"no\xfftext";

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

fn command(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_septum"));
    command.current_dir(tree()).args(arguments).stdin(Stdio::null());
    command
}

/// A stream whose other end nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A stream into a full disk.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// What `output` says on stderr, but for the notices of work that takes long.
fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    stderr.lines().filter(|line| !line.starts_with("septum: ")).map(|line| format!("{line}\n")).collect()
}

/// Asserts that `septum` with `arguments` ends with `code`; what it says.
fn assert_code(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    assert!(!said.contains("panicked"), "{command:?}: {said}");
    said
}

/// An empty folder for one test.
fn folder(name: impl AsRef<Path>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The good configuration's image in the folder `name`.
fn image(name: &str) -> String {
    let out = folder(name);
    assert_code(&mut command(&["build", GOOD, "--out", out.to_str().unwrap()]), 0);
    out.join("septum.img").to_str().unwrap().to_owned()
}

/// A configuration that is wrong, in `folder`.
fn bad_config(folder: &Path) -> String {
    let path = folder.join("bad.toml");
    fs::write(&path, "board = 1\n").unwrap();
    path.to_str().unwrap().to_owned()
}

/// The names of all commands, as the help lists them.
fn verbs() -> Vec<String> {
    let help = String::from_utf8(command(&["--help"]).output().unwrap().stdout).unwrap();
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let verbs: Vec<_> = list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(verbs.len() > 5, "{help}");
    verbs
}

/// Arguments with which `verb` ends well and writes on stdout. `bench` alone is not tried: it measures for minutes before
/// it writes, as all others do.
fn arguments(verb: &str, image: &str) -> Option<Vec<String>> {
    let out = Path::new(image).parent().unwrap().to_str().unwrap();
    let rest: &[&str] = match verb {
        "setup" | "help" | "header" | "schema" => &[],
        "check" | "inspect" => &[GOOD],
        "build" => &[GOOD, "--out", out],
        "verify" => &[image],
        "run" => &[GOOD, "--timeout", "180"],
        "explain" => &[GOOD, "33"],
        "bench" => return None,
        other => panic!("`{other}` is new: how is it used?"),
    };
    Some([verb].iter().chain(rest).map(|word| (*word).to_owned()).collect())
}

/// Every command that writes on stdout, once with each form of what it writes.
fn writers(image: &str) -> Vec<Vec<String>> {
    let verbs = verbs();
    let mut all: Vec<_> = verbs.iter().filter_map(|verb| arguments(verb, image)).collect();
    let bad = bad_config(Path::new(image).parent().unwrap());
    let json = [["check", GOOD, "--format=json"], ["check", &bad, "--format=json"], ["inspect", image, "--json"]];
    all.extend(json.map(|words| words.map(str::to_owned).to_vec()));
    all.push(["check", "no-such.toml", "--format=json"].map(str::to_owned).to_vec());
    all.extend(["--help", "-h", "--version", "-V"].map(|word| vec![word.to_owned()]));
    all.extend(verbs.iter().filter(|verb| *verb != "help").map(|verb| vec![verb.clone(), "--help".to_owned()]));
    all
}

#[test]
fn a_closed_pipe_ends_every_command_silently() {
    for arguments in writers(&image("closed-pipe")) {
        let said = assert_code(command(&arguments).stdout(closed()), 141);
        assert!(said.is_empty(), "{arguments:?}: {said}");
    }
}

#[test]
fn output_that_cannot_be_written_is_the_machines_lack() {
    for arguments in writers(&image("full-disk")) {
        let said = assert_code(command(&arguments).stdout(full()), 3);
        assert!(said.contains("error: stdout cannot be written: No space left"), "{arguments:?}: {said}");
    }
}

#[test]
fn an_error_that_nobody_can_read_keeps_its_exit_code() {
    let bad = bad_config(&folder("unread-errors"));
    let cases: [(&[&str], i32); 6] = [
        (&[], 2),
        (&["check"], 2),
        (&["run", GOOD, "--timeout", "soon"], 2),
        (&["check", &bad], 1),
        (&["verify", &bad], 1),
        (&["setup", "--guest", "nobody"], 1),
    ];
    for (arguments, code) in cases {
        for stream in [closed, full] {
            assert_code(command(arguments).stderr(stream()), code);
            assert_code(command(arguments).stdout(stream()).stderr(stream()), code);
        }
    }
}

#[test]
fn streams_that_are_not_open_are_nothing_to_a_command() {
    let bad = bad_config(&folder("no-streams"));
    for (arguments, code) in [([GOOD, ""], 0), ([&bad, ""], 1), ([GOOD, "--frobnicate"], 2)] {
        let script = "\"$0\" check $1 $2 <&- >&- 2>&-";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_septum")]).args(arguments).current_dir(tree());
        assert_code(&mut shell, code);
    }
    // A folder is read from with an error.
    let mut run = command(&["run", GOOD, "--timeout", "0", "--to", "nobody"]);
    assert_code(run.stdin(File::open(tree()).unwrap()), 1);
    let mut run = command(&["run", GOOD, "--until", "all partitions have ended", "--timeout", "180"]);
    assert_code(run.stdin(File::open(tree()).unwrap()), 0);
}

#[test]
fn numbers_may_be_as_large_as_they_like() {
    let (most, more) = (u64::MAX.to_string(), format!("{}0", u64::MAX));
    let text = "x".repeat(100_000);
    let cases: [(&[&str], i32); 13] = [
        (&["run", GOOD, "--timeout", &most, "--until", "I am left"], 0),
        (&["run", GOOD, "--timeout", &more], 2),
        (&["run", GOOD, "--timeout=-1"], 2),
        (&["run", GOOD, "--timeout", "0", "--until", &text, "--type", &text, &text], 1),
        (&["run", GOOD, "--until", ""], 2),
        (&["run", GOOD, "--until", " "], 2),
        (&["explain", GOOD, "0xffff_ffff_ffff_ffff"], 0),
        (&["explain", GOOD, "0x1_0000_0000_0000_0000"], 2),
        (&["explain", GOOD, "4294967295"], 1),
        (&["explain", GOOD, &more], 2),
        (&["explain", GOOD, "--", "-1"], 2),
        (&["check", &text], 1),
        (&["build", GOOD, "--out", &text], 1),
    ];
    for (arguments, code) in cases {
        assert_code(&mut command(arguments), code);
    }
}

#[test]
fn words_that_are_no_text_are_usage_errors_where_text_is_meant() {
    let no_text = OsStr::from_bytes(NO_TEXT);
    let cases: [&[&str]; 8] = [
        &[],
        &["check", GOOD, "--format"],
        &["explain", GOOD],
        &["setup", "--guest"],
        &["run", GOOD, "--until"],
        &["run", GOOD, "--to"],
        &["run", GOOD, "--timeout"],
        &["run", GOOD, "--type", "prompt"],
    ];
    for arguments in cases {
        assert_code(command(arguments).arg(no_text), 2);
    }
}

/// A folder whose name is no text, with the good configuration in a file whose name is none either, and its image.
fn no_text_folder() -> (PathBuf, PathBuf, PathBuf) {
    let folder = folder(OsStr::from_bytes(NO_TEXT));
    let config = folder.join(OsString::from_vec([NO_TEXT, b".toml"].concat()));
    fs::copy(tree().join(GOOD), &config).unwrap();
    let words = ["build".as_ref(), config.as_os_str(), "--out".as_ref(), folder.as_os_str()];
    assert_code(&mut command(&words), 0);
    let image = folder.join("septum.img");
    (folder, config, image)
}

#[test]
fn paths_need_not_be_text() {
    let (folder, config, image) = no_text_folder();
    let (config, image) = (config.as_os_str(), image.as_os_str());
    let (missing, good) = (folder.join("none"), OsStr::new(GOOD));
    let (missing, word) = (missing.as_os_str(), OsStr::new);
    let run = [word("run"), config, word("--timeout"), word("180"), word("--until"), word("all partitions have ended")];
    let cases: [(&[&OsStr], i32); 14] = [
        (&[word("check"), config], 0),
        (&[word("check"), config, word("--format=json")], 0),
        (&[word("check"), missing, word("--format=json")], 1),
        (&[word("inspect"), config, word("--json")], 0),
        (&[word("inspect"), image], 0),
        (&[word("verify"), image], 0),
        (&[word("explain"), config, word("0x4000_0000")], 0),
        (&[word("bench"), word("--compare"), missing], 1),
        (&[word("verify"), missing], 1),
        (&[word("inspect"), missing], 1),
        (&[word("run"), good, word("--image"), missing], 1),
        (&[word("build"), missing], 1),
        (&run, 0),
        (&[&run[..], &[word("--image"), image]].concat(), 0),
    ];
    for (arguments, code) in cases {
        assert_code(&mut command(arguments), code);
    }
}
