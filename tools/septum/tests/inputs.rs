//! Every file that a user can name is a regular one and ends: devices, pipes, folders and files without end are refused
//! at once, by name and place, before anything of them is read.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// What is no file of use, and how messages call it.
const USELESS: [(&str, &str); 4] = [
    ("zero", "it is a device, and must be a regular file"),
    ("pipe", "it is a pipe, and must be a regular file"),
    ("folder", "it is a folder, and must be a regular file"),
    ("huge", "it is longer than"),
];

/// The memory of the partition that names the files, and a kernel that is none: it is not looked at before it is whole.
const MEMORY: &str = "memory.ram = { ipa = 0x4000_0000, size = \"16MiB\", access = \"rwx\" }";

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// A folder with everything in [`USELESS`].
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("folder")).unwrap();
    symlink("/dev/zero", path.join("zero")).unwrap();
    mknodat(CWD, path.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    // Longer than any board's RAM, and than any limit: nothing of it is on the disk.
    File::create(path.join("huge")).unwrap().set_len(1 << 42).unwrap();
    path
}

/// What `septum` with these arguments says; it must find its input wrong.
fn refused(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_septum"));
    let output = command.current_dir(tree()).args(arguments).stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    stderr
}

/// Asserts that a configuration whose partition has `keys`, with NAME replaced by each useless file, is wrong in the line
/// that names it, whether its board is known or not.
fn assert_refused(folder: &Path, keys: &str) {
    for ((name, why), board) in USELESS.into_iter().flat_map(|useless| [(useless, "rpi4"), (useless, "nowhere")]) {
        let keys = keys.replace("NAME", name);
        let text = format!("board = \"{board}\"\nvariant = \"2GiB\"\n[partition.p]\ncpus = [0]\n{MEMORY}\n{keys}\n");
        let path = folder.join("config.toml");
        fs::write(&path, text).unwrap();
        let message = refused(&["check", path.to_str().unwrap()]);
        assert!(message.contains(why) && message.contains("config.toml:6:"), "{keys} on {board}: {message}");
    }
}

#[test]
fn a_partitions_files_are_regular_and_end() {
    let folder = folder("inputs-partition");
    assert_refused(&folder, "image = \"./NAME\"");
    assert_refused(&folder, "linux = { kernel = \"./NAME\" }");
    assert_refused(&folder, "linux = { kernel = { guest = \"none\" }, initrd = \"./NAME\" }");
    assert_refused(&folder, "dtb = \"NAME\"\nimage = \"hello\"");
}

#[test]
fn a_file_longer_than_the_boards_ram_is_refused() {
    let folder = folder("inputs-ram");
    File::create(folder.join("long")).unwrap().set_len(3 << 30).unwrap();
    let keys = "image = \"./long\"\nentry = 0x4000_0000\n";
    let text = format!("board = \"rpi4\"\nvariant = \"2GiB\"\n[partition.p]\ncpus = [0]\n{MEMORY}\n{keys}");
    fs::write(folder.join("config.toml"), text).unwrap();
    let message = refused(&["check", folder.join("config.toml").to_str().unwrap()]);
    assert!(message.contains("E0502") && message.contains("longer than all RAM of board `rpi4`"), "{message}");
}

#[test]
fn a_boards_file_is_regular_and_ends() {
    let folder = folder("inputs-board");
    let board = folder.join("boards/own");
    fs::create_dir_all(&board).unwrap();
    let config = folder.join("config.toml");
    fs::write(&config, format!("board = \"own\"\n[partition.p]\ncpus = [0]\n{MEMORY}\nimage = \"hello\"\n")).unwrap();
    for (name, why) in USELESS {
        let _ = fs::remove_file(board.join("board.toml"));
        symlink(folder.join(name), board.join("board.toml")).unwrap();
        let message = refused(&["check", config.to_str().unwrap()]);
        assert!(message.contains("E0108") && message.contains(why), "{name}: {message}");
    }
}

#[test]
fn files_on_the_command_line_are_regular_and_end() {
    let folder = folder("inputs-command-line");
    for (name, why) in USELESS {
        let path = folder.join(name);
        let path = path.to_str().unwrap();
        let commands: [&[&str]; 7] = [
            &["check", path],
            &["build", path],
            &["inspect", path],
            &["verify", path],
            &["explain", path, "33"],
            &["run", "configs/virt-hello.toml", "--image", path],
            &["bench", "--compare", path],
        ];
        for arguments in commands {
            let message = refused(arguments);
            assert!(message.contains(path) && message.contains(why), "{arguments:?}: {message}");
        }
    }
}

#[test]
fn an_output_folder_with_a_pipe_for_its_list_is_built_into() {
    let out = folder("inputs-out");
    fs::rename(out.join("pipe"), out.join("SHA256SUMS")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_septum"));
    let arguments = ["build", "configs/virt-hello.toml", "--out", out.to_str().unwrap()];
    assert!(command.current_dir(tree()).args(arguments).stdin(Stdio::null()).status().unwrap().success());
    assert!(fs::metadata(out.join("SHA256SUMS")).unwrap().is_file());
}
