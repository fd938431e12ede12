//! An address is explained both ways, an interrupt by source and owner.
#![allow(clippy::unwrap_used)]

#[path = "common/support.rs"]
mod support;

use septum_compiler::explain;
use septum_compiler::system::{CONSOLE_IPA, console};

#[test]
fn an_address_in_a_block_is_explained_both_ways() {
    let [system, _] = support::systems();
    let answer = explain::address(&system, 0x5200_1000).to_string();
    let expected = "physical address 0x52001000: RAM\n  \
         `ram` of partition `two`, seen there at 0x40001000 (rwx), test.toml:9, a 2 MiB block at level 2\n\
         intermediate address 0x52001000 of partition `one`: no region, an access is a fault\n";
    assert!(answer.starts_with(expected), "{answer}");
    let answer = explain::address(&system, 0x4020_1000).to_string();
    let el2 = "physical address 0x40201000: RAM\n  set apart for EL2; no partition can reach it\n";
    let two = "of partition `two`: `constants`, physical 0x52201000 (r), test.toml:9, a 4 KiB page at level 3\n";
    assert!(answer.starts_with(el2) && answer.contains(two), "{answer}");
}

#[test]
fn devices_carve_outs_and_emulated_registers_are_named() {
    let [virt, rpi4] = support::systems();
    let virt = |address| explain::address(&virt, address).to_string();
    assert!(
        virt(0x0904_0000).starts_with("physical address 0x9040000: device `uart1`\n  `uart1` of partition `three`")
    );
    assert!(virt(0x0800_0000).contains("physical address 0x8000000: the interrupt controller's distributor\n"));
    assert!(virt(0x0800_0000).contains("of partition `one`: the distributor, emulated by EL2\n"));
    assert!(explain::address(&rpi4, 0x80).to_string().starts_with("physical address 0x80: RAM kept by `armstub`\n"));
}

#[test]
fn an_interrupt_has_a_source_and_an_owner() {
    let [system, _] = support::systems();
    let line = |intid| explain::interrupt(&system, intid).unwrap().to_string();
    assert_eq!(line(40), "interrupt 40: device `uart1`; given to partition `three`\n");
    assert_eq!(line(33), "interrupt 33: device `uart0`; EL2's, as that UART carries the log\n");
    assert_eq!(line(200), "interrupt 200: nothing that the board file names; given to no partition\n");
    assert!(line(27).ends_with("given to partitions `one`, `two`, `three`\n"));
}

#[test]
fn the_physical_timer_belongs_to_those_whose_accesses_do_not_trap() {
    let [mut system, _] = support::systems();
    system.partitions[1].trap_physical_timer = true;
    let line = explain::interrupt(&system, 30).unwrap().to_string();
    assert!(line.contains("EL1 physical timer") && line.ends_with("given to partitions `one`, `three`\n"), "{line}");
}

#[test]
fn an_emulated_consoles_interrupt_is_the_partitions_own() {
    let [mut system, _] = support::systems();
    system.partitions[0].emulate(console(CONSOLE_IPA, &[]));
    let lines = explain::interrupt(&system, 33).unwrap().to_string();
    let own = "\ninterrupt 33 of partition `one`: its emulated console's, raised by EL2\n";
    assert!(lines.starts_with("interrupt 33: device `uart0`; EL2's") && lines.ends_with(own), "{lines}");
}

#[test]
fn an_interrupt_that_the_board_does_not_have_is_refused_with_its_last() {
    let [system, _] = support::systems();
    assert!(explain::interrupt(&system, 255).is_ok());
    let error = explain::interrupt(&system, 4096).unwrap_err().to_string();
    assert_eq!(error, "there is no interrupt 4096: the board's last has INTID 255 (did you mean the address 0x1000?)");
}

#[test]
fn what_el2_has_for_itself_is_said_to_be_its() {
    let systems = support::systems();
    let cases = [
        (0, 0x900_0000, "device `uart0`\n  EL2's, it carries the log; no partition can reach it\n"),
        (0, 0x800_0000, "distributor\n  EL2's, which emulates one for each partition; no partition can reach it\n"),
        (1, 0xfe10_0000, "switch the board off\n  EL2's, it switches the board off there; no partition"),
        (1, 0xd8, "RAM kept by `armstub`\n  on the spin table's page, where EL2 starts the cores; no partition"),
    ];
    for (board, address, expected) in cases {
        let answer = explain::address(&systems[board], address).to_string();
        assert!(answer.contains(expected), "{answer}");
    }
}
