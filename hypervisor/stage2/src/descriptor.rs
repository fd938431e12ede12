//! Stage-2 descriptors as they are written (Arm ARM DDI 0487 D8, VMSAv8-64 Stage-2 formats).
//!
//! The walker does not use this file: it decodes the bits again from the Arm ARM.

use crate::attributes::{Access, Attributes, Memory};

/// A table descriptor's bits \[1:0\] at levels 0 to 2, and a page descriptor's at level 3.
pub(crate) const TABLE_OR_PAGE: u64 = 0b11;
/// A block descriptor's bits \[1:0\] at levels 0 to 2.
pub(crate) const BLOCK: u64 = 0b01;
/// Contiguous, bit 52, the same in both stages.
pub(crate) const CONTIGUOUS: u64 = 1 << 52;
/// Access flag, bit 10, the same in both stages: clear it raises an Access flag fault, and nobody here sets it later.
pub(crate) const ACCESS_FLAG: u64 = 1 << 10;
/// SH\[1:0\], bits 9:8: Outer Shareable, as Device and Non-cacheable memory are whatever the field says (EffectiveShareability).
pub(crate) const OUTER_SHAREABLE: u64 = 0b10 << 8;
/// SH\[1:0\], bits 9:8: Inner Shareable.
pub(crate) const INNER_SHAREABLE: u64 = 0b11 << 8;

/// Every bit of a Stage-2 leaf but its address, its type and the contiguous hint.
pub(crate) const fn stage2_leaf(attributes: Attributes) -> u64 {
    ACCESS_FLAG | memory(attributes.memory) | rights(attributes.access)
}

/// MemAttr\[3:0\], bits 5:2, with HCR_EL2.FWB = 0 (S2DecodeMemAttrs), and SH.
const fn memory(memory: Memory) -> u64 {
    match memory {
        Memory::Normal => 0b1111 << 2 | INNER_SHAREABLE,
        Memory::NonCacheable => 0b0101 << 2 | OUTER_SHAREABLE,
        Memory::Device => 0b0001 << 2 | OUTER_SHAREABLE,
    }
}

/// S2AP\[1:0\], bits 7:6, and XN\[1:0\], bits 54:53. Never execute is 0b10, which means the same with and without FEAT_XNX.
const fn rights(access: Access) -> u64 {
    let s2ap = (access.read as u64) | (access.write as u64) << 1;
    let xn = if access.execute { 0b00 } else { 0b10 };
    s2ap << 6 | xn << 53
}
