//! Exceptions taken to EL1: their frame, and their names.

use core::fmt;

/// The registers that an exception interrupted, as vectors.s lays them on the stack.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Frame {
    /// x0 to x30.
    pub x: [u64; 31],
    unused: u64,
    /// ELR_EL1: where it goes on.
    pub elr: u64,
    /// SPSR_EL1.
    pub spsr: u64,
    /// FPCR.
    pub fpcr: u64,
    /// FPSR.
    pub fpsr: u64,
    /// The SIMD and floating-point registers.
    pub q: [u128; 32],
}

const _: () = assert!(size_of::<Frame>() == 800 && size_of::<Frame>().is_multiple_of(16));

/// Which of the sixteen vectors was taken (Arm ARM D1.3.1, table of vector offsets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(pub u64);

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = ["synchronous exception", "IRQ", "FIQ", "SError"][(self.0 & 3) as usize];
        let source = ["EL1 with SP_EL0", "EL1", "EL0 in AArch64", "EL0 in AArch32"][(self.0 >> 2 & 3) as usize];
        write!(f, "{kind} from {source}")
    }
}

/// ESR_EL1, shown by the name of its exception class (Arm ARM D24.2.41) and, for aborts, of its fault status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syndrome(pub u64);

impl Syndrome {
    /// The exception class, bits 31:26.
    pub const fn class(self) -> u8 {
        (self.0 >> 26 & 0x3f) as u8
    }

    /// Whether FAR_EL1 holds the faulting address: aborts and alignment faults of the PC.
    pub const fn has_address(self) -> bool {
        matches!(self.class(), 0x20 | 0x21 | 0x22 | 0x24 | 0x25)
    }

    const fn class_name(self) -> &'static str {
        match self.class() {
            0x00 => "undefined instruction",
            0x01 => "trapped WFI or WFE",
            0x07 => "trapped floating point",
            0x0e => "illegal execution state",
            0x15 => "SVC",
            0x16 => "HVC",
            0x17 => "SMC",
            0x18 => "trapped system register",
            0x20 | 0x21 => "instruction abort",
            0x22 => "PC alignment fault",
            0x24 | 0x25 => "data abort",
            0x26 => "SP alignment fault",
            0x2c => "floating-point exception",
            0x2f => "SError",
            0x30..=0x35 => "debug exception",
            0x3c => "BRK",
            _ => "exception",
        }
    }

    const fn fault_name(self) -> &'static str {
        match self.0 & 0x3f {
            0x00..=0x03 => "address size fault",
            0x04..=0x07 => "translation fault",
            0x08..=0x0b => "access flag fault",
            0x0c..=0x0f => "permission fault",
            0x10 => "external abort",
            0x14..=0x17 => "external abort on a table walk",
            0x21 => "alignment fault",
            _ => "fault",
        }
    }
}

impl fmt::Display for Syndrome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class_name())?;
        match self.class() {
            0x20 | 0x21 => write!(f, " ({})", self.fault_name()),
            0x24 | 0x25 => {
                let direction = if self.0 >> 6 & 1 == 1 { "write" } else { "read" };
                write!(f, " ({}, {direction})", self.fault_name())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_abort_names_its_fault_and_direction() {
        assert_eq!(Syndrome(0x25 << 26 | 1 << 6 | 0x0f).to_string(), "data abort (permission fault, write)");
        assert_eq!(Syndrome(0x25 << 26 | 0x05).to_string(), "data abort (translation fault, read)");
        assert!(Syndrome(0x25 << 26).has_address());
    }

    #[test]
    fn an_undefined_instruction_has_no_address() {
        let syndrome = Syndrome(1 << 25);
        assert_eq!(syndrome.to_string(), "undefined instruction");
        assert!(!syndrome.has_address());
    }

    #[test]
    fn every_vector_has_a_name() {
        assert_eq!(Vector(4).to_string(), "synchronous exception from EL1");
        assert_eq!(Vector(5).to_string(), "IRQ from EL1");
        assert_eq!(Vector(15).to_string(), "SError from EL0 in AArch32");
    }
}
