//! Every reason for which EL2 does not start a board, or leaves a partition out: number, text, what is compared, advice.
//!
//! EL2 says a refusal by [`refusal!`](crate::refusal!), which has the text; the tool finds it in the log by [`Refusal::in_line`]
//! and adds the advice; docs/boot.md's table is made from [`Refusal::ALL`]. Only texts reach EL2, and of those only the
//! boot stub's lie in its memory: those of records are defmt's, kept in its ELF.

/// [`PREFIX`], as a literal.
#[macro_export]
macro_rules! refusal_prefix {
    () => {
        "boot refused: "
    };
}

/// What every refusal of a board begins with, behind `septum: ` where the boot stub says it.
pub const PREFIX: &str = refusal_prefix!();
/// What stands before the number where one partition is left out.
pub const NOT_STARTED: &str = " not started: ";

macro_rules! refusals {
    ($d:tt $($number:ident = $text:literal, $compared:literal, $advice:literal;)*) => {
        /// A refusal, by its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Refusal { $(#[doc = $text] $number,)* }

        impl Refusal {
            /// Every refusal, in the order of the boot.
            pub const ALL: &'static [Self] = &[$(Self::$number,)*];

            /// Its number: `B04`.
            pub const fn number(self) -> &'static str {
                match self { $(Self::$number => stringify!($number),)* }
            }

            /// What EL2 says: for the boot stub's (`B`) what follows [`PREFIX`], else a record's format, as defmt writes it.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$number => $text,)* }
            }

            /// What EL2 asks or compares.
            pub const fn compared(self) -> &'static str {
                match self { $(Self::$number => $compared,)* }
            }

            /// What to do about it.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$number => $advice,)* }
            }
        }

        /// Invokes a macro with the text of a refusal, and then the arguments given: `refusal!(M01: defmt::error, ..)`. With
        /// `concat` it is the text as a literal.
        #[macro_export]
        macro_rules! refusal {
            $(($number: $d($d with:ident)::+ $d(, $d argument:expr)* $d(,)?) => {
                $d($d with)::+!($text $d(, $d argument)*)
            };)*
        }
    };
}

refusals! { $
    B01 = "B01 entered at EL1; it needs EL2: let the firmware start it as hypervisor",
        "CurrentEL",
        "let firmware start it as a hypervisor; on QEMU `virt`: `virtualization=on`";
    B02 = "B02 entered at EL3; it needs EL2: start it behind the secure firmware",
        "CurrentEL",
        "start it behind TF-A or the board's stub; QEMU starts an ELF at EL3, an Image at EL2";
    B03 = "B03 loaded at an address that is not a multiple of 4 KiB",
        "the address of the image's first byte",
        "load it at 2 MiB boundaries";
    B04 = "B04 boot block damaged, or the image was not made by the compiler (seal)",
        "the boot block's seal and magic number",
        "write the image again; EL2's bare ELF has no plan and does not start";
    B05 = "B05 boot block made by another version of the compiler",
        "the boot block's version",
        "build with the compiler that EL2 came with";
    B06 = "B06 plan or tables damaged (seal)",
        "the seal over plan and tables",
        "write the image again";
    B07 = "B07 the board file has no core with this MPIDR",
        "the boot core's MPIDR_EL1",
        "correct the board file's `cores`";
    B08 = "B08 plan cannot be read: not made for this EL2",
        "magic number, version and every record of the plan",
        "build with the compiler that EL2 came with";
    B09 = "B09 exception before EL2 ran: ESR, ELR, FAR",
        "nothing: an exception before EL2 had vectors; the three registers follow",
        "look where FAR points: to RAM that the board has not, most often, and then correct the board file's `load`";
    M01 = "boot refused: core {=u16}: M01 it has {=u32} physical address bits, the plan needs {=u32}",
        "ID_AA64MMFR0_EL1.PARange",
        "correct the board file's `pa-bits`: the least of all its cores";
    M02 = "boot refused: core {=u16}: M02 it has no Stage-2 granule of {=u64} bytes, which the plan uses",
        "TGran4_2, TGran64_2, TGran16_2, and the fields of Stage 1 to which they refer",
        "give the partitions another `granule`, and correct the board file's `granules`";
    M03 = "boot refused: core {=u16}: M03 it has no 4 KiB granule, which EL2 uses",
        "TGran4",
        "use another board: EL2's own tables have no other granule";
    M04 = "boot refused: core {=u16}: M04 its EL1 has no AArch64",
        "ID_AA64PFR0_EL1.EL1",
        "use another board: partitions start in AArch64";
    M05 = "boot refused: core {=u16}: M05 its counter runs at {=u64} Hz, the board file says {=u32}",
        "CNTFRQ_EL0, where the board file has a frequency",
        "correct the board file's `counter-hz`, or leave it out where firmware varies";
    M06 = "boot refused: core {=u16}: M06 it has no GICv3 registers, the board file says GICv3",
        "ID_AA64PFR0_EL1.GIC",
        "correct the board file's `[gic]` `version`, and its frames";
    G01 = "boot refused: G01 the board file says GICv{=u8}, GICD_PIDR2 says architecture revision {=u32}",
        "GICD_PIDR2.ArchRev",
        "correct the board file's `[gic]` `version`, or where its `distributor` lies";
    G02 = "boot refused: core {=u16}: G02 {=str}",
        "GICR_TYPER, GICR_WAKER, ICC_SRE_EL2, a write that stays pending",
        "correct the board file's `[gic]` `redistributors`; firmware must leave ICC_SRE_EL3.Enable set";
    D01 = "boot refused: D01 `{=str}` of `{=str}` lies at {=u64:#x}, but firmware lists no RAM at {=u64:#x}",
        "/memory",
        "use the board's `variant` with as much memory as there is, or correct its `ram`";
    D02 = "boot refused: D02 `{=str}` of `{=str}` lies at {=u64:#x}, but firmware keeps {=u64:#x}..{=u64:#x} ({=str})",
        "/memreserve/, and /reserved-memory with `no-map`",
        "add the range to the board file's `[carve-out]`";
    D03 = "boot refused: D03 firmware lists {=u32} of the {=u32} cores that the board file has",
        "/cpus",
        "have firmware bring up all cores, or correct the board file's `cores`";
    C01 = "boot refused: core {=usize}: C01 firmware does not start MPIDR {=u64:#x}: PSCI error {=i64}",
        "CPU_ON's answer",
        "correct the board file's `cores` and `core-start`";
    C02 = "boot refused: core {=usize}: C02 MPIDR {=u64:#x} was started and did not arrive",
        "ten seconds",
        "correct the board file's `core-start`, above all its release addresses";
    L01 = "partition `{=str}` not started: L01 its payload for IPA {=u64:#x} is damaged (seal)",
        "the payload's seal; the other partitions start",
        "write the image again";
}

impl Refusal {
    /// The refusal that `line`, a record's text or the boot stub's, tells.
    pub fn in_line(line: &str) -> Option<Self> {
        let line = line.strip_prefix("septum: ").unwrap_or(line);
        let rest = match line.strip_prefix(PREFIX) {
            Some(rest) => {
                rest.strip_prefix("core ").and_then(|rest| rest.split_once(": ")).map_or(rest, |(_, rest)| rest)
            }
            None => line.strip_prefix("partition `")?.split_once(NOT_STARTED)?.1,
        };
        Self::ALL.iter().copied().find(|refusal| rest.split(' ').next() == Some(refusal.number()))
    }
}
