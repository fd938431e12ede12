//! `septum setup`: what building and running needs and the machine lacks, fetched where that is possible.
//!
//! [`emulator`] is QEMU; [`guests`] are programs that nobody here wrote, fetched when a configuration names one;
//! [`mod@rust`] has the compiler's targets; [`apt`] and [`sources`] get Debian packages without touching the system.

mod apt;
pub mod emulator;
pub mod guests;
mod rust;
mod sources;

use std::path::Path;

use crate::failure::Failure;
use crate::home::Home;
use crate::output;
use emulator::Emulator;

/// No guest has the name.
#[derive(Debug, thiserror::Error)]
#[error("there is no guest `{name}`; there are {}", guests::names().collect::<Vec<_>>().join(", "))]
struct UnknownGuest {
    name: String,
}

/// Gets all that is missing, and the guests named, and says what is there.
///
/// # Errors
/// Something cannot be had: exit code 3. A guest's name is unknown: exit code 1.
pub fn run(home: &Home, wanted: &[String]) -> Result<(), Failure> {
    // A tool that carries EL2 builds nothing, unless a configuration names a crate of the tree around it.
    if let Some(tree) = home.any_tree() {
        rust(tree)?;
    }
    for name in wanted {
        let path = guests::obtain(name, &say).map_err(Failure::environment)?;
        let path = path.ok_or_else(|| Failure::input(UnknownGuest { name: name.clone() }))?;
        output::show_line(format_args!("{name}: {}", path.display()))?;
    }
    let emulator = Emulator::obtain(&say).map_err(Failure::environment)?;
    output::show_line(format_args!("QEMU {}: {}", emulator.version, emulator.program.display()))?;
    Ok(output::show_line("guests: fetched when a configuration names them, or now by `--guest NAME`")?)
}

/// Gets the Rust targets alone.
///
/// # Errors
/// rustup cannot fetch them: exit code 3.
pub fn rust(tree: &Path) -> Result<(), Failure> {
    rust::obtain(tree, &say).map_err(Failure::environment)
}

/// Tells the user of work that takes long, on stderr.
pub fn say(what: &str) {
    output::tell(format_args!("septum: {what}\n"));
}
