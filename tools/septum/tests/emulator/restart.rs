//! What a partition finds when it starts, and starts anew.

use super::case::Case;

/// A partition whose further cores spin and sleep fills its memory and starts itself anew; another ticks on.
fn restarting_partition(config: &str) -> Case<'_> {
    Case {
        config,
        expected: &[
            "prober| prober: 3 cores",
            "prober| prober: data is fresh",
            "info: partition `prober` restarts (SYSTEM_RESET)",
            "prober| prober: zeroes 0x4010_0000 0x2_0000: yes",
            "prober| prober: zeroes 0x6000_0000 0x1_0000: yes",
            "prober| prober: zeroes 0x5000_0008 0xff8: no, 4088 bytes are set",
            "prober| prober: reset once",
            "partition `prober` ended (SYSTEM_OFF)",
            "ticker| ticker: 100 ticks done",
            "partition `ticker` ended (SYSTEM_OFF)",
            "all partitions have ended",
        ],
        absent: &[
            "zeroes 0x4010_0000 0x2_0000: no",
            "zeroes 0x6000_0000 0x1_0000: no",
            "STALE",
            "EL2 fault",
            "error: ",
            "undecodable",
        ],
        ..Case::default()
    }
}

#[test]
fn virt_restarts_a_partition_of_three_cores_from_its_pristine_image() {
    restarting_partition("tools/septum/tests/configs/virt-restart").holds();
}

#[test]
fn virt_gicv2_restarts_a_partition_of_three_cores_from_its_pristine_image() {
    restarting_partition("tools/septum/tests/configs/virt-gicv2-restart").holds();
}

#[test]
fn rpi4_restarts_a_partition_of_three_cores_from_its_pristine_image() {
    restarting_partition("tools/septum/tests/configs/rpi4-restart").holds();
}

/// The emulator puts a word into each memory before it starts: what another system left there before a warm reset.
#[test]
fn a_partition_finds_zeroes_where_something_lay_before_it_started_but_for_memory_that_is_kept() {
    Case {
        config: "tools/septum/tests/configs/left-behind",
        expected: &[
            "prober: zeroes 0x4010_0000 0x1000: yes",
            "prober: zeroes 0x5000_0000 0x1_0000: yes",
            "prober: zeroes 0x6000_0000 0x1000: no, 8 bytes are set",
            "all partitions have ended",
        ],
        absent: &["EL2 fault", "error: "],
        ..Case::default()
    }
    .holds();
}
