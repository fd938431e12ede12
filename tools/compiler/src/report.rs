//! An image for human eyes: the text of `inspect`, and the self-contained page `report.html`.

mod html;
mod map;
mod markup;
mod picture;

pub use map::{MapEntry, Owner, memory_map};

use std::fmt::Write as _;

use crate::format::reader::Reader;
use crate::inspect::{ConsoleView, DeviceView, Inspection, MachineView, PartitionView, RegionView, inspect};
use crate::verify::VerifyError;

/// The report on `image` as one HTML page that needs no other file: `remarks`, then the picture of physical memory, then
/// every partition with its tables, regions and interrupts.
///
/// # Errors
/// As [`inspect`].
pub fn html(image: &[u8], remarks: &[String]) -> Result<String, VerifyError> {
    let inspection = inspect(image)?;
    let reader = Reader::new(image)?;
    let map = memory_map(&reader.plan()?);
    Ok(html::page(&inspection, reader.plan()?.config(), remarks, &map))
}

/// The text of `inspect`.
pub fn text(inspection: &Inspection) -> String {
    let mut text = format!("board {}, loaded at {:#x}\n", inspection.board, inspection.load_address);
    inspection.partitions.iter().for_each(|partition| add_partition(&mut text, partition));
    add_machine(&mut text, &inspection.machine);
    text
}

/// What EL2 stands on; `inspect --json` has the rest.
fn add_machine(text: &mut String, machine: &MachineView) {
    let mpidrs: Vec<_> = machine.cores.iter().map(|core| format!("{:#x}", core.mpidr)).collect();
    let _ = writeln!(text, "\nEL2 (GICv{}, log on a {} UART)", machine.gic, machine.uart.kind);
    let _ = writeln!(text, "  cores with MPIDR {}", mpidrs.join(", "));
    for DeviceView { kind, pa, size: bytes, .. } in &machine.devices {
        let _ = writeln!(text, "  {kind:5}  [{pa:#x}..{:#x})  {}", pa + bytes, size(*bytes));
    }
}

fn add_partition(text: &mut String, partition: &PartitionView) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\npartition {} (VMID {}) on {}", partition.name, partition.vmid, cpus(&partition.cpus));
    let _ = writeln!(text, "  {}", tables(partition));
    let _ = writeln!(
        text,
        "  VTCR_EL2 {:#x}, VTTBR_EL2 {:#x}, entry {:#x}",
        partition.vtcr, partition.vttbr, partition.entry
    );
    let width = partition.regions.iter().map(|region| region.name.chars().count()).max().unwrap_or(0);
    for region in &partition.regions {
        let RegionView { name, kind, ipa, pa, size: bytes, access, .. } = region;
        let (end, size, kept) = (ipa + bytes, size(*bytes), if region.kept { KEPT } else { "" });
        let _ = writeln!(text, "  {name:width$}  {kind:7}  {access:3}  [{ipa:#x}..{end:#x}) -> {pa:#x}  {size}{kept}");
    }
    if let Some(beyond) = partition.beyond_regions() {
        let _ = writeln!(text, "  {beyond}");
    }
    if !partition.interrupts.is_empty() {
        let _ = writeln!(text, "  interrupts {}", list(&partition.interrupts));
    }
    if let Some(ConsoleView { ipa, interrupt }) = partition.console {
        let _ = writeln!(text, "  emulated console at {ipa:#x}, interrupt {interrupt} (raised by EL2)");
    }
}

/// What is said behind the size of memory that EL2 does not zero.
const KEPT: &str = ", kept";

/// `core 0` or `cores 1, 2, 3`.
fn cpus(cpus: &[u16]) -> String {
    format!("{} {}", if cpus.len() == 1 { "core" } else { "cores" }, list(cpus))
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// The shape of a partition's tables, in words.
fn tables(partition: &PartitionView) -> String {
    let PartitionView { granule, ipa_bits, start_level, root_tables, table_bytes, .. } = partition;
    let roots = if *root_tables == 1 { "1 root table".to_owned() } else { format!("{root_tables} root tables") };
    let (granule, bytes) = (size(*granule), size(*table_bytes));
    format!("{ipa_bits}-bit addresses in {granule} pages, {roots} at level {start_level}, {bytes} of tables")
}

/// A number of bytes in the largest unit that divides it.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes != 0 && bytes.is_multiple_of(1 << shift));
    unit.map_or_else(|| format!("{bytes} B"), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_use_the_largest_unit_that_divides_them() {
        let sizes = [0, 512, 4096, 0x10_0000, 0x10_1000, 3 << 30];
        assert_eq!(sizes.map(size), ["0 B", "512 B", "4 KiB", "1 MiB", "1028 KiB", "3 GiB"]);
    }
}
