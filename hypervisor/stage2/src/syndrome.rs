//! What a trap to EL2 says of itself: ESR_EL2, FAR_EL2 and HPFAR_EL2 decoded, without a register access or a panic.
//!
//! Names and encodings are those of the Arm ARM's description of ESR_EL2 and of the ISS encodings below it.

use crate::address::{Ipa, Va};
use crate::fault::{Fault, FaultKind};

macro_rules! classes {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        /// ESR_EL2.EC: why the exception was taken. A class whose name ends in `Lower` comes from a lower exception
        /// level, its twin was taken without a change in exception level.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ExceptionClass {
            $(#[doc = concat!("EC = ", $code, ": ", $text, ".")] $name,)*
            /// Any other value (0 to 63).
            Reserved(u8),
        }

        impl ExceptionClass {
            /// From ESR_EL2.EC: the low six bits of `code`.
            pub const fn from_code(code: u8) -> Self {
                match code & 0x3f {
                    $($code => Self::$name,)*
                    other => Self::Reserved(other),
                }
            }

            /// What it is, in Arm's words.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Reserved(_) => "reserved exception class",
                }
            }
        }

        /// The names, without their bytes in memory: only the log's key has them.
        #[cfg(feature = "defmt")]
        impl defmt::Format for ExceptionClass {
            fn format(&self, to: defmt::Formatter<'_>) {
                let name = match self {
                    $(Self::$name => defmt::intern!($text),)*
                    Self::Reserved(_) => defmt::intern!("reserved exception class"),
                };
                defmt::write!(to, "{=istr}", name);
            }
        }
    };
}

classes! {
    Unknown = 0x00, "unknown reason";
    WaitFor = 0x01, "trapped WFI or WFE";
    Cp15Register = 0x03, "trapped MCR or MRC (cp15)";
    Cp15RegisterPair = 0x04, "trapped MCRR or MRRC (cp15)";
    Cp14Register = 0x05, "trapped MCR or MRC (cp14)";
    Cp14LoadStore = 0x06, "trapped LDC or STC (cp14)";
    FloatingPoint = 0x07, "trapped SVE, SIMD or floating-point access";
    FloatingPointId = 0x08, "trapped VMRS";
    PointerAuthentication = 0x09, "trapped pointer authentication";
    LoadStore64Bytes = 0x0a, "trapped LD64B or ST64B";
    Cp14RegisterPair = 0x0c, "trapped MRRC (cp14)";
    BranchTarget = 0x0d, "branch target exception";
    IllegalExecutionState = 0x0e, "illegal execution state";
    Svc32 = 0x11, "SVC (AArch32)";
    Hvc32 = 0x12, "HVC (AArch32)";
    Smc32 = 0x13, "SMC (AArch32)";
    Svc64 = 0x15, "SVC";
    Hvc64 = 0x16, "HVC";
    Smc64 = 0x17, "SMC";
    SystemRegister = 0x18, "trapped MSR, MRS or system instruction";
    Sve = 0x19, "trapped SVE";
    Eret = 0x1a, "trapped ERET";
    PointerAuthenticationFailure = 0x1c, "pointer authentication failure";
    Sme = 0x1d, "trapped SME";
    InstructionAbortLower = 0x20, "instruction abort from a lower exception level";
    InstructionAbort = 0x21, "instruction abort";
    PcAlignment = 0x22, "PC alignment fault";
    DataAbortLower = 0x24, "data abort from a lower exception level";
    DataAbort = 0x25, "data abort";
    SpAlignment = 0x26, "SP alignment fault";
    FloatingPoint32 = 0x28, "floating-point exception (AArch32)";
    FloatingPoint64 = 0x2c, "floating-point exception";
    SError = 0x2f, "SError";
    BreakpointLower = 0x30, "breakpoint from a lower exception level";
    Breakpoint = 0x31, "breakpoint";
    SoftwareStepLower = 0x32, "software step from a lower exception level";
    SoftwareStep = 0x33, "software step";
    WatchpointLower = 0x34, "watchpoint from a lower exception level";
    Watchpoint = 0x35, "watchpoint";
    Bkpt32 = 0x38, "BKPT (AArch32)";
    VectorCatch32 = 0x3a, "vector catch (AArch32)";
    Brk64 = 0x3c, "BRK";
}

/// A value of ESR_EL2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syndrome(u64);

impl Syndrome {
    /// From ESR_EL2.
    pub const fn new(esr: u64) -> Self {
        Self(esr)
    }

    /// ESR_EL2 as it was.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// EC, bits 31:26.
    pub const fn class(self) -> ExceptionClass {
        ExceptionClass::from_code((self.0 >> 26) as u8)
    }

    /// Bytes of the instruction, from IL (bit 25): 2 or 4. What ELR_EL2 must grow by to step over it.
    pub const fn instruction_bytes(self) -> u64 {
        if self.bit(25) { 4 } else { 2 }
    }

    /// The immediate of HVC, SMC, SVC or BRK: ISS bits 15:0.
    pub const fn immediate(self) -> u16 {
        self.0 as u16
    }

    /// The abort that this is, if it is one.
    pub const fn abort(self) -> Option<Abort> {
        match self.class() {
            ExceptionClass::DataAbortLower | ExceptionClass::DataAbort => Some(self.data_abort()),
            ExceptionClass::InstructionAbortLower | ExceptionClass::InstructionAbort => {
                Some(self.any_abort(AbortAccess::Fetch, None))
            }
            _ => None,
        }
    }

    /// The system register access that was trapped, if it is one.
    pub const fn system_register(self) -> Option<SystemRegisterAccess> {
        match self.class() {
            ExceptionClass::SystemRegister => Some(SystemRegisterAccess {
                op0: self.bits(20, 2),
                op1: self.bits(14, 3),
                crn: self.bits(10, 4),
                crm: self.bits(1, 4),
                op2: self.bits(17, 3),
                register: self.bits(5, 5),
                read: self.bit(0),
            }),
            _ => None,
        }
    }

    const fn data_abort(self) -> Abort {
        // CM, bit 8: WnR is 1 for cache maintenance too.
        let access = if self.bit(8) {
            AbortAccess::CacheMaintenance
        } else if self.bit(6) {
            AbortAccess::Write
        } else {
            AbortAccess::Read
        };
        // ISV, bit 24: without it the bits below say nothing.
        let transfer = if self.bit(24) { Some(self.transfer()) } else { None };
        self.any_abort(access, transfer)
    }

    const fn any_abort(self, access: AbortAccess, transfer: Option<Transfer>) -> Abort {
        Abort {
            access,
            fault: Fault::from_code(self.bits(0, 6)),
            transfer,
            on_stage1_walk: self.bit(7),
            far_valid: !self.bit(10),
            external: self.bit(9),
        }
    }

    const fn transfer(self) -> Transfer {
        Transfer {
            bytes: 1 << self.bits(22, 2),
            sign_extend: self.bit(21),
            register: self.bits(16, 5),
            register_64: self.bit(15),
            acquire_release: self.bit(14),
        }
    }

    const fn bit(self, bit: u32) -> bool {
        self.0 & 1 << bit != 0
    }

    /// `width` (at most 6) bits from bit `low` on.
    const fn bits(self, low: u32, width: u32) -> u8 {
        (self.0 >> low) as u8 & ((1 << width) - 1)
    }
}

/// What an access that aborted was about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AbortAccess {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Fetch,
    /// Cache maintenance or an address translation instruction.
    CacheMaintenance,
}

/// The register transfer of a data abort, where ISV says that it is known: one general-purpose register, no write-back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// SAS: 1, 2, 4 or 8 bytes.
    pub bytes: u8,
    /// SSE: a load extends the sign.
    pub sign_extend: bool,
    /// SRT: 0 to 31; 31 is XZR.
    pub register: u8,
    /// SF: the register is 64 bits wide, else 32.
    pub register_64: bool,
    /// AR: load-acquire or store-release.
    pub acquire_release: bool,
}

/// A data or instruction abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// What the access was about to do.
    pub access: AbortAccess,
    /// DFSC or IFSC.
    pub fault: Fault,
    /// The transfer, where it is known; never for a fetch.
    pub transfer: Option<Transfer>,
    /// S1PTW: Stage 2 refused the guest's own table walk.
    pub on_stage1_walk: bool,
    /// Not FnV: FAR_EL2 holds the faulting virtual address.
    pub far_valid: bool,
    /// EA: an external abort's IMPLEMENTATION DEFINED classification.
    pub external: bool,
}

/// What is known of the intermediate address of a Stage-2 abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultAddress {
    /// The address itself.
    Exact(Ipa),
    /// The 4 KiB page that the guest's table walk was to read; FAR_EL2 holds the address that it was translating.
    WalkPage(Ipa),
    /// Nothing certain.
    Unknown,
}

impl Abort {
    /// The intermediate address of this abort from a lower exception level, from HPFAR_EL2 and FAR_EL2.
    ///
    /// HPFAR_EL2 holds it only for the faults that the pseudocode's IPAValid names: translation, address size and
    /// access flag faults, and on the guest's own walk permission faults too. For a permission fault on the access
    /// itself HPFAR_EL2 is UNKNOWN; then, if the guest runs with Stage 1 off (`stage1_off`: SCTLR_EL1.M and
    /// HCR_EL2.DC are 0), the virtual address is the intermediate one.
    pub const fn fault_address(self, hpfar: u64, far: Va, stage1_off: bool) -> FaultAddress {
        let page = (hpfar & HPFAR_FIPA) << 8;
        let stage2_fault = matches!(
            self.fault.kind(),
            FaultKind::Translation | FaultKind::AddressSize | FaultKind::AccessFlag | FaultKind::Permission
        );
        let permission = matches!(self.fault.kind(), FaultKind::Permission);
        if !stage2_fault {
            FaultAddress::Unknown
        } else if self.on_stage1_walk {
            FaultAddress::WalkPage(Ipa::new(page))
        } else if !permission && self.far_valid {
            FaultAddress::Exact(Ipa::new(page | far.get() & 0xfff))
        } else if permission && stage1_off && self.far_valid {
            FaultAddress::Exact(Ipa::new(far.get()))
        } else {
            FaultAddress::Unknown
        }
    }
}

/// HPFAR_EL2.FIPA, bits 43:4: bits 51:12 of the address.
const HPFAR_FIPA: u64 = 0x0fff_ffff_fff0;

/// A trapped MSR, MRS or system instruction (EC 0x18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemRegisterAccess {
    /// Op0, 0 to 3.
    pub op0: u8,
    /// Op1, 0 to 7.
    pub op1: u8,
    /// CRn, 0 to 15.
    pub crn: u8,
    /// CRm, 0 to 15.
    pub crm: u8,
    /// Op2, 0 to 7.
    pub op2: u8,
    /// Rt: 0 to 31; 31 is XZR.
    pub register: u8,
    /// Direction: MRS, else MSR or a system instruction.
    pub read: bool,
}
