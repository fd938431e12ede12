//! Generated device trees, read back by dtoolkit and judged by dtc where it is installed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "common/support.rs"]
mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};
use septum_compiler::board::Board;
use septum_compiler::device_tree::{Chosen, DeviceTreeError, generate};
use septum_compiler::system::{CONSOLE_IPA, Partition, console};
use septum_stage2::Access;
use support::{memory, partition, registers, rpi4_board, virt_board};

/// A guest with two cores, its memory not where the board has it, and the board's first UART at `uart_ipa`.
fn guest(board: &Board, uart_ipa: u64) -> Partition {
    let device = &board.devices[0];
    let uart = registers(device, uart_ipa);
    let environment = memory("environment", 0x400_0000, 0x4f00_0000, 0x4_0000, Access::RW);
    let ram = memory("ram", 0x4000_0000, 0x5000_0000, 0x1000_0000, Access::RWX);
    let mut guest = partition(board, "guest", 1, vec![ram, environment, uart]);
    support::set_cpus(&mut guest, vec![1, 3]);
    guest.interrupts = device.interrupts.clone();
    guest
}

fn chosen() -> Chosen {
    Chosen { bootargs: Some("console=ttyAMA0".into()), initrd: Some(0x4800_0000..0x4800_1234) }
}

fn cells(node: &FdtNode<'_>, name: &str) -> Vec<u32> {
    node.property(name).unwrap().value_as::<Vec<u32>>().unwrap()
}

fn text<'a>(node: &FdtNode<'a>, name: &str) -> &'a str {
    node.property(name).unwrap().value_as::<&str>().unwrap()
}

/// The tree as dtc prints it, or `None` where there is no dtc. A warning fails the test.
fn judged_by_dtc(dtb: &[u8]) -> Option<String> {
    let mut dtc = Command::new("dtc");
    dtc.args(["-I", "dtb", "-O", "dts"]);
    let mut dtc = dtc.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
    dtc.stdin.take().unwrap().write_all(dtb).unwrap();
    let output = dtc.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn memory_is_named_at_the_guests_addresses_and_only_where_code_may_run() {
    let board = virt_board();
    let dtb = generate(&board, &guest(&board, 0x900_0000), &chosen()).unwrap();
    let fdt = Fdt::new(&dtb).unwrap();
    let memory: Vec<_> = fdt.root().children().filter(|node| node.name_without_address() == "memory").collect();
    assert_eq!(memory.len(), 1, "the environment's memory is rw only");
    assert_eq!(cells(&memory[0], "reg"), [0, 0x4000_0000, 0, 0x1000_0000]);
}

#[test]
fn virtual_cores_count_from_zero_whatever_the_boards_cores_are() {
    let board = virt_board();
    let dtb = generate(&board, &guest(&board, 0x900_0000), &chosen()).unwrap();
    let fdt = Fdt::new(&dtb).unwrap();
    let cpus: Vec<_> = fdt.find_node("/cpus").unwrap().children().map(|cpu| cells(&cpu, "reg")).collect();
    assert_eq!(cpus, [[0], [1]]);
    assert_eq!(text(&fdt.find_node("/psci").unwrap(), "method"), "hvc");
}

#[test]
fn the_seventeenth_core_has_the_affinity_that_el2_shows_it() {
    let board = virt_board();
    let mut guest = guest(&board, 0x900_0000);
    support::set_cpus(&mut guest, (0..18).collect());
    let dtb = generate(&board, &guest, &chosen()).unwrap();
    let fdt = Fdt::new(&dtb).unwrap();
    let cpus: Vec<_> = fdt.find_node("/cpus").unwrap().children().map(|cpu| cells(&cpu, "reg")[0]).collect();
    assert_eq!(cpus[14..], [0xe, 0xf, 0x100, 0x101]);
    assert!(fdt.find_node("/cpus/cpu@100").is_some());
}

#[test]
fn a_gicv3_guest_gets_its_redistributors_and_a_gicv2_guest_its_cpu_interface() {
    let board = virt_board();
    let dtb = generate(&board, &guest(&board, 0x900_0000), &chosen()).unwrap();
    let node = Fdt::new(&dtb).unwrap().find_node("/interrupt-controller@8000000").unwrap();
    assert_eq!(text(&node, "compatible"), "arm,gic-v3");
    assert_eq!(cells(&node, "reg"), [0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x4_0000]);

    let board = rpi4_board();
    let dtb = generate(&board, &guest(&board, 0x900_0000), &chosen()).unwrap();
    let fdt = Fdt::new(&dtb).unwrap();
    let node = fdt.find_node("/interrupt-controller@8000000").unwrap();
    assert_eq!(cells(&node, "reg"), [0, 0x800_0000, 0, 0x1000, 0, 0x801_0000, 0, 0x2000]);
    assert_eq!(cells(&fdt.find_node("/timer").unwrap(), "interrupts")[6..9], [1, 11, 0x304], "both cores");
}

#[test]
fn an_owned_uart_appears_where_the_guest_sees_it_with_its_own_interrupt() {
    let board = rpi4_board();
    let dtb = generate(&board, &guest(&board, 0x900_0000), &chosen()).unwrap();
    let fdt = Fdt::new(&dtb).unwrap();
    assert_eq!(text(&fdt.find_node("/chosen").unwrap(), "stdout-path"), "/uart0@9000000");
    let uart = fdt.find_node("/uart0@9000000").unwrap();
    assert_eq!(cells(&uart, "reg"), [0, 0x900_0000, 0, 0x1000]);
    assert_eq!(cells(&uart, "interrupts"), [0, 153 - 32, 4]);
    assert_eq!(uart.property("compatible").unwrap().value(), b"arm,pl011\0arm,primecell\0");
    assert!(fdt.root().children().all(|node| !node.name().starts_with("emmc2")), "not this guest's device");
}

#[test]
fn the_emulated_console_comes_before_a_devices_uart() {
    let board = virt_board();
    let mut guest = guest(&board, 0xa00_0000);
    guest.emulate(console(CONSOLE_IPA, &guest.interrupts.clone()));
    let dtb = generate(&board, &guest, &chosen()).unwrap();
    let fdt = Fdt::new(&dtb).unwrap();
    assert_eq!(text(&fdt.find_node("/chosen").unwrap(), "stdout-path"), "/serial@9000000");
    let serial = fdt.find_node("/serial@9000000").unwrap();
    assert_eq!(cells(&serial, "interrupts"), [0, 0, 4], "33 is the device's");
    assert!(fdt.find_node("/uart0@a000000").is_some());
}

#[test]
fn without_an_interrupt_controller_nothing_names_an_interrupt() {
    let board = virt_board();
    let mut guest = guest(&board, 0x900_0000);
    (guest.emulated, guest.cpu_interface) = (Vec::new(), None);
    let dtb = generate(&board, &guest, &chosen()).unwrap();
    let fdt = Fdt::new(&dtb).unwrap();
    for path in ["/timer", "/uart0@9000000"] {
        assert!(fdt.find_node(path).unwrap().property("interrupts").is_none(), "{path}");
    }
    judged_by_dtc(&dtb);
}

#[test]
fn chosen_carries_command_line_and_ram_disk() {
    let board = virt_board();
    let dtb = generate(&board, &guest(&board, 0x900_0000), &chosen()).unwrap();
    let node = Fdt::new(&dtb).unwrap().find_node("/chosen").unwrap();
    assert_eq!(text(&node, "bootargs"), "console=ttyAMA0");
    assert_eq!(cells(&node, "linux,initrd-end"), [0, 0x4800_1234]);
}

#[test]
fn dtc_finds_nothing_to_warn_about() {
    for board in [virt_board(), rpi4_board()] {
        let dtb = generate(&board, &guest(&board, 0x900_0000), &chosen()).unwrap();
        if let Some(source) = judged_by_dtc(&dtb) {
            assert!(source.contains("cpu@1 {"), "{source}");
        }
    }
}

#[test]
fn memory_that_nobody_may_execute_is_refused() {
    let board = virt_board();
    let mut guest = guest(&board, 0x900_0000);
    guest.regions.iter_mut().for_each(|region| region.access = Access::RW);
    assert_eq!(generate(&board, &guest, &chosen()), Err(DeviceTreeError::NoMemory { partition: "guest".into() }));
}
