//! The partition's own Stage-1 table: a constant identity map, so that caches, atomics and unaligned accesses work
//! from the first instruction on. Who may do what is Stage-2's business, which combines with this map.
//!
//! 39-bit input, 4 KiB granule: one level-1 table of 1 GiB blocks. The first GiB is Device-nGnRE, because emulated
//! devices lie there by default; the rest is Normal write-back memory, which Stage-2 turns into Device wherever it
//! maps registers (Arm ARM D8.6.5: the stronger type wins).

/// log2 of the bytes that one entry maps.
pub const BLOCK_SHIFT: u32 = 30;
/// Entries of the table.
pub const ENTRIES: usize = 512;
/// MAIR_EL1: attribute 0 is Device-nGnRE, attribute 1 is Normal, inner and outer write-back, read and write allocate.
pub const MAIR: u64 = 0xff04;
/// TCR_EL1 without IPS: T0SZ = 25, walks write-back inner-shareable, 4 KiB, no walks by TTBR1 (EPD1).
pub const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23;

const BLOCK: u64 = 0b01;
const ATTRIBUTE_NORMAL: u64 = 1 << 2;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ACCESS_FLAG: u64 = 1 << 10;

/// A level-1 table, aligned as TTBR0_EL1 needs it.
#[repr(C, align(4096))]
pub struct Table(pub [u64; ENTRIES]);

/// The table that the start code puts into TTBR0_EL1.
pub static TABLE: Table = Table(blocks());

const fn blocks() -> [u64; ENTRIES] {
    let mut entries = [0; ENTRIES];
    let mut index = 0;
    while index < ENTRIES {
        let address = (index as u64) << BLOCK_SHIFT;
        let attributes = if index == 0 { 0 } else { ATTRIBUTE_NORMAL | INNER_SHAREABLE };
        entries[index] = address | ACCESS_FLAG | attributes | BLOCK;
        index += 1;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arm ARM D8.3.1, block descriptors: bits 47:30 output address, 10 AF, 9:8 SH, 7:6 AP, 4:2 AttrIndx, 1:0 type.
    #[test]
    fn every_block_maps_its_own_addresses_readable_and_writable() {
        for (index, entry) in TABLE.0.iter().enumerate() {
            assert_eq!(entry & 0xffff_c000_0000, (index as u64) << 30);
            assert_eq!(entry & 0b11, 0b01, "a block");
            assert_eq!(entry >> 10 & 1, 1, "access flag");
            assert_eq!(entry >> 6 & 0b11, 0b00, "EL1 may read and write");
        }
    }

    #[test]
    fn only_the_first_gibibyte_is_device_memory() {
        let attribute = |index: usize| MAIR >> (8 * (TABLE.0[index] >> 2 & 0b111)) & 0xff;
        assert_eq!(attribute(0), 0x04, "Device-nGnRE");
        assert!((1..ENTRIES).all(|index| attribute(index) == 0xff));
    }
}
