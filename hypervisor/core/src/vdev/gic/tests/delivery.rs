//! None lost, none delivered twice: the guest's view under random events, against what the architecture says is pending.

use std::collections::BTreeMap;

use super::random::Random;
use crate::vdev::gic::list_register::ListRegister;
use crate::vdev::gic::model::Model;

const OWNED: [u32; 2] = [0x0000_0fff, 0x0000_000f];
/// EL2 makes INTIDs 72 and 73.
const MADE: (u32, u32) = (2, 0x300);

/// What a guest may rightly be given: (virtual core, INTID, source); SPIs have core 0 here.
type Key = (usize, u32, u8);

struct Run<const V3: bool> {
    board: Model<V3>,
    random: Random,
    /// How often each may come. A physical edge counts once more while EL2 has the one before in a list register.
    pending: BTreeMap<Key, u32>,
    /// Acknowledged by a guest in EOI mode 1, dropped and not deactivated.
    dropped: Vec<Vec<u32>>,
    split: bool,
    log: Vec<String>,
}

impl<const V3: bool> Run<V3> {
    fn new(seed: u64, list_registers: usize, split: bool) -> Self {
        let board = Model::<V3>::started(&OWNED, 2, list_registers, MADE);
        let mut run = Self {
            board,
            random: Random(seed),
            pending: BTreeMap::new(),
            dropped: vec![vec![]; 2],
            split,
            log: vec![],
        };
        run.configure();
        run
    }

    /// Everything enabled; SPIs edge-triggered, with random priorities and routes.
    fn configure(&mut self) {
        for word in [0x104, 0x108] {
            self.board.on(0, |vgic| vgic.write_distributor(word, 4, 0xffff_ffff));
        }
        for word in 2..6 {
            self.board.on(0, |vgic| vgic.write_distributor(0xc00 + 4 * word, 4, 0xffff_ffff));
        }
        for vcpu in 0..2 {
            self.enable_private(vcpu);
            for intid in 0..96 {
                let priority = self.random.next();
                self.set_priority(vcpu, intid, priority);
            }
        }
        for intid in 32..96u32 {
            let vcpu = self.random.below(2);
            self.route(intid, vcpu);
        }
    }

    fn enable_private(&self, vcpu: usize) {
        if V3 {
            self.board.on(vcpu, |vgic| vgic.write_redistributor((vcpu as u32) << 17 | 0x1_0100, 4, 0xffff_ffff));
        } else {
            self.board.on(vcpu, |vgic| vgic.write_distributor(0x100, 4, 0xffff_ffff));
        }
    }

    fn set_priority(&self, vcpu: usize, intid: u32, priority: u64) {
        if V3 && intid < 32 {
            self.board.on(vcpu, |v| v.write_redistributor((vcpu as u32) << 17 | 0x1_0400 | intid, 1, priority & 0xff));
        } else {
            self.board.on(vcpu, |vgic| vgic.write_distributor(0x400 + intid, 1, priority & 0xff));
        }
    }

    fn route(&self, intid: u32, vcpu: u64) {
        if V3 {
            self.board.on(0, |vgic| vgic.write_distributor(0x6000 + 8 * intid, 8, vcpu));
        } else {
            self.board.on(0, |vgic| vgic.write_distributor(0x800 + intid, 1, 1 << vcpu));
        }
    }

    fn spi(&mut self) -> u32 {
        let all: Vec<u32> = (0..12).map(|low| 32 + low).chain((0..4).map(|low| 64 + low)).collect();
        all[self.random.below(all.len() as u64) as usize]
    }

    fn event(&mut self) {
        let vcpu = self.random.below(2) as usize;
        match self.random.below(12) {
            0..3 => self.edge(),
            3 => self.timer(vcpu),
            4 | 5 => self.sgi(vcpu),
            6 => self.made(),
            7 => self.set_pending_by_guest(vcpu),
            8 | 9 => self.acknowledge(vcpu),
            10 => self.end(vcpu),
            _ => self.deactivate(vcpu),
        }
        self.board.settle();
    }

    fn edge(&mut self) {
        let intid = self.spi();
        self.log.push(format!("edge {intid}"));
        if self.board.shared.borrow()[intid as usize / 32].latch >> (intid % 32) & 1 == 0 {
            *self.pending.entry((0, intid, 0)).or_default() += 1;
        }
        self.board.set_line(intid, true);
        self.board.set_line(intid, false);
    }

    /// Pending, where a second cause adds nothing to the first.
    fn expect(&mut self, key: Key) {
        let count = self.pending.entry(key).or_default();
        *count = (*count).max(1);
    }

    fn timer(&mut self, vcpu: usize) {
        self.log.push(format!("timer of {vcpu}"));
        if self.board.private.borrow()[vcpu].latch >> 27 & 1 == 0 {
            *self.pending.entry((vcpu, 27, 0)).or_default() += 1;
        }
        self.board.pulse_private(vcpu, 27);
    }

    fn sgi(&mut self, from: usize) {
        let (intid, to) = (self.random.below(4) as u32, self.random.below(2) as usize);
        self.log.push(format!("SGI {intid} {from}->{to}"));
        if V3 {
            let value = u64::from(intid) << 24 | 1 << to;
            self.board.on(from, |vgic| vgic.send_sgi(crate::vdev::gic::sgi::SgiRegister::Group1, value));
        } else {
            let value = u64::from(intid) | 1 << (16 + to);
            self.board.on(from, |vgic| vgic.write_distributor(0xf00, 4, value));
        }
        self.expect((to, intid, if V3 { 0 } else { from as u8 }));
    }

    fn made(&mut self) {
        let intid = 72 + self.random.below(2) as u32;
        self.log.push(format!("made {intid}"));
        self.board.on(self.random.below(2) as usize, |vgic| vgic.raise(intid));
        self.expect((0, intid, 0));
    }

    fn set_pending_by_guest(&mut self, vcpu: usize) {
        let intid = self.spi();
        // Another core's list register is not seen: only what that core may do to its own is exact.
        if self.board.spis.holder(intid).is_some_and(|holder| holder != vcpu) {
            return;
        }
        self.log.push(format!("GICD_ISPENDR {intid}"));
        self.board.on(vcpu, |vgic| vgic.write_distributor(0x200 + intid / 32 * 4, 4, 1 << (intid % 32)));
        self.expect((0, intid, 0));
    }

    fn acknowledge(&mut self, vcpu: usize) {
        let wakes = self.board.on(vcpu, |vgic| vgic.is_pending());
        let Some((intid, source)) = self.board.guest_acknowledge(vcpu) else { return };
        assert!(wakes, "INTID {intid} would not wake virtual core {vcpu}\n{:#?}", self.log);
        self.log.push(format!("{vcpu} takes {intid}"));
        let key = (if intid < 32 { vcpu } else { 0 }, intid, source);
        let count = self.pending.get_mut(&key).filter(|count| **count > 0);
        let count = count.unwrap_or_else(|| panic!("INTID {intid} came without cause\n{:#?}", self.log));
        *count -= 1;
    }

    fn end(&mut self, vcpu: usize) {
        let ended = if self.split { self.board.guest_drop(vcpu) } else { self.board.guest_end(vcpu) };
        if let Some(intid) = ended {
            self.log.push(format!("{vcpu} ends {intid}"));
            self.dropped[vcpu].extend(self.split.then_some(intid));
        }
    }

    fn deactivate(&mut self, vcpu: usize) {
        if self.dropped[vcpu].is_empty() {
            return;
        }
        let at = self.random.below(self.dropped[vcpu].len() as u64) as usize;
        let intid = self.dropped[vcpu].swap_remove(at);
        self.log.push(format!("{vcpu} deactivates {intid}"));
        self.board.guest_deactivate(vcpu, intid);
    }

    fn is_busy(&self) -> bool {
        let running = self.board.interfaces.borrow().iter().any(|interface| !interface.running.is_empty());
        running || self.dropped.iter().any(|dropped| !dropped.is_empty())
    }

    /// The guest takes and ends everything that is left; then nothing may be left.
    fn drain(&mut self) {
        while self.pending.values().any(|count| *count > 0) || self.is_busy() {
            let before = self.log.len();
            for vcpu in 0..2 {
                self.acknowledge(vcpu);
                self.board.settle();
                self.end(vcpu);
                self.board.settle();
                self.deactivate(vcpu);
                self.board.settle();
            }
            if self.log.len() == before {
                break;
            }
        }
        self.pending.retain(|_, count| *count > 0);
        assert!(self.pending.is_empty(), "lost: {:?}\n{:#?}", self.pending, self.log);
        for vcpu in 0..2 {
            assert!(
                !self.board.on(vcpu, |vgic| vgic.is_pending()),
                "virtual core {vcpu} never sleeps\n{:#?}",
                self.log
            );
        }
        for word in self.board.shared.borrow().iter().chain(self.board.private.borrow().iter()) {
            assert_eq!((word.active, word.latch), (0, 0), "a physical interrupt stays behind\n{:#?}", self.log);
        }
    }
}

fn random_runs<const V3: bool>(split: bool, list_registers: &[usize]) {
    for count in list_registers {
        for seed in 1..20 {
            let mut run = Run::<V3>::new(seed * 0x9e37_79b9, *count, split);
            for _ in 0..300 {
                run.event();
            }
            run.drain();
        }
    }
}

#[test]
fn none_is_lost_and_none_comes_twice_on_gicv2() {
    random_runs::<false>(false, &[1, 2, 3, 4, 16]);
}

#[test]
fn none_is_lost_and_none_comes_twice_on_gicv3() {
    random_runs::<true>(false, &[1, 2, 3, 4, 16]);
}

#[test]
fn none_is_lost_and_none_comes_twice_with_split_ends_on_gicv3() {
    random_runs::<true>(true, &[1, 2, 4]);
}

/// GICv2's DIR does not trap, so an end of a parked interrupt names none: with as many list registers as interrupts that
/// the guest holds active, nothing is parked.
#[test]
fn none_is_lost_and_none_comes_twice_with_split_ends_on_gicv2() {
    random_runs::<false>(true, &[32]);
}

#[test]
fn the_highest_priority_comes_first_through_one_list_register() {
    let run = Run::<true>::new(3, 1, false);
    for intid in 32..44 {
        run.set_priority(0, intid, u64::from(0xf8 - (intid - 32) * 8));
        run.route(intid, 0);
        run.board.set_line(intid, true);
    }
    run.board.settle();
    for expected in (32..44).rev() {
        assert_eq!(run.board.guest_acknowledge(0), Some((expected, 0)));
        run.board.set_line(expected, false);
        run.board.guest_end(0);
        run.board.settle();
    }
}

#[test]
fn an_urgent_interrupt_gets_through_when_all_list_registers_are_active() {
    let run = Run::<true>::new(3, 2, true);
    for (intid, priority) in [(32, 0xa0), (33, 0x90), (34, 0x10)] {
        run.route(intid, 0);
        run.set_priority(0, intid, priority);
    }
    for intid in [32, 33] {
        run.board.set_line(intid, true);
        run.board.settle();
        assert_eq!(run.board.guest_acknowledge(0), Some((intid, 0)));
        run.board.guest_drop(0);
    }
    run.board.set_line(34, true);
    run.board.settle();
    assert_eq!(run.board.guest_acknowledge(0), Some((34, 0)));
    assert_eq!(run.board.on(0, |vgic| vgic.read_distributor(0x304, 4)), 7, "GICD_ISACTIVER1: all three");
    for intid in [32, 33, 34] {
        run.board.guest_deactivate(0, intid);
    }
    assert_eq!(run.board.on(0, |vgic| vgic.read_distributor(0x304, 4)), 0);
}

#[test]
fn a_level_interrupt_comes_again_while_its_line_is_high() {
    let run = Run::<true>::new(3, 4, false);
    run.board.on(0, |vgic| vgic.write_distributor(0xc08, 4, 0));
    run.route(32, 0);
    run.board.set_line(32, true);
    for _ in 0..3 {
        run.board.settle();
        assert_eq!(run.board.guest_acknowledge(0), Some((32, 0)));
        run.board.guest_end(0);
    }
    run.board.settle();
    assert_eq!(run.board.guest_acknowledge(0), Some((32, 0)));
    run.board.set_line(32, false);
    run.board.guest_end(0);
    run.board.settle();
    assert_eq!(run.board.guest_acknowledge(0), None);
}

#[test]
fn a_made_line_comes_again_while_high_and_is_taken_back_when_it_falls() {
    let run = Run::<true>::new(3, 4, false);
    run.board.on(0, |vgic| vgic.write_distributor(0xc10, 4, 0));
    run.route(72, 0);
    run.board.on(0, |vgic| vgic.set_line(72, true));
    for _ in 0..3 {
        run.board.settle();
        assert_eq!(run.board.guest_acknowledge(0), Some((72, 0)));
        run.board.guest_end(0);
    }
    run.board.settle();
    assert_eq!(run.board.on(0, |vgic| vgic.read_distributor(0x208, 4)), 0x100, "GICD_ISPENDR2");
    run.board.on(0, |vgic| vgic.set_line(72, false));
    assert_eq!(run.board.guest_acknowledge(0), None);
    assert_eq!(run.board.on(0, |vgic| vgic.read_distributor(0x208, 4)), 0);
}

fn disabled_is_not_delivered<const V3: bool>(disabling_vcpu: usize) {
    let run = Run::<V3>::new(3, 4, false);
    run.route(33, 0);
    run.board.set_line(33, true);
    run.board.settle();
    run.board.on(disabling_vcpu, |vgic| vgic.write_distributor(0x184, 4, 2));
    run.board.settle();
    assert_eq!(run.board.guest_acknowledge(0), None, "disabled while it was in a list register");
    assert_eq!(run.board.on(disabling_vcpu, |vgic| vgic.read_distributor(0x204, 4)), 2, "still pending");
    assert_eq!(run.board.on(disabling_vcpu, |vgic| vgic.read_distributor(0x304, 4)), 0, "and not active");
    run.board.on(disabling_vcpu, |vgic| vgic.write_distributor(0x104, 4, 2));
    run.board.settle();
    assert_eq!(run.board.guest_acknowledge(0), Some((33, 0)), "enabled again");
}

#[test]
fn a_disabled_interrupt_is_taken_back_and_stays_pending() {
    disabled_is_not_delivered::<true>(0);
    disabled_is_not_delivered::<true>(1);
    disabled_is_not_delivered::<false>(0);
    disabled_is_not_delivered::<false>(1);
}

#[test]
fn a_cleared_interrupt_is_taken_back_for_good() {
    for clearing_vcpu in [0, 1] {
        let run = Run::<true>::new(3, 4, false);
        run.route(33, 0);
        run.board.set_line(33, true);
        run.board.set_line(33, false);
        run.board.settle();
        run.board.on(clearing_vcpu, |vgic| vgic.write_distributor(0x284, 4, 2));
        run.board.settle();
        assert_eq!(run.board.guest_acknowledge(0), None);
        assert_eq!(run.board.shared.borrow()[1].active, 0, "free to come again");
    }
}

#[test]
fn clearing_active_never_sets_free_what_is_pending_in_a_list_register() {
    for clearing_vcpu in [0, 1] {
        let run = Run::<true>::new(3, 4, false);
        run.route(33, 0);
        run.board.on(0, |vgic| vgic.write_distributor(0xc08, 4, 0));
        run.board.set_line(33, true);
        run.board.settle();
        run.board.on(clearing_vcpu, |vgic| vgic.write_distributor(0x384, 4, 2));
        run.board.settle();
        assert_eq!(run.board.guest_acknowledge(0), Some((33, 0)));
        run.board.settle();
        run.board.on(clearing_vcpu, |vgic| vgic.write_distributor(0x384, 4, 2));
        run.board.settle();
        let registers = run.board.interfaces.borrow()[0].registers.clone();
        let valid: Vec<_> = registers.iter().map(|raw| ListRegister(*raw)).filter(|r| r.is_valid()).collect();
        assert_eq!(valid.len(), 1, "deactivated, and pending again by its line");
        assert!(valid[0].is_pending() && !valid[0].is_active());
    }
}

#[test]
fn with_the_distributor_off_nothing_is_signalled_and_nothing_lost() {
    let run = Run::<false>::new(3, 4, false);
    run.route(33, 1);
    run.board.on(0, |vgic| vgic.write_distributor(0, 4, 0));
    run.board.settle();
    run.board.set_line(33, true);
    run.board.settle();
    assert_eq!(run.board.guest_acknowledge(1), None);
    run.board.on(0, |vgic| vgic.write_distributor(0, 4, 1));
    run.board.settle();
    assert_eq!(run.board.guest_acknowledge(1), Some((33, 0)));
}

#[test]
fn a_restart_finds_everything_off_idle_and_empty() {
    let mut run = Run::<true>::new(11, 2, true);
    for _ in 0..400 {
        run.event();
    }
    for vcpu in 0..2 {
        run.board.reset_interface(vcpu);
        run.board.on(vcpu, |vgic| vgic.leave_core());
    }
    run.board.on(0, |vgic| vgic.reset_partition());
    for word in run.board.shared.borrow().iter().chain(run.board.private.borrow().iter()) {
        assert_eq!((word.enabled, word.active, word.latch), (0, 0, 0));
    }
    for interface in run.board.interfaces.borrow().iter() {
        assert!(interface.registers.iter().all(|raw| *raw == 0));
        assert_eq!(interface.control, 0);
    }
    for offset in (0x104..0x400).step_by(4).filter(|offset| offset & 0x7f != 0) {
        assert_eq!(run.board.on(0, |vgic| vgic.read_distributor(offset, 4)), 0, "GICD+{offset:#x}");
    }
}
