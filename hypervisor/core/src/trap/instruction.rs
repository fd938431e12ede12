//! Finishing an instruction that EL2 has carried out for a partition: all that executing it would have changed in PC and
//! PSTATE.
//!
//! An HVC is not finished here: its exception comes behind the instruction, so ELR_EL2 is the next one's address and
//! software step has advanced (Arm ARM J1.1.2, AArch64.CallHypervisor). A trapped SMC and every other trap come before it.

/// Bytes of an A64 instruction.
pub const A64_BYTES: u64 = 4;
/// PSTATE.SS as SPSR_ELx has it: an instruction is still to be executed before the next software step exception. Executing
/// it clears the bit (Arm ARM D2.12.4; J1.1.2, SSAdvance).
pub const STEP: u64 = 1 << 21;
/// PSTATE.BTYPE in AArch64: what kind of branch came before. Every instruction that is no branch clears it (D8.4.5).
pub const BRANCH_TYPE: u64 = 0b11 << 10;
/// `PSTATE.M[4]`: AArch32.
const AARCH32: u64 = 1 << 4;
/// ESR_EL2.IL: the instruction has 32 bits, not 16.
const LONG: u64 = 1 << 25;

/// PC and PSTATE behind the instruction at `pc`, which was trapped in `pstate` with syndrome `esr`: ELR_EL2 and SPSR_EL2,
/// old and new.
pub const fn finish(pc: u64, pstate: u64, esr: u64) -> (u64, u64) {
    let bytes = if esr & LONG != 0 { 4 } else { 2 };
    let pstate = pstate & !STEP;
    let pstate = if pstate & AARCH32 == 0 { pstate & !BRANCH_TYPE } else { advance_it(pstate) };
    (pc.wrapping_add(bytes), pstate)
}

/// PSTATE.IT of AArch32, which says how the next instructions of an IT block are conditional: bits 15:10 are `IT[7:2]`, bits
/// 26:25 are `IT[1:0]`. All zero outside such blocks, and in A32 (J1.2.2, AArch32.ITAdvance).
const fn advance_it(pstate: u64) -> u64 {
    let it = pstate >> 8 & 0xfc | pstate >> 25 & 0b11;
    let next = if it & 0b111 == 0 { 0 } else { it & 0xe0 | it << 1 & 0x1f };
    pstate & !(0xfc << 8 | 0b11 << 25) | (next & 0xfc) << 8 | (next & 0b11) << 25
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SPSR_EL2 of AArch64 at EL0, EL1t and EL1h, and of AArch32's User mode in A32 and T32.
    const A64: [u64; 3] = [0b0000, 0b0100, 0b0101];
    const A32: u64 = 0b1_0000;
    const T32: u64 = A32 | 1 << 5;
    const ESR_32: u64 = 0x24 << 26 | LONG;
    const ESR_16: u64 = 0x24 << 26;

    /// SPSR_EL2 with this ITSTATE.
    fn with_it(it: u64) -> u64 {
        T32 | it >> 2 << 10 | (it & 3) << 25
    }

    /// The condition of each instruction left in an IT block with this ITSTATE, by the architecture's other description of
    /// it: bits 7:5 with bit 4 as the lowest, and as many as the lowest set bit is from bit 4 (F1.2.2, table F1-1).
    fn conditions(it: u64) -> Vec<u64> {
        if it & 0xf == 0 {
            return vec![];
        }
        let count = 4 - (it & 0xf).trailing_zeros();
        (0..count).map(|n| it >> 5 << 1 | it >> (4 - n) & 1).collect()
    }

    #[test]
    fn every_bit_of_an_a64_pstate_stays_but_step_and_branch_type() {
        for (mode, bit) in A64.into_iter().flat_map(|mode| (5..64).map(move |bit| (mode, bit))) {
            let kept = if matches!(bit, 10 | 11 | 21) { 0 } else { 1 << bit };
            assert_eq!(finish(0x1000, mode | 1 << bit, ESR_32), (0x1004, mode | kept), "bit {bit}");
            assert_eq!(
                finish(0x1000, !(1 << bit) & !0x1f | mode, ESR_32).1,
                !(1 << bit | 0x1f | STEP | BRANCH_TYPE) | mode
            );
        }
    }

    #[test]
    fn every_bit_of_an_aarch32_pstate_stays_but_step_and_it() {
        for (mode, bit) in [A32, T32].into_iter().flat_map(|mode| (6..64).map(move |bit| (mode, bit))) {
            if !matches!(bit, 10..=15 | 25 | 26) {
                let kept = if bit == 21 { 0 } else { 1 << bit };
                assert_eq!(finish(0x1000, mode | 1 << bit, ESR_32), (0x1004, mode | kept), "bit {bit}");
            }
        }
    }

    #[test]
    fn an_instruction_of_16_bits_is_two_bytes_long() {
        assert_eq!(finish(0x1000, T32, ESR_16), (0x1002, T32));
        assert_eq!(finish(0x1000, T32, ESR_32), (0x1004, T32));
        assert_eq!(finish(u64::MAX - 3, A64[2], ESR_32).0, 0);
    }

    #[test]
    fn an_it_block_goes_on_with_its_next_condition_and_ends_behind_its_last() {
        for it in (0..=0xff).filter(|it| it & 0xf != 0) {
            let (_, after) = finish(0x1000, with_it(it), ESR_16);
            let left = after >> 10 << 2 & 0xfc | after >> 25 & 3;
            assert_eq!(conditions(left), conditions(it)[1..], "ITSTATE {it:#010b}");
            assert_eq!(after & !(0xfc << 8 | 3 << 25), T32);
            assert!(left != 0 || conditions(it).len() == 1, "ITSTATE {it:#010b}: the block is not over");
        }
        assert_eq!(finish(0x1000, with_it(0), ESR_16).1, T32);
    }
}
