//! A board for tests: a physical GIC with its pending, active and line states, and the virtual CPU interfaces, written
//! from the manuals' state diagrams (IHI 0048B 3.2.4, 5.2; IHI 0069H 4.1.2, 6.2) and from nothing in this crate.

use std::cell::{Cell, RefCell};

use super::list_register::{ListRegister, VirtualInterface, control};
use super::state::{Mailbox, Queue, Spis};
use super::{Hardware, Partition, Vgic, quick};

/// A physical GIC's bits for 32 interrupts.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub enabled: u32,
    pub latch: u32,
    pub line: u32,
    pub edge: u32,
    pub active: u32,
}

impl Word {
    fn pending(&self) -> u32 {
        self.latch | (self.line & !self.edge)
    }

    fn write(&mut self, register: u32, value: u32) {
        match register {
            0x100 => self.enabled |= value,
            0x180 => self.enabled &= !value,
            0x200 => self.latch |= value,
            0x280 => self.latch &= !value,
            0x300 => self.active |= value,
            0x380 => self.active &= !value,
            other => panic!("no word register: {other:#x}"),
        }
    }

    fn read(&self, register: u32) -> u32 {
        match register {
            0x100 | 0x180 => self.enabled,
            0x200 | 0x280 => self.pending(),
            0x300 | 0x380 => self.active,
            other => panic!("no word register: {other:#x}"),
        }
    }
}

/// One core's virtual interface and its guest's stack of running interrupts.
#[derive(Clone, Default)]
pub(crate) struct Interface {
    pub registers: Vec<u64>,
    pub control: u32,
    /// INTID and source of what the guest has acknowledged and not ended, the last running.
    pub running: Vec<(u32, u8, u8)>,
}

pub(crate) struct Model<const V3: bool> {
    pub shared: RefCell<[Word; 32]>,
    pub private: RefCell<Vec<Word>>,
    pub targets: RefCell<Vec<u8>>,
    pub interfaces: RefCell<Vec<Interface>>,
    pub kicked: RefCell<Vec<bool>>,
    /// Whether each core's CPU interface lets guests' interrupts through.
    pub admitted: RefCell<Vec<bool>>,
    pub mailboxes: Vec<Mailbox>,
    pub queues: RefCell<Vec<Option<Queue>>>,
    pub spis: Spis,
    pub owned: Vec<u32>,
    pub made: Cell<(u32, u32)>,
}

/// The model as one core sees it.
pub(crate) struct At<'a, const V3: bool> {
    board: &'a Model<V3>,
    vcpu: usize,
}

impl<const V3: bool> Model<V3> {
    pub fn new(owned: &[u32], vcpus: usize, list_registers: usize) -> Self {
        let interface = Interface { registers: vec![0; list_registers], ..Interface::default() };
        Self {
            shared: RefCell::default(),
            private: RefCell::new(vec![Word::default(); vcpus]),
            targets: RefCell::new(vec![0; 1024]),
            interfaces: RefCell::new(vec![interface; vcpus]),
            kicked: RefCell::new(vec![false; vcpus]),
            admitted: RefCell::new(vec![false; vcpus]),
            mailboxes: (0..vcpus).map(|_| Mailbox::new()).collect(),
            queues: RefCell::new((0..vcpus).map(|_| Some(Queue::new())).collect()),
            spis: Spis::new(),
            owned: owned.to_vec(),
            made: Cell::new((0, 0)),
        }
    }

    /// The same, started: reset, distributor and every private interrupt on.
    pub fn started(owned: &[u32], vcpus: usize, list_registers: usize, made: (u32, u32)) -> Self {
        let board = Self::new(owned, vcpus, list_registers);
        board.made.set(made);
        board.on(0, |vgic| vgic.reset_partition());
        for vcpu in 0..vcpus {
            board.on(vcpu, |vgic| vgic.start_core());
        }
        board.on(0, |vgic| vgic.write_distributor(0, 4, 3));
        board
    }

    /// What the caller of [`Vgic::start_core`] and [`Vgic::leave_core`] does first.
    pub fn reset_interface(&self, vcpu: usize) {
        let interface = &mut self.interfaces.borrow_mut()[vcpu];
        *interface = Interface { registers: vec![0; interface.registers.len()], ..Interface::default() };
    }

    pub fn vcpus(&self) -> usize {
        self.mailboxes.len()
    }

    /// Runs `what` as EL2 on `vcpu`'s core.
    pub fn on<T>(&self, vcpu: usize, what: impl FnOnce(&mut Vgic<'_, At<'_, V3>>) -> T) -> T {
        let mut queue = self.queues.borrow_mut()[vcpu].take().expect("EL2 is not re-entered");
        let partition = Partition::new(&self.owned, self.vcpus(), V3, true);
        let partition = partition.with_made(self.made.get().0, self.made.get().1, V3);
        let hardware = At { board: self, vcpu };
        let mut vgic = Vgic {
            hardware: &hardware,
            partition: &partition,
            spis: &self.spis,
            vcpu,
            own: &self.mailboxes[vcpu],
            queue: &mut queue,
        };
        let result = what(&mut vgic);
        self.queues.borrow_mut()[vcpu] = Some(queue);
        self.check_list_registers(vcpu);
        result
    }

    /// No two list registers hold one virtual INTID, whatever happened.
    fn check_list_registers(&self, vcpu: usize) {
        let registers = self.interfaces.borrow()[vcpu].registers.clone();
        let mut held: Vec<u32> =
            registers.iter().map(|raw| ListRegister(*raw)).filter(|r| r.is_valid()).map(ListRegister::intid).collect();
        held.sort_unstable();
        let count = held.len();
        held.dedup();
        assert_eq!(held.len(), count, "an INTID is in two list registers: {registers:x?}");
    }

    /// A device's line.
    pub fn set_line(&self, intid: u32, high: bool) {
        let (index, bit) = ((intid / 32) as usize, 1 << (intid % 32));
        let mut shared = self.shared.borrow_mut();
        let word = &mut shared[index];
        if high && word.line & bit == 0 && word.edge & bit != 0 {
            word.latch |= bit;
        }
        word.line = if high { word.line | bit } else { word.line & !bit };
    }

    /// A core's private edge: its timer, say.
    pub fn pulse_private(&self, vcpu: usize, intid: u32) {
        self.private.borrow_mut()[vcpu].latch |= 1 << intid;
    }

    /// What the physical CPU interface of `vcpu`'s core signals.
    fn signalled(&self, vcpu: usize) -> Option<u32> {
        if !self.admitted.borrow()[vcpu] {
            return None;
        }
        let private = self.private.borrow()[vcpu];
        let ready = private.pending() & private.enabled & !private.active;
        if ready != 0 {
            return Some(ready.trailing_zeros());
        }
        let shared = self.shared.borrow();
        (1..32u32).find_map(|index| {
            let word = shared[index as usize];
            let ready = word.pending() & word.enabled & !word.active;
            (0..32)
                .map(|low| index * 32 + low)
                .find(|intid| ready >> (intid % 32) & 1 == 1 && self.reaches(*intid, vcpu))
        })
    }

    fn reaches(&self, intid: u32, vcpu: usize) -> bool {
        let target = self.targets.borrow()[intid as usize];
        if V3 { usize::from(target) == vcpu } else { target >> vcpu & 1 == 1 }
    }

    fn acknowledge(&self, vcpu: usize, intid: u32) {
        let bit = 1u32 << (intid % 32);
        let mut private = self.private.borrow_mut();
        let mut shared = self.shared.borrow_mut();
        let word = if intid < 32 { &mut private[vcpu] } else { &mut shared[(intid / 32) as usize] };
        word.latch &= !bit;
        word.active |= bit;
    }

    /// Whether the maintenance interrupt of `vcpu`'s core is asserted.
    fn maintenance(&self, vcpu: usize) -> bool {
        let at = At { board: self, vcpu };
        let interface = &self.interfaces.borrow()[vcpu];
        let value = interface.control;
        let all = || interface.registers.iter().map(|raw| ListRegister(*raw));
        value & control::ENABLE != 0
            && (at.ended() != 0
                || value & control::UNDERFLOW != 0 && all().filter(|r| r.is_valid()).count() <= 1
                || value & control::NO_PENDING != 0 && !all().any(|r| r.is_pending())
                || value & control::NOT_PRESENT != 0 && value >> control::END_COUNT_SHIFT != 0)
    }

    /// Lets EL2 take everything that is signalled on any core, until the guest would run again. A storm is an error.
    pub fn settle(&self) {
        for round in 0.. {
            assert!(round < 1000, "EL2 never gets out of its interrupts");
            let busy: Vec<usize> = (0..self.vcpus()).filter(|vcpu| self.step(*vcpu)).collect();
            if busy.is_empty() {
                return;
            }
        }
    }

    fn step(&self, vcpu: usize) -> bool {
        if std::mem::take(&mut self.kicked.borrow_mut()[vcpu]) {
            self.on(vcpu, |vgic| {
                if !quick::deliver(vgic.hardware, vgic.own, V3) {
                    vgic.on_ipi();
                }
            });
            return true;
        }
        if self.maintenance(vcpu) {
            self.on(vcpu, |vgic| vgic.maintain());
            return true;
        }
        let Some(intid) = self.signalled(vcpu) else { return false };
        self.acknowledge(vcpu, intid);
        let taken = self.on(vcpu, |vgic| quick::take(vgic.hardware, vgic.own, intid) || vgic.take(intid));
        assert!(taken, "INTID {intid} reached EL2 and is nobody's");
        true
    }

    /// The guest on `vcpu` reads IAR: INTID and source, if one is signalled over what runs.
    pub fn guest_acknowledge(&self, vcpu: usize) -> Option<(u32, u8)> {
        let mut interfaces = self.interfaces.borrow_mut();
        let interface = &mut interfaces[vcpu];
        let running = interface.running.last().map_or(0x100, |entry| u32::from(entry.2));
        let best = (0..interface.registers.len())
            .filter(|index| {
                let register = ListRegister(interface.registers[*index]);
                register.is_pending() && !register.is_active() && u32::from(register.priority()) < running
            })
            .min_by_key(|index| ListRegister(interface.registers[*index]).priority())
            .filter(|_| interface.control & control::ENABLE != 0)?;
        let register = ListRegister(interface.registers[best]);
        interface.registers[best] = register.active().0;
        let source = if register.is_hardware() { 0 } else { register.source() };
        interface.running.push((register.intid(), source, register.priority()));
        Some((register.intid(), source))
    }

    /// The guest on `vcpu` ends what it acknowledged last, in EOI mode 0. Returns its INTID.
    pub fn guest_end(&self, vcpu: usize) -> Option<u32> {
        let (intid, ..) = self.interfaces.borrow_mut()[vcpu].running.pop()?;
        self.virtual_deactivate(vcpu, intid);
        Some(intid)
    }

    /// The guest on `vcpu` drops the priority of what it acknowledged last, in EOI mode 1, and deactivates it later.
    pub fn guest_drop(&self, vcpu: usize) -> Option<u32> {
        Some(self.interfaces.borrow_mut()[vcpu].running.pop()?.0)
    }

    /// The guest on `vcpu` writes DIR.
    pub fn guest_deactivate(&self, vcpu: usize, intid: u32) {
        if self.interfaces.borrow()[vcpu].control & control::TRAP_DEACTIVATE != 0 {
            self.on(vcpu, |vgic| vgic.deactivate(intid, true));
        } else {
            self.virtual_deactivate(vcpu, intid);
        }
    }

    fn virtual_deactivate(&self, vcpu: usize, intid: u32) {
        let mut interfaces = self.interfaces.borrow_mut();
        let interface = &mut interfaces[vcpu];
        let found = interface.registers.iter_mut().find(|raw| {
            let register = ListRegister(**raw);
            register.is_active() && register.intid() == intid
        });
        let Some(raw) = found else {
            interface.control += 1 << control::END_COUNT_SHIFT;
            return;
        };
        let register = ListRegister(*raw);
        *raw = register.without_active().0;
        if register.is_hardware() {
            assert_eq!(register.0 >> 32 & 0x1fff, u64::from(intid), "linked to another physical interrupt");
            self.physical_deactivate(vcpu, intid);
        }
    }

    fn physical_deactivate(&self, vcpu: usize, intid: u32) {
        let bit = 1u32 << (intid % 32);
        let mut private = self.private.borrow_mut();
        let mut shared = self.shared.borrow_mut();
        let word = if intid < 32 { &mut private[vcpu] } else { &mut shared[(intid / 32) as usize] };
        assert!(word.active & bit != 0, "INTID {intid} is deactivated twice");
        word.active &= !bit;
    }
}

impl<const V3: bool> VirtualInterface for At<'_, V3> {
    fn count(&self) -> u32 {
        self.board.interfaces.borrow()[self.vcpu].registers.len() as u32
    }

    fn empty(&self) -> u32 {
        let interfaces = self.board.interfaces.borrow();
        let registers = interfaces[self.vcpu].registers.iter().enumerate();
        let is_empty = |raw: u64| !ListRegister(raw).is_valid() && !wants_end(raw);
        registers.filter(|(_, raw)| is_empty(**raw)).fold(0, |all, (index, _)| all | 1 << index)
    }

    fn ended(&self) -> u32 {
        let interfaces = self.board.interfaces.borrow();
        let registers = interfaces[self.vcpu].registers.iter().enumerate();
        let has_ended = |raw: u64| !ListRegister(raw).is_valid() && wants_end(raw);
        registers.filter(|(_, raw)| has_ended(**raw)).fold(0, |all, (index, _)| all | 1 << index)
    }

    fn get(&self, index: u32) -> ListRegister {
        ListRegister(self.board.interfaces.borrow()[self.vcpu].registers[index as usize])
    }

    fn set(&self, index: u32, value: ListRegister) {
        assert!(!(value.is_hardware() && value.is_pending() && value.is_active()), "reserved with HW set: {value:x?}");
        self.board.interfaces.borrow_mut()[self.vcpu].registers[index as usize] = value.0;
    }

    fn control(&self) -> u32 {
        self.board.interfaces.borrow()[self.vcpu].control
    }

    fn set_control(&self, value: u32) {
        self.board.interfaces.borrow_mut()[self.vcpu].control = value;
    }
}

/// State invalid, EOI set, no hardware link: bits 63:61 zero, bit 41 one.
fn wants_end(raw: u64) -> bool {
    raw >> 61 == 0 && raw >> 41 & 1 == 1
}

impl<const V3: bool> Hardware for At<'_, V3> {
    fn is_v3(&self) -> bool {
        V3
    }

    fn read(&self, offset: u32) -> u32 {
        if (0xc00..0xd00).contains(&offset) {
            return configuration(self.board.shared.borrow()[(offset - 0xc00) as usize / 8].edge, offset);
        }
        self.board.shared.borrow()[(offset as usize & 0x7f) / 4].read(offset & !0x7f)
    }

    fn write(&self, offset: u32, value: u32) {
        let mut shared = self.board.shared.borrow_mut();
        if (0xc00..0xd00).contains(&offset) {
            let word = &mut shared[(offset - 0xc00) as usize / 8];
            let half = if offset & 4 == 0 { 0 } else { 16 };
            for low in 0..16 {
                let bit = 1 << (half + low);
                word.edge = if value >> (2 * low + 1) & 1 == 1 { word.edge | bit } else { word.edge & !bit };
            }
            return;
        }
        assert!(offset & 0x7f != 0, "SPI registers start at word 1");
        shared[(offset as usize & 0x7f) / 4].write(offset & !0x7f, value);
    }

    fn read_private(&self, vcpu: usize, offset: u32) -> u32 {
        assert!(V3 || vcpu == self.vcpu, "banked registers are the own core's");
        let word = self.board.private.borrow()[vcpu];
        if offset == 0xc04 { configuration(word.edge, offset) } else { word.read(offset) }
    }

    fn write_private(&self, vcpu: usize, offset: u32, value: u32) {
        assert!(V3 || vcpu == self.vcpu, "banked registers are the own core's");
        self.board.private.borrow_mut()[vcpu].write(offset, value);
    }

    fn route(&self, intid: u32, target: u8) {
        self.board.targets.borrow_mut()[intid as usize] = target;
    }

    fn mailbox(&self, vcpu: usize) -> Option<&Mailbox> {
        self.board.mailboxes.get(vcpu)
    }

    fn kick(&self, vcpu: usize) {
        self.board.kicked.borrow_mut()[vcpu] = true;
    }

    fn admit(&self, guests: bool) {
        self.board.admitted.borrow_mut()[self.vcpu] = guests;
    }
}

fn configuration(edge: u32, offset: u32) -> u32 {
    let half = if offset & 4 == 0 { 0 } else { 16 };
    (0..16).filter(|low| edge >> (half + low) & 1 == 1).fold(0, |all, low| all | 2 << (2 * low))
}
