//! What the checker makes of right configurations.

#[path = "common/files.rs"]
mod files;
#[path = "common/support.rs"]
mod support;

use septum_compiler::check::check;
use septum_compiler::problem::Problems;
use septum_compiler::source::SourceFile;
use septum_compiler::system::{Partition, Region, Segment, System};
use septum_stage2::{Access, Granule};

const MIB: u64 = 1 << 20;

fn try_system(text: &str) -> Result<System, Problems> {
    let config = SourceFile { name: "test.toml".into(), text: text.into() };
    let folder = files::root().join("tools/compiler/tests/bad");
    check(&config, &files::shipped(folder))
}

fn system(text: &str) -> System {
    let system = try_system(text).unwrap_or_else(|problems| panic!("{problems}"));
    let image = septum_compiler::image::build(&system, &support::el2_elf());
    image.unwrap_or_else(|error| panic!("{error}"));
    system
}

fn one(keys: &str) -> Partition {
    on("board = \"qemu-virt\"", keys)
}

fn on(board: &str, keys: &str) -> Partition {
    let text = format!("{board}\n[partition.one]\ncpus = [0]\nimage = \"hello\"\n{keys}\n");
    system(&text).partitions.remove(0)
}

fn region<'a>(partition: &'a Partition, name: &str) -> &'a Region {
    partition.regions.iter().find(|region| region.name == name).expect("the region")
}

const RAM: &str = "memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }";

#[test]
fn memory_is_placed_at_the_same_offset_in_its_largest_block() {
    let partition = one(&format!("{RAM}\nmemory.big = {{ ipa = 0x5010_0000, size = \"64MiB\" }}"));
    let big = region(&partition, "big");
    assert_eq!((big.ipa.get() - big.pa.get()) % (32 * MIB), 0);
    assert_eq!(big.access, Access::RW);
    let ram = region(&partition, "ram");
    assert_eq!((ram.ipa.get() - ram.pa.get()) % (2 * MIB), 0);
}

#[test]
fn nobody_is_placed_on_el2_on_carve_outs_or_on_each_other() {
    let mut text = String::from("board = \"rpi4\"\nvariant = \"1GiB\"\n");
    for (index, size) in [(0, "512MiB"), (1, "256MiB"), (2, "100MiB"), (3, "64MiB")] {
        text += &format!("[partition.p{index}]\ncpus = [{index}]\nimage = \"hello\"\n");
        text += &format!("memory.ram = {{ ipa = 0x4000_0000, size = \"{size}\", access = \"rwx\" }}\n");
    }
    let system = system(&text);
    let memory = system.partitions.iter().map(|partition| region(partition, "ram"));
    let mut spans: Vec<_> = memory.map(|region| (region.pa.get(), region.pa.get() + region.size)).collect();
    spans.push((system.el2.start.get(), system.el2.end()));
    spans.extend(system.board.carve_outs.iter().map(|kept| (kept.span.start.get(), kept.span.end())));
    spans.sort_unstable();
    assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:x?}");
    assert!(spans.iter().all(|(_, end)| *end <= 0x3b40_0000));
}

#[test]
fn a_fixed_address_is_kept_and_identity_means_the_same_address() {
    let fixed = "memory.fixed = { ipa = 0x6000_0000, pa = 0x7000_0000, size = \"1MiB\" }";
    let same = "memory.same = { ipa = 0x5000_0000, size = \"1MiB\", identity = true }";
    let chosen = "memory.chosen = { size = \"4MiB\", identity = true }";
    let partition = one(&format!("{RAM}\n{fixed}\n{same}\n{chosen}"));
    assert_eq!(region(&partition, "fixed").pa.get(), 0x7000_0000);
    assert_eq!(region(&partition, "same").pa.get(), 0x5000_0000);
    let chosen = region(&partition, "chosen");
    assert_eq!(chosen.ipa.get(), chosen.pa.get());
}

#[test]
fn memory_that_the_compiler_places_by_identity_overlaps_nothing_that_its_partition_sees() {
    // Everything in RAM below 0x7000_0000 is seen as something else already.
    let keys = "memory.ram = { ipa = 0x4000_0000, size = \"768MiB\", access = \"rwx\" }";
    let text = format!("{keys}\nmemory.same = {{ size = \"4MiB\", identity = true }}");
    let partition = one(&text);
    assert!(region(&partition, "same").ipa.get() >= 0x7000_0000);
}

#[test]
fn an_image_in_memory_placed_by_identity_is_fitted_after_placing() {
    let keys = |size| format!("memory.ram = {{ size = \"{size}\", identity = true, access = \"rwx\" }}");
    // 2 MiB fit below EL2, just where the crate is linked.
    assert_eq!(one(&keys("2MiB")).entry.get(), 0x4000_0000);
    let text = format!("board = \"qemu-virt\"\n[partition.one]\ncpus = [0]\nimage = \"hello\"\n{}\n", keys("8MiB"));
    let Err(problems) = try_system(&text) else { panic!("8 MiB fit below EL2") };
    let codes: Vec<_> = problems.iter().map(|problem| problem.code.text()).collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| ["E0506", "E0508"].contains(code)), "{problems}");
}

#[test]
fn arguments_lie_in_memory_and_the_registers_say_where() {
    let partition = one(&format!("args = \"abc\"\n{RAM}"));
    let [ipa, length, 0, 0] = partition.arguments else { panic!("{:?}", partition.arguments) };
    let segment = partition.segments.iter().find(|segment| segment.ipa.get() == ipa).expect("a segment");
    assert_eq!((segment.bytes.as_slice(), length), (&b"abc"[..], 3));
    assert_eq!(one(RAM).arguments, [0; 4]);
}

#[test]
fn every_byte_of_memory_is_payload_or_zero_unless_it_is_kept() {
    let plain = "memory.plain = { ipa = 0x5000_0000, size = \"1MiB\" }";
    let note = "memory.note = { ipa = 0x6000_0000, size = \"4KiB\", keep = true }";
    let partition = one(&format!("{RAM}\n{plain}\n{note}\ndevices = [\"uart1\"]\nargs = \"abc\""));
    let in_region = |name: &str| {
        let Region { ipa, size, .. } = *region(&partition, name);
        let inside = |segment: &&Segment| segment.ipa >= ipa && segment.ipa.get() - ipa.get() < size;
        let segments: Vec<_> = partition.segments.iter().filter(inside).collect();
        let end = segments.iter().fold(ipa.get(), |next, segment| {
            assert_eq!(segment.ipa.get(), next);
            segment.end()
        });
        assert_eq!(end, ipa.get() + size);
        segments
    };
    let sums = |name: &str| {
        let segments = in_region(name);
        let sum = |part: fn(&Segment) -> u64| segments.iter().map(|segment| part(segment)).sum::<u64>();
        (sum(|segment| segment.zero_bytes), sum(|segment| segment.keep_bytes))
    };
    assert_eq!(sums("plain"), (0x10_0000, 0));
    assert_eq!(sums("note"), (0, 0x1000));
    assert_eq!(sums("ram").1, 0);
    assert!(in_region("ram").len() > 2, "code, data, arguments");
    assert_eq!(partition.segments.len(), in_region("ram").len() + 2, "the device has none");
}

#[test]
fn kept_memory_has_zeroes_only_where_its_payload_has() {
    let program = |keep| one(&format!("memory.ram = {{ ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\"{keep} }}"));
    let (kept, zeroed) = (program(", keep = true"), program(""));
    let sum = |partition: &Partition, part: fn(&Segment) -> u64| partition.segments.iter().map(part).sum::<u64>();
    assert_eq!(sum(&kept, Segment::end), sum(&zeroed, Segment::end), "the same segments");
    let (stack_and_bss, rest) = (sum(&kept, |s| s.zero_bytes), sum(&kept, |s| s.keep_bytes));
    assert!(stack_and_bss >= 0x8000 && rest > 0x18_0000, "{stack_and_bss:#x} {rest:#x}");
    assert_eq!(sum(&zeroed, |s| s.zero_bytes), stack_and_bss + rest);
}

#[test]
fn devices_on_one_page_are_one_region_at_the_place_asked_for() {
    let devices =
        "devices = [{ name = \"uart1\", ipa = 0x0900_0040 }, { name = \"spi1\", ipa = 0x0900_0080 }, \"gpio\"]";
    let partition = on("board = \"rpi4\"\nvariant = \"2GiB\"", &format!("{RAM}\n{devices}"));
    let aux = region(&partition, "uart1+spi1");
    assert_eq!((aux.ipa.get(), aux.pa.get(), aux.size), (0x0900_0000, 0xfe21_5000, 0x1000));
    assert_eq!(region(&partition, "gpio").ipa.get(), 0xfe20_0000);
    assert_eq!(partition.interrupts, [125, 145, 146, 147, 148]);
}

#[test]
fn a_gicv2_partition_sees_gicv_where_the_board_has_gicc() {
    let partition = on("board = \"rpi4\"\nvariant = \"2GiB\"", RAM);
    let gicv = region(&partition, "gicv");
    assert_eq!((gicv.ipa.get(), gicv.pa.get(), gicv.size), (0xff84_2000, 0xff84_6000, 0x2000));
    assert_eq!(partition.cpu_interface, Some(gicv.ipa));
    let wide = on("board = \"qemu-virt-gicv2\"", &format!("{RAM}\ngranule = \"64k\""));
    let gicv = region(&wide, "gicv");
    assert_eq!((gicv.ipa.get(), gicv.pa.get(), gicv.size), (0x0801_0000, 0x0804_0000, 0x1_0000));
}

#[test]
fn partitions_of_different_granules_see_the_same_gicv() {
    let partition = |name: &str, cpu: u32, keys: &str| {
        format!("[partition.{name}]\ncpus = [{cpu}]\nimage = \"hello\"\n{keys}\n{RAM}\n")
    };
    let text =
        ["board = \"qemu-virt-gicv2\"\n", &partition("coarse", 0, "granule = \"64k\""), &partition("fine", 1, "")];
    let system = system(&text.concat());
    let sizes: Vec<u64> = system.partitions.iter().map(|partition| region(partition, "gicv").size).collect();
    assert_eq!(sizes, [0x1_0000, 0x2000]);
}

#[test]
fn the_pages_that_waiting_cores_read_are_kept_even_if_the_board_file_forgets_them() {
    let board = std::fs::read_to_string(files::root().join("boards/rpi4/board.toml")).expect("the board file");
    let kept = "armstub = { at = 0x0000_0000, size = 0x8_0000 }";
    assert!(board.contains(kept));
    let config = "board = \"b\"\nvariant = \"1GiB\"\n[partition.p]\ncpus = [0]\nimage = \"hello\"\n";
    let config = format!("{config}{RAM}\nmemory.low = {{ identity = true, ipa = 0x0, size = \"4KiB\" }}\n");
    let config = SourceFile { name: "test.toml".into(), text: config };
    let mut files = files::shipped(files::root());
    let boards = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("boards-without-carve-out");
    std::fs::create_dir_all(boards.join("b")).expect("a folder");
    std::fs::write(boards.join("b/board.toml"), board.replace(kept, "")).expect("the board file");
    files.boards.insert(0, boards);
    let problems = check(&config, &files).expect_err("the spin table is nobody's");
    assert!(problems.to_string().contains("spin-table"), "{problems}");
}

#[test]
fn a_compact_table_covers_just_what_is_seen() {
    assert_eq!(one(RAM).geometry.ipa_bits(), 40);
    let partition = one(&format!("{RAM}\nstage2 = \"compact\""));
    assert_eq!(partition.geometry.ipa_bits(), 31);
}

#[test]
fn every_granule_that_the_cores_have_can_be_used() {
    for (granule, wanted) in [("4k", Granule::K4), ("16k", Granule::K16), ("64k", Granule::K64)] {
        let keys = format!("{RAM}\ngranule = \"{granule}\"\ndevices = [\"uart1\"]");
        let partition = on("board = \"qemu-virt-48\"", &keys);
        assert_eq!(partition.geometry.granule(), wanted);
        assert!(partition.regions.iter().all(|region| region.size.is_multiple_of(wanted.bytes())));
    }
}

#[test]
fn the_log_goes_to_the_first_console_unless_another_is_named() {
    let text = format!("[partition.one]\ncpus = [0]\nimage = \"hello\"\n{RAM}\n");
    assert_eq!(system(&format!("board = \"qemu-virt\"\n{text}")).console.device, "uart0");
    assert_eq!(system(&format!("board = \"qemu-virt\"\nlog = \"uart1\"\n{text}")).console.device, "uart1");
}

#[test]
fn a_twin_stands_for_the_variants_that_it_has_the_memory_of() {
    let text = format!("[partition.one]\ncpus = [0]\nimage = \"hello\"\n{RAM}\n");
    let twin = |variant| system(&format!("board = \"rpi4\"\nvariant = \"{variant}\"\n{text}")).board.twin;
    assert!(twin("1GiB").is_some() && twin("2GiB").is_some());
    assert!(twin("4GiB").is_none() && twin("8GiB").is_none());
}
