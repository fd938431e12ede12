//! The page around the picture. Everything is inline: no script, no font, no other file.

use std::fmt::Write as _;

use super::map::{MapEntry, Owner};
use super::markup::{colour, escape};
use super::{KEPT, cpus, list, picture, size, tables};
use crate::inspect::{Inspection, PartitionView, RegionView};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em;\
color:#222;background:#fff}table{border-collapse:collapse;margin:.6em 0}td,th{border:1px solid #bbb;padding:.25em .7em;\
text-align:left}td.n{font-family:ui-monospace,monospace;text-align:right}h2 span{display:inline-block;width:.8em;\
height:.8em;border:1px solid #333;margin-right:.5em}svg text{font:12px ui-monospace,monospace}";

/// The whole page.
pub(super) fn page(inspection: &Inspection, config: &str, remarks: &[String], map: &[MapEntry]) -> String {
    let (config, board) = (escape(config), escape(&inspection.board));
    let owner = |entry: &MapEntry| owner_name(inspection, entry.owner);
    let remarks = remarks.iter().map(|remark| format!("<p><strong>{}.</strong></p>\n", escape(remark)));
    let remarks = remarks.collect::<String>();
    let mut body = format!(
        "<h1>{config} on {board}</h1>\n{remarks}<p>Loaded at {:#x}; {} partitions.</p>\n<h2>Physical memory</h2>\n{}",
        inspection.load_address,
        inspection.partitions.len(),
        picture::svg(map, owner)
    );
    for (index, partition) in inspection.partitions.iter().enumerate() {
        add_partition(&mut body, partition, colour(Owner::Partition(index as u16)));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{config} on {board}</title>\n\
         <style>{STYLE}</style></head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn owner_name(inspection: &Inspection, owner: Owner) -> String {
    match owner {
        Owner::El2 => "EL2".to_owned(),
        Owner::Board => "board".to_owned(),
        Owner::Nobody => String::new(),
        Owner::Partition(index) => {
            inspection.partitions.get(index as usize).map_or(String::new(), |partition| partition.name.clone())
        }
    }
}

fn add_partition(body: &mut String, partition: &PartitionView, colour: String) {
    let PartitionView { name, vmid, vtcr, vttbr, entry, interrupts, .. } = partition;
    // Writing to a String cannot fail.
    let _ = writeln!(body, "<h2><span style=\"background:{colour}\"></span>{}</h2>", escape(name));
    let _ = writeln!(body, "<p>VMID {vmid}, {}; {}.<br>", cpus(&partition.cpus), tables(partition));
    let _ = writeln!(body, "VTCR_EL2 {vtcr:#x}, VTTBR_EL2 {vttbr:#x}, entry {entry:#x}.</p>");
    body.push_str(
        "<table>\n<tr><th>region</th><th>kind</th><th>access</th><th>IPA</th><th>physical</th><th>size</th></tr>\n",
    );
    partition.regions.iter().for_each(|region| add_region(body, region));
    body.push_str("</table>\n");
    if let Some(beyond) = partition.beyond_regions() {
        let _ = writeln!(body, "<p><strong>{}.</strong></p>", escape(&beyond));
    }
    if !interrupts.is_empty() {
        let _ = writeln!(body, "<p>Interrupts: {}.</p>", list(interrupts));
    }
}

fn add_region(body: &mut String, region: &RegionView) {
    let RegionView { name, kind, ipa, pa, size: bytes, access, .. } = region;
    let (name, size, kept) = (escape(name), size(*bytes), if region.kept { KEPT } else { "" });
    let _ = writeln!(
        body,
        "<tr><td>{name}</td><td>{kind}</td><td>{access}</td><td class=\"n\">{ipa:#x}</td>\
         <td class=\"n\">{pa:#x}</td><td class=\"n\">{size}{kept}</td></tr>"
    );
}
