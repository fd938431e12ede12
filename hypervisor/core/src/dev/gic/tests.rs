//! The drivers against register blocks with the manuals' offsets (IHI 0048B table 4-1, IHI 0069H 12.8) written as numbers.

use super::{CpuInterface, GicError, distributor, intid, v2, v3};
use crate::dev::fake::Block;
use septum_plan::GicVersion;

fn distributor_with(words: u32) -> Block {
    let block = Block::default();
    block.set(0x004, words - 1);
    block
}

#[test]
fn gicv2_distributor_silences_every_spi_word_and_no_private_one() {
    let gicd = distributor_with(7);
    distributor::init(&&gicd, GicVersion::V2).expect("no polling on GICv2");
    for word in 0..32 {
        let expected = (1..7).contains(&word).then_some(0xffff_ffff);
        assert_eq!(gicd.last(0x180 + 4 * word), expected, "GICD_ICENABLER{word}");
        assert_eq!(gicd.last(0x280 + 4 * word), expected, "GICD_ICPENDR{word}");
        assert_eq!(gicd.last(0x380 + 4 * word), expected, "GICD_ICACTIVER{word}");
        assert_eq!(gicd.last(0x080 + 4 * word), None, "GICD_IGROUPR{word} is firmware's");
    }
    assert_eq!(gicd.last(0x420), Some(0xe0e0_e0e0));
    assert_eq!(gicd.last(0x400 + 7 * 32 - 4), Some(0xe0e0_e0e0));
    assert_eq!(gicd.last(0x41c), None);
    assert_eq!(gicd.last(0x000), Some(1));
}

#[test]
fn gicv3_distributor_sets_affinity_routing_before_it_enables_groups() {
    let gicd = distributor_with(2);
    distributor::init(&&gicd, GicVersion::V3).expect("RWP reads clear");
    let control: Vec<u64> = gicd.writes.borrow().iter().filter(|write| write.0 == 0).map(|write| write.2).collect();
    assert_eq!(control, [0, 0x10, 0x13]);
    assert_eq!(gicd.last(0x084), Some(0xffff_ffff), "GICD_IGROUPR1");
    assert_eq!(gicd.last(0xd04), Some(0), "GICD_IGRPMODR1");
}

#[test]
fn a_distributor_that_never_settles_is_an_error_and_no_hang() {
    let gicd = distributor_with(2);
    gicd.set(0x000, 1 << 31);
    assert_eq!(distributor::init(&&gicd, GicVersion::V3), Err(GicError::WritePending));
}

#[test]
fn routes_are_written_for_spis_only() {
    let gicd = distributor_with(32);
    for intid in [0, 31, 1020, 1023, 5000] {
        distributor::route(&&gicd, intid, 3);
        distributor::target(&&gicd, intid, 1);
    }
    assert!(gicd.writes.borrow().is_empty());
    distributor::route(&&gicd, 33, 0x80_8100_0203);
    distributor::target(&&gicd, 1019, 0x0a);
    assert_eq!(*gicd.writes.borrow(), [(0x6108, 8, 0x80_0000_0203), (0x800 + 1019, 1, 0x0a)]);
}

#[test]
fn gicv2_core_enables_only_what_is_el2s_and_uses_split_end_of_interrupt() {
    let (gicd, gicc) = (Block::default(), Block::default());
    for word in 0..8 {
        gicd.set(0x800 + 4 * word, 0x0404_0404);
    }
    gicc.set(0x000, 0x1e7);
    let interface = v2::Interface { gicd: &gicd, gicc: &gicc };
    assert_eq!(v2::init_core(&interface), 4);
    assert_eq!(gicd.last(0x100), Some(1 | 1 << 25 | 1 << 26), "GICD_ISENABLER0");
    assert_eq!(gicd.last(0x400 + 26), Some(0x80));
    assert_eq!(gicd.last(0x400 + 27), Some(0xe0));
    assert_eq!(gicc.last(0x000), Some(0x1e0 | 1 << 9 | 1), "GICC_CTLR");
    assert_eq!(gicc.last(0x004), Some(0xd0), "GICC_PMR: EL2's priority passes, a guest's does not");
}

#[test]
fn gicv2_hands_an_sgis_source_back_and_sends_by_target_list() {
    let (gicd, gicc) = (Block::default(), Block::default());
    gicc.set(0x00c, 2 << 10);
    let interface = v2::Interface { gicd: &gicd, gicc: &gicc };
    let acknowledged = interface.acknowledge();
    assert_eq!(intid(acknowledged), 0);
    interface.end(acknowledged);
    interface.deactivate(acknowledged);
    interface.send(v2::ipi_word(1 << 3));
    assert_eq!(*gicc.writes.borrow(), [(0x010, 4, 2 << 10), (0x1000, 4, 2 << 10)]);
    assert_eq!(*gicd.writes.borrow(), [(0xf00, 4, 8 << 16)]);
}

#[test]
fn a_core_finds_its_redistributor_by_affinity_and_reads_nothing_behind_the_last() {
    // GICR_TYPER of each piece of 128 KiB: affinity, and VLPIS (bit 1) or Last (bit 4).
    let pieces = |types: &[(u32, u32)]| {
        let block = |(affinity, low): &(u32, u32)| {
            let block = Block::default();
            block.set(0x00c, *affinity);
            block.set(0x008, *low);
            block
        };
        types.iter().map(block).collect::<Vec<_>>()
    };
    let find = |blocks: &[Block], mpidr| {
        let found = v3::find(blocks.len() as u32, |index| &blocks[index as usize], mpidr).ok()?;
        blocks.iter().position(|block| std::ptr::eq(block, found))
    };
    let swapped = pieces(&[(0x101, 0), (0, 0), (0x80_0001, 0), (0x8000_0100, 0x10)]);
    let affinities = [0x8000_0000, 0x101, 0x80_8080_0001, 0x80_0000_0100, 0x100];
    assert_eq!(affinities.map(|mpidr| find(&swapped, mpidr)), [Some(1), Some(0), None, Some(3), None]);
    // GICv4: two more frames each, whose content must not be taken for a GICR_TYPER.
    let with_lpis = pieces(&[(0, 2), (1, 0x10), (1, 2), (2, 0x10), (2, 0x12), (3, 0)]);
    assert_eq!([0, 1, 2, 3].map(|mpidr| find(&with_lpis, mpidr)), [Some(0), Some(2), Some(4), None]);
    let panic = |index| if index < 1 { &swapped[3] } else { panic!("read behind the last: {index}") };
    assert_eq!(v3::find(4, panic, 5).err(), Some(GicError::NoRedistributor));
    assert_eq!(v3::find(0, panic, 5).err(), Some(GicError::NoRedistributor));
}

#[test]
fn gicv3_core_wakes_its_redistributor() {
    let gicr = Block::default();
    gicr.sticky.set((0x014, 6, 3));
    v3::init_core(&&gicr).expect("wakes after three polls");
    assert_eq!(gicr.last(0x014), Some(4), "GICR_WAKER.ProcessorSleep cleared");
    assert_eq!(gicr.last(0x1_0100), Some(1 | 1 << 25 | 1 << 26), "GICR_ISENABLER0");
    assert_eq!(gicr.last(0x1_0080), Some(0xffff_ffff), "GICR_IGROUPR0");
    assert_eq!(gicr.last(0x1_0180), Some(0xffff_ffff), "GICR_ICENABLER0");
}

#[test]
fn a_redistributor_that_sleeps_on_is_an_error_and_no_hang() {
    let gicr = Block::default();
    gicr.set(0x014, 4);
    assert_eq!(v3::init_core(&&gicr), Err(GicError::Asleep));
}

#[test]
fn the_gicv3_ipi_word_names_range_list_and_affinities() {
    assert_eq!(v3::ipi_word(0x8000_0003), 1 << 3);
    assert_eq!(v3::ipi_word(0x12_0034_5617), 0x12 << 48 | 1 << 44 | 0x34 << 32 | 0x56 << 16 | 1 << 7);
}
