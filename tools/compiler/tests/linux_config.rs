//! Configurations with Linux guests and emulated consoles: what the checker makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use dtoolkit::model::DeviceTreeNode;
use dtoolkit::{Node, Property};
use septum_compiler::check::check;
use septum_compiler::device_tree;
use septum_compiler::source::SourceFile;
use septum_compiler::system::{Partition, System};

fn checked(text: &str, folder: &Path) -> System {
    let config = SourceFile { name: "linux.toml".into(), text: text.into() };
    check(&config, &files::shipped(folder.to_owned())).unwrap_or_else(|problems| panic!("{problems}"))
}

fn partition(text: &str) -> Partition {
    checked(text, Path::new(".")).partitions.remove(0)
}

const LINUX: &str = r#"
board = "qemu-virt"
log = "uart1"
[partition.linux]
cpus = [1, 2, 3]
linux = { kernel = { guest = "linux-6.1" }, initrd = { guest = "busybox-initramfs" }, bootargs = "console=ttyAMA0" }
memory.ram = { ipa = 0x4000_0000, size = "256MiB", access = "rwx" }
"#;

/// The tree that the partition is started with.
fn tree(partition: &Partition) -> DeviceTreeNode {
    let at = partition.arguments[0];
    let segment = partition.segments.iter().find(|segment| segment.ipa.get() == at).unwrap();
    device_tree::parse(&segment.bytes).unwrap().root
}

fn node(root: &DeviceTreeNode, name: &str) -> DeviceTreeNode {
    root.children().find(|child| child.name() == name).unwrap_or_else(|| panic!("no {name}")).clone()
}

#[test]
fn a_linux_guest_starts_at_its_kernel_with_its_tree_in_x0() {
    let linux = partition(LINUX);
    assert_eq!(linux.entry.get(), 0x4000_0000);
    assert_eq!(linux.segments.len(), 3, "kernel, RAM disk, tree");
    let chosen = node(&tree(&linux), "chosen");
    assert_eq!(chosen.property("bootargs").unwrap().value(), b"console=ttyAMA0\0");
    assert!(chosen.property("stdout-path").is_none(), "it has no UART");
}

#[test]
fn a_console_appears_in_the_system_and_in_the_tree() {
    let linux = partition(&format!("{LINUX}console = true"));
    let console = linux.console().unwrap();
    assert_eq!((console.ipa, console.intid), (0x900_0000, 33));
    let root = tree(&linux);
    assert_eq!(node(&root, "chosen").property("stdout-path").unwrap().value(), b"/serial@9000000\0");
    assert!(node(&root, "serial@9000000").property("interrupts").is_some());
    assert!(linux.regions.iter().all(|region| region.ipa.get() != 0x900_0000), "nothing is mapped there");
}

#[test]
fn a_console_leaves_a_devices_interrupt_alone() {
    let linux = partition(&format!("{LINUX}console = {{ ipa = 0x0a00_0000 }}\ndevices = [\"uart0\"]"));
    assert_eq!(linux.interrupts, [33]);
    let console = linux.console().unwrap();
    assert_eq!((console.ipa, console.intid), (0xa00_0000, 32));
}

#[test]
fn no_two_partitions_have_an_interrupt_number_in_common() {
    let partition = |name: &str, core: u32, more: &str| {
        let memory = "memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }";
        format!("[partition.{name}]\ncpus = [{core}]\nimage = \"hello\"\n{memory}\n{more}\n")
    };
    let consoles = partition("one", 0, "console = true") + &partition("two", 1, "console = true");
    let text =
        format!("board = \"qemu-virt\"\nlog = \"uart1\"\n{consoles}{}", partition("three", 2, "devices = [\"uart0\"]"));
    let system = checked(&text, Path::new("."));
    let numbers: Vec<_> =
        system.partitions.iter().filter_map(Partition::console).map(|console| console.intid).collect();
    assert_eq!(system.partitions[2].interrupts, [33]);
    assert_eq!(numbers, [32, 34]);
}

#[test]
fn memory_that_is_seen_where_it_lies_keeps_clear_of_the_console() {
    let text = r#"
board = "rpi4"
variant = "2GiB"
[partition.one]
cpus = [1]
image = "hello"
console = true
memory.code = { ipa = 0x4000_0000, size = "1MiB", access = "rwx" }
memory.most = { size = "768MiB", identity = true }
"#;
    let one = partition(text);
    let most = one.regions.iter().find(|region| region.name == "most").unwrap();
    assert!(most.ipa.get() > 0x900_0000 || most.ipa.get() + most.size <= 0x900_0000, "{:#x}", most.ipa.get());
}

#[test]
fn a_users_own_tree_that_fits_is_used() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let own = partition(&format!("{LINUX}console = true"));
    let mut generated = device_tree::parse(&own.segments.last().unwrap().bytes).unwrap();
    generated.root.add_child(DeviceTreeNode::new_unchecked("theirs"));
    fs::write(folder.join("theirs.dtb"), generated.to_dtb()).unwrap();
    let text = format!("{LINUX}console = true\ndtb = \"theirs.dtb\"");
    let linux = checked(&text, &folder).partitions.remove(0);
    node(&tree(&linux), "theirs");
}

#[test]
fn a_users_own_tree_goes_beside_an_image_too() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let guest = partition(LINUX);
    fs::write(folder.join("beside.dtb"), &guest.segments.last().unwrap().bytes).unwrap();
    let text = LINUX.replace("linux = {", "image = \"hello\"\nargs = \"quiet\"\ndtb = \"beside.dtb\"\n# {");
    let hello = checked(&text, &folder).partitions.remove(0);
    assert_eq!(node(&tree(&hello), "chosen").property("bootargs").unwrap().value(), b"quiet\0");
}
