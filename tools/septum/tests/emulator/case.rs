//! One run on the emulator, and what its log must say.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Condvar, Mutex};

/// Longest that a run may take, in seconds: a guard against a board that hangs, not a measure of time.
const GUARD: &str = "180";
/// Most emulators at once: each keeps several host threads busy.
const EMULATORS_MAX: usize = 2;

pub fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// One run and what its log must say.
#[derive(Clone, Copy, Default)]
pub struct Case<'a> {
    /// Name of the configuration, without extension: of configs/, or with its folder.
    pub config: &'a str,
    /// What is typed on partitions' serial lines: a prompt to wait for, and the text.
    pub typed: &'a [(&'a str, &'a str)],
    /// Texts that must each be in some line.
    pub expected: &'a [&'a str],
    /// Texts that must be in no line.
    pub absent: &'a [&'a str],
}

impl Case<'_> {
    /// Runs it until the board switches itself off, and checks its log.
    pub fn holds(&self) {
        let output = self.run();
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        let shown = format!("{log}\n{}", String::from_utf8_lossy(&output.stderr));
        for text in self.expected {
            assert!(log.lines().any(|line| line.contains(text)), "no line contains `{text}`:\n{shown}");
        }
        for text in self.absent {
            assert!(!log.lines().any(|line| line.contains(text)), "a line contains `{text}`:\n{shown}");
        }
        assert_eq!(output.status.code(), Some(0), "{shown}");
    }

    pub fn run(&self) -> Output {
        self.run_with(&[])
    }

    pub fn run_with(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_septum"));
        command.current_dir(tree()).arg("run").arg(configuration(self.config)).args(["--timeout", GUARD]).args(more);
        for (prompt, text) in self.typed {
            command.args(["--type", prompt, text]);
        }
        let _turn = Turn::take();
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }
}

/// The file of configuration `name`.
fn configuration(name: &str) -> String {
    if name.contains('/') { format!("{name}.toml") } else { format!("configs/{name}.toml") }
}

/// Leave to run an emulator.
struct Turn;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

impl Turn {
    fn take() -> Self {
        let running = RUNNING.lock().unwrap();
        *ENDED.wait_while(running, |running| *running >= EMULATORS_MAX).unwrap() += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap() -= 1;
        ENDED.notify_one();
    }
}
