//! EL2's own devices: which register frames it maps, and where in its address space.
//!
//! Every frame has pages of its own and an unmapped page behind it, so that a stray offset faults instead of reaching
//! the next device.

use septum_plan::frames::GICR_BYTES;
use septum_plan::{DeviceKind, DeviceRecord, GicVersion, space};
use septum_stage2::{Pa, Va};

use super::BuildError;
use crate::board::{Board, Console, PaSpan};
use crate::el2_elf::PAGE;

/// Whole pages of a device in EL2's address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: DeviceKind,
    /// What it is, as fault reports name it.
    pub name: String,
    /// Its registers, within the pages.
    pub registers: PaSpan,
    /// Where EL2 finds it.
    pub va: Va,
    /// Where it is.
    pub pa: Pa,
    /// Bytes, a multiple of [`PAGE`].
    pub size: u64,
}

/// Everything that EL2 touches besides memory.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// What is mapped, in every root.
    pub frames: Vec<Frame>,
    /// The console's registers; 0 and below likewise where there is no such device.
    pub uart: u64,
    /// The console's registers, physical.
    pub uart_pa: u64,
    /// GICD.
    pub gicd: u64,
    /// GICC.
    pub gicc: u64,
    /// GICH.
    pub gich: u64,
    /// Registers of the power control.
    pub power: u64,
    /// The first piece of GICR, where there is one.
    pub gicr: u64,
    /// Pieces of GICR, [`space::GICR_STRIDE`] apart.
    pub gicr_slots: u32,
    /// GICV, which EL2 does not map.
    pub gicv: Option<PaSpan>,
    /// The INTID by which the board's console interrupts; 0 where it has none.
    pub uart_intid: u32,
    next: u64,
}

impl Devices {
    /// Finds room for the devices that EL2 drives on `board`, with its log on `console`.
    ///
    /// # Errors
    /// Where the board lacks a frame that its interrupt controller or console must have, or the window is full.
    pub fn new(board: &Board, console: &Console) -> Result<Self, BuildError> {
        let mut devices = Self { next: space::DEVICES_VA + PAGE, ..Self::default() };
        devices.add_console(board, console)?;
        devices.add_gic(board)?;
        if let Some(registers) = board.power.registers {
            devices.power = devices.frame(DeviceKind::Power, "power", registers);
        }
        (devices.next <= space::DEVICES_VA_END).then_some(devices).ok_or(BuildError::DeviceWindow)
    }

    fn add_console(&mut self, board: &Board, console: &Console) -> Result<(), BuildError> {
        let device = board.devices.iter().find(|device| device.name == console.device);
        let registers = device.and_then(|device| device.registers.first()).ok_or(BuildError::Console)?;
        self.uart = self.frame(DeviceKind::Uart, &console.device, *registers);
        self.uart_intid = device.and_then(|device| device.interrupts.first()).copied().unwrap_or(0);
        self.uart_pa = registers.start.get();
        Ok(())
    }

    fn add_gic(&mut self, board: &Board) -> Result<(), BuildError> {
        let gic = &board.gic;
        self.gicd = self.frame(DeviceKind::Gicd, "gicd", gic.distributor);
        match gic.version {
            GicVersion::V2 => {
                let frame = |frame: Option<PaSpan>, name| frame.ok_or(BuildError::GicFrame(name));
                self.gicc = self.frame(DeviceKind::Gicc, "gicc", frame(gic.cpu_interface, "gicc")?);
                self.gich = self.frame(DeviceKind::Gich, "gich", frame(gic.virtual_control, "gich")?);
                self.gicv = Some(frame(gic.virtual_cpu, "gicv")?);
            }
            GicVersion::V3 => {
                let all = gic.redistributors.ok_or(BuildError::GicFrame("gicr"))?;
                self.add_redistributors(all);
            }
        }
        Ok(())
    }

    /// Which core has which redistributor, and whether one takes two pieces, only the board knows: all are mapped.
    fn add_redistributors(&mut self, all: PaSpan) {
        self.gicr = self.next;
        for start in (0..all.size / GICR_BYTES).map(|slot| Pa::new(all.start.get() + slot * GICR_BYTES)) {
            self.frame(DeviceKind::Gicr, "gicr", PaSpan { start, size: GICR_BYTES });
            self.gicr_slots += 1;
        }
    }

    /// Maps the pages of `registers`; returns the virtual address of its first byte.
    fn frame(&mut self, kind: DeviceKind, name: &str, registers: PaSpan) -> u64 {
        let start = registers.start.get() & !(PAGE - 1);
        let offset = registers.start.get() - start;
        let size = (offset + registers.size).next_multiple_of(PAGE);
        let va = self.next;
        self.next += size + PAGE;
        let (name, va_of_page, pa) = (name.to_owned(), Va::new(va), Pa::new(start));
        self.frames.push(Frame { kind, name, registers, va: va_of_page, pa, size });
        va + offset
    }

    /// All of them as the plan records them.
    pub fn records(&self) -> Vec<DeviceRecord> {
        let record = |kind: DeviceKind, va, PaSpan { start, size: bytes }| DeviceRecord {
            va,
            pa: start.get(),
            bytes,
            intid: if kind == DeviceKind::Uart { self.uart_intid } else { 0 },
            kind: kind.code(),
            reserved: [0; 3],
        };
        // The pieces of GICR are one device, in a row.
        let devices = self.frames.chunk_by(|one, next| one.kind == next.kind);
        let frames = devices.filter_map(|frames| {
            let first = frames.first()?;
            let va = first.va.get() + (first.registers.start.get() - first.pa.get());
            let size = frames.iter().map(|frame| frame.registers.size).sum();
            Some(record(first.kind, va, PaSpan { size, ..first.registers }))
        });
        frames.chain(self.gicv.map(|registers| record(DeviceKind::Gicv, 0, registers))).collect()
    }
}
