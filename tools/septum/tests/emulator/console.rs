//! What is typed, and where it comes out: U-Boot and Linux's shell on UARTs of their own and on emulated ones.

use super::case::Case;

/// Debian's U-Boot, unmodified, as a partition with a UART of its own.
fn u_boot(config: &str) -> Case<'_> {
    Case {
        config,
        typed: &[("stop autoboot", ""), ("=> ", "sleep 2"), ("=> ", "poweroff")],
        expected: &[
            "u-boot> U-Boot 20",
            "u-boot> => sleep 2",
            "u-boot> => poweroff",
            "partition `u-boot` ended (SYSTEM_OFF)",
            "all partitions have ended",
        ],
        absent: &["EL2 fault", "error: ", "undecodable"],
    }
}

#[test]
fn virt_runs_debians_u_boot_to_its_prompt_and_powers_off() {
    u_boot("virt-uboot").holds();
}

#[test]
fn rpi4_runs_debians_u_boot_to_its_prompt_and_powers_off() {
    u_boot("rpi4-uboot").holds();
}

/// Debian's U-Boot, unmodified, whose UART is EL2's: its text is in the log, and input comes through the log's UART.
pub fn u_boot_in_the_log(config: &str) -> Case<'_> {
    Case {
        config,
        typed: &[
            ("stop autoboot", ""),
            ("=> ", "sleep 2"),
            ("=> ", "echo more at once than a receive FIFO of 32 bytes holds"),
            ("=> ", "poweroff"),
        ],
        expected: &[
            "u-boot| U-Boot 20",
            "u-boot| => sleep 2",
            "u-boot| more at once than a receive FIFO of 32 bytes holds",
            "u-boot| => poweroff",
            "partition `u-boot` ended (SYSTEM_OFF)",
            "all partitions have ended",
        ],
        absent: &["EL2 fault", "error: ", "undecodable"],
    }
}

#[test]
fn virt_takes_input_for_an_emulated_console() {
    u_boot_in_the_log("tools/septum/tests/configs/virt-console").holds();
}

#[test]
fn virt_gicv2_takes_input_for_an_emulated_console() {
    u_boot_in_the_log("tools/septum/tests/configs/virt-gicv2-console").holds();
}

#[test]
fn rpi4_takes_input_for_an_emulated_console() {
    u_boot_in_the_log("tools/septum/tests/configs/rpi4-console").holds();
}

#[test]
fn imx8mp_takes_input_for_an_emulated_console() {
    u_boot_in_the_log("tools/septum/tests/configs/imx8mp-console").holds();
}

/// Debian's kernel with busybox's shell as its first process: its driver reads when the console interrupts.
fn linux_shell(config: &str) -> Case<'_> {
    const COUNT: &str = "/bin/busybox mount -t proc proc /proc; /bin/busybox grep uart-pl011 /proc/interrupts";
    Case {
        config,
        typed: &[("/ # ", COUNT), ("/ # ", "echo answer=$((6 * 7))"), ("answer=42", "/bin/busybox poweroff -f")],
        expected: &["Level     uart-pl011", "linux| answer=42", "partition `linux` ended (SYSTEM_OFF)"],
        absent: &["EL2 fault", "septum: error: ", "undecodable"],
    }
}

#[test]
fn virt_interrupts_linux_for_what_is_typed_at_its_shell() {
    linux_shell("tools/septum/tests/configs/virt-linux-shell").holds();
}

#[test]
fn virt_gicv2_interrupts_linux_for_what_is_typed_at_its_shell() {
    linux_shell("tools/septum/tests/configs/virt-gicv2-linux-shell").holds();
}

#[test]
fn input_goes_to_the_partition_that_asks_also_after_another_one_has_ended() {
    Case {
        config: "tools/septum/tests/configs/virt-two-consoles",
        typed: &[
            ("stop autoboot", ""),
            ("stop autoboot", ""),
            ("=> ", "poweroff"),
            ("=> ", "sleep 2"),
            ("=> ", "poweroff"),
        ],
        expected: &["partition `first` ended (SYSTEM_OFF)", "partition `second` ended (SYSTEM_OFF)"],
        absent: &["EL2 fault", "error: ", "undecodable"],
    }
    .holds();
}
