//! Fault status: the names and codes that ESR_ELx.DFSC and IFSC share (Arm ARM, ESR_EL2, ISS of Data and
//! Instruction Aborts). The walker raises them, the syndrome decodes them.

use core::fmt;

/// What went wrong with an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// An output or table address beyond the physical size, or a root beyond it.
    AddressSize,
    /// Nothing is mapped there.
    Translation,
    /// The leaf's access flag is clear.
    AccessFlag,
    /// The leaf does not allow this access.
    Permission,
    /// The bus answered the access itself with an error.
    SynchronousExternalAbort,
    /// The bus answered the table walk with an error.
    SynchronousExternalAbortOnWalk,
    /// Parity or ECC error on the access itself.
    SynchronousParityError,
    /// Parity or ECC error on the table walk.
    SynchronousParityErrorOnWalk,
    /// Tag check fault (FEAT_MTE).
    TagCheck,
    /// Unaligned access to memory that does not allow it.
    Alignment,
    /// Two TLB entries match.
    TlbConflict,
    /// An exclusive or atomic access to memory that does not support it.
    UnsupportedAtomic,
    /// IMPLEMENTATION DEFINED lockdown fault.
    Lockdown,
    /// A code that stands for nothing above.
    Other,
}

impl FaultKind {
    /// Arm's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AddressSize => "address size fault",
            Self::Translation => "translation fault",
            Self::AccessFlag => "access flag fault",
            Self::Permission => "permission fault",
            Self::SynchronousExternalAbort => "synchronous external abort",
            Self::SynchronousExternalAbortOnWalk => "synchronous external abort on translation table walk",
            Self::SynchronousParityError => "synchronous parity or ECC error",
            Self::SynchronousParityErrorOnWalk => "synchronous parity or ECC error on translation table walk",
            Self::TagCheck => "synchronous tag check fault",
            Self::Alignment => "alignment fault",
            Self::TlbConflict => "TLB conflict abort",
            Self::UnsupportedAtomic => "unsupported atomic hardware update fault or exclusive",
            Self::Lockdown => "implementation defined fault (lockdown)",
            Self::Other => "reserved fault status",
        }
    }
}

/// A fault as DFSC and IFSC state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    code: u8,
}

impl Fault {
    /// From DFSC or IFSC: the low six bits of `code`.
    pub const fn from_code(code: u8) -> Self {
        Self { code: code & 0x3f }
    }

    /// A fault of the walk itself at `level` (0 to 3).
    pub(crate) const fn of_walk(kind: FaultKind, level: u32) -> Self {
        let base = match kind {
            FaultKind::AddressSize => 0x00,
            FaultKind::Translation => 0x04,
            FaultKind::AccessFlag => 0x08,
            FaultKind::Permission => 0x0c,
            _ => 0x14,
        };
        Self { code: base | (level & 0b11) as u8 }
    }

    /// DFSC or IFSC: 0 to 63.
    pub const fn code(self) -> u8 {
        self.code
    }

    /// What went wrong.
    pub const fn kind(self) -> FaultKind {
        match self.code {
            0x00..=0x03 => FaultKind::AddressSize,
            0x04..=0x07 => FaultKind::Translation,
            0x08..=0x0b => FaultKind::AccessFlag,
            0x0c..=0x0f => FaultKind::Permission,
            0x10 => FaultKind::SynchronousExternalAbort,
            0x11 => FaultKind::TagCheck,
            0x14..=0x17 => FaultKind::SynchronousExternalAbortOnWalk,
            0x18 => FaultKind::SynchronousParityError,
            0x1c..=0x1f => FaultKind::SynchronousParityErrorOnWalk,
            0x21 => FaultKind::Alignment,
            0x30 => FaultKind::TlbConflict,
            0x31 | 0x35 => FaultKind::UnsupportedAtomic,
            0x34 => FaultKind::Lockdown,
            _ => FaultKind::Other,
        }
    }

    /// The level of the walk at which it went wrong (0 to 3), for the kinds that have one.
    pub const fn level(self) -> Option<u8> {
        match self.code {
            0x00..=0x0f | 0x14..=0x17 | 0x1c..=0x1f => Some(self.code & 0b11),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        match (self.level(), self.kind()) {
            (Some(level), _) => write!(f, ", level {level}"),
            (None, FaultKind::Other) => write!(f, " {:#04x}", self.code),
            (None, _) => Ok(()),
        }
    }
}

impl core::error::Error for Fault {}
