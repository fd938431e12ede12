//! `board.toml` -> [`Board`].

use septum_stage2::{Pa, PaRange};
use toml::de::DeValue;

use super::raw::{self, Named, Raw, RawDevice, RawGic, RawTwin, Wanted, values};
use super::{Board, CarveOut, Console, Core, Device, Gic, OtherTwin, PaSpan, Power, Twin, check};
use crate::problem::Problems;
use crate::raw::Range;
use crate::source::{FileId, Spanned};

/// Bytes of the pages in which release addresses are set apart: EL2's own granule.
const PAGE: u64 = 4096;

/// Reads and checks a board's outermost table in the variant that is wanted. `None` has been reported.
pub fn read(
    file: FileId,
    node: &toml::Spanned<DeValue<'_>>,
    wanted: Wanted<'_>,
    problems: &mut Problems,
) -> Option<Board> {
    let raw = raw::read(file, node, wanted, problems)?;
    let pa_range = check::check(&raw, problems)?;
    let other_twin = other_twin(&raw, wanted, problems);
    Some(Board { other_twin, ..finish(raw, pa_range, wanted) })
}

fn finish(raw: Raw, pa_range: PaRange, wanted: Wanted<'_>) -> Board {
    let variant = wanted.variant.map(|variant| variant.value.clone());
    let mut ram: Vec<_> = raw.ram.iter().map(span).collect();
    ram.sort();
    let carve_outs = carve_outs(&raw);
    Board {
        name: wanted.name.value.clone(),
        pa_range,
        granules: values(raw.granules.value),
        cores: cores(&raw.cores.value, raw.start.release.as_ref()),
        core_start: raw.start.method.value,
        ram,
        carve_outs,
        load: Pa::new(raw.load.value),
        gic: gic(&raw.gic),
        counter_hz: raw.counter_hz,
        consoles: consoles(&raw.consoles, &raw.devices),
        power: Power { control: raw.power.method.value, registers: raw.power.registers.as_ref().map(span) },
        devices: raw.devices.into_iter().map(device).collect(),
        smmu: raw.smmu,
        twin: raw.twin.and_then(|raw| twin(raw, variant.as_deref())),
        variant,
        other_twin: None,
    }
}

fn span(range: &Spanned<Range>) -> PaSpan {
    PaSpan { start: Pa::new(range.value.at), size: range.value.size }
}

fn cores(mpidrs: &[Spanned<u64>], release: Option<&Spanned<Vec<Spanned<u64>>>>) -> Vec<Core> {
    let release = |index: usize| release.and_then(|list| list.value.get(index)).map(|address| Pa::new(address.value));
    mpidrs.iter().enumerate().map(|(index, mpidr)| Core { mpidr: mpidr.value, release: release(index) }).collect()
}

/// What the board file says that firmware keeps, and the pages of release addresses outside of that: waiting cores read
/// them until EL2 has them.
fn carve_outs(raw: &Raw) -> Vec<CarveOut> {
    let mut kept: Vec<_> = raw.carve_outs.iter().map(carve_out).collect();
    for release in raw.start.release.iter().flat_map(|list| &list.value) {
        let page = PaSpan { start: Pa::new(release.value / PAGE * PAGE), size: PAGE };
        if !kept.iter().any(|other| other.span.overlaps(page)) {
            kept.push(CarveOut { name: "spin-table".into(), span: page });
        }
    }
    kept
}

fn carve_out(named: &Named) -> CarveOut {
    CarveOut { name: named.name.value.clone(), span: span(&named.range) }
}

fn gic(raw: &RawGic) -> Gic {
    Gic {
        version: raw.version.value,
        distributor: span(&raw.distributor),
        redistributors: raw.redistributors.as_ref().map(span),
        cpu_interface: raw.cpu_interface.as_ref().map(span),
        virtual_control: raw.virtual_control.as_ref().map(span),
        virtual_cpu: raw.virtual_cpu.as_ref().map(span),
        spis: raw.spis.value,
    }
}

fn consoles(names: &[Spanned<String>], devices: &[RawDevice]) -> Vec<Console> {
    let console = |name: &Spanned<String>| {
        let uart = devices.iter().find(|device| device.name.value == name.value)?.uart.as_ref()?;
        Some(Console { device: name.value.clone(), kind: uart.kind, clock_hz: uart.clock_hz, baud: uart.baud })
    };
    names.iter().filter_map(console).collect()
}

fn device(raw: RawDevice) -> Device {
    Device {
        name: raw.name.value,
        registers: raw.registers.iter().map(span).collect(),
        interrupts: values(raw.interrupts),
        bus_master: raw.bus_master,
        dma_reach: raw.dma_reach.as_ref().map(span),
        resets_board: raw.resets_board,
        compatible: raw.compatible,
    }
}

/// The twin, where it behaves like the variant in force.
fn twin(raw: RawTwin, variant: Option<&str>) -> Option<Twin> {
    let behaves = behaves_like(&raw, variant);
    let serials = raw.serials.into_iter().enumerate().map(|(index, name)| (name.value, index as u32)).collect();
    behaves.then_some(Twin { arguments: raw.arguments, serials, dtb: raw.dtb })
}

fn behaves_like(twin: &RawTwin, variant: Option<&str>) -> bool {
    match (&twin.variants, variant) {
        (Some(list), Some(variant)) => list.iter().any(|name| name == variant),
        _ => true,
    }
}

/// The twin, where it does not.
fn other_twin(raw: &Raw, wanted: Wanted<'_>, problems: &Problems) -> Option<OtherTwin> {
    let (twin, variant) = (raw.twin.as_ref()?, wanted.variant?);
    let variants = twin.variants.clone().filter(|_| !behaves_like(twin, Some(&variant.value)))?;
    Some(OtherTwin { variants, line: problems.sources.position(variant.span).line })
}
