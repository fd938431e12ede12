//! The report shows every region of every partition, and needs nothing but itself.
#![allow(clippy::unwrap_used)]

#[path = "common/support.rs"]
mod support;

use septum_compiler::{image, inspect, report};

#[test]
fn the_page_names_every_region_and_refers_to_nothing_else() {
    for mut system in support::systems() {
        system.board.name = "<one> & \"only\"".to_owned();
        let image = image::build(&system, &support::el2_elf()).unwrap();
        let page = report::html(image.bytes(), &[]).unwrap();
        for region in system.partitions.iter().flat_map(|partition| &partition.regions) {
            assert!(page.contains(&format!("<td>{}</td>", region.name)));
            assert!(page.contains(&format!("{:#x}", region.pa.get())));
        }
        assert!(page.contains("&lt;one&gt; &amp; &quot;only&quot;") && !page.contains("<one>"));
        let references = page.replace("http://www.w3.org/2000/svg", "");
        assert!(["http", "src=", "href=", "<script", "@import"].iter().all(|what| !references.contains(what)));
    }
}

#[test]
fn the_text_says_what_the_numbers_say() {
    let image = image::build(&support::systems()[0], &support::el2_elf()).unwrap();
    let text = report::text(&inspect::inspect(image.bytes()).unwrap());
    let expected = "partition two (VMID 2) on core 1\n  \
                    40-bit addresses in 4 KiB pages, 2 root tables at level 1, 20 KiB of tables\n";
    assert!(text.starts_with("board qemu-virt, loaded at 0x40200000\n"));
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("telemetry  channel  rw   [0x60000000..0x60010000) -> 0x7e000000  64 KiB"), "{text}");
}

#[test]
fn free_ram_is_in_the_map_and_nothing_overlaps_it() {
    let image = image::build(&support::systems()[0], &support::el2_elf()).unwrap();
    let reader = septum_compiler::format::reader::Reader::new(image.bytes()).unwrap();
    let map = report::memory_map(&reader.plan().unwrap());
    let free = |entry: &&report::MapEntry| entry.owner == report::Owner::Nobody;
    let ram: u64 = map.iter().filter(|entry| (0x4000_0000..0xc000_0000).contains(&entry.pa)).map(|e| e.size).sum();
    // The channel is in the map twice, once for each end.
    assert_eq!(ram, 0x8000_0000 + 0x1_0000);
    assert_eq!(map.iter().find(free).map(|entry| (entry.pa, entry.size)), Some((0x4000_0000, 0x20_0000)));
}
