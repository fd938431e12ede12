//! A user's own device tree against what its partition has.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "common/support.rs"]
mod support;

use dtoolkit::memreserve::MemoryReservation;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use dtoolkit::{Node as _, Property as _};
use proptest::prelude::*;
use septum_compiler::board::Board;
use septum_compiler::device_tree::{Chosen, Guest, ParseError, check, generate, parse, with_chosen};
use septum_compiler::system::{Partition, Region};
use septum_stage2::Access;
use support::{memory, partition, registers, rpi4_board, virt_board};

fn device(board: &Board, index: usize) -> Region {
    let device = &board.devices[index];
    registers(device, device.registers[0].start.get())
}

/// Two partitions: `linux` has device 0 and two cores, `control` has device 1.
fn partitions(board: &Board) -> [Partition; 2] {
    let ram = |ipa, pa| memory("ram", ipa, pa, 0x1000_0000, Access::RWX);
    let mut linux = partition(board, "linux", 1, vec![ram(0x4000_0000, 0x5000_0000), device(board, 0)]);
    support::set_cpus(&mut linux, vec![0, 1]);
    linux.interrupts = board.devices[0].interrupts.clone();
    let mut control = partition(board, "control", 3, vec![ram(0x4000_0000, 0x6000_0000), device(board, 1)]);
    control.interrupts = board.devices[1].interrupts.clone();
    [linux, control]
}

const LINUX: Guest = Guest { linux: true, initrd: false, bootargs: false };

/// What the check says of the tree that the generator makes for `linux`, after `change`.
fn findings(board: &Board, change: impl FnOnce(&mut DeviceTree)) -> Vec<String> {
    let partitions = partitions(board);
    let dtb = generate(board, &partitions[0], &Chosen::default()).unwrap();
    let mut tree = parse(&dtb).unwrap();
    change(&mut tree);
    let tree = parse(&tree.to_dtb()).unwrap();
    check(board, &partitions, &partitions[0], LINUX, &tree).iter().map(ToString::to_string).collect()
}

fn node(name: &str, properties: &[(&str, &[u32])]) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(name);
    for (name, cells) in properties {
        node.add_property(DeviceTreeProperty::new_unchecked(*name, *cells));
    }
    node
}

#[test]
fn what_the_generator_makes_has_no_findings() {
    for board in [virt_board(), rpi4_board()] {
        assert_eq!(findings(&board, |_| ()), [""; 0]);
    }
}

#[test]
fn another_partitions_device_is_named_with_its_owner() {
    let uart: (&str, &[u32]) = ("reg", &[0, 0x904_0000, 0, 0x1000]);
    let found = findings(&virt_board(), |tree| {
        tree.root.add_child(node("serial@9040000", &[uart, ("interrupts", &[0, 8, 4])]));
    });
    assert_eq!(
        found,
        [
            "`reg` of node `/serial@9040000` names [0x9040000..0x9041000), `uart1` of partition `control`",
            "`interrupts` of node `/serial@9040000` names interrupt 40, `uart1` of partition `control`",
        ]
    );
}

#[test]
fn addresses_are_followed_through_the_buses_above() {
    let found = findings(&rpi4_board(), |tree| {
        let ranges: (&str, &[u32]) = ("ranges", &[0x7e00_0000, 0, 0xfe00_0000, 0x180_0000]);
        let mut soc = node("soc", &[("#address-cells", &[1]), ("#size-cells", &[1]), ranges]);
        soc.add_child(node("mmc@7e340000", &[("reg", &[0x7e34_0000, 0x100])]));
        tree.root.add_child(soc);
    });
    let text = "`reg` of node `/soc/mmc@7e340000` names [0xfe340000..0xfe340100), `emmc2` of partition `control`";
    assert_eq!(found, [text]);
}

#[test]
fn numbers_that_are_no_addresses_are_left_alone() {
    let found = findings(&virt_board(), |tree| {
        let mut i2c = node("i2c", &[("#address-cells", &[1]), ("#size-cells", &[0])]);
        i2c.add_child(node("eeprom@50", &[("reg", &[0x50])]));
        let mut off = node("serial@9040000", &[("reg", &[0, 0x904_0000, 0, 0x1000])]);
        off.add_property(DeviceTreeProperty::new_unchecked("status", "disabled"));
        tree.root.add_child(i2c);
        tree.root.add_child(off);
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn memory_beyond_the_partitions_own_is_found() {
    let found = findings(&virt_board(), |tree| {
        let memory = tree.root.child_mut("memory@40000000").unwrap();
        memory.add_property(DeviceTreeProperty::new_unchecked("reg", [0_u32, 0x4000_0000, 0, 0x1000_1000]));
    });
    assert!(found[0].starts_with("`reg` of node `/memory@40000000` names [0x40000000..0x50001000)"), "{found:?}");
}

#[test]
fn a_core_that_the_partition_has_not_is_found() {
    let found = findings(&virt_board(), |tree| {
        let mut core = node("cpu@2", &[("reg", &[2])]);
        core.add_property(DeviceTreeProperty::new_unchecked("device_type", "cpu"));
        tree.root.child_mut("cpus").unwrap().add_child(core);
    });
    assert_eq!(found, ["`reg` of node `/cpus/cpu@2` names core 0x2; the partition has cores 0 to 1"]);
}

#[test]
fn interrupts_are_found_in_every_form() {
    let found = findings(&virt_board(), |tree| {
        tree.root.add_child(node("extended", &[("interrupts-extended", &[1, 0, 1, 4, 1, 0, 8, 4])]));
        let map: &[u32] = &[0, 0, 0, 1, 1, 0, 5, 4];
        let cells: [(&str, &[u32]); 3] = [("#address-cells", &[3]), ("#interrupt-cells", &[1]), ("interrupt-map", map)];
        tree.root.add_child(node("pcie", &cells));
        tree.root.add_child(node("pmu", &[("interrupts", &[1, 7, 4])]));
        tree.root.add_child(node("broken", &[("interrupts", &[1, 7])]));
    });
    assert_eq!(
        found,
        [
            "`interrupts-extended` of node `/extended` names interrupt 40, `uart1` of partition `control`",
            "`interrupt-map` of node `/pcie` names interrupt 37",
            "`interrupts` of node `/pmu` names interrupt 23",
            "`interrupts` of node `/broken` cannot be read",
        ]
    );
}

#[test]
fn no_tree_at_all_is_refused() {
    assert_eq!(parse(b"hello"), Err(ParseError::Magic));
    let board = virt_board();
    let dtb = generate(&board, &partitions(&board)[0], &Chosen::default()).unwrap();
    assert!(matches!(parse(&dtb[..dtb.len() / 2]), Err(ParseError::Damaged(_))));
}

#[test]
fn memory_reservations_survive_what_is_put_into_chosen() {
    let mut tree = DeviceTree::new();
    let kept = [MemoryReservation::new(0x4800_0000, 0x10_0000), MemoryReservation::new(0, 0x1000)];
    // One of no bytes would end the list for Linux.
    tree.memory_reservations = [kept[0], MemoryReservation::new(0x4000_0000, 0), kept[1]].into();
    let given = with_chosen(&tree.to_dtb(), &Chosen { bootargs: Some("quiet".into()), initrd: None }).unwrap();
    assert_eq!(parse(&given).unwrap().memory_reservations, kept);
    assert_eq!(given[40..64], [0x4800_0000_u64, 0x10_0000, 0].map(u64::to_be_bytes).concat(), "where Linux reads them");
}

#[test]
fn reservations_that_are_cut_short_or_wrap_are_refused() {
    let mut tree = DeviceTree::new();
    tree.memory_reservations = vec![MemoryReservation::new(u64::MAX, 2)];
    assert_eq!(parse(&tree.to_dtb()), Err(ParseError::Damaged(40)));
    let mut cut = DeviceTree::new().to_dtb();
    let end = cut.len() as u32 - 8;
    cut[16..20].copy_from_slice(&end.to_be_bytes());
    assert_eq!(parse(&cut), Err(ParseError::Damaged(end as usize)));
}

#[test]
fn chosen_is_found_whatever_its_unit_address() {
    let mut tree = DeviceTree::new();
    let mut chosen = node("chosen@0", &[("kept", &[7])]);
    chosen.add_child(node("framebuffer", &[]));
    chosen.add_property(DeviceTreeProperty::new_unchecked("bootargs", "wrong"));
    tree.root.add_child(chosen);
    let given = with_chosen(&tree.to_dtb(), &Chosen { bootargs: Some("right".into()), initrd: Some(1..2) }).unwrap();
    let given = parse(&given).unwrap();
    let names: Vec<_> = given.root.children().map(|child| child.name().to_owned()).collect();
    assert_eq!(names, ["chosen"]);
    let chosen = given.find_node("/chosen").unwrap();
    assert_eq!(chosen.property("bootargs").unwrap().value(), b"right\0");
    assert!(chosen.property("kept").is_some() && chosen.property("linux,initrd-end").is_some());
    assert!(given.find_node("/chosen/framebuffer").is_some());
}

#[test]
fn endless_nesting_is_refused() {
    let mut inner = node("n", &[]);
    for _ in 0..100 {
        let mut outer = node("n", &[]);
        outer.add_child(inner);
        inner = outer;
    }
    let mut tree = DeviceTree::new();
    tree.root.add_child(inner);
    assert_eq!(parse(&tree.to_dtb()), Err(ParseError::TooDeep));
}

proptest! {
    #[test]
    fn damaged_trees_are_read_or_refused_but_never_panic(changes in prop::collection::vec((0..2000usize, any::<u8>()), 1..8)) {
        let board = rpi4_board();
        let partitions = partitions(&board);
        let mut dtb = generate(&board, &partitions[0], &Chosen::default()).unwrap();
        for (at, value) in changes {
            let at = at % dtb.len();
            dtb[at] = value;
        }
        if let Ok(tree) = parse(&dtb) {
            let _ = check(&board, &partitions, &partitions[0], LINUX, &tree);
        }
    }
}
