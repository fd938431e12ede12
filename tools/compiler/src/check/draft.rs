//! A partition half-way: names resolved against the board, numbers checked one by one, nothing placed yet.

use septum_plan::frames::{Frame, GICR_BYTES};
use septum_stage2::{Access, Granule, Ipa, Pa};

use super::image::{Fetched, Fitted};
use super::tree::OwnTree;
use super::{console, cores, devices, linux, memory};
use crate::board::{Board, Device, PaSpan};
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::{DeviceUse, Partition};
use crate::source::{Span, Spanned};
use crate::system::GuestGic;

/// A partition half-way.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// What the configuration says.
    pub raw: &'a Partition,
    /// Its cores that the board has.
    pub cpus: Vec<u32>,
    /// Its granule.
    pub granule: Granule,
    /// Its memories whose numbers are good.
    pub memory: Vec<Memory<'a>>,
    /// Its devices that the board has.
    pub devices: Vec<Given<'a>>,
    /// The granule pages of its devices, and of the GICv2 CPU interface.
    pub pages: Vec<Pages>,
    /// Where it sees its interrupt controller.
    pub gic: GuestGic,
    /// Bytes that what it runs takes in the image file, at most.
    pub payload_bytes: u64,
    /// What it runs.
    pub payload: Option<Payload>,
    /// Where it sees its emulated console.
    pub console: Option<Spanned<u64>>,
    /// The user's own device tree for it.
    pub own_tree: Option<OwnTree>,
}

/// What a partition runs.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// Not fitted into its memory: the IPA of some of that is known after placing only.
    Fetched(Fetched),
    /// Fitted.
    Fitted(Fitted),
    /// A Linux guest: its device tree says what the partition has, so it is placed when that is known.
    Linux(linux::Fetched),
}

/// A memory whose numbers are good each by itself.
#[derive(Clone, Debug)]
pub(super) struct Memory<'a> {
    /// What the configuration says.
    pub raw: &'a crate::raw::config::Memory,
    /// Where the partition sees it; `None`: where it will lie.
    pub ipa: Option<u64>,
    /// Where it must lie.
    pub pa: Option<u64>,
    /// Bytes.
    pub size: u64,
}

impl Memory<'_> {
    /// Where messages about its IPA point.
    pub fn ipa_span(&self) -> Span {
        self.raw.ipa.map_or(self.raw.name.span, |ipa| ipa.span)
    }

    /// Where it must lie, and how much.
    pub fn pa_range(&self) -> Option<PaSpan> {
        Some(PaSpan { start: Pa::new(self.pa?), size: self.size })
    }

    /// Where messages about its physical address point.
    pub fn pa_span(&self) -> Span {
        let number = self.raw.pa.or(self.raw.ipa.filter(|_| self.raw.identity.is_some()));
        number.map_or(self.raw.name.span, |number| number.span)
    }
}

/// A device given to a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    /// The board's device.
    pub device: &'a Device,
    /// Where the configuration asks for it.
    pub raw: &'a DeviceUse,
}

/// Whole granule pages of registers, as a partition sees them.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    /// The devices whose registers lie there, as the configuration has them; none: the GICv2 CPU interface.
    pub devices: Vec<String>,
    /// First byte, as the partition sees it.
    pub ipa: u64,
    /// First byte.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
    /// What the partition may do there.
    pub access: Access,
    /// Where the configuration asks for it.
    pub span: Span,
    /// Whether some of the registers are a bus master's.
    pub bus_master: bool,
}

impl Pages {
    /// How they are called.
    pub fn name(&self) -> String {
        if self.devices.is_empty() { "gicv".into() } else { self.devices.join("+") }
    }

    /// Whether they are the GICv2 CPU interface.
    pub fn is_gic(&self) -> bool {
        self.devices.is_empty()
    }
}

impl<'a> Draft<'a> {
    /// Resolves `raw`, with `granule`, against `board`; every problem is reported.
    pub fn new(raw: &'a Partition, granule: Granule, board: &'a Board, problems: &mut Problems) -> Self {
        let cpus = cores::resolve(raw, board, problems);
        let given = devices::resolve(raw, board, problems);
        let mut pages = devices::pages(&given, granule, problems);
        let gic = guest_gic(board, cpus.len() as u64);
        pages.extend(cpu_interface(raw, board, granule, problems));
        let memory = memory::resolve(raw, granule, Some(board), problems);
        let console = console::resolve(raw, board, problems);
        Self {
            raw,
            cpus,
            granule,
            memory,
            devices: given,
            pages,
            gic,
            payload_bytes: 0,
            payload: None,
            console,
            own_tree: None,
        }
    }

    /// The partition's name.
    pub fn name(&self) -> &'a str {
        &self.raw.name.value
    }

    /// What EL2 emulates for it.
    pub fn emulated(&self, board: &Board) -> impl Iterator<Item = Frame> {
        let console = self.console.map(|console| Ipa::new(console.value));
        self.gic.places(console).frames(board.gic.version, self.cpus.len())
    }
}

/// A partition sees its interrupt controller where the board has it: then the board's own device tree is right for it.
fn guest_gic(board: &Board, cpus: u64) -> GuestGic {
    let ipa = |frames: PaSpan| Ipa::new(frames.start.get());
    let redistributors = board.gic.redistributors.filter(|frames| frames.size >= GICR_BYTES * cpus);
    GuestGic {
        distributor: Some(ipa(board.gic.distributor)),
        cpu_interface: board.gic.cpu_interface.map(ipa),
        redistributors: redistributors.map(ipa),
    }
}

/// GICv2: the virtual CPU interface, seen where the physical one is.
fn cpu_interface(raw: &Partition, board: &Board, granule: Granule, problems: &mut Problems) -> Option<Pages> {
    let (physical, frames) = (board.gic.cpu_interface?, board.gic.virtual_cpu?);
    let (seen, pages) = (whole_pages(physical, granule), whole_pages(frames, granule));
    let offset = |block: PaSpan| block.start.get() % granule.bytes();
    if let Some(other) = beside_virtual_cpu(board, pages) {
        problems.add(no_granule(raw, granule, &format!("its page around the virtual CPU interface holds {other}")));
    } else if offset(physical) != offset(frames) {
        let why = "the virtual CPU interface is at another offset in its page than the physical one";
        problems.add(no_granule(raw, granule, why));
    } else if board.gic.distributor.overlaps(seen) {
        problems.add(no_granule(raw, granule, "its page around the CPU interface holds the distributor"));
    }
    Some(Pages {
        devices: Vec::new(),
        ipa: seen.start.get(),
        pa: pages.start.get(),
        size: pages.size,
        access: Access::RW,
        span: raw.name.span,
        bus_master: false,
    })
}

/// The granule pages around `block`.
fn whole_pages(block: PaSpan, granule: Granule) -> PaSpan {
    let start = block.start.get() / granule.bytes() * granule.bytes();
    PaSpan { start: Pa::new(start), size: block.end().next_multiple_of(granule.bytes()) - start }
}

/// What besides the virtual CPU interface lies in `pages`, its own.
fn beside_virtual_cpu(board: &Board, pages: PaSpan) -> Option<String> {
    let gic = &board.gic;
    let frames = [Some(gic.distributor), gic.cpu_interface, gic.virtual_control].into_iter().flatten();
    let frames = frames.map(|block| (block, "other frames of the interrupt controller".to_owned()));
    let power = board.power.registers.map(|block| (block, "the power registers".to_owned()));
    let devices = board
        .devices
        .iter()
        .flat_map(|device| device.registers.iter().map(|block| (*block, format!("device `{}`", device.name))));
    let kept = board.carve_outs.iter().map(|kept| (kept.span, format!("carve-out `{}`", kept.name)));
    let ram = board.ram.iter().map(|bank| (*bank, "RAM".to_owned()));
    let mut others = frames.chain(power).chain(devices).chain(kept).chain(ram);
    others.find(|(block, _)| block.overlaps(pages)).map(|(_, what)| what)
}

fn no_granule(raw: &Partition, granule: Granule, why: &str) -> Problem {
    let span = raw.granule.map_or(raw.name.span, |granule| granule.span);
    let message = format!("partition `{}` cannot use the {granule} granule: {why}", raw.name.value);
    Problem::new(Code::GicGranule, span, message).here("too coarse for this board").help("use granule = \"4k\"")
}
