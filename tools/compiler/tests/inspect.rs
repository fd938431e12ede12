//! The JSON of `inspect` is the one that docs promise, number by number.
#![allow(clippy::unwrap_used)]

#[path = "common/support.rs"]
mod support;

use septum_compiler::system::{CONSOLE_IPA, console};
use septum_compiler::{image, inspect};
use serde_json::{Value, json};

fn inspection(index: usize) -> Value {
    let image = image::build(&support::systems()[index], &support::el2_elf()).unwrap();
    serde_json::to_value(inspect::inspect(image.bytes()).unwrap()).unwrap()
}

#[test]
fn a_partition_on_a_40_bit_board_has_two_concatenated_level_1_tables() {
    let inspection = inspection(0);
    assert_eq!((&inspection["board"], &inspection["load_address"]), (&json!("qemu-virt"), &json!(0x4020_0000)));
    let two = &inspection["partitions"][1];
    let vttbr = two["vttbr"].as_u64().unwrap();
    assert_eq!((vttbr >> 48, vttbr % 8192), (2, 0));
    assert_eq!(
        two["regions"][2],
        json!({
            "name": "telemetry", "kind": "channel", "ipa": 0x6000_0000, "pa": 0x7e00_0000, "size": 0x1_0000, "access": "rw",
            "line": 9
        })
    );
    let mut facts = two.clone();
    facts.as_object_mut().unwrap().retain(|key, _| !["regions", "vttbr"].contains(&key.as_str()));
    assert_eq!(
        facts,
        json!({
            "name": "two", "cpus": [1], "vmid": 2, "vtcr": 0x8002_3558_u64, "granule": 4096, "ipa_bits": 40,
            "start_level": 1, "root_tables": 2, "table_bytes": 2 * 4096 + 3 * 4096, "entry": 0x4000_0000,
            "arguments": [0, 0, 0, 0], "line": 3, "traps_physical_timer": false, "interrupts": [],
            "interrupt_controller": { "distributor": 0x800_0000, "redistributors": 0x80a_0000 },
            "segments": [
                { "ipa": 0x4000_0000, "bytes": 0x1234, "zeroes": 0x20_0000 - 0x1234, "kept": 0 },
                { "ipa": 0x4020_0000, "bytes": 0, "zeroes": 0x3000, "kept": 0 }
            ]
        })
    );
}

#[test]
fn a_partition_on_a_44_bit_board_starts_at_level_0() {
    let three = &inspection(1)["partitions"][2];
    assert_eq!((&three["start_level"], &three["root_tables"], &three["ipa_bits"]), (&json!(0), &json!(1), &json!(44)));
    assert_eq!(three["interrupts"], json!([158]));
    assert_eq!(three["regions"][0]["kind"], "device");
}

#[test]
fn every_number_is_an_integer_and_every_key_is_known() {
    let keys = "board load_address partitions name cpus vmid vtcr vttbr granule ipa_bits start_level root_tables \
                table_bytes entry arguments line traps_physical_timer interrupt_controller distributor redistributors \
                regions kind ipa pa size access segments bytes zeroes kept interrupts config machine text_offset el2_bytes \
                pa_range tcr mair el2_seal gic core_start power_control counter_hz uart clock_hz baud interrupt cores mpidr partition vcpu \
                release_va ram devices va el2 board";
    let mut open = vec![inspection(0)];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    assert!(keys.split_whitespace().any(|known| known == key), "{key}");
                    open.push(value);
                }
            }
            Value::Array(values) => open.extend(values),
            Value::Number(number) => assert!(number.is_u64(), "{number}"),
            _ => {}
        }
    }
}

#[test]
fn an_emulated_console_is_shown_with_its_interrupt() {
    let mut systems = support::systems();
    systems[0].partitions[0].emulate(console(CONSOLE_IPA, &[]));
    let image = image::build(&systems[0], &support::el2_elf()).unwrap();
    let inspection = inspect::inspect(image.bytes()).unwrap();
    let text = septum_compiler::report::text(&inspection);
    assert!(text.contains("emulated console at 0x9000000, interrupt 33 (raised by EL2)"), "{text}");
    let shown = serde_json::to_value(inspection).unwrap();
    assert_eq!(shown["partitions"][0]["console"], json!({ "ipa": 0x900_0000, "interrupt": 33 }));
    assert!(shown["partitions"][1].get("console").is_none());
}
