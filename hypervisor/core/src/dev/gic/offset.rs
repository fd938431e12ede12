//! Offsets of the registers, in bytes from their frame: IHI 0048B tables 4-1, 4-2 and 5-1; IHI 0069H 12.8, 12.10, 12.11.

/// GICD_CTLR.
pub const CTLR: u32 = 0x000;
/// GICD_TYPER.
pub const TYPER: u32 = 0x004;
/// GICD_IIDR.
pub const IIDR: u32 = 0x008;
/// GICD_IGROUPR0; one bit per interrupt, as the next six.
pub const IGROUPR: u32 = 0x080;
/// GICD_ISENABLER0.
pub const ISENABLER: u32 = 0x100;
/// GICD_ICENABLER0.
pub const ICENABLER: u32 = 0x180;
/// GICD_ISPENDR0.
pub const ISPENDR: u32 = 0x200;
/// GICD_ICPENDR0.
pub const ICPENDR: u32 = 0x280;
/// GICD_ISACTIVER0.
pub const ISACTIVER: u32 = 0x300;
/// GICD_ICACTIVER0.
pub const ICACTIVER: u32 = 0x380;
/// GICD_IPRIORITYR0: one byte per interrupt.
pub const IPRIORITYR: u32 = 0x400;
/// GICD_ITARGETSR0: one byte per interrupt (GICv2).
pub const ITARGETSR: u32 = 0x800;
/// GICD_ICFGR0: two bits per interrupt.
pub const ICFGR: u32 = 0xc00;
/// GICD_IGRPMODR0 (GICv3).
pub const IGRPMODR: u32 = 0xd00;
/// GICD_SGIR (GICv2).
pub const SGIR: u32 = 0xf00;
/// GICD_CPENDSGIR0: one byte per SGI (GICv2).
pub const CPENDSGIR: u32 = 0xf10;
/// GICD_SPENDSGIR0: one byte per SGI (GICv2).
pub const SPENDSGIR: u32 = 0xf20;
/// GICD_ICPIDR2 of GICv2.
pub const ICPIDR2: u32 = 0xfe8;
/// GICD_IROUTER0: eight bytes per interrupt (GICv3); the first that exists is 32's.
pub const IROUTER: u32 = 0x6000;
/// GICD_PIDR2 and GICR_PIDR2 of GICv3.
pub const PIDR2: u32 = 0xffe8;

/// GICR_CTLR.
pub const GICR_CTLR: u32 = 0x000;
/// GICR_IIDR.
pub const GICR_IIDR: u32 = 0x004;
/// GICR_TYPER, 64 bits.
pub const GICR_TYPER: u32 = 0x008;
/// GICR_STATUSR.
pub const GICR_STATUSR: u32 = 0x010;
/// GICR_WAKER.
pub const GICR_WAKER: u32 = 0x014;
/// Where a redistributor's SGI frame starts; within it, the offsets are the distributor's for INTIDs 0 to 31.
pub const GICR_SGI_FRAME: u32 = 0x1_0000;
/// Bytes of one redistributor without virtual LPIs: its two frames.
pub const GICR_BYTES: u32 = septum_plan::frames::GICR_BYTES as u32;

/// GICC_CTLR.
pub const GICC_CTLR: u32 = 0x000;
/// GICC_PMR.
pub const GICC_PMR: u32 = 0x004;
/// GICC_BPR.
pub const GICC_BPR: u32 = 0x008;
/// GICC_IAR.
pub const GICC_IAR: u32 = 0x00c;
/// GICC_EOIR.
pub const GICC_EOIR: u32 = 0x010;
/// GICC_APR0.
pub const GICC_APR: u32 = 0x0d0;
/// GICC_IIDR: who made the CPU interface (IHI 0048B 4.4.15).
pub const GICC_IIDR: u32 = 0xfc;
/// GICC_DIR.
pub const GICC_DIR: u32 = 0x1000;

/// GICH_HCR.
pub const GICH_HCR: u32 = 0x000;
/// GICH_VTR.
pub const GICH_VTR: u32 = 0x004;
/// GICH_VMCR.
pub const GICH_VMCR: u32 = 0x008;
/// GICH_MISR.
pub const GICH_MISR: u32 = 0x010;
/// GICH_EISR0.
pub const GICH_EISR: u32 = 0x020;
/// GICH_ELRSR0.
pub const GICH_ELRSR: u32 = 0x030;
/// GICH_APR.
pub const GICH_APR: u32 = 0x0f0;
/// GICH_LR0.
pub const GICH_LR: u32 = 0x100;

/// The `index`th word from `register` on. Registers start at multiples of their array's size, so this is their sum.
#[inline(always)]
pub const fn word(register: u32, index: u32) -> u32 {
    register.wrapping_add(index << 2)
}

/// The `index`th byte from `register` on.
#[inline(always)]
pub const fn byte(register: u32, index: u32) -> u32 {
    register.wrapping_add(index)
}

/// The same register in a redistributor's SGI frame, from the start of its RD frame.
#[inline(always)]
pub const fn private(register: u32) -> u32 {
    GICR_SGI_FRAME | register
}
