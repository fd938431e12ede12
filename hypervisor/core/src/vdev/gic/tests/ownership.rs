//! No read reveals and no write changes what another partition owns: every offset, every size, on both versions.

use super::random::Random;
use crate::vdev::gic::model::{Model, Word};

const OWNED: [u32; 3] = [0x8000_0f01, 0, 0x00ff_0002];
const PPIS: u32 = 1 << 27 | 1 << 30;

fn owned(word: usize) -> u32 {
    if word == 0 { PPIS } else { OWNED.get(word - 1).copied().unwrap_or(0) }
}

/// A physical state with the owner's bits taken from one source and everybody else's from another.
fn fill<const V3: bool>(board: &Model<V3>, own: &mut Random, foreign: &mut Random) {
    let mut word = |mask: u32| {
        let mut mix = || own.word() & mask | foreign.word() & !mask;
        Word { enabled: mix(), latch: mix(), line: mix(), edge: mix(), active: mix() }
    };
    for (index, slot) in board.shared.borrow_mut().iter_mut().enumerate().skip(1) {
        *slot = word(owned(index));
    }
    board.private.borrow_mut().iter_mut().for_each(|slot| *slot = word(PPIS));
    for intid in 32..1020u32 {
        let mine = owned(intid as usize / 32) >> (intid % 32) & 1 == 1;
        let source = if mine { &mut *own } else { &mut *foreign };
        board.spis.set_priority(intid, source.next() as u8);
        board.spis.set_group_1(intid, source.next() & 1 != 0);
        board.spis.set_target(intid, (source.next() & 1) as u8);
        board.targets.borrow_mut()[intid as usize] = source.next() as u8;
    }
}

/// Priority, group, target and physical route of an SPI.
type Bytes = (u8, bool, u8, u8);

/// Everything of the board that is not the partition's, as one value to compare.
fn foreign<const V3: bool>(board: &Model<V3>) -> (Vec<[u32; 5]>, Vec<Bytes>) {
    let others =
        |word: &Word, mask: u32| [word.enabled, word.latch, word.line, word.edge, word.active].map(|w| w & !mask);
    let shared = board.shared.borrow();
    let mut words: Vec<_> = shared.iter().enumerate().map(|(index, word)| others(word, owned(index))).collect();
    words.extend(board.private.borrow().iter().map(|word| others(word, PPIS)));
    let bytes = (32..1020u32)
        .filter(|intid| owned(*intid as usize / 32) >> (intid % 32) & 1 == 0)
        .map(|intid| {
            let spis = &board.spis;
            let routed = board.targets.borrow()[intid as usize];
            (spis.priority(intid), spis.group_1(intid), spis.target(intid), routed)
        })
        .collect();
    (words, bytes)
}

fn distributor_end<const V3: bool>() -> u32 {
    if V3 { 0x1_0000 } else { 0x1000 }
}

fn reads_reveal_nothing<const V3: bool>() {
    let boards = [5, 77].map(|seed| {
        let board = Model::<V3>::started(&OWNED, 2, 4, (0, 0));
        fill(&board, &mut Random(1), &mut Random(seed));
        board
    });
    for bytes in [1, 2, 4, 8] {
        for offset in 0..distributor_end::<V3>() {
            let [one, two] = [0, 1].map(|at: usize| boards[at].on(0, |vgic| vgic.read_distributor(offset, bytes)));
            assert_eq!(one, two, "GICD+{offset:#x}, {bytes} bytes");
        }
        for offset in (0..if V3 { 0x6_0000 } else { 0 }).filter(|offset| offset & 0xffff < 0x1000) {
            let [one, two] = [0, 1].map(|at: usize| boards[at].on(0, |vgic| vgic.read_redistributor(offset, bytes)));
            assert_eq!(one, two, "GICR+{offset:#x}, {bytes} bytes");
        }
    }
}

fn writes_change_nothing<const V3: bool>() {
    let board = Model::<V3>::started(&OWNED, 2, 4, (0, 0));
    let mut values = Random(9);
    fill(&board, &mut Random(1), &mut Random(5));
    let before = foreign(&board);
    for bytes in [1, 2, 4, 8] {
        for offset in 0..distributor_end::<V3>() {
            for value in [values.next(), !0, 0] {
                board.on(0, |vgic| vgic.write_distributor(offset, bytes, value));
            }
            if offset & 0x7f == 0x7f {
                assert!(foreign(&board) == before, "up to GICD+{offset:#x}, {bytes} bytes");
            }
        }
        for offset in (0..if V3 { 0x6_0000 } else { 0 }).filter(|offset| offset & 0xffff < 0x1000) {
            for value in [values.next(), !0, 0] {
                board.on(0, |vgic| vgic.write_redistributor(offset, bytes, value));
            }
            if offset & 0x7f == 0x7f {
                assert!(foreign(&board) == before, "up to GICR+{offset:#x}, {bytes} bytes");
            }
        }
    }
}

#[test]
fn no_read_reveals_a_foreign_interrupt_on_gicv2() {
    reads_reveal_nothing::<false>();
}

#[test]
fn no_read_reveals_a_foreign_interrupt_on_gicv3() {
    reads_reveal_nothing::<true>();
}

#[test]
fn no_write_changes_a_foreign_interrupt_on_gicv2() {
    writes_change_nothing::<false>();
}

#[test]
fn no_write_changes_a_foreign_interrupt_on_gicv3() {
    writes_change_nothing::<true>();
}

#[test]
fn el2s_own_interrupts_cannot_be_seen_or_switched() {
    let board = Model::<true>::started(&OWNED, 1, 4, (0, 0));
    let el2s = crate::dev::gic::EL2_PRIVATE;
    board.private.borrow_mut()[0].enabled = el2s;
    let sgi_frame = 0x1_0000;
    board.on(0, |vgic| vgic.write_redistributor(sgi_frame + 0x180, 4, 0xffff_ffff));
    assert_eq!(board.private.borrow()[0].enabled, el2s, "maintenance and EL2's timer stay on");
    board.on(0, |vgic| vgic.write_redistributor(sgi_frame + 0x100, 4, 0xffff_ffff));
    let seen = board.on(0, |vgic| vgic.read_redistributor(sgi_frame + 0x100, 4));
    assert_eq!(seen, u64::from(PPIS | 0xffff), "SGIs and the two timers");
}

#[test]
fn an_interrupt_that_is_not_the_guests_is_left_to_el2() {
    let board = Model::<true>::started(&OWNED, 1, 4, (0, 0));
    for intid in [0, 25, 26, 33, 64, 500, 1019] {
        assert!(!board.on(0, |vgic| vgic.take(intid)), "INTID {intid}");
    }
    assert!(board.interfaces.borrow()[0].registers.iter().all(|raw| *raw == 0));
    assert!(board.on(0, |vgic| vgic.take(27)));
    assert!(board.on(0, |vgic| vgic.take(32)));
}

#[test]
fn an_interrupt_that_el2_makes_leaves_the_physical_one_of_that_number_where_it_goes() {
    fn routed<const V3: bool>() -> Vec<u8> {
        let board = Model::<V3>::started(&OWNED, 2, 4, (1, 1 << 1));
        board.targets.borrow_mut().iter_mut().for_each(|target| *target = 0x5a);
        board.on(0, |vgic| vgic.reset_partition());
        board.targets.borrow()[32..34].to_vec()
    }
    assert_eq!(routed::<true>(), [0, 0x5a], "32 is the partition's, 33 is not");
    assert_eq!(routed::<false>(), [1, 0x5a]);
}
