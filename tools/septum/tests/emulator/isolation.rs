//! What a partition does that it must not, and that the others go on.

use super::case::Case;

/// Two partitions count to five while a third writes where it must not.
pub fn three_partitions(config: &str) -> Case<'_> {
    Case {
        config,
        expected: &[
            "left| left: 5 of 5",
            "right| right: 5 of 5",
            "left# debug: line 5",
            "prober| prober: writing where I must not",
            "error: partition `prober` core 2: write of 4 bytes to IPA 0x50000000: region `constants` (r); PC 0x",
            "(permission fault, level 3)",
            ": region `constants`",
            "= in septum_guest::probe::write",
            "error: partition `prober` stopped (fault)",
            "partition `left` ended (SYSTEM_OFF)",
            "partition `right` ended (SYSTEM_OFF)",
            "all partitions have ended",
        ],
        absent: &["not reached", "EL2 fault", "log records of core", "undecodable", "panicked"],
        ..Case::default()
    }
}

#[test]
fn virt_stops_the_partition_that_writes_where_it_must_not_and_the_others_go_on() {
    three_partitions("virt-hello").holds();
}

#[test]
fn virt_gicv2_stops_the_partition_that_writes_where_it_must_not_and_the_others_go_on() {
    three_partitions("virt-gicv2-hello").holds();
}

#[test]
fn cores_in_another_order_than_redistributors_find_their_own() {
    three_partitions("tools/septum/tests/configs/virt-reordered").holds();
}

#[test]
fn the_cores_behind_one_that_is_left_out_find_their_own_redistributors() {
    three_partitions("tools/septum/tests/configs/virt-one-core-less").holds();
}

#[test]
fn cores_find_their_redistributors_among_gicv4_s_which_are_twice_as_long() {
    three_partitions("tools/septum/tests/configs/virt-gicv4").holds();
}

#[test]
fn cores_beyond_the_fifteenth_are_found_by_their_affinity() {
    Case {
        config: "tools/septum/tests/configs/virt-twenty-cores",
        expected: &[
            "prober: core 15: MPIDR 0xf, PSCI 0, SGI true, SPI true",
            "prober: core 16: MPIDR 0x100, PSCI 0, SGI true, SPI true",
            "prober: core 19: MPIDR 0x103, PSCI 0, SGI true, SPI true",
            "partition `prober` ended (SYSTEM_OFF)",
        ],
        absent: &["EL2 fault", "undecodable"],
        ..Case::default()
    }
    .holds();
}

#[test]
fn virt_48_stops_the_partition_that_writes_where_it_must_not_and_the_others_go_on() {
    three_partitions("virt-48-hello").holds();
}

#[test]
fn rpi4_stops_the_partition_that_writes_where_it_must_not_and_the_others_go_on() {
    three_partitions("rpi4-hello").holds();
}

#[test]
fn imx8mp_stops_the_partition_that_writes_where_it_must_not_and_the_others_go_on() {
    three_partitions("imx8mp-hello").holds();
}

#[test]
fn imx8mm_stops_the_partition_that_writes_where_it_must_not_and_the_others_go_on() {
    three_partitions("imx8mm-hello").holds();
}

/// One partition asks for what no partition has, another makes accesses that have no syndrome, a third ticks on.
fn hostile_partitions(config: &str) -> Case<'_> {
    Case {
        config,
        expected: &[
            "warn: partition `hostile` core 1: read of system register S3_3_C9_C12_0: undefined; PC 0x",
            "hostile| hostile: immediates survived, 4 exceptions at EL1",
            "hostile| hostile: cores survived, 0 exceptions at EL1",
            "hostile| hostile: done",
            "warn: partition `hostile` core 1: 40 undefined instructions",
            "error: partition `pair` core 2: read from IPA 0x",
            ": emulated interrupt controller (one register at a time, no write-back); PC 0x",
            "in hostile::controller::pair",
            "partition `pair` stopped (fault)",
            "ticker| ticker: 200 ticks done",
            "partition `ticker` ended (SYSTEM_OFF)",
        ],
        absent: &["EL2 fault", "partition `hostile` stopped", "undecodable"],
        ..Case::default()
    }
}

#[test]
fn virt_answers_registers_that_no_partition_has_as_absent() {
    hostile_partitions("tools/septum/tests/configs/virt-hostile").holds();
}

#[test]
fn virt_gicv2_answers_registers_that_no_partition_has_as_absent() {
    hostile_partitions("tools/septum/tests/configs/virt-gicv2-hostile").holds();
}

#[test]
fn rpi4_answers_registers_that_no_partition_has_as_absent() {
    hostile_partitions("tools/septum/tests/configs/rpi4-hostile").holds();
}

/// One partition floods EL2 with calls, text, interrupts and cores switched on and off; another ticks on. Lines of the
/// first may be lost, and the log says how many; bytes that it passes off as defmt frames are shown as its own.
fn flooding_partition(config: &str) -> Case<'_> {
    Case {
        config,
        expected: &[
            "floods| hostile: maintenance survived, ",
            "floods| hostile: timer survived, 0 exceptions at EL1",
            "ticker| ticker: 200 ticks done",
            "partition `ticker` ended (SYSTEM_OFF)",
            "all partitions have ended",
        ],
        absent: &[
            "EL2 fault",
            "septum# (undecodable",
            "septum: (undecodable",
            "ticker# (undecodable",
            "no such kind",
            "no console",
            "log records of core 0",
        ],
        ..Case::default()
    }
}

#[test]
fn virt_ticks_on_beside_a_partition_that_floods_el2() {
    flooding_partition("tools/septum/tests/configs/virt-floods").holds();
}

#[test]
fn virt_gicv2_ticks_on_beside_a_partition_that_floods_el2() {
    flooding_partition("tools/septum/tests/configs/virt-gicv2-floods").holds();
}

#[test]
fn rpi4_ticks_on_beside_a_partition_that_floods_el2() {
    flooding_partition("tools/septum/tests/configs/rpi4-floods").holds();
}
