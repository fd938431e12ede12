//! What a trap says of an access to an emulated register: ESR_EL2 of a data abort, and of a trapped system register.

use super::sgi::SgiRegister;

/// ESR_EL2.EC of a data abort from below EL2, and of a trapped MSR, MRS.
const DATA_ABORT: u64 = 0x24;
const SYSTEM_REGISTER: u64 = 0x18;

const VALID: u64 = 1 << 24;
const SIGNED: u64 = 1 << 21;
const WIDE: u64 = 1 << 15;
const CACHE_MAINTENANCE: u64 = 1 << 8;
const TABLE_WALK: u64 = 1 << 7;
const WRITE: u64 = 1 << 6;
/// DFSC without its level, and translation fault: nothing is mapped where a device is emulated.
const FAULT: u64 = 0b11_1100;
const TRANSLATION_FAULT: u64 = 0b00_0100;

/// A load or store of one register where nothing is mapped, with a syndrome that describes it (Arm ARM D24.2.40, ISS of a
/// data abort). LDP, STP, write-back and the like have no such syndrome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    esr: u64,
}

impl Access {
    /// Whether ESR_EL2 describes a load or store of a word, the commonest, into a register without sign extension.
    #[inline(always)]
    pub const fn is_word(esr: u64) -> bool {
        let relevant = 0x3f << 26 | VALID | 3 << 22 | SIGNED | CACHE_MAINTENANCE | TABLE_WALK | FAULT;
        esr & relevant == DATA_ABORT << 26 | VALID | 2 << 22 | TRANSLATION_FAULT
    }

    /// The access that ESR_EL2 describes, if it does.
    #[inline(always)]
    pub const fn new(esr: u64) -> Option<Self> {
        let relevant = esr & (VALID | CACHE_MAINTENANCE | TABLE_WALK | FAULT);
        let describes = esr >> 26 & 0x3f == DATA_ABORT && relevant == VALID | TRANSLATION_FAULT;
        if describes { Some(Self { esr }) } else { None }
    }

    /// 1, 2, 4 or 8.
    #[inline(always)]
    pub const fn bytes(self) -> u32 {
        1u32.wrapping_shl((self.esr >> 22) as u32 & 3)
    }

    /// The general-purpose register; 31 is the zero register.
    #[inline(always)]
    pub const fn register(self) -> u8 {
        (self.esr >> 16) as u8 & 31
    }

    /// Whether it is a store.
    #[inline(always)]
    pub const fn is_write(self) -> bool {
        self.esr & WRITE != 0
    }

    /// What a load of `value` leaves in the register: extended by zeroes or by its sign, to 64 or 32 bits.
    #[inline(always)]
    pub const fn loaded(self, value: u64) -> u64 {
        if self.esr & SIGNED == 0 { value } else { self.sign_extended(value) }
    }

    const fn sign_extended(self, value: u64) -> u64 {
        let unused = 64u32.wrapping_sub(self.bytes().wrapping_mul(8)) & 63;
        let extended = ((value.wrapping_shl(unused)) as i64).wrapping_shr(unused) as u64;
        if self.esr & WIDE == 0 { extended & 0xffff_ffff } else { extended }
    }

    /// The intermediate address, from HPFAR_EL2 and FAR_EL2.
    #[inline(always)]
    pub const fn ipa(hpfar: u64, far: u64) -> u64 {
        hpfar >> 4 << 12 | far & 0xfff
    }
}

/// A write to a system register of GICv3's CPU interface that traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemWrite {
    /// An SGI register.
    Sgi(SgiRegister),
    /// ICC_DIR_EL1.
    Deactivate,
}

/// ESR_EL2 without Rt for a write (IL set) of S3_0_C12_C11_`op2`.
const fn write_of(op2: u64) -> u64 {
    SYSTEM_REGISTER << 26 | 1 << 25 | 3 << 20 | op2 << 17 | 12 << 10 | 11 << 1
}

const SGI1R: u64 = write_of(5);
const ASGI1R: u64 = write_of(6);
const SGI0R: u64 = write_of(7);
const DIR: u64 = write_of(1);
const REGISTER: u64 = 0x1f << 5;

impl SystemWrite {
    /// ESR_EL2 of a write of x0 to ICC_SGI1R_EL1; that of another register has its number in bits 9:5.
    pub const ESR_SGI1R: u64 = SGI1R;

    /// Rt of a trapped system register access; 31 is the zero register.
    #[inline(always)]
    pub const fn register(esr: u64) -> u8 {
        (esr >> 5) as u8 & 31
    }

    /// What ESR_EL2 describes, and the register with the value (31 is zero), if it is one of these writes.
    #[inline(always)]
    pub const fn new(esr: u64) -> Option<(Self, u8)> {
        let what = match esr & !REGISTER {
            SGI1R => Self::Sgi(SgiRegister::Group1),
            ASGI1R => Self::Sgi(SgiRegister::Alternate),
            SGI0R => Self::Sgi(SgiRegister::Group0),
            DIR => Self::Deactivate,
            _ => return None,
        };
        Some((what, Self::register(esr)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, SgiRegister, SystemWrite};

    #[test]
    fn a_word_store_of_x3_is_decoded() {
        // EC 0x24, IL, ISV, SAS word, SRT 3, WnR, translation fault level 3.
        let access = Access::new(0x24 << 26 | 1 << 25 | 1 << 24 | 2 << 22 | 3 << 16 | 1 << 6 | 0b111).unwrap();
        assert_eq!((access.bytes(), access.register(), access.is_write()), (4, 3, true));
        assert!(Access::is_word(access.esr));
    }

    #[test]
    fn what_no_syndrome_describes_is_declined() {
        let good = 0x24 << 26 | 1 << 25 | 1 << 24 | 0b111;
        assert!(Access::new(good).is_some());
        let bad = [
            good & !(1 << 24),
            good | 1 << 8,
            good | 1 << 7,
            good & !0b100 | 0b1000,
            good & !0b111 | 0x10,
            good | 1 << 26,
        ];
        for esr in bad {
            assert_eq!(Access::new(esr), None, "{esr:#x}");
            assert!(!Access::is_word(esr), "{esr:#x}");
        }
    }

    #[test]
    fn signed_loads_are_extended_to_the_registers_width() {
        let load =
            |sas: u64, wide: u64| Access::new(0x24 << 26 | 1 << 24 | sas << 22 | 1 << 21 | wide << 15 | 7).unwrap();
        assert!((0..4).all(|sas| !Access::is_word(load(sas, 1).esr)), "signed, so not quick");
        assert_eq!(load(0, 0).loaded(0x80), 0xffff_ff80);
        assert_eq!(load(0, 1).loaded(0x80), 0xffff_ffff_ffff_ff80);
        assert_eq!(load(1, 1).loaded(0x7fff), 0x7fff);
        assert_eq!(load(2, 1).loaded(0x8000_0000), 0xffff_ffff_8000_0000);
    }

    #[test]
    fn an_ipa_is_put_together_from_both_registers() {
        assert_eq!(Access::ipa(0x0800_0000 >> 8, 0xffff_8000_1234_5104), 0x0800_0104);
    }

    #[test]
    fn sgi_and_deactivation_writes_are_known_by_their_encoding() {
        // ICC_SGI1R_EL1 is S3_0_C12_C11_5: ISS Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, read 0.
        let esr = 0x18 << 26 | 1 << 25 | 3 << 20 | 5 << 17 | 12 << 10 | 9 << 5 | 11 << 1;
        assert_eq!(SystemWrite::new(esr), Some((SystemWrite::Sgi(SgiRegister::Group1), 9)));
        assert_eq!(SystemWrite::ESR_SGI1R, esr & !(31 << 5));
        assert_eq!(SystemWrite::new(esr | 1), None, "a read");
        let dir = esr & !(7 << 17) | 1 << 17;
        assert_eq!(SystemWrite::new(dir), Some((SystemWrite::Deactivate, 9)));
    }
}
