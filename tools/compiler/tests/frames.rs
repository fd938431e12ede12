//! What lies where on a board is told alike by everybody who is asked: the judge of trees, `explain`, the checker.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use dtoolkit::model::{DeviceTreeNode, DeviceTreeProperty};
use septum_compiler::check::check;
use septum_compiler::device_tree::{self, Chosen, Guest, generate, parse};
use septum_compiler::explain::{self, Found};
use septum_compiler::problem::Problems;
use septum_compiler::source::SourceFile;
use septum_compiler::system::System;

fn checked(text: &str) -> Result<System, Problems> {
    let config = SourceFile { name: "test.toml".into(), text: text.into() };
    check(&config, &files::shipped(files::root()))
}

fn system(text: &str) -> System {
    checked(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What the judge says of the generated tree of the first partition with a node more, whose registers are `range`.
fn findings(system: &System, range: (u64, u64)) -> Vec<String> {
    let (board, partition) = (&system.board, &system.partitions[0]);
    let mut tree = parse(&generate(board, partition, &Chosen::default()).unwrap()).unwrap();
    let cells = [range.0, range.1].map(|number| [(number >> 32) as u32, number as u32]).concat();
    let mut node = DeviceTreeNode::new_unchecked("probe");
    node.add_property(DeviceTreeProperty::new_unchecked("reg", cells.as_slice()));
    tree.root.add_child(node);
    let found = device_tree::check(board, &system.partitions, partition, Guest::default(), &tree);
    found.iter().map(ToString::to_string).collect()
}

const RPI4: &str = "board = \"rpi4\"\nvariant = \"2GiB\"\n[partition.lin]\ncpus = [1, 2]\nimage = \"hello\"\nconsole = true\n\
    memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n";
const VIRT: &str = "board = \"qemu-virt\"\n[partition.lin]\ncpus = [1, 2]\nimage = \"hello\"\nconsole = true\n\
    memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n";

#[test]
fn of_a_gic_400_a_partition_has_the_distributors_page_and_two_of_its_cpu_interface() {
    let system = system(RPI4);
    // GIC-400 with its aliases, the neighbours below and above, and as much around an emulated PL011.
    for page in (0xff83_e000_u64..0xff85_2000).chain(0x8ff_f000..0x900_3000).step_by(0x1000) {
        let own = [0xff84_1000, 0xff84_2000, 0xff84_3000, 0x900_0000].contains(&page);
        assert_eq!(findings(&system, (page, 0x1000)).is_empty(), own, "{page:#x}");
        assert_eq!(findings(&system, (page + 0xffc, 4)).is_empty(), own, "{page:#x}");
        let found = &explain::address(&system, page).views[0].found;
        assert_eq!(*found != Found::Nothing, own, "{page:#x}: {found:?}");
    }
    assert_eq!(findings(&system, (0xff84_1000, 0x3000)), [""; 0]);
    let found = findings(&system, (0xff84_4000, 0x2000));
    assert!(found[0].contains("virtual interface control"), "{found:?}");
}

#[test]
fn of_a_gicv3_a_partition_has_the_distributor_and_one_redistributor_for_each_core() {
    let system = system(VIRT);
    let own = [0x800_0000..0x801_0000, 0x80a_0000..0x80e_0000, 0x900_0000..0x900_1000];
    for page in (0x7ff_0000_u64..0x820_0000).chain(0x8ff_f000..0x900_3000).step_by(0x1000) {
        let own = own.iter().any(|range| range.contains(&page));
        assert_eq!(findings(&system, (page, 0x1000)).is_empty(), own, "{page:#x}");
        let found = &explain::address(&system, page).views[0].found;
        assert_eq!(*found != Found::Nothing, own, "{page:#x}: {found:?}");
    }
}

#[test]
fn memory_is_refused_on_just_the_frames_that_el2_emulates() {
    let with = |board: &str, ipa: u64| {
        let memory = format!("memory.more = {{ ipa = {ipa}, size = \"4KiB\" }}\n");
        checked(&(board.to_owned() + &memory)).err().map(|problems| problems.iter().next().unwrap().code.text())
    };
    let rpi4 = [0xff84_0000, 0xff84_1000, 0xff84_2000, 0xff84_3000, 0xff84_4000].map(|ipa| with(RPI4, ipa));
    assert_eq!(rpi4, [None, Some("E0211"), Some("E0211"), Some("E0211"), None]);
    let virt = [0x7ff_f000, 0x800_0000, 0x800_f000, 0x801_0000, 0x80d_f000, 0x80e_0000].map(|ipa| with(VIRT, ipa));
    assert_eq!(virt, [None, Some("E0211"), Some("E0211"), None, Some("E0211"), None]);
}

#[test]
fn a_device_that_shares_its_page_with_others_is_its_owners() {
    let system = system(
        "board = \"rpi4\"\nvariant = \"2GiB\"\nlog = \"uart1\"\n\
        [partition.lin]\ncpus = [1]\nimage = \"hello\"\nmemory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n\
        [partition.other]\ncpus = [0]\nimage = \"hello\"\ndevices = [\"uart2\", \"uart0\"]\n\
        memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n",
    );
    let names = |at| findings(&system, (at, 0x200)).concat();
    assert!(names(0xfe20_1000).ends_with("`uart0` of partition `other`"), "{}", names(0xfe20_1000));
    assert!(names(0xfe20_1400).ends_with("`uart2` of partition `other`"), "{}", names(0xfe20_1400));
    assert!(names(0xfe20_1600).contains("`uart3`, which"), "{}", names(0xfe20_1600));
    let region = system.partitions[1].regions.iter().find(|region| !region.devices.is_empty()).unwrap();
    assert_eq!(
        (region.name.as_str(), region.devices.as_slice()),
        ("uart2+uart0", &["uart2".into(), "uart0".into()][..])
    );
}
