//! Debian's kernels, unmodified, beside other partitions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

use super::case::Case;

/// Debian's kernel on three cores beside a ticking Rust partition. Where time is not simulated, how late the ticks are says
/// nothing: the emulator's cores wait for the host's.
fn linux<'a>(config: &'a str, expected: &'a [&'a str]) -> Case<'a> {
    Case {
        config,
        expected,
        absent: &["EL2 fault", "septum: error: ", "undecodable", "log records of core", "Kernel panic", "Oops"],
        ..Case::default()
    }
}

/// What the log says when Linux has used its three cores and both partitions have ended.
macro_rules! linux_lines {
    ($release:literal) => {
        &[
            concat!("linux| ", $release),
            "smp: Brought up 1 node, 3 CPUs",
            "arch_timer",
            "linux| GUEST-OK cpus=3",
            "ticker| ticker: 800 ticks done",
            "partition `linux` ended (SYSTEM_OFF)",
            "partition `ticker` ended (SYSTEM_OFF)",
            "all partitions have ended",
        ]
    };
}

#[test]
fn virt_runs_debians_linux_on_three_cores() {
    linux("linux-virt", linux_lines!("6.1.")).holds();
}

#[test]
fn virt_gicv2_runs_debians_linux_on_three_cores() {
    linux("linux-virt-gicv2", linux_lines!("6.1.")).holds();
}

#[test]
fn virt_48_runs_debians_linux_on_three_cores() {
    linux("linux-virt-48", linux_lines!("6.12.")).holds();
}

#[test]
fn rpi4_runs_debians_linux_on_three_cores() {
    linux("linux-rpi4", linux_lines!("6.1.")).holds();
}

#[test]
fn imx8mp_runs_debians_linux_on_three_cores() {
    linux("linux-imx8mp", linux_lines!("6.12.")).holds();
}

#[test]
fn imx8mm_runs_debians_real_time_linux_on_three_cores() {
    linux("linux-imx8mm", linux_lines!("6.1.")).holds();
}

/// Linux beside a ticker where a tick of the counter is an instruction.
fn simulated(config: &str) -> Case<'_> {
    let lines = &[
        "linux| GUEST-OK cpus=3",
        "ticker| ticker: 300 ticks done",
        "ticker| ticker: never late by a period",
        "all partitions have ended",
    ];
    linux(config, lines)
}

#[test]
fn beside_linux_on_gicv3_a_ticker_is_never_late_by_a_period() {
    simulated("tools/septum/tests/configs/simulated-gicv3-linux").holds();
}

#[test]
fn beside_linux_on_gicv2_a_ticker_is_never_late_by_a_period() {
    simulated("tools/septum/tests/configs/simulated-gicv2-linux").holds();
}

#[test]
fn linux_runs_with_a_tree_of_the_users_own_and_coarse_tables() {
    let lines = &[
        "Machine model: A tree of the user's own",
        "memblock_reserve: [0x0000000048000000-0x00000000480fffff]",
        "linux| GUEST-OK cpus=2",
        "partition `linux` ended (SYSTEM_OFF)",
        "all partitions have ended",
    ];
    linux("tools/septum/tests/configs/own-tree", lines).holds();
}

#[test]
fn a_linux_guest_that_strays_is_stopped_and_another_one_goes_on() {
    let case = Case {
        config: "two-linux-virt",
        expected: &[
            "stray| writing to 0x09040000",
            "write of 4 bytes to IPA 0x9040000: no region; board: uart1 of nobody",
            "error: partition `stray` stopped (fault)",
            "steady| GUEST-OK cpus=2",
            "partition `steady` ended (SYSTEM_OFF)",
            "all partitions have ended",
        ],
        absent: &["not reached", "stray| GUEST-OK", "EL2 fault", "undecodable", "log records of core"],
        ..Case::default()
    };
    case.holds();
}

#[test]
fn linux_sleeps_in_the_idle_states_of_its_tree_and_none_is_rejected() {
    const LOOK: &str = "/bin/busybox mount -t sysfs s /sys; cd /sys/devices/system/cpu";
    Case {
        config: "tools/septum/tests/configs/idle-states",
        typed: &[
            ("/ # ", LOOK),
            ("cpu # ", "/bin/busybox grep . cpu?/cpuidle/state?/[ru]*e*; echo answer=$((6 * 7))"),
            ("answer=42", "/bin/busybox poweroff -f"),
        ],
        expected: &[
            "cpu0/cpuidle/state1/rejected:0",
            "cpu1/cpuidle/state1/rejected:0",
            "cpu0/cpuidle/state1/usage:",
            "cpu1/cpuidle/state1/usage:",
            "partition `linux` ended (SYSTEM_OFF)",
        ],
        absent: &["cpu0/cpuidle/state1/usage:0", "cpu1/cpuidle/state1/usage:0", "EL2 fault", "undecodable"],
    }
    .holds();
}

/// Threads that keep all of the host's cores busy until this is dropped, by a panic, too.
struct BusyHost<'a>(&'a AtomicBool);

impl<'a> BusyHost<'a> {
    fn new<'scope>(stop: &'a AtomicBool, scope: &'scope Scope<'scope, 'a>) -> Self {
        for _ in 0..=std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(stop)
    }
}

impl Drop for BusyHost<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
#[should_panic(expected = "while the host is busy")]
fn a_test_that_fails_while_the_host_is_busy_ends() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _busy = BusyHost::new(&stop, scope);
        panic!("while the host is busy");
    });
}

/// The host's cores are all busy with something else, too, so that deadlines pass while their handler runs.
#[test]
fn rpi4_runs_linux_on_one_core_beside_busy_loops() {
    let stop = AtomicBool::new(false);
    let run = std::thread::scope(|scope| {
        let _busy = BusyHost::new(&stop, scope);
        Case { config: "tools/septum/tests/configs/rpi4-one-core-linux", ..Case::default() }.run()
    });
    let log = String::from_utf8_lossy(&run.stdout);
    assert!(log.contains("linux| GUEST-OK cpus=1"), "{log}");
    assert_eq!(run.status.code(), Some(0), "{log}");
}
