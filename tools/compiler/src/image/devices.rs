//! EL2's own devices: which register frames it maps, and where in its address space.
//!
//! Every frame has pages of its own and an unmapped page behind it, so that a stray offset faults instead of reaching
//! the next device.

use septum_plan::frames::GICR_BYTES;
use septum_plan::{DeviceKind, DeviceRecord, GicVersion, PowerControl, space};
use septum_stage2::{Pa, Va};

use super::BuildError;
use crate::board::{Board, PaSpan, Power};
use crate::el2_elf::PAGE;
use crate::system::System;

/// Whole pages of a device in EL2's address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is, as fault reports name it.
    pub name: String,
    /// Where EL2 finds it.
    pub va: Va,
    /// Where it is.
    pub pa: Pa,
    /// Bytes, a multiple of [`PAGE`].
    pub size: u64,
}

/// Everything that EL2 touches besides memory.
#[derive(Clone, Debug)]
pub struct Devices {
    /// What is mapped, in every root.
    pub frames: Vec<Frame>,
    /// The devices as the plan's header has them, each in the place of its kind.
    pub records: [DeviceRecord; DeviceKind::ALL.len()],
    next: u64,
}

impl Devices {
    /// Finds room for the devices that EL2 drives in `system`.
    ///
    /// # Errors
    /// Where the board lacks a frame that its interrupt controller or console must have, or the window is full.
    pub fn new(system: &System) -> Result<Self, BuildError> {
        let records = [DeviceRecord::NONE; DeviceKind::ALL.len()];
        let mut devices = Self { frames: Vec::new(), records, next: space::DEVICES_VA + PAGE };
        devices.add_console(system)?;
        devices.add_gic(&system.board)?;
        devices.add_power(&system.board.power);
        (devices.next <= space::DEVICES_VA_END).then_some(devices).ok_or(BuildError::DeviceWindow)
    }

    /// The UART that carries the log.
    pub const fn console(&self) -> DeviceRecord {
        self.records[DeviceKind::Uart.place()]
    }

    fn add_console(&mut self, system: &System) -> Result<(), BuildError> {
        let console = &system.console;
        let device = system.board.devices.iter().find(|device| device.name == console.device);
        let registers = *device.and_then(|device| device.registers.first()).ok_or(BuildError::Console)?;
        let record = DeviceRecord {
            intid: system.log_interrupt().unwrap_or(0).into(),
            clock_hz: console.clock_hz.unwrap_or(0),
            baud: console.baud.unwrap_or(0),
            port: console.kind.facts().port,
            driver: console.kind.code(),
            ..self.mapped(&console.device, registers)
        };
        self.put(DeviceKind::Uart, record);
        Ok(())
    }

    fn add_gic(&mut self, board: &Board) -> Result<(), BuildError> {
        let gic = &board.gic;
        let frame = |frame: Option<PaSpan>, name| frame.ok_or(BuildError::GicFrame(name));
        self.map(DeviceKind::Gicd, "gicd", gic.distributor);
        match gic.version {
            GicVersion::V2 => {
                self.map(DeviceKind::Gicc, "gicc", frame(gic.cpu_interface, "gicc")?);
                self.map(DeviceKind::Gich, "gich", frame(gic.virtual_control, "gich")?);
                self.put(DeviceKind::Gicv, unmapped(frame(gic.virtual_cpu, "gicv")?));
            }
            GicVersion::V3 => self.add_redistributors(frame(gic.redistributors, "gicr")?),
        }
        Ok(())
    }

    /// Which core has which redistributor, and whether one takes two pieces, only the board knows: all are mapped.
    fn add_redistributors(&mut self, all: PaSpan) {
        let whole = DeviceRecord { va: self.next, bytes: all.size / GICR_BYTES * GICR_BYTES, ..unmapped(all) };
        for start in (0..all.size / GICR_BYTES).map(|slot| Pa::new(all.start.get() + slot * GICR_BYTES)) {
            self.mapped("gicr", PaSpan { start, size: GICR_BYTES });
        }
        self.put(DeviceKind::Gicr, whole);
    }

    fn add_power(&mut self, power: &Power) {
        let record = power.registers.map_or(DeviceRecord::NONE, |registers| self.mapped("power", registers));
        if power.control != PowerControl::None {
            self.put(DeviceKind::Power, DeviceRecord { driver: power.control.code(), ..record });
        }
    }

    fn map(&mut self, kind: DeviceKind, name: &str, registers: PaSpan) {
        let record = self.mapped(name, registers);
        self.put(kind, record);
    }

    fn put(&mut self, kind: DeviceKind, record: DeviceRecord) {
        self.records[kind.place()] = DeviceRecord { kind: kind.code(), ..record };
    }

    /// Maps the pages of `registers`.
    fn mapped(&mut self, name: &str, registers: PaSpan) -> DeviceRecord {
        let start = registers.start.get() & !(PAGE - 1);
        let offset = registers.start.get() - start;
        let size = (offset + registers.size).next_multiple_of(PAGE);
        let va = self.next;
        self.next += size + PAGE;
        self.frames.push(Frame { name: name.to_owned(), va: Va::new(va), pa: Pa::new(start), size });
        DeviceRecord { va: va + offset, ..unmapped(registers) }
    }
}

/// What is known of any device by its `registers`.
const fn unmapped(registers: PaSpan) -> DeviceRecord {
    DeviceRecord { pa: registers.start.get(), bytes: registers.size, ..DeviceRecord::NONE }
}
