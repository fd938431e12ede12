//! Where an SPI is while cores go on and off, routes change and the partition restarts: after every event in one place, and
//! in none where it cannot be delivered. What is right is written here from IHI 0069H 4.1.2 and IHI 0048B 3.2.4.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::random::Random;
use crate::vdev::gic::list_register::ListRegister;
use crate::vdev::gic::model::Model;
use crate::vdev::gic::state::Spis;

const CORES: usize = 3;
/// SPIs of hardware: levels, then edges.
const LEVELS: [u32; 4] = [32, 33, 34, 35];
const EDGES: [u32; 4] = [36, 37, 38, 39];
/// EL2 makes these two, in word 2: a level and an edge.
const MADE: (u32, u32) = (2, 0x300);
const MADE_LEVEL: u32 = 72;
const MADE_EDGE: u32 = 73;
const ALL: [u32; 10] = [32, 33, 34, 35, 36, 37, 38, 39, MADE_LEVEL, MADE_EDGE];

/// An SPI as the architecture has it.
#[derive(Clone, Copy, Debug, Default)]
struct Spi {
    enabled: bool,
    /// The cores that it may go to.
    targets: u32,
    line: bool,
    /// Deliveries that the events so far account for: at most so many, and at least one if it is `due`.
    most: u32,
    due: bool,
    active: Option<usize>,
}

struct Run<const V3: bool> {
    board: Model<V3>,
    random: Random,
    on: [bool; CORES],
    spis: [Spi; 10],
    /// Cores end what they have taken before they go off.
    tidy: bool,
    log: Vec<String>,
}

impl<const V3: bool> Run<V3> {
    fn new(seed: u64, list_registers: usize, tidy: bool) -> Self {
        let board = Model::<V3>::new(&[0xff], CORES, list_registers);
        board.made.set(MADE);
        let mut run =
            Self { board, random: Random(seed), on: [false; CORES], spis: Default::default(), tidy, log: vec![] };
        run.start();
        run
    }

    /// The partition's first core starts it, and its guest sets it up.
    fn start(&mut self) {
        self.board.on(0, |vgic| vgic.reset_partition());
        for (spi, intid) in self.spis.iter_mut().zip(ALL) {
            let line = spi.line && intid < MADE_LEVEL;
            *spi = Spi { targets: 1, line, most: u32::from(line), due: line, ..Spi::default() };
        }
        self.switch_on(0);
        self.write(0, 0, 4, 3);
        self.write(0, 0xc08, 4, 0xaa00);
        self.write(0, 0xc10, 4, 2 << 18);
        for intid in ALL {
            let priority = self.random.next() & 0xf8;
            self.write(0, 0x400 + intid, 1, priority);
        }
    }

    fn write(&self, vcpu: usize, offset: u32, bytes: u32, value: u64) {
        self.board.on(vcpu, |vgic| vgic.write_distributor(offset, bytes, value));
    }

    fn write_bit(&self, vcpu: usize, register: u32, intid: u32) {
        self.write(vcpu, register + intid / 32 * 4, 4, 1 << (intid % 32));
    }

    fn switch_on(&mut self, vcpu: usize) {
        self.on[vcpu] = true;
        self.board.reset_interface(vcpu);
        self.board.on(vcpu, |vgic| vgic.start_core());
    }

    fn running_core(&mut self) -> usize {
        let on: Vec<usize> = (0..CORES).filter(|vcpu| self.on[*vcpu]).collect();
        on[self.random.below(on.len() as u64) as usize]
    }

    fn event(&mut self) {
        let (at, vcpu) = (self.random.below(10) as usize, self.running_core());
        let intid = ALL[at];
        match self.random.below(40) {
            0..8 => self.device(at, vcpu),
            8..12 => self.enable(at, vcpu, self.spis[at].enabled),
            12..17 => self.route(at, vcpu),
            17..19 => self.power(),
            19 => self.clear_pending(at, vcpu),
            20 if EDGES.contains(&intid) => self.count_edge(at, |run| run.write_bit(vcpu, 0x200, intid)),
            21 => self.clear_active(at, vcpu),
            22 if self.random.below(20) == 0 => self.restart(),
            23..33 => self.acknowledge(vcpu),
            _ => self.end(vcpu),
        }
        self.board.settle();
        self.check();
    }

    /// A device's line rises or falls, or has an edge.
    fn device(&mut self, at: usize, vcpu: usize) {
        let (intid, high) = (ALL[at], !self.spis[at].line);
        self.log.push(format!("line of {intid}: {high}"));
        match intid {
            MADE_EDGE => {
                self.board.on(vcpu, |vgic| vgic.raise(intid));
                (self.spis[at].most, self.spis[at].due) = (1, true);
            }
            MADE_LEVEL => {
                self.board.on(vcpu, |vgic| vgic.set_line(intid, high));
                self.set_level(at, high);
            }
            _ if LEVELS.contains(&intid) => {
                self.board.set_line(intid, high);
                // A guest may be given what EL2 had taken for it when the line fell.
                self.set_level(at, high);
                self.spis[at].most = 1;
            }
            _ => self.count_edge(at, |run| {
                run.board.set_line(intid, true);
                run.board.set_line(intid, false);
            }),
        }
    }

    fn set_level(&mut self, at: usize, high: bool) {
        (self.spis[at].line, self.spis[at].due, self.spis[at].most) = (high, high, u32::from(high));
    }

    fn latch(&self, intid: u32) -> bool {
        self.board.shared.borrow()[intid as usize / 32].latch >> (intid % 32) & 1 == 1
    }

    /// Something that latches an edge, unless there is one that nobody has taken.
    fn count_edge(&mut self, at: usize, cause: impl FnOnce(&Self)) {
        self.log.push(format!("edge of {}", ALL[at]));
        let before = self.latch(ALL[at]);
        cause(self);
        self.spis[at].due = true;
        self.spis[at].most += u32::from(!before);
        self.spis[at].most = self.spis[at].most.max(1);
    }

    fn enable(&mut self, at: usize, vcpu: usize, was: bool) {
        self.log.push(format!("{vcpu} enables {}: {}", ALL[at], !was));
        self.write_bit(vcpu, if was { 0x180 } else { 0x100 }, ALL[at]);
        self.spis[at].enabled = !was;
    }

    fn route(&mut self, at: usize, vcpu: usize) {
        let targets = if V3 { 1 << self.random.below(CORES as u64) } else { self.random.word() & 7 };
        self.log.push(format!("{vcpu} routes {} to {targets:#b}", ALL[at]));
        if V3 {
            self.write(vcpu, 0x6000 + 8 * ALL[at], 8, targets.trailing_zeros().into());
        } else {
            self.write(vcpu, 0x800 + ALL[at], 1, targets.into());
        }
        self.spis[at].targets = targets;
    }

    fn power(&mut self) {
        let vcpu = self.random.below(CORES as u64) as usize;
        self.log.push(format!("power of {vcpu}, which was {}", self.on[vcpu]));
        if !self.on[vcpu] {
            self.switch_on(vcpu);
        } else if self.on.iter().filter(|on| **on).count() > 1 {
            while self.tidy && self.board.guest_end(vcpu).is_some() {
                self.board.settle();
            }
            self.spis.iter_mut().filter(|spi| self.tidy && spi.active == Some(vcpu)).for_each(|spi| spi.active = None);
            self.on[vcpu] = false;
            self.board.on(vcpu, |vgic| vgic.stop_core());
            self.board.interfaces.borrow_mut()[vcpu].running.clear();
        }
    }

    fn clear_pending(&mut self, at: usize, vcpu: usize) {
        self.log.push(format!("{vcpu} clears pending {}", ALL[at]));
        self.write_bit(vcpu, 0x280, ALL[at]);
        let high = self.spis[at].line;
        self.set_level(at, high);
    }

    fn clear_active(&mut self, at: usize, vcpu: usize) {
        self.log.push(format!("{vcpu} clears active {}", ALL[at]));
        self.write_bit(vcpu, 0x380, ALL[at]);
        if let Some(holder) = self.spis[at].active.take() {
            // Its guest is told, and ends it no more.
            self.board.interfaces.borrow_mut()[holder].running.retain(|entry| entry.0 != ALL[at]);
        }
    }

    /// SYSTEM_RESET.
    fn restart(&mut self) {
        self.log.push("restart".into());
        for vcpu in 0..CORES {
            self.board.reset_interface(vcpu);
            self.board.on(vcpu, |vgic| vgic.leave_core());
        }
        self.on = [false; CORES];
        self.start();
    }

    fn acknowledge(&mut self, vcpu: usize) {
        let Some((intid, _)) = self.board.guest_acknowledge(vcpu) else { return };
        self.log.push(format!("{vcpu} takes {intid}"));
        let at = ALL.iter().position(|other| *other == intid).expect("a known SPI");
        let (spi, latch) = (self.spis[at], self.latch(intid));
        let right = spi.enabled && spi.targets >> vcpu & 1 == 1 && spi.active.is_none() && spi.most > 0;
        assert!(right, "{intid} came to {vcpu} as {spi:?}\n{:#?}", self.log);
        let spi = &mut self.spis[at];
        spi.active = Some(vcpu);
        spi.most = if spi.line { 1 } else { spi.most - 1 };
        spi.due = spi.line || latch;
    }

    fn end(&mut self, vcpu: usize) {
        if let Some(intid) = self.board.guest_end(vcpu) {
            self.log.push(format!("{vcpu} ends {intid}"));
            self.spis[ALL.iter().position(|other| *other == intid).expect("a known SPI")].active = None;
        }
    }

    /// The cores that have `intid` somewhere, and whether it is active there.
    fn places(&self, intid: u32) -> Vec<(usize, bool)> {
        let mut places = vec![];
        for vcpu in 0..CORES {
            let registers = self.board.interfaces.borrow()[vcpu].registers.clone();
            let listed = registers.into_iter().map(ListRegister).filter(|register| register.is_valid());
            places.extend(listed.filter(|r| r.intid() == intid).map(|register| (vcpu, register.is_active())));
            let queues = self.board.queues.borrow();
            let queue = queues[vcpu].as_ref().expect("EL2 is left");
            places.extend(queue.waiting.contains(intid).then_some((vcpu, false)));
            places.extend(queue.parked.contains(intid).then_some((vcpu, true)));
        }
        places
    }

    fn check(&self) {
        for (spi, intid) in self.spis.iter().zip(ALL) {
            let places = self.places(intid);
            let context = || format!("{intid} in {places:?}, {spi:?}, on {:?}\n{:#?}", self.on, self.log);
            assert!(places.len() <= 1, "{}", context());
            if intid < MADE_LEVEL {
                let active = self.board.shared.borrow()[1].active >> (intid % 32) & 1 == 1;
                assert_eq!(active, !places.is_empty(), "physically active, or not: {}", context());
            }
            let reachable = (0..CORES).any(|vcpu| self.on[vcpu] && spi.targets >> vcpu & 1 == 1);
            match places.first() {
                Some((vcpu, true)) => assert_eq!(spi.active, Some(*vcpu), "{}", context()),
                Some((vcpu, false)) => {
                    let goes_there = spi.enabled && self.on[*vcpu] && spi.targets >> vcpu & 1 == 1;
                    assert!(goes_there && spi.active.is_none(), "{}", context());
                }
                None => {
                    assert_eq!(spi.active, None, "{}", context());
                    // What EL2 makes stays in its word while there is no room.
                    let may_wait = self.tidy && intid >= MADE_LEVEL;
                    assert!(may_wait || !(spi.due && spi.enabled && reachable), "nobody has it: {}", context());
                }
            }
        }
        for vcpu in (0..CORES).filter(|vcpu| !self.on[*vcpu]) {
            let interface = &self.board.interfaces.borrow()[vcpu];
            assert!(
                interface.registers.iter().all(|raw| !ListRegister(*raw).is_valid()),
                "core {vcpu} is off\n{:#?}",
                self.log
            );
            assert!(interface.control == 0 && !self.board.admitted.borrow()[vcpu]);
        }
    }

    /// With every core on and every interrupt enabled, what is due comes, and then nothing is left.
    fn drain(&mut self) {
        for vcpu in 0..CORES {
            if !self.on[vcpu] {
                self.switch_on(vcpu);
            }
        }
        for at in 0..ALL.len() {
            self.enable(at, 0, false);
            while self.spis[at].targets == 0 {
                self.route(at, 0);
            }
            self.clear_active(at, 0);
            self.board.settle();
        }
        for _ in 0..40 {
            for vcpu in 0..CORES {
                self.acknowledge(vcpu);
                for at in 0..ALL.len() {
                    if self.spis[at].active.is_some() && self.spis[at].line {
                        self.device(at, vcpu);
                    }
                }
                self.board.settle();
                self.end(vcpu);
                self.board.settle();
            }
        }
        for (spi, intid) in self.spis.iter().zip(ALL) {
            assert!(!spi.due && spi.active.is_none(), "{intid}: {spi:?} is left\n{:#?}", self.log);
        }
        let made = &self.board.mailboxes[0].made;
        assert_eq!((made.pending.load(Relaxed), made.level.load(Relaxed)), (0, 0), "{:#?}", self.log);
    }
}

fn runs<const V3: bool>(list_registers: usize, tidy: bool) {
    for seed in 1..30 {
        let mut run = Run::<V3>::new(seed * 0x9e37_79b9, list_registers, tidy);
        for _ in 0..300 {
            run.event();
        }
        run.drain();
    }
}

#[test]
fn of_cores_that_claim_an_interrupt_that_el2_makes_one_holds_it() {
    let (spis, winners, barrier) = (Spis::new(), AtomicU32::new(0), Barrier::new(3));
    std::thread::scope(|scope| {
        for vcpu in 0..3 {
            let (spis, winners, barrier) = (&spis, &winners, &barrier);
            scope.spawn(move || {
                for round in 1..=500 {
                    barrier.wait();
                    if spis.hold(MADE_EDGE, vcpu) {
                        assert!(spis.hold(MADE_EDGE, vcpu) && spis.holder(MADE_EDGE) == Some(vcpu), "once more");
                        winners.fetch_add(1, Relaxed);
                    }
                    if barrier.wait().is_leader() {
                        assert_eq!(winners.load(Relaxed), round);
                        spis.release(MADE_EDGE);
                    }
                }
            });
        }
    });
}

#[test]
fn an_spi_is_in_one_place_whatever_cores_and_routes_do_on_gicv2() {
    runs::<false>(16, false);
}

#[test]
fn an_spi_is_in_one_place_whatever_cores_and_routes_do_on_gicv3() {
    runs::<true>(16, false);
}

#[test]
fn an_spi_is_in_one_place_with_few_list_registers() {
    for list_registers in [1, 2, 4] {
        runs::<false>(list_registers, true);
        runs::<true>(list_registers, true);
    }
}
