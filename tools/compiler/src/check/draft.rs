//! A partition half-way: names resolved against the board, numbers checked one by one, nothing placed yet.

use septum_plan::frames::Frame;
use septum_stage2::{Access, Granule, Ipa, Pa};

use super::payload::{Fetched, Fitted, LinuxFiles, OwnTree};
use crate::board::{Device, PaSpan};
use crate::raw::config::{DeviceUse, Partition};
use crate::source::{Span, Spanned};

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
    /// What EL2 emulates for it, by rising IPA.
    pub emulated: Vec<Frame>,
    /// Where it sees GICv2's CPU interface.
    pub cpu_interface: Option<Ipa>,
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
    Linux(LinuxFiles),
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

/// Which memory of which partition.
pub(super) type Index = (usize, usize);

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
    /// The partition's name.
    pub fn name(&self) -> &'a str {
        &self.raw.name.value
    }
}
