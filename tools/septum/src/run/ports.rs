//! Where a board's text comes out and partitions can be typed at: the twin's serial lines, and emulated consoles, which
//! are reached through the log's line (docs/log.md, "What is typed").

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;

use septum_compiler::board::Twin;
use septum_compiler::system::{Region, System};

use super::RunError;

/// Start of heading: the next byte chooses a partition.
const SOH: u8 = 0x01;
/// The byte that chooses the first partition.
const FIRST_PARTITION: u8 = 0x20;

/// A partition's terminal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// A UART of its own: QEMU's index of the serial line.
    Serial(u32),
    /// Its console in the log: the partition's name.
    Console(String),
}

/// All of a system's lines.
#[derive(Debug)]
pub struct Ports {
    /// QEMU's index of the line that carries the log.
    pub log: u32,
    /// Lines that partitions own: QEMU's index, and whose it is.
    pub serials: Vec<(u32, String)>,
    /// Places in the configuration of the partitions whose emulated console can be typed at.
    places: BTreeMap<String, u8>,
}

impl Ports {
    /// What `system` has on `twin`.
    ///
    /// # Errors
    /// The twin does not show the log's line.
    pub fn new(system: &System, twin: &Twin) -> Result<Self, RunError> {
        let index = |device: &str| twin.serials.iter().find(|(name, _)| name == device).map(|(_, index)| *index);
        let console = &system.console.device;
        let no_console = || RunError::NoConsole { board: system.board.name.clone(), console: console.clone() };
        let log = index(console).ok_or_else(no_console)?;
        let owned = system.partitions.iter().flat_map(|partition| {
            let lines = twin.serials.iter().filter(|(device, _)| has_device(&partition.regions, device));
            lines.map(|(_, index)| (*index, partition.name.clone()))
        });
        Ok(Self { log, serials: owned.collect(), places: places(system) })
    }

    /// QEMU's indexes of all lines.
    pub fn indexes(&self) -> Vec<u32> {
        std::iter::once(self.log).chain(self.serials.iter().map(|(index, _)| *index)).collect()
    }

    /// Where the user's own typing goes: to `to`, or to the only partition that can be typed at; to the emulated console
    /// of one that has a UART, too.
    ///
    /// # Errors
    /// `to` cannot be typed at.
    pub fn recipient(&self, to: Option<&str>) -> Result<Option<Port>, RunError> {
        let names: BTreeSet<&str> =
            self.places.keys().map(String::as_str).chain(self.serials.iter().map(|(_, name)| name.as_str())).collect();
        let name = match (to, names.len()) {
            (Some(name), _) if names.contains(name) => Some(name),
            (Some(name), _) => return Err(RunError::no_terminal(name, &names)),
            (None, 1) => names.first().copied(),
            (None, _) => None,
        };
        Ok(name.and_then(|name| self.port_of(name)))
    }

    fn port_of(&self, name: &str) -> Option<Port> {
        if self.places.contains_key(name) {
            return Some(Port::Console(name.to_owned()));
        }
        self.serials.iter().find(|(_, owner)| owner == name).map(|(index, _)| Port::Serial(*index))
    }

    /// The ends to type at, given the lines' sockets by QEMU's index.
    ///
    /// # Errors
    /// The system has no handles left.
    pub fn wires(&self, sockets: &BTreeMap<u32, UnixStream>) -> io::Result<BTreeMap<Port, Wire>> {
        let serials = self.serials.iter().map(|(index, _)| (Port::Serial(*index), *index, None));
        let consoles = self.places.iter().map(|(name, place)| (Port::Console(name.clone()), self.log, Some(*place)));
        let all = serials.chain(consoles).filter_map(|(port, index, place)| Some((port, sockets.get(&index)?, place)));
        all.map(|(port, socket, place)| Ok((port, Wire { socket: socket.try_clone()?, place }))).collect()
    }
}

fn has_device(regions: &[Region], device: &str) -> bool {
    regions.iter().any(|region| region.has_device(device))
}

/// Empty where EL2 does not have the log UART's interrupt.
fn places(system: &System) -> BTreeMap<String, u8> {
    let can_listen = system.log_interrupt().is_some();
    let partitions =
        system.partitions.iter().enumerate().filter(|(_, partition)| can_listen && partition.console().is_some());
    partitions.filter_map(|(place, partition)| Some((partition.name.clone(), u8::try_from(place).ok()?))).collect()
}

/// An end to type at.
#[derive(Debug)]
pub struct Wire<W = UnixStream> {
    socket: W,
    /// The partition's place in the configuration, where its console is reached through the log's line.
    place: Option<u8>,
}

impl Wire {
    /// A second handle of the same end.
    ///
    /// # Errors
    /// The system has none left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, place: self.place })
    }
}

impl<W: Write> Wire<W> {
    /// Types `text` and Enter, all at once: who else types on the same line does so before or after.
    ///
    /// # Errors
    /// The machine is gone.
    pub fn enter(&mut self, text: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        match self.place {
            Some(place) => {
                bytes.extend([SOH, FIRST_PARTITION.wrapping_add(place)]);
                text.bytes().for_each(|byte| bytes.extend(escaped(byte)));
            }
            None => bytes.extend(text.bytes()),
        }
        bytes.push(b'\r');
        self.socket.write_all(&bytes)
    }
}

fn escaped(byte: u8) -> impl Iterator<Item = u8> {
    std::iter::repeat_n(byte, if byte == SOH { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(place: Option<u8>, text: &str) -> Vec<u8> {
        let mut wire = Wire { socket: Vec::new(), place };
        wire.enter(text).unwrap();
        wire.socket
    }

    fn ports(serials: &[(u32, &str)], consoles: &[(&str, u8)]) -> Ports {
        let serials = serials.iter().map(|(index, name)| (*index, (*name).to_owned()));
        let places = consoles.iter().map(|(name, place)| ((*name).to_owned(), *place));
        Ports { log: 0, serials: serials.collect(), places: places.collect() }
    }

    #[test]
    fn an_emulated_console_is_chosen_by_its_place_before_the_text() {
        assert_eq!(entered(Some(2), "a\x01b"), b"\x01\x22a\x01\x01b\r");
        assert_eq!(entered(None, "a\x01b"), b"a\x01b\r");
    }

    #[test]
    fn the_only_partition_with_a_terminal_gets_what_the_user_types() {
        assert_eq!(ports(&[(1, "a")], &[]).recipient(None).unwrap(), Some(Port::Serial(1)));
        assert_eq!(ports(&[], &[("a", 0)]).recipient(None).unwrap(), Some(Port::Console("a".to_owned())));
        assert_eq!(ports(&[], &[]).recipient(None).unwrap(), None);
    }

    #[test]
    fn every_uart_of_a_page_has_its_line() {
        let region = Region {
            name: "uart0+uart2".to_owned(),
            devices: vec!["uart0".to_owned(), "uart2".to_owned()],
            kind: septum_plan::RegionKind::Device,
            ipa: septum_stage2::Ipa::new(0x1000),
            pa: septum_stage2::Pa::new(0x1000),
            size: 0x1000,
            access: septum_stage2::Access::RW,
            keep: false,
            line: 1,
            bus_master: false,
        };
        let found = ["uart0", "uart1", "uart2"].map(|device| has_device(std::slice::from_ref(&region), device));
        assert_eq!(found, [true, false, true]);
    }

    #[test]
    fn of_several_the_user_chooses_one() {
        let ports = ports(&[(1, "a"), (2, "b")], &[("b", 1), ("c", 2)]);
        assert_eq!(ports.recipient(None).unwrap(), None);
        assert_eq!(ports.recipient(Some("a")).unwrap(), Some(Port::Serial(1)));
        assert_eq!(ports.recipient(Some("b")).unwrap(), Some(Port::Console("b".to_owned())));
    }

    #[test]
    fn a_partition_without_a_terminal_is_refused_and_the_others_are_named() {
        let message = ports(&[(1, "a")], &[("c", 0)]).recipient(Some("x")).unwrap_err().to_string();
        assert_eq!(message, "partition `x` cannot be typed at: `--to` takes one of `a`, `c`");
        let message = ports(&[], &[]).recipient(Some("x")).unwrap_err().to_string();
        assert!(message.contains("console = true"), "{message}");
    }
}
