//! `septum explain`: who owns an address or an interrupt, and how it is mapped.

use std::path::Path;
use std::str::FromStr;

use septum_compiler::board::{Board, PaSpan};
use septum_compiler::system::{Partition, System};

use crate::check::{self, Format};
use crate::failure::Failure;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// An address, physical or a partition's: written with `0x`.
    Address(u64),
    /// An interrupt, by its INTID: a decimal number.
    Interrupt(u32),
}

/// A question that cannot be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("neither an address (0x..) nor an interrupt's number (decimal)")]
pub struct QuestionError;

impl FromStr for Question {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, QuestionError> {
        let digits = text.replace('_', "");
        let parsed = match digits.strip_prefix("0x") {
            Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok().map(Self::Address),
            None => digits.parse().ok().map(Self::Interrupt),
        };
        parsed.ok_or(QuestionError)
    }
}

/// Answers `question` about `config`.
///
/// # Errors
/// The configuration is wrong.
pub fn run(tree: &Path, config: &Path, question: Question) -> Result<(), Failure> {
    let system = check::checked(tree, config, Format::Human)?;
    let lines = match question {
        Question::Address(address) => address_lines(&system, address),
        Question::Interrupt(intid) => vec![interrupt_line(&system, intid)],
    };
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn address_lines(system: &System, address: u64) -> Vec<String> {
    let mut lines = vec![format!("physical address {address:#x}: {}", physical(system, address))];
    lines.extend(system.partitions.iter().map(|partition| {
        let view = intermediate(system, partition, address);
        format!("intermediate address {address:#x} of partition `{}`: {view}", partition.name)
    }));
    lines
}

/// What lies at a physical address, and who can reach it.
fn physical(system: &System, address: u64) -> String {
    let what = on_board(&system.board, address);
    let users: Vec<_> = system.partitions.iter().flat_map(|partition| users(system, partition, address)).collect();
    match users.is_empty() {
        false => format!("{what}; {}", users.join("; ")),
        true if within(system.el2, address) => format!("{what}; set apart for EL2"),
        true => format!("{what}; no partition can reach it"),
    }
}

/// The regions through which `partition` can reach a physical address.
fn users(system: &System, partition: &Partition, address: u64) -> Vec<String> {
    let regions = partition.regions.iter().filter(|region| holds(region.pa.get(), region.size, address));
    let shown = regions.map(|region| {
        let seen_at = region.ipa.get() + (address - region.pa.get());
        let (name, access, line) = (&region.name, region.access, region.line);
        let (owner, config) = (&partition.name, &system.config);
        format!("`{name}` of partition `{owner}` ({access}), seen there at {seen_at:#x} ({config}:{line})")
    });
    shown.collect()
}

/// What a partition sees at an address of its own.
fn intermediate(system: &System, partition: &Partition, address: u64) -> String {
    let region = partition.regions.iter().find(|region| holds(region.ipa.get(), region.size, address));
    match region {
        Some(region) => {
            let physical = region.pa.get() + (address - region.ipa.get());
            let (name, access, line) = (&region.name, region.access, region.line);
            format!("`{name}` ({access}), physical {physical:#x} ({}:{line})", system.config)
        }
        None => "no region: an access is a fault".to_owned(),
    }
}

fn on_board(board: &Board, address: u64) -> String {
    let device = board.devices.iter().find(|device| device.registers.iter().any(|span| within(*span, address)));
    let carve_out = board.carve_outs.iter().find(|carve_out| within(carve_out.span, address));
    match (device, carve_out) {
        (Some(device), _) => format!("device `{}`", device.name),
        (None, Some(carve_out)) => format!("RAM kept by {}", carve_out.name),
        (None, None) if board.ram.iter().any(|span| within(*span, address)) => "RAM".to_owned(),
        (None, None) => interrupt_controller(board, address).unwrap_or("nothing that the board file names").to_owned(),
    }
}

fn interrupt_controller(board: &Board, address: u64) -> Option<&'static str> {
    let gic = &board.gic;
    let frames = [
        (Some(gic.distributor), "the interrupt controller's distributor"),
        (gic.redistributors, "the interrupt controller's redistributors"),
        (gic.cpu_interface, "the interrupt controller's CPU interface"),
        (gic.virtual_control, "the interrupt controller's virtual interface control"),
        (gic.virtual_cpu, "the interrupt controller's virtual CPU interface"),
    ];
    frames.into_iter().find(|(span, _)| span.is_some_and(|span| within(span, address))).map(|(_, name)| name)
}

fn interrupt_line(system: &System, intid: u32) -> String {
    let device = system.board.devices.iter().find(|device| device.interrupts.contains(&intid));
    let what = device.map_or("no device of the board file".to_owned(), |device| format!("device `{}`", device.name));
    let owner = system.partitions.iter().find(|partition| partition.interrupts.contains(&intid));
    let owner = owner.map_or("no partition".to_owned(), |partition| format!("partition `{}`", partition.name));
    format!("interrupt {intid}: {what}; given to {owner}")
}

fn within(span: PaSpan, address: u64) -> bool {
    holds(span.start.get(), span.size, address)
}

fn holds(start: u64, size: u64, address: u64) -> bool {
    address.checked_sub(start).is_some_and(|offset| offset < size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hexadecimal_and_interrupts_decimal() {
        assert_eq!("0x4000_0000".parse::<Question>().unwrap(), Question::Address(0x4000_0000));
        assert_eq!("33".parse::<Question>().unwrap(), Question::Interrupt(33));
        assert!("uart0".parse::<Question>().is_err());
        assert!("0x".parse::<Question>().is_err());
    }
}
