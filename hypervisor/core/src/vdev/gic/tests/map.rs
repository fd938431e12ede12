//! Both register maps in numbers from the manuals: IHI 0048B table 4-1, IHI 0069H tables 12-25, 12-27 and 12-29.

use crate::dev::Mmio;
use crate::vdev::gic::model::{Model, Word};
use crate::vdev::gic::quick::Quick;
use crate::vdev::gic::sgi::{Peers, SgiRegister};
use crate::vdev::gic::{Hardware, Partition};

/// SPIs 32, 40 and 63, and 64 + 1.
const OWNED: [u32; 2] = [0x8000_0101, 0x0000_0002];

fn read<const V3: bool>(board: &Model<V3>, offset: u32, bytes: u32) -> u64 {
    board.on(0, |vgic| vgic.read_distributor(offset, bytes))
}

fn write<const V3: bool>(board: &Model<V3>, offset: u32, bytes: u32, value: u64) {
    board.on(0, |vgic| vgic.write_distributor(offset, bytes, value));
}

#[test]
fn identification_of_gicv2() {
    let board = Model::<false>::new(&OWNED, 3, 4);
    assert_eq!(read(&board, 0x004, 4), 2 | 2 << 5, "GICD_TYPER: 96 interrupts, 3 interfaces");
    assert_eq!(read(&board, 0xfe8, 4) & 0xf0, 0x20, "GICD_ICPIDR2: GICv2");
    assert_eq!(read(&board, 0x000, 4), 0, "GICD_CTLR");
    write(&board, 0x000, 4, 0xffff_ffff);
    assert_eq!(read(&board, 0x000, 4), 3);
}

#[test]
fn identification_of_gicv3() {
    let board = Model::<true>::new(&OWNED, 3, 4);
    assert_eq!(read(&board, 0x004, 4), 2 | 9 << 19 | 1 << 25, "GICD_TYPER: 96 interrupts, 10 INTID bits, No1N");
    assert_eq!(read(&board, 0xffe8, 4) & 0xf0, 0x30, "GICD_PIDR2: GICv3");
    assert_eq!(read(&board, 0x000, 4), 0x50, "GICD_CTLR: ARE and DS");
    write(&board, 0x000, 4, 0x13);
    assert_eq!(read(&board, 0x000, 4), 0x53);
    for vcpu in 0..3u32 {
        let at = |register: u32| board.on(1, |vgic| vgic.read_redistributor(vcpu << 17 | register, 8));
        let last = u64::from(vcpu == 2) << 4;
        assert_eq!(at(0x008), u64::from(vcpu) << 32 | u64::from(vcpu) << 8 | last, "GICR_TYPER");
    }
    let wide = board.on(0, |vgic| vgic.read_redistributor(2 << 17 | 0x008, 4));
    let high = board.on(0, |vgic| vgic.read_redistributor(2 << 17 | 0x00c, 4));
    assert_eq!((wide, high), (0x210, 2), "GICR_TYPER by halves");
    assert_eq!(board.on(0, |vgic| vgic.read_redistributor(0xffe8, 4)) & 0xf0, 0x30, "GICR_PIDR2");
    assert_eq!(board.on(0, |vgic| vgic.read_redistributor(3 << 17 | 0xffe8, 4)), 0, "past the last");
}

#[test]
fn a_redistributor_sleeps_and_wakes_as_it_is_told() {
    let board = Model::<true>::started(&OWNED, 2, 4, (0, 0));
    let waker = |vcpu: u32| board.on(0, |vgic| vgic.read_redistributor(vcpu << 17 | 0x14, 4));
    assert_eq!(waker(1), 6, "ProcessorSleep and ChildrenAsleep after reset");
    board.on(0, |vgic| vgic.write_redistributor(1 << 17 | 0x14, 4, 0));
    assert_eq!((waker(0), waker(1)), (6, 0));
}

#[test]
fn one_bit_registers_answer_under_the_owners_mask() {
    let board = Model::<true>::started(&OWNED, 1, 4, (0, 0));
    for (set, clear) in [(0x104, 0x184), (0x204, 0x284), (0x304, 0x384)] {
        write(&board, set, 4, 0xffff_ffff);
        assert_eq!(read(&board, set, 4), 0x8000_0101);
        assert_eq!(read(&board, clear, 4), 0x8000_0101);
        write(&board, clear, 4, 0x8000_0000);
        assert_eq!(read(&board, set, 4), 0x0000_0101);
        write(&board, clear, 4, 0xffff_ffff);
        assert_eq!(read(&board, clear, 4), 0);
    }
    assert_eq!(read(&board, 0x084, 4), 0x8000_0101, "GICD_IGROUPR1: group 1 after reset");
    write(&board, 0x084, 4, 0x0000_0001);
    assert_eq!(read(&board, 0x084, 4), 0x0000_0001);
    write(&board, 0xc08, 4, 0xffff_ffff);
    assert_eq!(read(&board, 0xc08, 4), 2 | 2 << 16, "GICD_ICFGR2: 32 and 40");
    assert_eq!(read(&board, 0xc0c, 4), 0);
    write(&board, 0xc0c, 4, 0xaaaa_aaaa);
    assert_eq!(read(&board, 0xc0c, 4), 0x8000_0000, "GICD_ICFGR3: 63");
}

#[test]
fn with_affinity_routing_word_0_of_the_distributor_is_reserved() {
    let board = Model::<true>::started(&OWNED, 1, 4, (0, 0));
    let private =
        [0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x41c, 0x800, 0xc00, 0xc04, 0xf00, 0xf10, 0xf20];
    for offset in private {
        write(&board, offset, 4, 0xffff_ffff);
        assert_eq!(read(&board, offset, 4), 0, "GICD+{offset:#x}");
    }
    assert_eq!(board.private.borrow()[0], Default::default());
}

#[test]
fn gicv2_shows_private_interrupts_in_word_0() {
    let board = Model::<false>::started(&OWNED, 2, 4, (0, 0));
    assert_eq!(read(&board, 0x100, 4), 0xffff, "SGIs are always enabled");
    write(&board, 0x180, 4, 0xffff_ffff);
    write(&board, 0x100, 4, 1 << 27);
    assert_eq!(read(&board, 0x100, 4), 0xffff | 1 << 27);
    assert_eq!(board.on(1, |vgic| vgic.read_distributor(0x100, 4)), 0xffff, "banked");
    assert_eq!(read(&board, 0xc00, 4), 0xaaaa_aaaa);
}

#[test]
fn priorities_take_bytes_halves_and_words() {
    let board = Model::<false>::started(&OWNED, 1, 4, (0, 0));
    write(&board, 0x420, 4, 0xffff_ffff);
    assert_eq!(read(&board, 0x420, 4), 0xf8, "five bits, and 33 to 35 are not the guest's");
    write(&board, 0x428, 1, 0x47);
    assert_eq!(read(&board, 0x428, 1), 0x40);
    assert_eq!(read(&board, 0x428, 2), 0x40);
    write(&board, 0x43e, 2, 0x8000);
    assert_eq!(read(&board, 0x43f, 1), 0x80);
    assert_eq!(read(&board, 0x43c, 4), 0x8000_0000);
    assert_eq!(read(&board, 0x43d, 2), 0, "unaligned");
    assert_eq!(read(&board, 0x438, 8), 0, "no doublewords");
    write(&board, 0x41b, 1, 0x50);
    assert_eq!(read(&board, 0x418, 4), 0x5000_0000, "PPI 27");
    write(&board, 0x419, 1, 0x50);
    assert_eq!(read(&board, 0x419, 1), 0, "PPI 25 is EL2's");
}

#[test]
fn gicv2_targets_are_the_partitions_interfaces() {
    let board = Model::<false>::started(&OWNED, 2, 4, (0, 0));
    assert_eq!(read(&board, 0x800, 4), 0x0101_0101);
    assert_eq!(board.on(1, |vgic| vgic.read_distributor(0x81c, 4)), 0x0202_0202);
    assert_eq!(read(&board, 0x820, 1), 1, "reset target");
    write(&board, 0x820, 1, 0xff);
    assert_eq!(read(&board, 0x820, 4), 3);
    assert_eq!(board.targets.borrow()[32], 3);
    write(&board, 0x820, 1, 0xf0);
    assert_eq!((read(&board, 0x820, 1), board.targets.borrow()[32]), (0, 0));
    write(&board, 0x821, 1, 1);
    assert_eq!(board.targets.borrow()[33], 0, "33 is not the guest's");
}

#[test]
fn gicv3_routes_take_doublewords_and_halves_and_ignore_foreign_affinities() {
    let board = Model::<true>::started(&OWNED, 20, 4, (0, 0));
    let router = 0x6000 + 8 * 40;
    write(&board, router, 8, 3);
    assert_eq!((read(&board, router, 8), board.targets.borrow()[40]), (3, 3));
    write(&board, router, 4, 0x102);
    assert_eq!((read(&board, router, 8), board.targets.borrow()[40]), (0x102, 18), "cluster 1, core 2");
    for affinity in [20, 0x104, 0x1_0000, 0x1_0000_0003, 16] {
        write(&board, router, 8, affinity);
        assert_eq!(read(&board, router, 8), 0x102, "no core has {affinity:#x}");
    }
    write(&board, router + 4, 4, 0xff);
    assert_eq!((read(&board, router + 4, 4), read(&board, router, 8)), (0, 0x102));
    write(&board, router, 8, 1 << 31 | 1);
    assert_eq!(read(&board, router, 8), 1, "no 1-of-N: the mode bit is RES0");
    write(&board, 0x6000 + 8 * 33, 8, 1);
    assert_eq!((read(&board, 0x6000 + 8 * 33, 8), board.targets.borrow()[33]), (0, 0));
    assert_eq!(read(&board, router + 4, 8), 0, "unaligned");
    assert_eq!(read(&board, router, 2), 0);
}

#[test]
fn word_registers_refuse_every_other_size() {
    let board = Model::<true>::started(&OWNED, 1, 4, (0, 0));
    for offset in (0x000..0x400).chain(0xc00..0xd00) {
        for bytes in [1, 2, 8] {
            write(&board, offset, bytes, 0xffff_ffff_ffff_ffff);
            assert_eq!(read(&board, offset, bytes), 0, "GICD+{offset:#x}, {bytes} bytes");
        }
        if offset & 3 != 0 {
            write(&board, offset, 4, 0xffff_ffff);
            assert_eq!(read(&board, offset, 4), 0, "GICD+{offset:#x} is unaligned");
        }
    }
    assert!(board.shared.borrow().iter().all(|word| *word == Default::default()));
}

#[test]
fn gicv3_sgis_follow_target_list_mode_and_group() {
    let board = Model::<true>::started(&OWNED, 18, 4, (0, 0));
    let pending = || -> Vec<usize> {
        let taken =
            board.mailboxes.iter().map(|mailbox| mailbox.sgi_pending.swap(0, std::sync::atomic::Ordering::Relaxed));
        taken.enumerate().filter(|(_, word)| *word == 1 << 5).map(|(vcpu, _)| vcpu).collect()
    };
    let send = |register, value: u64| board.on(2, |vgic| vgic.send_sgi(register, 5 << 24 | value));
    send(SgiRegister::Group1, 0b1010);
    assert_eq!(pending(), [1, 3]);
    send(SgiRegister::Group1, 1 << 16 | 0xffff);
    assert_eq!(pending(), [16, 17], "cluster 1 has two cores");
    send(SgiRegister::Group1, 1 << 40);
    assert_eq!(pending(), (0..18).filter(|vcpu| *vcpu != 2).collect::<Vec<_>>());
    for foreign in [1 << 48 | 1, 1 << 32 | 1, 1 << 44 | 1, 2 << 16 | 1, 0] {
        send(SgiRegister::Group1, foreign);
        assert_eq!(pending(), [0usize; 0], "{foreign:#x}");
    }
    send(SgiRegister::Group0, 1);
    send(SgiRegister::Alternate, 1);
    assert_eq!(pending(), [0usize; 0], "SGI 5 is in group 1");
    board.on(0, |vgic| vgic.write_redistributor(0x1_0080, 4, 0));
    send(SgiRegister::Group0, 1);
    assert_eq!(pending(), [0]);
    send(SgiRegister::Group1, 1);
    assert_eq!(pending(), [0usize; 0], "SGI 5 of core 0 is in group 0");
}

#[test]
fn a_quick_sgi_is_the_same_as_one_that_is_not() {
    let [one, two] = [0, 1].map(|_| Model::<true>::started(&OWNED, 5, 4, (0, 0)));
    let pending = |board: &Model<true>| -> Vec<u32> {
        let words = board.mailboxes.iter().map(|mailbox| &mailbox.sgi_pending);
        words.map(|word| word.swap(0, std::sync::atomic::Ordering::Relaxed)).collect()
    };
    for (vcpu, mailbox) in one.mailboxes.iter().enumerate() {
        mailbox.ipi_word.store(100 + vcpu as u64, std::sync::atomic::Ordering::Relaxed);
    }
    let peers = Peers::new(&one.mailboxes[2], |vcpu| one.mailboxes.get(vcpu).filter(|_| vcpu != 2));
    let mut quick = vec![];
    for targets in 0..64u64 {
        for more in [0, 1 << 40, 1 << 16, 1 << 32, 1 << 44, 1 << 48, 1 << 15] {
            let value = targets | more | 9 << 24;
            if let Some(word) = peers.post(value) {
                two.on(2, |vgic| vgic.send_sgi(SgiRegister::Group1, value));
                assert_eq!(pending(&one), pending(&two), "{value:#x}");
                assert_eq!(two.kicked.borrow().iter().position(|kicked| *kicked), Some(word as usize - 100));
                two.kicked.borrow_mut().fill(false);
                quick.push(value & 0xffff);
            }
        }
    }
    assert_eq!(quick, [1, 2, 8, 16], "one target, not oneself");
    one.on(0, |vgic| vgic.write_redistributor(0x1_0080, 4, 0));
    assert_eq!(peers.post(9 << 24 | 1), None, "SGI 9 of core 0 is in group 0");
}

#[test]
fn a_quick_sgi_of_gicv2_is_the_same_as_one_that_is_not() {
    let [one, two] = [0, 1].map(|_| Model::<false>::started(&OWNED, 3, 4, (0, 0)));
    for (vcpu, mailbox) in one.mailboxes.iter().enumerate() {
        mailbox.ipi_word.store(100 + vcpu as u64, std::sync::atomic::Ordering::Relaxed);
    }
    let peers = Peers::new(&one.mailboxes[1], |vcpu| one.mailboxes.get(vcpu).filter(|_| vcpu != 1));
    let sources = |board: &Model<false>| [0, 1, 2].map(|vcpu| board.mailboxes[vcpu].sources(6));
    let mut quick = vec![];
    for filter_and_targets in 0..0x400 {
        let value = filter_and_targets << 16 | 1 << 15 | 6;
        if let Some(word) = peers.post_v2(1, value) {
            two.on(1, |vgic| vgic.write_distributor(0xf00, 4, value.into()));
            assert_eq!(sources(&one), sources(&two), "{value:#x}");
            assert_eq!(two.kicked.borrow().iter().position(|kicked| *kicked), Some(word as usize - 100));
            two.kicked.borrow_mut().fill(false);
            quick.push(filter_and_targets);
        }
    }
    assert_eq!(quick, [1, 4], "by list, one target, not oneself");
}

#[test]
fn gicv2_sgis_follow_the_three_filters() {
    let board = Model::<false>::started(&OWNED, 3, 4, (0, 0));
    let sources = |vcpu: usize| board.on(vcpu, |vgic| vgic.read_distributor(0xf20 + 4, 1));
    let send = |value: u64| board.on(1, |vgic| vgic.write_distributor(0xf00, 4, value | 4));
    send(0xf5 << 16);
    assert_eq!([sources(0), sources(1), sources(2)], [2, 0, 2], "list; interfaces 4 to 7 do not exist");
    board.on(0, |vgic| vgic.write_distributor(0xf14, 1, 0xff));
    board.on(2, |vgic| vgic.write_distributor(0xf14, 1, 1));
    assert_eq!([sources(0), sources(2)], [0, 2], "GICD_CPENDSGIR clears the named sources");
    board.on(2, |vgic| vgic.write_distributor(0xf14, 1, 2));
    send(1 << 24);
    assert_eq!([sources(0), sources(1), sources(2)], [2, 0, 2], "all but self");
    send(2 << 24);
    assert_eq!(sources(1), 2, "self");
    send(3 << 24 | 0xff << 16);
    assert_eq!(sources(1), 2, "reserved filter");
    board.on(0, |vgic| vgic.write_distributor(0xf24, 4, 0x0000_0500));
    assert_eq!(board.on(0, |vgic| vgic.read_distributor(0xf25, 1)), 5, "GICD_SPENDSGIR");
}

/// The model's words as the frames that the quick registers work on: GICD, or with `vcpu` its private registers.
struct Frame<'a>(&'a Model<true>, Option<usize>);

impl Mmio for Frame<'_> {
    fn read(&self, offset: u32) -> u32 {
        self.0.on(0, |vgic| {
            self.1.map_or_else(|| vgic.hardware.read(offset), |vcpu| vgic.hardware.read_private(vcpu, offset))
        })
    }

    fn write(&self, offset: u32, value: u32) {
        self.0.on(0, |vgic| vgic.hardware.write(offset, value));
    }

    fn write_byte(&self, _: u32, _: u8) {
        unreachable!("words only");
    }

    fn write_double(&self, _: u32, _: u64) {
        unreachable!("words only");
    }
}

#[test]
fn what_is_quick_is_the_same_as_what_is_not() {
    let made = (3, 0xff);
    let [one, two] = [0, 1].map(|_| Model::<true>::started(&OWNED, 2, 4, made));
    for board in [&one, &two] {
        for word in board.shared.borrow_mut().iter_mut().skip(1) {
            *word = Word { enabled: 0x8123_4567, ..Word::default() };
        }
        board.private.borrow_mut()[1].enabled = 0xffff_ffff;
        board.on(1, |vgic| vgic.write_redistributor(1 << 17 | 0x1_0100, 4, 0x5555));
    }
    let partition = Partition::new(&OWNED, 2, true, true).with_made(made.0, made.1, true);
    let (gicd, private) = (Frame(&one, None), Frame(&one, Some(1)));
    let quick = Quick { gicd: &gicd, private, partition: &partition, own: &one.mailboxes[1], home: &one.mailboxes[0] };
    let (mut reads, mut writes) = (0, 0);
    for offset in 0..0x1000 {
        if let Some(value) = quick.read_distributor(offset) {
            reads += 1;
            assert_eq!(u64::from(value), two.on(1, |vgic| vgic.read_distributor(offset, 4)), "GICD+{offset:#x}");
        }
        if let Some(value) = quick.read_private(offset) {
            let expected = two.on(1, |vgic| vgic.read_redistributor(1 << 17 | 0x1_0000 | offset, 4));
            assert_eq!(u64::from(value), expected, "GICR+{offset:#x}");
        }
        if quick.write_distributor(offset, 0x7fff_0003) {
            writes += 1;
            two.on(1, |vgic| vgic.write_distributor(offset, 4, 0x7fff_0003));
            assert_eq!(*one.shared.borrow(), *two.shared.borrow(), "GICD+{offset:#x}");
        }
    }
    assert_eq!(
        (reads, writes),
        (5, 2),
        "GICD_TYPER and both words of enables, twice; word 3 holds nothing of hardware's"
    );
}

#[test]
fn a_word_with_interrupts_of_hardware_and_of_el2_is_quick_unless_one_of_el2_s_is_enabled_anew() {
    const MADE: u32 = 0xfe;
    let [one, two] = [0, 1].map(|_| Model::<true>::started(&OWNED, 2, 4, (1, MADE)));
    let partition = Partition::new(&OWNED, 2, true, true).with_made(1, MADE, true);
    let (gicd, private) = (Frame(&one, None), Frame(&one, Some(1)));
    let [own, home] = [&one.mailboxes[1], &one.mailboxes[0]];
    let quick = Quick { gicd: &gicd, private, partition: &partition, own, home };
    for enabled in [0xff_u32, 0x03] {
        for board in [&one, &two] {
            board.on(1, |vgic| vgic.write_distributor(0x184, 4, 0xffff_ffff));
            board.on(1, |vgic| vgic.write_distributor(0x104, 4, enabled.into()));
        }
        for value in (0..=0xff_u32).map(|low| low << 24 | low << 4 & 0x100 | low) {
            let quickly = quick.write_distributor(0x104, value);
            assert_eq!(quickly, value & MADE & !enabled == 0, "{value:#x} over {enabled:#x}");
            if quickly {
                two.on(1, |vgic| vgic.write_distributor(0x104, 4, value.into()));
            }
            assert_eq!(*one.shared.borrow(), *two.shared.borrow(), "{value:#x}");
            for offset in [0x104, 0x184] {
                let expected = two.on(1, |vgic| vgic.read_distributor(offset, 4));
                assert_eq!(quick.read_distributor(offset).map(u64::from), Some(expected), "{value:#x}");
            }
        }
    }
}
