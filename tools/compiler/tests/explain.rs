//! An address is explained both ways, an interrupt by source and owner.

#[path = "common/support.rs"]
mod support;

use septum_compiler::explain;

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
    let line = |intid| explain::interrupt(&system, intid).to_string();
    assert_eq!(line(40), "interrupt 40: device `uart1`; given to partition `three`\n");
    assert_eq!(line(33), "interrupt 33: device `uart0`; given to no partition\n");
    assert_eq!(line(200), "interrupt 200: nothing that the board file names; given to no partition\n");
    assert!(line(27).ends_with("given to partitions `one`, `two`, `three`\n"));
}
