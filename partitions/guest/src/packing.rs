//! How bytes travel in registers: eight to a register, the first in the lowest bits (septum-plan, `call`).

use septum_plan::calls::CONSOLE_BYTES_MAX;

/// Registers that carry bytes in one call.
pub const REGISTERS: usize = CONSOLE_BYTES_MAX / 8;

/// The registers for `bytes`; what is beyond [`CONSOLE_BYTES_MAX`] is left out.
pub fn pack(bytes: &[u8]) -> [u64; REGISTERS] {
    let mut registers = [0; REGISTERS];
    for (register, chunk) in registers.iter_mut().zip(bytes.chunks(8)) {
        *register = chunk.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    registers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_is_in_the_lowest_bits_of_the_first_register() {
        let registers = pack(b"abcdefgh!");
        assert_eq!(registers[0], u64::from_le_bytes(*b"abcdefgh"));
        assert_eq!(registers[1], u64::from(b'!'));
        assert_eq!(registers[2..], [0; 4]);
    }

    #[test]
    fn a_full_call_uses_every_register() {
        let bytes: [u8; CONSOLE_BYTES_MAX] = core::array::from_fn(|index| index as u8 + 1);
        let unpacked: Vec<u8> = pack(&bytes).iter().flat_map(|register| register.to_le_bytes()).collect();
        assert_eq!(unpacked, bytes);
    }
}
