//! The PL011 that a partition with `console = true` sees (Arm DDI 0183G): enough for Linux's amba-pl011 and earlycon.
//!
//! Its transmitter takes every byte at once, so the transmit FIFO is always empty. Its receive FIFO holds 32 bytes; of what
//! comes faster than the guest reads, some more wait on the line, as if the sender were slow: a whole command that is typed
//! at once, by a program or after the guest was busy, arrives whole. It starts as firmware would leave it, enabled, because early consoles do not set it up. What it does not have: loop-back, DMA,
//! modem lines, IrDA and line errors; their registers read as zero or keep what was written, without effect.
//!
//! All cores of the partition may use it at once. State is in atomics without a lock: a guest that does not serialise its
//! own accesses can garble its own text, and nothing else.

use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

/// Bytes of its register page.
pub const PAGE_BYTES: u64 = septum_plan::frames::PL011_BYTES;

/// Depth of the receive FIFO in bytes, as in revision r1p5, which the identification registers state.
const RECEIVE_DEPTH: u32 = 32;
/// Most bytes that wait, in the FIFO and on the line. A power of two, as their count runs modulo 2^32.
const LINE_DEPTH: u32 = 128;

/// Register offsets in bytes (DDI 0183G, table 3-1).
mod register {
    pub const DR: u32 = 0x000;
    pub const FR: u32 = 0x018;
    pub const ILPR: u32 = 0x020;
    pub const IBRD: u32 = 0x024;
    pub const FBRD: u32 = 0x028;
    pub const LCR_H: u32 = 0x02c;
    pub const CR: u32 = 0x030;
    pub const IFLS: u32 = 0x034;
    pub const IMSC: u32 = 0x038;
    pub const RIS: u32 = 0x03c;
    pub const MIS: u32 = 0x040;
    pub const ICR: u32 = 0x044;
    pub const PERIPH_ID_0: u32 = 0xfe0;
    pub const PCELL_ID_3: u32 = 0xffc;
}

/// UARTPeriphID0 to 3 and UARTPCellID0 to 3 of revision r1p5 (DDI 0183G 3.3.15, 3.3.16).
const IDENTIFICATION: [u8; 8] = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// UARTFR: receive FIFO empty, receive FIFO full, transmit FIFO empty.
const FR_RXFE: u32 = 1 << 4;
const FR_RXFF: u32 = 1 << 6;
const FR_TXFE: u32 = 1 << 7;
/// UARTLCR_H: FIFOs enabled.
const LCR_H_FEN: u32 = 1 << 4;
/// UARTCR: UART, transmitter, receiver enabled.
const CR_UARTEN: u32 = 1;
const CR_TXE: u32 = 1 << 8;
const CR_RXE: u32 = 1 << 9;
/// UARTIFLS after reset: both levels at one half.
const IFLS_RESET: u32 = 0x12;
/// Interrupt bits: receive, transmit, receive time-out, overrun.
const RECEIVE: u32 = 1 << 4;
const TRANSMIT: u32 = 1 << 5;
const TIME_OUT: u32 = 1 << 6;
const OVERRUN: u32 = 1 << 10;
/// All eleven interrupts.
const INTERRUPTS: u32 = 0x7ff;

/// One partition's emulated PL011.
#[derive(Debug)]
pub struct Pl011 {
    ilpr: AtomicU32,
    ibrd: AtomicU32,
    fbrd: AtomicU32,
    lcr_h: AtomicU32,
    cr: AtomicU32,
    ifls: AtomicU32,
    imsc: AtomicU32,
    ris: AtomicU32,
    received: [AtomicU8; LINE_DEPTH as usize],
    /// Bytes ever put into and taken out of `received`, modulo 2^32.
    put: AtomicU32,
    taken: AtomicU32,
}

impl Default for Pl011 {
    fn default() -> Self {
        Self::new()
    }
}

impl Pl011 {
    /// Enabled, 8 data bits, FIFOs on, no interrupt enabled, nothing received.
    pub const fn new() -> Self {
        Self {
            ilpr: AtomicU32::new(0),
            ibrd: AtomicU32::new(0),
            fbrd: AtomicU32::new(0),
            lcr_h: AtomicU32::new(LCR_H_RESET),
            cr: AtomicU32::new(CR_RESET),
            ifls: AtomicU32::new(IFLS_RESET),
            imsc: AtomicU32::new(0),
            ris: AtomicU32::new(0),
            received: [const { AtomicU8::new(0) }; LINE_DEPTH as usize],
            put: AtomicU32::new(0),
            taken: AtomicU32::new(0),
        }
    }

    /// As [`Pl011::new`] made it; for a partition that starts again.
    pub fn reset(&self) {
        for (register, value) in [
            (&self.ilpr, 0),
            (&self.ibrd, 0),
            (&self.fbrd, 0),
            (&self.lcr_h, LCR_H_RESET),
            (&self.cr, CR_RESET),
            (&self.ifls, IFLS_RESET),
            (&self.imsc, 0),
            (&self.ris, 0),
        ] {
            register.store(value, Relaxed);
        }
        self.taken.store(self.put.load(Relaxed), Relaxed);
    }

    /// The guest reads the register at `offset` (bytes, below [`PAGE_BYTES`]). Offsets without a register, and those
    /// inside one, read as zero.
    pub fn read(&self, offset: u32) -> u32 {
        match offset {
            register::DR => self.take().into(),
            register::FR => self.flags(),
            register::RIS => self.ris.load(Relaxed),
            register::MIS => self.asserted(),
            register::PERIPH_ID_0..=register::PCELL_ID_3 => identification(offset),
            _ => self.storage(offset).map_or(0, |(register, _)| register.load(Relaxed)),
        }
    }

    /// The guest writes `value` to the register at `offset`: the byte that it sends by that, if any.
    pub fn write(&self, offset: u32, value: u32) -> Option<u8> {
        match offset {
            register::DR => return self.send(value as u8),
            register::ICR => {
                self.ris.fetch_and(!(value & INTERRUPTS), Relaxed);
            }
            _ => {
                if let Some((register, writable)) = self.storage(offset) {
                    register.store(value & writable, Relaxed);
                }
            }
        }
        None
    }

    /// A byte arrives on the line. Where the receiver is off it is lost; where too many wait it is lost and the overrun
    /// interrupt tells.
    pub fn receive(&self, byte: u8) {
        let enabled = CR_UARTEN | CR_RXE;
        if self.cr.load(Relaxed) & enabled != enabled {
            return;
        }
        let put = self.put.load(Relaxed);
        let held = put.wrapping_sub(self.taken.load(Relaxed));
        if held >= LINE_DEPTH {
            self.ris.fetch_or(OVERRUN, Relaxed);
            return;
        }
        if let Some(place) = self.received.get((put % LINE_DEPTH) as usize) {
            place.store(byte, Relaxed);
        }
        self.put.store(put.wrapping_add(1), Relaxed);
        // The time-out is of no length: what has come is all that comes until EL2 looks again.
        let level = if held.wrapping_add(1) >= self.trigger() { RECEIVE } else { 0 };
        self.ris.fetch_or(level | TIME_OUT, Relaxed);
    }

    /// Whether its interrupt line is high.
    pub fn interrupt(&self) -> bool {
        self.asserted() != 0
    }

    /// UARTMIS.
    fn asserted(&self) -> u32 {
        self.ris.load(Relaxed) & self.imsc.load(Relaxed)
    }

    fn send(&self, byte: u8) -> Option<u8> {
        let enabled = CR_UARTEN | CR_TXE;
        if self.cr.load(Relaxed) & enabled != enabled {
            return None;
        }
        // The FIFO fills and is empty again: it has passed its trigger level (DDI 0183G 2.8.3).
        self.ris.fetch_or(TRANSMIT, Relaxed);
        Some(byte)
    }

    fn take(&self) -> u8 {
        let taken = self.taken.load(Relaxed);
        let held = self.put.load(Relaxed).wrapping_sub(taken);
        if held == 0 {
            return 0;
        }
        let byte = self.received.get((taken % LINE_DEPTH) as usize).map_or(0, |place| place.load(Relaxed));
        self.taken.store(taken.wrapping_add(1), Relaxed);
        let left = held.wrapping_sub(1);
        let below = if left < self.trigger() { RECEIVE } else { 0 };
        let empty = if left == 0 { TIME_OUT } else { 0 };
        self.ris.fetch_and(!(below | empty), Relaxed);
        byte
    }

    fn flags(&self) -> u32 {
        let held = self.put.load(Relaxed).wrapping_sub(self.taken.load(Relaxed));
        let receive = match held {
            0 => FR_RXFE,
            held if held >= self.depth() => FR_RXFF,
            _ => 0,
        };
        FR_TXFE | receive
    }

    /// Bytes that the receiver holds: one where the FIFOs are off.
    fn depth(&self) -> u32 {
        if self.lcr_h.load(Relaxed) & LCR_H_FEN == 0 { 1 } else { RECEIVE_DEPTH }
    }

    /// Bytes from which on the receive interrupt is raised (UARTIFLS.RXIFLSEL).
    fn trigger(&self) -> u32 {
        if self.lcr_h.load(Relaxed) & LCR_H_FEN == 0 {
            return 1;
        }
        match self.ifls.load(Relaxed) >> 3 & 7 {
            0 => RECEIVE_DEPTH / 8,
            1 => RECEIVE_DEPTH / 4,
            2 => RECEIVE_DEPTH / 2,
            3 => RECEIVE_DEPTH / 4 * 3,
            _ => RECEIVE_DEPTH / 8 * 7,
        }
    }

    /// The register at `offset` that keeps what is written, and which of its bits can be.
    fn storage(&self, offset: u32) -> Option<(&AtomicU32, u32)> {
        Some(match offset {
            register::ILPR => (&self.ilpr, 0xff),
            register::IBRD => (&self.ibrd, 0xffff),
            register::FBRD => (&self.fbrd, 0x3f),
            register::LCR_H => (&self.lcr_h, 0xff),
            register::CR => (&self.cr, 0xff87),
            register::IFLS => (&self.ifls, 0x3f),
            register::IMSC => (&self.imsc, INTERRUPTS),
            _ => return None,
        })
    }
}

/// UARTCR as firmware leaves it.
const CR_RESET: u32 = CR_UARTEN | CR_TXE | CR_RXE;
/// UARTLCR_H as firmware leaves it: 8 bits, FIFOs on.
const LCR_H_RESET: u32 = 0b11 << 5 | LCR_H_FEN;

fn identification(offset: u32) -> u32 {
    let index = offset.wrapping_sub(register::PERIPH_ID_0) / 4;
    let aligned = offset.is_multiple_of(4);
    IDENTIFICATION.get(index as usize).filter(|_| aligned).map_or(0, |byte| u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DR: u32 = 0x00;
    const FR: u32 = 0x18;
    const CR: u32 = 0x30;
    const LCR_H: u32 = 0x2c;
    const IMSC: u32 = 0x38;
    const RIS: u32 = 0x3c;
    const MIS: u32 = 0x40;
    const ICR: u32 = 0x44;

    #[test]
    fn an_early_console_can_send_without_setting_it_up() {
        let uart = Pl011::new();
        assert_eq!(uart.read(FR) & (1 << 5 | 1 << 3), 0, "neither full nor busy");
        assert_eq!(uart.write(DR, 0x141), Some(0x41));
    }

    #[test]
    fn a_switched_off_transmitter_sends_nothing() {
        let uart = Pl011::new();
        uart.write(CR, 1 | 1 << 9);
        assert_eq!(uart.write(DR, 0x41), None);
        assert_eq!(uart.read(RIS), 0);
    }

    #[test]
    fn sending_raises_the_transmit_interrupt_until_it_is_cleared() {
        let uart = Pl011::new();
        uart.write(DR, 0x41);
        assert!(!uart.interrupt(), "masked");
        uart.write(IMSC, 1 << 5);
        assert!(uart.interrupt());
        assert_eq!(uart.read(MIS), 1 << 5);
        uart.write(ICR, 1 << 5);
        assert!(!uart.interrupt());
    }

    #[test]
    fn received_bytes_come_in_order_and_hold_the_line_until_read() {
        let uart = Pl011::new();
        uart.write(IMSC, 1 << 4 | 1 << 6);
        b"hello".iter().for_each(|byte| uart.receive(*byte));
        assert!(uart.interrupt());
        let read: Vec<u8> = (0..5).map(|_| uart.read(DR) as u8).collect();
        assert_eq!(read, b"hello");
        assert!(!uart.interrupt());
        assert_eq!(uart.read(FR) & 1 << 4, 1 << 4);
        assert_eq!(uart.read(DR), 0, "an empty FIFO has nothing");
    }

    #[test]
    fn the_receive_interrupt_waits_for_its_level() {
        let uart = Pl011::new();
        (0..15).for_each(|byte| uart.receive(byte));
        assert_eq!(uart.read(RIS) & 1 << 4, 0);
        uart.receive(15);
        assert_eq!(uart.read(RIS) & 1 << 4, 1 << 4);
        uart.read(DR);
        assert_eq!(uart.read(RIS) & 1 << 4, 0);
    }

    #[test]
    fn a_command_longer_than_the_fifo_arrives_whole() {
        let uart = Pl011::new();
        (0..31).for_each(|byte| uart.receive(byte));
        assert_eq!(uart.read(FR) & 1 << 6, 0);
        (31..100).for_each(|byte| uart.receive(byte));
        assert_eq!(uart.read(FR) & 1 << 6, 1 << 6);
        assert_eq!(uart.read(RIS) & 1 << 10, 0, "nothing is lost");
        assert_eq!((0..100).map(|_| uart.read(DR)).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert_eq!(uart.read(FR) & 1 << 4, 1 << 4);
    }

    #[test]
    fn a_full_receiver_keeps_what_it_has_and_tells() {
        let uart = Pl011::new();
        (0..128).for_each(|byte| uart.receive(byte));
        assert_eq!(uart.read(RIS) & 1 << 10, 0);
        uart.receive(0xff);
        assert_eq!(uart.read(RIS) & 1 << 10, 1 << 10);
        assert_eq!((0..128).map(|_| uart.read(DR)).collect::<Vec<_>>(), (0..128).collect::<Vec<_>>());
        assert_eq!(uart.read(FR) & 1 << 4, 1 << 4);
    }

    #[test]
    fn without_fifos_one_byte_is_held_and_the_next_waits() {
        let uart = Pl011::new();
        uart.write(LCR_H, 0x60);
        uart.receive(1);
        uart.receive(2);
        assert_eq!(uart.read(FR) & 1 << 6, 1 << 6);
        assert_eq!(uart.read(DR), 1);
        assert_eq!(uart.read(RIS) & 1 << 4, 1 << 4, "the next one follows");
        assert_eq!(uart.read(DR), 2);
        assert_eq!(uart.read(FR) & 1 << 4, 1 << 4);
    }

    #[test]
    fn the_amba_bus_identifies_it() {
        let uart = Pl011::new();
        let id = |first: u32| (0..4).fold(0, |id, byte| id | uart.read(first + 4 * byte) << (8 * byte));
        assert_eq!(id(0xfe0) & 0x000f_ffff, 0x0004_1011, "Linux's amba_id mask and value");
        assert_eq!(id(0xff0), 0xb105_f00d, "AMBA_CID");
    }

    #[test]
    fn no_offset_and_no_value_breaks_it() {
        let uart = Pl011::new();
        for offset in 0..0x1000 {
            uart.write(offset, u32::MAX);
            uart.read(offset);
        }
        uart.reset();
        assert_eq!(uart.write(DR, 0x42), Some(0x42));
        assert!(!uart.interrupt());
    }
}
