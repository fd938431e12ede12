//! The affinities that a partition's virtual cores have: EL2 shows them, and device trees name them.

/// The affinity fields of MPIDR_EL1: Aff3 at bits 39:32, Aff2 to Aff0 at 23:0 (Arm ARM D24.2.103).
pub const AFFINITY: u64 = 0xff_00ff_ffff;

/// Most virtual cores of a partition: EL2 keeps the number of one, or of none, in a byte.
pub const VCPUS_MAX: usize = 254;

/// The affinity that virtual core `vcpu` sees in MPIDR_EL1 (Aff3 at 39:32, Aff2 to Aff0 at 23:0): contiguous from 0,
/// sixteen to a cluster, because an SGI's target list has sixteen bits.
pub const fn virtual_affinity(vcpu: usize) -> u64 {
    (vcpu as u64 & 0xf) | (vcpu as u64 >> 4) << 8
}

/// Aff1 has room for the clusters of the largest partition: nothing of an index goes to Aff2, and none wraps.
const _: () = assert!(virtual_affinity(crate::space::CORES_MAX as usize - 1) <= 0xffff);

/// The virtual core with affinity `affinity`, if a partition of `vcpus` has it.
pub fn vcpu_of_affinity(affinity: u64, vcpus: usize) -> Option<usize> {
    let vcpu = (affinity >> 8 << 4 | affinity & 0xf) as usize;
    (vcpu < vcpus && virtual_affinity(vcpu) == affinity).then_some(vcpu)
}
