//! What a kernel reads of a user's own tree at boot is right for the partition, or refused with what would be right.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use dtoolkit::memreserve::MemoryReservation;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use dtoolkit::{Node as _, ToPropertyValue};
use proptest::prelude::*;
use septum_compiler::board::Board;
use septum_compiler::device_tree::{Chosen, Finding, Guest, Layout, TreeProblem, check, generate, parse, remarks};
use septum_compiler::linux::{Linux, LinuxError, Placement, place};
use septum_compiler::payload::LinuxImage;
use septum_compiler::source::SourceFile;
use septum_compiler::system::Partition;
use septum_stage2::Access;
use support::{memory, partition, registers, rpi4_board, virt_board};

const LINUX: Guest = Guest { linux: true, initrd: false, bootargs: false };

/// `linux` with two cores, 256 MiB of memory at 0x4000_0000, memory that it may only read, and the board's first UART.
fn guest(board: &Board) -> Partition {
    let ram = memory("ram", 0x4000_0000, 0x5000_0000, 0x1000_0000, Access::RWX);
    let constants = memory("constants", 0x5000_0000, 0x6000_0000, 0x1_0000, Access::R);
    let uart = registers(&board.devices[0], board.devices[0].registers[0].start.get());
    let mut guest = partition(board, "linux", 1, vec![ram, constants, uart]);
    support::set_cpus(&mut guest, vec![0, 1]);
    guest.interrupts = board.devices[0].interrupts.clone();
    guest
}

/// The tree that is generated for `partition`, after `change`, as a guest would get it.
fn tree(board: &Board, partition: &Partition, change: impl FnOnce(&mut DeviceTree)) -> DeviceTree {
    let mut tree = parse(&generate(board, partition, &Chosen::default()).unwrap()).unwrap();
    change(&mut tree);
    parse(&tree.to_dtb()).unwrap()
}

fn found(board: &Board, kind: Guest, change: impl FnOnce(&mut DeviceTree)) -> Vec<Finding> {
    let partition = guest(board);
    let tree = tree(board, &partition, change);
    check(board, std::slice::from_ref(&partition), &partition, kind, &tree)
}

/// What a Linux guest on the board with a GICv3 gets to hear: the finding, and what would be right.
fn said(change: impl FnOnce(&mut DeviceTree)) -> Vec<String> {
    found(&virt_board(), LINUX, change).iter().map(words).collect()
}

fn words(finding: &Finding) -> String {
    match &finding.problem {
        TreeProblem::Unfit { right, .. } => format!("{finding} => {right}"),
        _ => finding.to_string(),
    }
}

fn set(node: &mut DeviceTreeNode, name: &str, value: impl ToPropertyValue) {
    node.add_property(DeviceTreeProperty::new_unchecked(name, value));
}

fn at<'a>(tree: &'a mut DeviceTree, path: &str) -> &'a mut DeviceTreeNode {
    if path.is_empty() {
        return &mut tree.root;
    }
    tree.find_node_mut(path).unwrap_or_else(|| panic!("no {path}"))
}

/// Adds a node with `properties` of cells below `path`.
fn add<'a>(tree: &'a mut DeviceTree, path: &str, name: &str, properties: &[(&str, &[u32])]) -> &'a mut DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(name);
    properties.iter().for_each(|(name, cells)| set(&mut node, name, *cells));
    at(tree, path).add_child_mut(node)
}

const GIC: &str = "/interrupt-controller@8000000";

#[test]
fn a_generated_tree_has_everything_that_a_kernel_needs() {
    for board in [virt_board(), rpi4_board()] {
        let found = found(&board, LINUX, |_| ());
        assert_eq!(found, [], "{}", board.name);
    }
    assert_eq!(remarks(&guest(&virt_board()), &tree(&virt_board(), &guest(&virt_board()), |_| ())), [""; 0]);
}

// Cores --------------------------------------------------------------------------------------------------------------

#[test]
fn a_spin_table_is_refused_with_psci_as_what_is_right() {
    let said = said(|tree| {
        let core = at(tree, "/cpus/cpu@1");
        set(core, "enable-method", "spin-table");
        set(core, "cpu-release-addr", [0_u32, 0xd8]);
    });
    let right = "say enable-method = \"psci\", and leave `cpu-release-addr` out";
    let says = "`enable-method` of node `/cpus/cpu@1` is \"spin-table\", but EL2 starts cores by PSCI alone";
    assert_eq!(said, [format!("{says} => {right}")]);
}

#[test]
fn a_core_without_a_method_is_refused_where_linux_would_not_start_it() {
    let without = |path: &'static str| {
        move |tree: &mut DeviceTree| {
            at(tree, path).remove_property("enable-method").unwrap();
        }
    };
    assert!(said(without("/cpus/cpu@1"))[0].contains("is missing, so the core would not start"));
    assert_eq!(said(without("/cpus/cpu@0")), [""; 0], "the first core is started by EL2");
    assert_eq!(
        found(&virt_board(), Guest::default(), without("/cpus/cpu@1")),
        [],
        "what else reads trees is not known"
    );
}

#[test]
fn cores_that_linux_would_use_are_checked_whatever_their_status_or_type() {
    let foreign = |tree: &mut DeviceTree| add(tree, "/cpus", "cpu@5", &[("reg", &[5])]).name().to_owned();
    let names = "`reg` of node `/cpus/cpu@5` names core 0x5; the partition has cores 0 to 1";
    assert_eq!(said(|tree| drop(foreign(tree))), [names], "no device_type: its name says that it is a core");
    assert_eq!(
        said(|tree| {
            foreign(tree);
            set(at(tree, "/cpus/cpu@5"), "status", "disabled");
        }),
        [names],
        "Linux tries to start it"
    );
    assert_eq!(
        said(|tree| {
            foreign(tree);
            set(at(tree, "/cpus/cpu@5"), "status", "fail");
        }),
        [""; 0]
    );
}

#[test]
fn the_first_core_must_be_there_and_each_once() {
    let said_of = |reg: u32, path: &'static str| said(move |tree| set(at(tree, path), "reg", [reg]));
    assert!(
        said_of(1, "/cpus/cpu@0").iter().any(|text| text.contains("names no core 0")),
        "{:?}",
        said_of(1, "/cpus/cpu@0")
    );
    assert!(said_of(0, "/cpus/cpu@1")[0].contains("names core 0x0, as a node before it does"));
    let without = said(|tree| drop(tree.root.remove_child("cpus")));
    assert!(without[0].starts_with("node `/` has no node `cpus`"), "{without:?}");
}

#[test]
fn the_seventeenth_core_of_a_partition_is_the_first_of_its_second_cluster() {
    let board = virt_board();
    let mut many = guest(&board);
    support::set_cpus(&mut many, (0..18).collect());
    let judged = |change: fn(&mut DeviceTree)| check(&board, &[], &many, LINUX, &tree(&board, &many, change));
    assert_eq!(judged(|_| ()), []);
    let found = judged(|tree| set(at(tree, "/cpus/cpu@100"), "reg", [0x10_u32]));
    assert!(found[0].to_string().ends_with("names core 0x10; the partition has cores 0 to 0x101"), "{}", found[0]);
}

#[test]
fn psci_is_called_by_a_method_that_reaches_el2_and_with_standard_numbers() {
    let psci = |name: &'static str, value: &'static str| said(move |tree| set(at(tree, "/psci"), name, value));
    assert_eq!(psci("method", "smc"), [""; 0]);
    assert_eq!(psci("compatible", "arm,psci-0.2"), [""; 0]);
    assert!(psci("compatible", "arm,psci")[0].contains("PSCI 0.1"));
    assert!(psci("method", "jump")[0].contains("=> say method = \"hvc\""));
    let gone = said(|tree| drop(at(tree, "/psci").remove_property("method")));
    assert!(gone[0].starts_with("`method` of node `/psci` is missing"), "{gone:?}");
    let without = said(|tree| drop(tree.root.remove_child("psci")));
    assert!(without[0].starts_with("node `/` has no node of PSCI's"), "{without:?}");
}

#[test]
fn idle_states_have_power_states_that_el2_takes() {
    let idle = |state: Option<u32>| {
        said(move |tree| {
            let states = add(tree, "/cpus", "idle-states", &[]);
            set(states, "entry-method", "psci");
            let node = add(tree, "/cpus/idle-states", "cpu-sleep", &[]);
            set(node, "compatible", "arm,idle-state");
            state.into_iter().for_each(|state| set(node, "arm,psci-suspend-param", [state]));
        })
    };
    for state in [0x33, 0x1_0033, 0x101_0000, 0x301_ffff] {
        assert_eq!(idle(Some(state)), [""; 0], "{state:#x}");
    }
    for state in [0x4000_0003, 0x8000_0000, 0x2_0000, 0x80_0000] {
        assert!(idle(Some(state))[0].contains("no power state of PSCI's original format"), "{state:#x}");
    }
    assert!(idle(None)[0].starts_with("`arm,psci-suspend-param` of node `/cpus/idle-states/cpu-sleep` is missing"));
}

// Interrupt controller and timer -----------------------------------------------------------------------------------------

fn gic_of_v3(reg: &'static [u32]) -> Vec<String> {
    said(move |tree| set(at(tree, GIC), "reg", reg))
}

#[test]
fn a_boards_own_gicv3_node_gets_the_advice_that_makes_it_fit() {
    let found = gic_of_v3(&[0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0xf6_0000]);
    let names =
        "`reg` of node `/interrupt-controller@8000000` names [0x0800_0000..0x0801_0000), [0x080a_0000..0x0900_0000)";
    let right =
        "make the second block 0x40000 bytes long: one redistributor of 128 KiB for each of the partition's cores";
    assert_eq!(found, [format!("{names} => {right}")]);
    let found = gic_of_v3(&[0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x2_0000]);
    assert!(found[0].ends_with(right), "a second core without a redistributor: {found:?}");
    let found = gic_of_v3(&[
        0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x4_0000, 0, 0x801_0000, 0, 0x1_0000, 0, 0x803_0000, 0, 0x1_0000,
    ]);
    assert!(found[0].ends_with("leave out what comes after the first two blocks: the virtual interface is EL2's"));
    let found = gic_of_v3(&[0, 0x900_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x4_0000]);
    assert!(
        found[0].ends_with("[0x0800_0000..0x0801_0000) and [0x080a_0000..0x080e_0000): name just these two blocks")
    );
}

#[test]
fn a_boards_own_gicv2_node_gets_the_advice_that_makes_it_fit() {
    let gic = |reg: &'static [u32]| -> Vec<String> {
        found(&rpi4_board(), LINUX, move |tree| set(at(tree, GIC), "reg", reg)).iter().map(words).collect()
    };
    assert_eq!(gic(&[0, 0x800_0000, 0, 0x1000, 0, 0x801_0000, 0, 0x1000]), [""; 0], "a GICC without GICC_DIR");
    let found =
        gic(&[0, 0x800_0000, 0, 0x1000, 0, 0x801_0000, 0, 0x2000, 0, 0x803_0000, 0, 0x2000, 0, 0x804_0000, 0, 0x2000]);
    assert!(found[0].contains("the virtual interface is EL2's"), "{found:?}");
    let found = gic(&[0, 0x800_0000, 0, 0x1_0000, 0, 0x801_0000, 0, 0x2000]);
    assert!(found[0].contains("[0x0800_0000..0x0800_1000) and [0x0801_0000..0x0801_2000)"), "{found:?}");
}

#[test]
fn the_maintenance_interrupt_may_stay_and_other_interrupts_not() {
    let with = |specifier: [u32; 3]| {
        said(move |tree| {
            set(at(tree, GIC), "interrupt-parent", [1_u32]);
            set(at(tree, GIC), "interrupts", specifier);
        })
    };
    assert_eq!(with([1, 9, 4]), [""; 0]);
    assert!(with([1, 7, 4])[0].ends_with("names interrupt 23"));
}

#[test]
fn a_controller_of_another_version_or_form_is_refused() {
    let gic = |name: &'static str, value: &'static [u32]| said(move |tree| set(at(tree, GIC), name, value));
    let other = said(|tree| set(at(tree, GIC), "compatible", "arm,gic-400"));
    assert!(
        other[0].ends_with("is not the board's interrupt controller => say compatible = \"arm,gic-v3\""),
        "{other:?}"
    );
    assert!(gic("redistributor-stride", &[0, 0x4_0000])[0].contains("is 0x40000"));
    assert_eq!(gic("redistributor-stride", &[0, 0x2_0000]), [""; 0]);
    assert!(gic("#redistributor-regions", &[2])[0].contains("all redistributors lie in one block"));
    assert!(gic("mbi-ranges", &[64, 32])[0].contains("message-based"));
    let none = said(|tree| drop(at(tree, GIC).remove_property("interrupt-controller")));
    assert!(none[0].contains("Linux passes the node over"), "{none:?}");
    let none = said(|tree| set(at(tree, GIC), "status", "disabled"));
    assert!(none.iter().any(|text| text.contains("has no node of an interrupt controller")), "{none:?}");
}

#[test]
fn a_controller_below_a_disabled_bus_is_judged_as_linux_uses_it() {
    let found = said(|tree| {
        let mut gic = tree.root.remove_child("interrupt-controller@8000000").unwrap();
        set(&mut gic, "reg", [0_u32, 0x900_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x4_0000]);
        let soc = add(tree, "", "soc", &[("#address-cells", &[2]), ("#size-cells", &[2]), ("ranges", &[])]);
        set(soc, "status", "disabled");
        soc.add_child(gic);
    });
    assert!(found[0].starts_with("`reg` of node `/soc/interrupt-controller@8000000` names"), "{found:?}");
}

#[test]
fn clocks_timers_and_controllers_below_a_disabled_bus_are_judged_as_linux_starts_them() {
    let found = |name: &'static str, key: &'static str, status: &'static str| {
        said(move |tree| {
            let soc = add(tree, "", "soc", &[("#address-cells", &[1]), ("#size-cells", &[1]), ("ranges", &[])]);
            set(soc, "status", "disabled");
            let node = add(tree, "/soc", name, &[("reg", &[0xfe10_1000, 0x2000]), (key, &[1])]);
            set(node, "status", status);
        })
    };
    let early =
        [("cprman@fe101000", "#clock-cells"), ("timer@fe101000", "x"), ("intc@fe101000", "interrupt-controller")];
    for (name, key) in early {
        let says = format!("`reg` of node `/soc/{name}` names [0xfe101000..0xfe103000)");
        assert!(found(name, key, "okay")[0].starts_with(&says), "{:?}", found(name, key, "okay"));
        assert_eq!(found(name, key, "disabled"), [""; 0], "{name}");
    }
    assert_eq!(found("mmc@fe101000", "x", "okay"), [""; 0]);
}

#[test]
fn the_timers_interrupts_are_in_the_places_where_linux_takes_them_from() {
    let timer = |cells: &'static [u32]| said(move |tree| set(at(tree, "/timer"), "interrupts", cells));
    assert_eq!(timer(&[1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4, 1, 12, 4]), [""; 0], "five, as cores with VHE have");
    assert!(
        timer(&[1, 13, 4, 1, 11, 4, 1, 14, 4])[0].contains("gives interrupt 30 as the virtual timer's, which is 27")
    );
    assert!(timer(&[1, 13, 4, 1, 13, 4, 1, 11, 4])[0].contains("gives interrupt 29 as the EL1 physical timer's"));
    assert!(timer(&[1, 13, 4])[0].contains("does not give the virtual timer's"));
    let named = said(|tree| {
        set(at(tree, "/timer"), "interrupts", [1_u32, 11, 4]);
        set(at(tree, "/timer"), "interrupt-names", "virt");
    });
    assert_eq!(named, [""; 0]);
    let without = said(|tree| drop(tree.root.remove_child("timer")));
    assert!(without[0].contains("without which Linux panics"), "{without:?}");
}

#[test]
fn a_frequency_in_the_tree_is_the_counters() {
    let mut board = virt_board();
    board.counter_hz = Some(8_000_000);
    let with = |hz: u32| found(&board, LINUX, |tree| set(at(tree, "/timer"), "clock-frequency", [hz]));
    assert_eq!(with(8_000_000), []);
    assert!(with(24_000_000)[0].to_string().contains("the board's counter has 8000000 Hz"));
}

#[test]
fn every_specifier_that_a_gic_takes_is_an_interrupt() {
    let named = |specifier: &'static [u32]| said(move |tree| _ = add(tree, "", "device", &[("interrupts", specifier)]));
    assert!(named(&[2, 1, 4])[0].ends_with("names interrupt 4097"), "extended SPI");
    assert!(named(&[3, 1, 4])[0].ends_with("names interrupt 1057"), "extended PPI");
    assert!(named(&[0, u32::MAX, 4])[0].ends_with("names interrupt 4294967295"));
    assert!(named(&[4, 1, 4])[0].ends_with("cannot be read"));
}

// Memory -----------------------------------------------------------------------------------------------------------------

#[test]
fn memory_nodes_name_memory_that_a_kernel_can_use_for_anything() {
    let reg = |cells: &'static [u32]| said(move |tree| set(at(tree, "/memory@40000000"), "reg", cells));
    assert_eq!(reg(&[0, 0x4000_0000, 0, 0x800_0000, 0, 0x4800_0000, 0, 0x800_0000]), [""; 0]);
    let found = reg(&[0, 0x4000_0000, 0, 0x1001_0000]);
    assert!(found[0].contains("names [0x4000_0000..0x5001_0000): `constants`, which is r"), "{found:?}");
    assert!(found[0].ends_with("name memory with access = \"rwx\": [0x4000_0000..0x5000_0000)"), "{found:?}");
    let found = reg(&[0, 0x900_0000, 0, 0x1000]);
    assert!(found[0].contains("`uart0`, which is rw"), "{found:?}");
    assert!(reg(&[0, 0, 0, 0])[0].starts_with("node `/` has no memory for a kernel"), "as firmware fills it in");
    let usable = said(|tree| set(at(tree, "/memory@40000000"), "linux,usable-memory", [0_u32, 0x6000_0000, 0, 0x1000]));
    assert!(usable[0].starts_with("`linux,usable-memory` of node `/memory@40000000` names [0x60000000"), "{usable:?}");
}

#[test]
fn memory_that_linux_would_pass_over_is_found() {
    let untyped = said(|tree| drop(at(tree, "/memory@40000000").remove_property("device_type")));
    assert!(
        untyped[0].ends_with("is missing, so Linux passes the node over => say device_type = \"memory\""),
        "{untyped:?}"
    );
    let without = said(|tree| drop(tree.root.remove_child("memory@40000000")));
    assert!(without[0].ends_with("`reg` for [0x4000_0000..0x5000_0000)"), "{without:?}");
}

#[test]
fn reservations_have_a_form_that_linux_reads_and_room() {
    let kept = |cells: u32, ranges: Option<&'static [u32]>, child: (&'static str, &'static [u32])| {
        said(move |tree| {
            let node = add(tree, "", "reserved-memory", &[("#address-cells", &[cells]), ("#size-cells", &[2])]);
            ranges.into_iter().for_each(|ranges| set(node, "ranges", ranges));
            add(tree, "/reserved-memory", "kept", &[child, ("size", &[0, 0x10_0000])]);
        })
    };
    let reg: (&str, &[u32]) = ("reg", &[0, 0x4800_0000, 0, 0x10_0000]);
    assert_eq!(kept(2, Some(&[]), reg), [""; 0]);
    assert!(kept(1, Some(&[]), ("reg", &[]))[0].contains("so Linux ignores the whole node"));
    assert!(kept(2, None, reg)[0].contains("so Linux ignores the whole node"));
    let elsewhere = kept(2, Some(&[]), ("reg", &[0, 0x9000_0000, 0, 0x10_0000]));
    assert_eq!(elsewhere, ["`reg` of node `/reserved-memory/kept` names [0x90000000..0x90100000)"]);
    assert_eq!(kept(2, Some(&[]), ("alloc-ranges", &[0, 0x4000_0000, 0, 0x4000_0000])), [""; 0]);
    let nowhere = kept(2, Some(&[]), ("alloc-ranges", &[0, 0, 0, 0x4000_0000]));
    assert!(nowhere[0].contains("where the partition has no 1 MiB free"), "{nowhere:?}");
}

#[test]
fn a_reservation_outside_the_partitions_memory_is_remarked() {
    let board = virt_board();
    let partition = guest(&board);
    let tree = tree(&board, &partition, |tree| {
        let kept = [(0x4800_0000, 0x1000), (0, 0x1000), (0x4fff_f000, 0x2000), (0x9000_0000, 0x1000)];
        tree.memory_reservations = kept.map(|(start, size)| MemoryReservation::new(start, size)).into();
    });
    assert_eq!(check(&board, &[], &partition, LINUX, &tree), []);
    let elsewhere = ["[0x0..0x1000)", "[0x9000_0000..0x9000_1000)"];
    let expected = elsewhere.map(|range| format!("/memreserve/ {range} is not the partition's memory"));
    assert_eq!(remarks(&partition, &tree), expected);
}

#[test]
fn a_configurations_remarks_name_the_line_and_the_partition() {
    let folder = files::root().join("tools/septum/tests/configs");
    let text = std::fs::read_to_string(folder.join("own-tree.toml")).unwrap();
    let config = SourceFile { name: "own-tree.toml".into(), text };
    let system = septum_compiler::check::check(&config, &files::shipped(folder)).unwrap();
    let says = "/memreserve/ [0x0..0x1000) is not the partition's memory";
    let note = system.remarks.notes().next().unwrap();
    assert_eq!(note.message, format!("the device tree of partition `linux`: {says}"));
    assert_eq!(system.remarks.sources.position(note.primary.span).line, 7);
}

fn placed(initrd: Option<&[u8]>, change: impl FnOnce(&mut DeviceTree)) -> Result<Placement, LinuxError> {
    let board = virt_board();
    let partition = guest(&board);
    let tree = tree(&board, &partition, change).to_dtb();
    let kernel = LinuxImage { text_offset: 0x8_0000, image_size: 0x180_0000, bytes: vec![0; 0x1000] };
    place(&board, &partition, &Linux { kernel: &kernel, initrd, bootargs: None, tree: Some(&tree) })
}

#[test]
fn kernel_ram_disk_and_tree_keep_clear_of_what_the_tree_reserves() {
    let kept = [(0x4000_0000, 0x1000), (0x41c0_0000, 0x20_0000), (0x4200_0000, 0x1000)];
    let placement = placed(Some(&[1; 0x18_0001]), |tree| {
        tree.memory_reservations = kept.map(|(start, size)| MemoryReservation::new(start, size)).into();
    });
    let starts: Vec<_> = placement.unwrap().segments.iter().map(|segment| segment.ipa.get()).collect();
    // The kernel behind the first reservation, the RAM disk behind the second, the tree behind the third.
    assert_eq!(starts, [0x4028_0000, 0x41e0_0000, 0x4220_0000]);
}

#[test]
fn kernel_ram_disk_and_tree_lie_in_what_the_tree_names_as_memory() {
    let start = |change: fn(&mut DeviceTree)| placed(None, change).map(|placement| placement.entry.get());
    let upper = start(|tree| set(at(tree, "/memory@40000000"), "reg", [0_u32, 0x4800_0000, 0, 0x800_0000]));
    assert_eq!(upper, Ok(0x4808_0000));
    let capped =
        start(|tree| set(at(tree, "/chosen"), "linux,usable-memory-range", [0_u32, 0x4a00_0000, 0, 0x600_0000]));
    assert_eq!(capped, Ok(0x4a08_0000));
    let small = start(|tree| set(at(tree, "/memory@40000000"), "reg", [0_u32, 0x4000_0000, 0, 0x100_0000]));
    let text = "the kernel would end at 0x41880000, past the end of memory `ram` at 0x41000000";
    assert_eq!(small.unwrap_err().to_string(), text);
}

#[test]
fn free_memory_is_what_is_named_less_what_is_reserved() {
    let board = virt_board();
    let tree = tree(&board, &guest(&board), |tree| {
        set(at(tree, "/memory@40000000"), "reg", [0_u32, 0x4000_0000, 0, 0x1000, 0, 0x4000_1000, 0, 0x5000]);
        add(tree, "", "reserved-memory", &[("#address-cells", &[2]), ("#size-cells", &[2]), ("ranges", &[])]);
        add(tree, "/reserved-memory", "kept", &[("reg", &[0, 0x4000_0800, 0, 0x1000])]);
        tree.memory_reservations = vec![MemoryReservation::new(0x4000_3000, 0x1000)];
    });
    let free = Layout::of(&tree).free_in(&(0x4000_0400..0x4000_5000));
    assert_eq!(free, [0x4000_0400..0x4000_0800, 0x4000_1800..0x4000_3000, 0x4000_4000..0x4000_5000]);
}

// Buses ------------------------------------------------------------------------------------------------------------------

#[test]
fn windows_of_a_pci_host_are_the_partitions() {
    let pci = |window: u32| {
        said(move |tree| {
            let ranges = [0x0200_0000, 0, window, 0, window, 0, 0x1000];
            let cells: [(&str, &[u32]); 3] = [("#address-cells", &[3]), ("#size-cells", &[2]), ("ranges", &ranges)];
            let host = add(tree, "", "pcie@9000000", &cells);
            set(host, "device_type", "pci");
            set(host, "reg", [0_u32, 0x900_0000, 0, 0x1000]);
        })
    };
    assert_eq!(pci(0x900_0000), [""; 0]);
    assert_eq!(pci(0x1000_0000), ["`ranges` of node `/pcie@9000000` names [0x10000000..0x10001000)"]);
}

#[test]
fn a_block_that_outgrows_its_window_counts_in_full() {
    let found = said(|tree| {
        let cells: [(&str, &[u32]); 3] =
            [("#address-cells", &[1]), ("#size-cells", &[1]), ("ranges", &[0, 0, 0x900_0000, 0x1000])];
        add(tree, "", "bus", &cells);
        add(tree, "/bus", "serial@0", &[("reg", &[0, 0x2000])]);
    });
    assert_eq!(
        found,
        ["`reg` of node `/bus/serial@0` names [0x9000000..0x9002000), `uart0` of partition `linux`"],
        "Linux translates its start alone"
    );
}

#[test]
fn cells_that_a_bus_does_not_give_are_inherited_as_linux_does() {
    let found = said(|tree| {
        add(tree, "", "bus", &[("ranges", &[])]);
        add(tree, "/bus", "serial@9040000", &[("reg", &[0, 0x904_0000, 0, 0x1000])]);
    });
    assert_eq!(
        found,
        [
            "`reg` of node `/bus/serial@9040000` names [0x9040000..0x9041000), the board's `uart1`, which this partition does not have"
        ]
    );
}

// Chosen -----------------------------------------------------------------------------------------------------------------

#[test]
fn there_is_one_chosen() {
    let found = said(|tree| _ = add(tree, "", "chosen@0", &[]));
    assert!(found[0].contains("is there twice, as `/chosen` and `/chosen@0` => keep one"), "{found:?}");
}

#[test]
fn a_ram_disk_that_nobody_loads_is_refused() {
    let disk = |tree: &mut DeviceTree, start: u32| {
        set(at(tree, "/chosen"), "linux,initrd-start", [0_u32, start]);
        set(at(tree, "/chosen"), "linux,initrd-end", [0_u32, start + 0x1000]);
    };
    assert!(
        said(|tree| disk(tree, 0x4800_0000))[0].contains("says that a RAM disk lies at [0x4800_0000..0x4800_1000)")
    );
    let given = Guest { initrd: true, ..LINUX };
    assert_eq!(found(&virt_board(), given, |tree| disk(tree, 0x9800_0000)), [], "the configuration's takes its place");
    let other = |start| found(&virt_board(), Guest::default(), move |tree| disk(tree, start));
    assert_eq!(other(0x4800_0000), [], "an image may bring its RAM disk along");
    assert_eq!(
        other(0x9800_0000)[0].to_string(),
        "`linux,initrd-start` of node `/chosen` names [0x98000000..0x98001000)"
    );
}

#[test]
fn ranges_and_tables_that_chosen_names_are_there() {
    let chosen =
        |name: &'static str, start: u32| said(move |tree| set(at(tree, "/chosen"), name, [0, start, 0, 0x1000]));
    for name in ["linux,elfcorehdr", "linux,usable-memory-range"] {
        assert!(chosen(name, 0x9000_0000)[0].ends_with("names [0x90000000..0x90001000)"), "{name}");
        assert_eq!(chosen(name, 0x4800_0000), [""; 0], "{name}");
    }
    assert!(chosen("linux,uefi-system-table", 0x4800_0000)[0].contains("no UEFI firmware"));
}

#[test]
fn a_command_line_that_linux_would_cut_is_refused_unless_it_is_replaced() {
    let long = |tree: &mut DeviceTree| set(at(tree, "/chosen"), "bootargs", "x".repeat(2048).as_str());
    assert!(said(long)[0].contains("has 2048 bytes, of which Linux drops all after the first 2047"));
    assert_eq!(found(&virt_board(), Guest { bootargs: true, ..LINUX }, long), []);
    assert_eq!(said(|tree| set(at(tree, "/chosen"), "bootargs", "x".repeat(2047).as_str())), [""; 0]);
}

#[test]
fn a_console_that_is_not_there_is_remarked() {
    let board = virt_board();
    let partition = guest(&board);
    let remarked = |path: &'static str, status: &'static str| {
        let tree = tree(&board, &partition, |tree| {
            set(at(tree, "/chosen"), "stdout-path", path);
            set(at(tree, "/uart0@9000000"), "status", status);
            let aliases = add(tree, "", "aliases", &[]);
            set(aliases, "serial0", "/uart0@9000000");
            set(aliases, "serial1", "/uart1@9040000");
        });
        !remarks(&partition, &tree).is_empty()
    };
    for path in ["/uart0@9000000", "/uart0@9000000:115200n8", "serial0", "serial0:115200n8"] {
        assert!(!remarked(path, "okay") && remarked(path, "disabled"), "{path}");
    }
    for path in ["serial1", "serial2:9600", "/uart1@9040000", ""] {
        assert!(remarked(path, "okay"), "{path}");
    }
}

// Anything ---------------------------------------------------------------------------------------------------------------

/// A tree with something of everything that is judged.
fn rich(tree: &mut DeviceTree) {
    tree.memory_reservations = vec![MemoryReservation::new(0x4800_0000, 0x1000)];
    set(at(tree, "/memory@40000000"), "linux,usable-memory", [0_u32, 0x4000_0000, 0, 0x800_0000]);
    let chosen = at(tree, "/chosen");
    for name in ["linux,elfcorehdr", "linux,usable-memory-range"] {
        set(chosen, name, [0_u32, 0x4000_0000, 0, 0x1000_0000]);
    }
    set(chosen, "linux,initrd-start", [0_u32, 0x4800_0000]);
    set(chosen, "linux,initrd-end", [0_u32, 0x4800_1000]);
    set(chosen, "stdout-path", "serial0:115200n8");
    set(add(tree, "", "aliases", &[]), "serial0", "/uart0@9000000");
    add(tree, "", "reserved-memory", &[("#address-cells", &[2]), ("#size-cells", &[2]), ("ranges", &[])]);
    let alloc: (&str, &[u32]) = ("alloc-ranges", &[0, 0x4000_0000, 0, 0x1000_0000]);
    add(tree, "/reserved-memory", "pool", &[("size", &[0, 0x1000]), alloc]);
    add(tree, "/reserved-memory", "kept", &[("reg", &[0, 0x4900_0000, 0, 0x1000])]);
    add(tree, "/cpus", "idle-states", &[]);
    let idle = add(tree, "/cpus/idle-states", "sleep", &[("arm,psci-suspend-param", &[0x33])]);
    set(idle, "compatible", "arm,idle-state");
    let ranges = [0x0200_0000, 0, 0x900_0000, 0, 0x900_0000, 0, 0x1000];
    let map: (&str, &[u32]) = ("interrupt-map", &[0, 0, 0, 1, 1, 0, 1, 4]);
    let cells: [(&str, &[u32]); 5] =
        [("#address-cells", &[3]), ("#size-cells", &[2]), ("#interrupt-cells", &[1]), ("ranges", &ranges), map];
    set(add(tree, "", "pcie@9000000", &cells), "device_type", "pci");
    let bus: [(&str, &[u32]); 3] =
        [("#address-cells", &[1]), ("#size-cells", &[1]), ("ranges", &[0, 0, 0x900_0000, 0x1000])];
    add(tree, "", "bus", &bus);
    add(tree, "/bus", "serial@0", &[("reg", &[0, 0x1000]), ("interrupts-extended", &[1, 0, 1, 4])]);
}

#[test]
fn a_ram_disk_that_ends_before_it_starts_cannot_be_read() {
    let found = said(|tree| {
        set(at(tree, "/chosen"), "linux,initrd-start", [0_u32, 0x4800_1000]);
        set(at(tree, "/chosen"), "linux,initrd-end", [0_u32, 0x4800_0000]);
    });
    assert_eq!(found, ["`linux,initrd-start` of node `/chosen` cannot be read"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_a_tree_says_it_is_judged_and_placed_without_a_panic(
        changes in prop::collection::vec((0..4000usize, prop_oneof![Just(0_u8), Just(1), Just(0xff), any::<u8>()]), 1..8),
        linux: bool,
        size in 0x100..0x1000_0000_u64,
    ) {
        let board = virt_board();
        let partition = guest(&board);
        let mut dtb = tree(&board, &partition, rich).to_dtb();
        for (at, value) in changes {
            let at = 40 + at % (dtb.len() - 40);
            dtb[at] = value;
        }
        let Ok(tree) = parse(&dtb) else { return Ok(()) };
        let found = check(&board, &[], &partition, Guest { linux, ..Guest::default() }, &tree);
        let _ = (found.iter().map(words).collect::<Vec<_>>(), remarks(&partition, &tree));
        let kernel = LinuxImage { text_offset: 0, image_size: size, bytes: vec![0; 0x100] };
        let placed = place(&board, &partition, &Linux { kernel: &kernel, initrd: Some(&[1; 9]), bootargs: None, tree: Some(&dtb) });
        for segment in placed.iter().flat_map(|placed| &placed.segments) {
            let range = segment.ipa.get()..segment.ipa.get() + segment.bytes.len() as u64 + segment.zero_bytes;
            prop_assert!(range.start >= 0x4000_0000 && range.end <= 0x5000_0000, "{range:x?}");
            let free = Layout::of(&tree).free_in(&range);
            prop_assert_eq!(free, [range], "in what the tree leaves free");
        }
    }
}
