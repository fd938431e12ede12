//! One list register's content, and the interface to a core's set of them.
//!
//! EL2 works with GICv3's layout (`ICH_LR<n>_EL2`, IHI 0069H 12.4.10) on both versions; [`ListRegister::v2`] and
//! [`ListRegister::from_v2`] turn it into GICH_LRn's (IHI 0048B 5.3.8) and back. A GICv2 SGI's source rides in the
//! lowest bits of the physical INTID, as it does there.

/// A list register in GICv3's layout. Zero is an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListRegister(pub u64);

const PENDING: u64 = 1 << 62;
const ACTIVE: u64 = 1 << 63;
const HARDWARE: u64 = 1 << 61;
const GROUP_1: u64 = 1 << 60;
const PRIORITY_SHIFT: u32 = 48;
const PHYSICAL_SHIFT: u32 = 32;
/// Maintenance at the end of interrupt; only where the interrupt is not linked to hardware.
const EOI: u64 = 1 << 41;

/// Priority bits that every virtual CPU interface has: 7:3 (GICH_LRn.Priority, ICH_VTR_EL2.PRIbits of at least 4).
pub const PRIORITY_BITS: u8 = 0xf8;

impl ListRegister {
    /// An empty list register.
    pub const EMPTY: Self = Self(0);

    /// A pending interrupt whose end deactivates the physical one with the same INTID.
    pub const fn hardware(intid: u32, priority: u8, group_1: bool) -> Self {
        Self(Self::software(intid, priority, group_1).0 | HARDWARE | (intid as u64) << PHYSICAL_SHIFT)
    }

    /// A pending interrupt that is EL2's doing alone.
    pub const fn software(intid: u32, priority: u8, group_1: bool) -> Self {
        let priority = ((priority & PRIORITY_BITS) as u64) << PRIORITY_SHIFT;
        Self(PENDING | intid as u64 | priority | if group_1 { GROUP_1 } else { 0 })
    }

    /// The same, from virtual interface `source` (GICv2 SGIs).
    pub const fn from_source(self, source: u8) -> Self {
        Self(self.0 | ((source & 7) as u64) << PHYSICAL_SHIFT)
    }

    /// The virtual INTID.
    pub const fn intid(self) -> u32 {
        self.0 as u32 & 0x3ff
    }

    /// Its priority.
    pub const fn priority(self) -> u8 {
        (self.0 >> PRIORITY_SHIFT) as u8
    }

    /// A GICv2 SGI's source.
    pub const fn source(self) -> u8 {
        (self.0 >> PHYSICAL_SHIFT) as u8 & 7
    }

    /// Whether it is in group 1.
    pub const fn group_1(self) -> bool {
        self.0 & GROUP_1 != 0
    }

    /// Whether its end deactivates a physical interrupt.
    pub const fn is_hardware(self) -> bool {
        self.0 & HARDWARE != 0
    }

    /// Whether it is pending, perhaps active too.
    pub const fn is_pending(self) -> bool {
        self.0 & PENDING != 0
    }

    /// Whether it is active, perhaps pending too.
    pub const fn is_active(self) -> bool {
        self.0 & ACTIVE != 0
    }

    /// Whether it holds an interrupt.
    pub const fn is_valid(self) -> bool {
        self.0 & (PENDING | ACTIVE) != 0
    }

    /// Also pending.
    pub const fn with_pending(self) -> Self {
        Self(self.0 | PENDING)
    }

    /// No longer pending.
    pub const fn without_pending(self) -> Self {
        Self(self.0 & !PENDING)
    }

    /// No longer active.
    pub const fn without_active(self) -> Self {
        Self(self.0 & !ACTIVE)
    }

    /// Active, and not pending: how a parked interrupt comes back.
    pub const fn active(self) -> Self {
        Self(self.0 & !PENDING | ACTIVE)
    }

    /// With a maintenance interrupt at its end; unchanged if it is linked to hardware, where the bit means another thing.
    pub const fn with_eoi(self) -> Self {
        if self.is_hardware() { self } else { Self(self.0 | EOI) }
    }

    /// With another priority and group, all else kept.
    pub const fn with_attributes(self, priority: u8, group_1: bool) -> Self {
        let kept = self.0 & !(0xff << PRIORITY_SHIFT | GROUP_1);
        Self(kept | Self::software(0, priority, group_1).0 & !PENDING)
    }

    /// GICH_LRn's word.
    #[inline(always)]
    pub const fn v2(self) -> u32 {
        let low = self.0 as u32 & 0x3ff | ((self.0 >> PHYSICAL_SHIFT) as u32 & 0x3ff) << 10;
        let priority = (self.0 >> 51) as u32 & 0x1f;
        let (state, top) = ((self.0 >> 62) as u32, (self.0 >> 60) as u32);
        low | priority << 23 | state << 28 | (top & 1) << 30 | (top & 2) << 30
    }

    /// The content of GICH_LRn with this `word`.
    pub const fn from_v2(word: u32) -> Self {
        let word = word as u64;
        let low = word & 0x3ff | (word >> 10 & 0x3ff) << PHYSICAL_SHIFT;
        Self(low | (word >> 23 & 0x1f) << 51 | (word >> 28 & 3) << 62 | (word >> 30 & 1) << 60 | (word >> 31 & 1) << 61)
    }
}

/// Bits of ICH_HCR_EL2 and GICH_HCR that EL2 uses; the two registers agree on them.
pub mod control {
    /// The virtual CPU interface signals interrupts.
    pub const ENABLE: u32 = 1 << 0;
    /// Maintenance when at most one list register is in use.
    pub const UNDERFLOW: u32 = 1 << 1;
    /// Maintenance when an interrupt ended that no list register holds.
    pub const NOT_PRESENT: u32 = 1 << 2;
    /// Maintenance when no list register is pending.
    pub const NO_PENDING: u32 = 1 << 3;
    /// GICv3 only: the guest's writes of ICC_DIR_EL1 are trapped.
    pub const TRAP_DEACTIVATE: u32 = 1 << 14;
    /// First bit of the count of ends that no list register was there for.
    pub const END_COUNT_SHIFT: u32 = 27;
}

/// The calling core's virtual CPU interface.
pub trait VirtualInterface {
    /// How many list registers there are, 1 to 64. At most 32 are used.
    fn count(&self) -> u32;
    /// A set bit for each list register that holds nothing and has no end of interrupt to report.
    fn empty(&self) -> u32;
    /// A set bit for each list register whose interrupt has ended and that asked for maintenance.
    fn ended(&self) -> u32;
    /// List register `index`.
    fn get(&self, index: u32) -> ListRegister;
    /// Sets list register `index`.
    fn set(&self, index: u32, value: ListRegister);
    /// The control register: [`control`] bits and the count of ends.
    fn control(&self) -> u32;
    /// Sets the control register.
    fn set_control(&self, value: u32);
}

#[cfg(test)]
mod tests {
    use super::ListRegister;

    #[test]
    fn a_hardware_interrupt_has_the_manuals_bits() {
        // IHI 0069H 12.4.10: State 63:62, HW 61, Group 60, Priority 55:48, pINTID 44:32, vINTID 31:0.
        let register = ListRegister::hardware(0x3ab, 0xa7, true);
        assert_eq!(register.0, 1 << 62 | 1 << 61 | 1 << 60 | 0xa0 << 48 | 0x3ab << 32 | 0x3ab);
        // IHI 0048B 5.3.8: HW 31, Grp1 30, State 29:28, Priority 27:23, PhysicalID 19:10, VirtualID 9:0.
        assert_eq!(register.v2(), 1 << 31 | 1 << 30 | 1 << 28 | 0x14 << 23 | 0x3ab << 10 | 0x3ab);
    }

    #[test]
    fn a_gicv2_sgi_keeps_source_and_end_of_interrupt_request() {
        let register = ListRegister::software(5, 0, false).from_source(6).with_eoi();
        assert_eq!(register.v2(), 1 << 28 | 1 << 19 | 6 << 10 | 5);
        assert_eq!(ListRegister::from_v2(register.v2()), register);
        assert_eq!(register.source(), 6);
    }

    #[test]
    fn the_two_layouts_turn_into_each_other() {
        for shift in 0..32 {
            let word = 1u32 << shift;
            let reserved = (20..23).contains(&shift);
            assert_eq!(ListRegister::from_v2(word).v2(), if reserved { 0 } else { word }, "bit {shift}");
        }
    }

    #[test]
    fn new_attributes_leave_state_and_links_alone() {
        let register = ListRegister::hardware(40, 0x20, false).active();
        let changed = register.with_attributes(0xf8, true);
        assert_eq!(changed, ListRegister::hardware(40, 0xf8, true).active());
    }
}
