//! Taking an exception to EL1 for the partition, as the hardware would have (Arm ARM J1.1.3, AArch64.TakeException).

/// ESR_EL1 of an undefined instruction: EC 0 (unknown reason), IL.
pub const UNDEFINED: u64 = 1 << 25;

/// PSTATE bits as SPSR_ELx has them: N, Z, C, V; DIT; PAN; SSBS; D, A, I, F; and M for EL1h in AArch64.
const FLAGS: u64 = 0xf << 28;
const DIT: u64 = 1 << 24;
const PAN: u64 = 1 << 22;
const SSBS: u64 = 1 << 12;
const MASKED: u64 = 0xf << 6;
const EL1H: u64 = 0b0101;
/// `M[4]`: AArch32. `M[3:2]`: the exception level. `M[0]`: SP_ELx.
const AARCH32: u64 = 1 << 4;
const LEVEL: u64 = 0b11 << 2;
const OWN_STACK: u64 = 1;
/// SCTLR_EL1.SPAN: PAN stays as it is. DSSBS: what SSBS becomes.
const SPAN: u64 = 1 << 23;
const DSSBS: u64 = 1 << 44;
/// VBAR_EL1's bits 10:0 are reserved.
const VECTORS: u64 = !0x7ff;

/// Where the partition goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The vector's address.
    pub pc: u64,
    /// PSTATE there.
    pub pstate: u64,
}

/// A synchronous exception taken in `pstate` with these VBAR_EL1 and SCTLR_EL1.
pub const fn synchronous(pstate: u64, vbar: u64, sctlr: u64) -> Entry {
    let offset = match (pstate & AARCH32 != 0, pstate & LEVEL != 0, pstate & OWN_STACK != 0) {
        (true, ..) => 0x600,
        (_, false, _) => 0x400,
        (_, true, true) => 0x200,
        (_, true, false) => 0,
    };
    // UAO, BTYPE, SS and IL become 0.
    let kept = pstate & (FLAGS | DIT | PAN);
    let pan = if sctlr & SPAN == 0 { PAN } else { 0 };
    let ssbs = if sctlr & DSSBS != 0 { SSBS } else { 0 };
    Entry { pc: (vbar & VECTORS).wrapping_add(offset), pstate: kept | pan | ssbs | MASKED | EL1H }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VBAR: u64 = 0xffff_8000_0801_0800;
    const RES1_SPAN: u64 = 0x30d0_0800;

    #[test]
    fn the_vector_is_that_of_where_the_partition_was() {
        let offset = |pstate| synchronous(pstate, VBAR, RES1_SPAN).pc - VBAR;
        assert_eq!([0b0100, 0b0101, 0b0000, 0b1_0000].map(offset), [0, 0x200, 0x400, 0x600]);
    }

    #[test]
    fn it_goes_on_at_el1h_with_everything_masked() {
        let entry = synchronous(0, VBAR | 0x7ff, RES1_SPAN);
        assert_eq!(entry, Entry { pc: VBAR + 0x400, pstate: 0x3c5 });
    }

    #[test]
    fn flags_and_dit_stay_and_what_belongs_to_one_instruction_goes() {
        let before = FLAGS | DIT | 1 << 23 | 1 << 21 | 1 << 20 | 0b11 << 10 | EL1H;
        assert_eq!(synchronous(before, VBAR, RES1_SPAN).pstate, FLAGS | DIT | MASKED | EL1H);
    }

    #[test]
    fn pan_and_ssbs_follow_sctlr() {
        let pstate = |before, sctlr| synchronous(before, VBAR, sctlr).pstate & (PAN | SSBS);
        assert_eq!(pstate(0, 0), PAN);
        assert_eq!(pstate(PAN, SPAN), PAN);
        assert_eq!(pstate(SSBS, SPAN), 0);
        assert_eq!(pstate(0, SPAN | DSSBS), SSBS);
    }
}
