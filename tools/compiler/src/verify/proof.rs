//! The image against the configuration: every fact of the checked system, found again in the image's plan.
//!
//! That the tables do what the plan says is shown elsewhere; so here only the plan and the payload bytes are compared.

use septum_plan::frames::{Frame, GICR_BYTES};
use septum_plan::record::{NO_ADDRESS, flag};
use septum_plan::{DeviceKind, PartitionRecord, RegionKind, RegionRecord};
use septum_stage2::{Ipa, Pa};

use super::range::Range;
use super::violation::{Findings, Violation};
use super::{Context, Verified, el2 as el2_walk, segments};
use crate::board::{Board, PaSpan};
use crate::el2_elf::{El2, PAGE};
use crate::format::{header, origin};
use crate::system::{Partition, Region, System};

/// Adds what of `system` the image tells otherwise.
pub(super) fn compare(system: &System, el2: &El2, context: &Context<'_>, verified: &Verified, findings: &mut Findings) {
    let mut differ = |whose: &str, what| {
        findings.add(Violation::Configuration { whose: whose.to_owned(), what });
    };
    for (what, _) in board_facts(system, context, verified).into_iter().filter(|(_, agree)| !agree) {
        differ("board", what);
    }
    if !el2_agrees(el2, context) {
        differ("EL2", "its code, data or rights");
    }
    if system.partitions.len() != context.plan.partitions().len() {
        differ("board", "the number of partitions");
    }
    for (index, (partition, record)) in system.partitions.iter().zip(context.plan.partitions()).enumerate() {
        let one = One { context, verified, index, partition, record };
        for (what, _) in one.facts().into_iter().filter(|(_, agree)| !agree) {
            differ(&format!("`{}`", partition.name), what);
        }
    }
}

fn board_facts(system: &System, context: &Context<'_>, verified: &Verified) -> Vec<(&'static str, bool)> {
    let (board, header, block) = (&system.board, context.plan.header(), context.reader.block());
    vec![
        ("the name", context.plan.board() == board.name && context.plan.config() == system.config_name),
        ("the load address", block.load == board.load.get()),
        ("the text offset", header::text_offset(context.reader.image()) == Some(header::text_offset_of(board))),
        ("EL2's memory", system.el2.start == board.load && block.memory_bytes <= system.el2.size),
        ("the PARange", header.pa_range == board.pa_range.field()),
        ("the interrupt controller", context.plan.gic() == board.gic.version),
        ("the console", console_agrees(system, context)),
        ("the console's interrupt", context.plan.console().intid == console_interrupt(system)),
        ("the power control", context.plan.power_control() == board.power.control),
        ("the counter's frequency", header.counter_hz == board.counter_hz.unwrap_or(0)),
        ("the way to start cores", context.plan.core_start() == board.core_start),
        ("the cores", cores_agree(board, context, verified)),
        ("the devices", devices_agree(system, context)),
        ("the carve-outs", board.carve_outs.iter().all(|carve_out| has_carve_out(context, carve_out.span))),
        ("the RAM", ram_agrees(board, context)),
    ]
}

/// The file holds EL2's bytes but for the header's fields and the boot block, and the plan its parts.
fn el2_agrees(el2: &El2, context: &Context<'_>) -> bool {
    let load = context.reader.block().load;
    let parts = el2_walk::parts_of_el2(context).map(|r| (r.pa.wrapping_sub(load), r.size, r.rights()));
    origin::holds_el2(context.reader.image(), el2)
        && parts.eq(el2.parts.iter().map(|part| (part.offset, part.size, part.access)))
}

fn console_agrees(system: &System, context: &Context<'_>) -> bool {
    let record = context.plan.console();
    context.plan.uart() == system.console.kind
        && record.clock_hz == system.console.clock_hz.unwrap_or(0)
        && record.baud == system.console.baud.unwrap_or(0)
}

/// The log UART's first interrupt, or 0 where it has none or some partition has that: several UARTs may share one.
fn console_interrupt(system: &System) -> u32 {
    let device = system.board.devices.iter().find(|device| device.name == system.console.device);
    let intid = device.and_then(|device| device.interrupts.first()).copied();
    let free = |intid: &u32| system.partitions.iter().all(|partition| !partition.interrupts.contains(intid));
    intid.filter(free).unwrap_or(0)
}

fn cores_agree(board: &Board, context: &Context<'_>, verified: &Verified) -> bool {
    let records = context.plan.cores();
    records.len() == board.cores.len()
        && records.iter().zip(&board.cores).all(|(record, core)| {
            let release = (record.release_va != 0).then(|| verified.el2.boot.pa_of(record.release_va));
            record.mpidr == core.mpidr && release == core.release.map(|pa| Some(pa.get()))
        })
}

/// Each device's record has the board's registers.
fn devices_agree(system: &System, context: &Context<'_>) -> bool {
    let (board, gic) = (&system.board, &system.board.gic);
    let console = board.devices.iter().find(|device| device.name == system.console.device);
    DeviceKind::ALL.iter().all(|kind| {
        let span = match kind {
            DeviceKind::Uart => console.and_then(|device| device.registers.first()).copied(),
            DeviceKind::Gicd => Some(gic.distributor),
            DeviceKind::Gicc => gic.cpu_interface,
            DeviceKind::Gich => gic.virtual_control,
            DeviceKind::Gicv => gic.virtual_cpu,
            DeviceKind::Power => board.power.registers,
            DeviceKind::Gicr => {
                gic.redistributors.map(|all| PaSpan { size: all.size / GICR_BYTES * GICR_BYTES, ..all })
            }
        };
        let record = context.plan.device(*kind);
        (record.pa, record.bytes) == span.map_or((0, 0), |span| (span.start.get(), span.size))
    })
}

fn has_carve_out(context: &Context<'_>, span: PaSpan) -> bool {
    context.plan.regions().iter().any(|region| {
        let (kind, pa, size) = (RegionKind::from_code(region.kind), region.pa, region.size);
        (kind, pa, size) == (Some(RegionKind::CarveOut), span.start.get(), span.size)
    })
}

/// The boot root reads nothing but RAM, and all of it that is free: every page of a bank is in a record, or belongs to
/// a carve-out or a spin table.
fn ram_agrees(board: &Board, context: &Context<'_>) -> bool {
    let in_bank = |range: Range| board.ram.iter().any(|bank| Range::new(bank.start.get(), bank.size).contains(range));
    let records = || context.plan.ram().iter().map(|ram| Range::new(ram.pa, ram.size));
    let mut taken: Vec<Range> = records().collect();
    // A carve-out need not be whole pages; the rest of its pages is not mapped.
    taken.extend(board.carve_outs.iter().map(|carve_out| pages_around(carve_out.span)));
    taken.extend(board.cores.iter().filter_map(|core| core.release).map(|pa| Range::new(pa.get() & !(PAGE - 1), PAGE)));
    taken.sort_by_key(|range| range.start);
    let covered = |bank: &PaSpan| {
        let end = bank.start.get() + bank.size;
        let further = |done: u64, range: &Range| if range.start <= done { done.max(range.end) } else { done };
        taken.iter().fold(bank.start.get(), further) >= end
    };
    records().all(in_bank) && board.ram.iter().all(covered)
}

/// The pages that have a byte of `span`.
fn pages_around(span: PaSpan) -> Range {
    let start = span.start.get() & !(PAGE - 1);
    Range { start, end: span.end().saturating_add(PAGE - 1) & !(PAGE - 1) }
}

struct One<'a> {
    context: &'a Context<'a>,
    verified: &'a Verified,
    index: usize,
    partition: &'a Partition,
    record: &'a PartitionRecord,
}

impl One<'_> {
    fn facts(&self) -> Vec<(&'static str, bool)> {
        let (plan, record, partition) = (&self.context.plan, self.record, self.partition);
        let mut vcpus = plan.vcpus(record).iter().map(|core| u32::from(*core));
        vec![
            ("the name", plan.text(record.name) == partition.name && record.line == partition.line),
            ("the cores", vcpus.by_ref().eq(partition.cpus.iter().copied())),
            ("the VMID", record.vmid == partition.vmid),
            ("the shape of its tables", record.vtcr == partition.geometry.vtcr()),
            ("the regions", self.regions_agree()),
            ("the entry", record.entry == partition.entry.get() && record.arguments == partition.arguments),
            ("the interrupts", plan.intids(record).eq(partition.interrupts.iter().copied())),
            (
                "what is emulated",
                plan.emulated(record).iter().filter_map(Frame::of).eq(partition.emulated.iter().copied()),
            ),
            ("the CPU interface", record.gicc_ipa == address(partition.cpu_interface)),
            ("the physical timer", (record.flags & flag::TRAP_PHYSICAL_TIMER != 0) == partition.trap_physical_timer),
            ("the payload", self.segments_agree()),
            ("the memory that stays as it is", self.kept_agrees()),
        ]
    }

    fn regions_agree(&self) -> bool {
        let records = self.context.plan.regions_of(self.record);
        let pairs = records.iter().zip(&self.partition.regions);
        records.len() == self.partition.regions.len()
            && pairs.into_iter().all(|(record, region)| self.is(record, region))
    }

    fn is(&self, record: &RegionRecord, region: &Region) -> bool {
        self.context.plan.text(record.name) == region.name
            && (Ipa::new(record.ipa), Pa::new(record.pa), record.size) == (region.ipa, region.pa, region.size)
            && RegionKind::from_code(record.kind) == Some(region.kind)
            && record.rights() == region.access
            && record.is_bus_master() == region.bus_master
            && (record.owner as usize, record.line) == (self.index, region.line)
    }

    fn segments_agree(&self) -> bool {
        let records = self.context.plan.segments(self.record);
        let mut pairs = records.iter().zip(&self.partition.segments);
        records.len() == self.partition.segments.len()
            && pairs.all(|(record, segment)| {
                let bytes = segments::bytes(self.context, &self.verified.el2, self.index, record);
                bytes == Some(&segment.bytes)
                    && (Ipa::new(record.ipa), record.zero_bytes, record.keep_bytes)
                        == (segment.ipa, segment.zero_bytes, segment.keep_bytes)
            })
    }

    /// No byte stays as it is but in memory that says so. That each byte is in a segment is shown by [`segments`].
    fn kept_agrees(&self) -> bool {
        let kept: Vec<_> = self.partition.regions.iter().filter(|region| region.keep).collect();
        self.context.plan.segments(self.record).iter().filter(|segment| segment.keep_bytes != 0).all(|segment| {
            let inside = |region: &&&Region| Range::new(region.ipa.get(), region.size).has(segment.ipa);
            kept.iter().any(|region| inside(&region))
        })
    }
}

fn address(ipa: Option<Ipa>) -> u64 {
    ipa.map_or(NO_ADDRESS, Ipa::get)
}
