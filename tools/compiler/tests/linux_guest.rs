//! Linux guests: where kernel, RAM disk and tree go, and what does not fit; the initial RAM disk's format.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "common/support.rs"]
mod support;

use dtoolkit::{Node, Property};
use septum_compiler::board::Board;
use septum_compiler::device_tree;
use septum_compiler::linux::initramfs::{self, Archive};
use septum_compiler::linux::{Linux, LinuxError, Placement, place};
use septum_compiler::payload::LinuxImage;
use septum_compiler::system::Partition;
use septum_stage2::{Access, Granule};
use support::{memory, partition, virt_board};

const RAM: u64 = 0x4000_0000;

fn kernel(text_offset: u64, image_size: u64, flags: u8) -> LinuxImage {
    let mut bytes = vec![0x55; 0x1_0000];
    bytes[24] = flags;
    LinuxImage { text_offset, image_size, bytes }
}

fn guest(board: &Board, base: u64, size: u64) -> Partition {
    partition(board, "linux", 1, vec![memory("ram", base, 0x5000_0000, size, Access::RWX)])
}

fn placed(base: u64, size: u64, kernel: &LinuxImage, initrd: Option<&[u8]>) -> Result<Placement, LinuxError> {
    let board = virt_board();
    let linux = Linux { kernel, initrd, bootargs: Some("quiet"), tree: None };
    place(&board, &guest(&board, base, size), &linux)
}

#[test]
fn the_kernel_goes_to_its_text_offset_from_a_two_mebibyte_boundary() {
    let placement = placed(RAM + 0x1000, 0x1000_0000, &kernel(0x8_0000, 0x20_0000, 2), None).unwrap();
    assert_eq!(placement.entry.get(), RAM + 0x20_0000 + 0x8_0000);
    assert_eq!(placement.segments[0].ipa, placement.entry);
    assert_eq!(placement.segments[0].zero_bytes, 0x20_0000 - 0x1_0000, "image_size is the kernel's, bss included");
}

#[test]
fn nothing_overlaps_and_all_lies_in_the_memory() {
    let placement = placed(RAM, 0x200_0000, &kernel(0, 0x12_3456, 2), Some(&[7; 0x5_0001])).unwrap();
    let ends = placement.segments.iter().map(|s| (s.ipa.get(), s.ipa.get() + s.bytes.len() as u64 + s.zero_bytes));
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends.len(), 3);
    assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{ends:x?}");
    assert!(ends[2].1 <= RAM + 0x200_0000);
}

#[test]
fn x0_is_the_tree_and_the_tree_names_the_ram_disk() {
    let initrd = [7; 0x5_0001];
    let placement = placed(RAM, 0x200_0000, &kernel(0, 0x12_3456, 2), Some(&initrd)).unwrap();
    let [_, disk, tree] = &placement.segments[..] else { panic!("three segments") };
    assert_eq!(placement.arguments, [tree.ipa.get(), 0, 0, 0]);
    assert_eq!(tree.ipa.get() % 0x20_0000, 0, "a block of its own");
    let parsed = device_tree::parse(&tree.bytes).unwrap();
    let chosen = parsed.find_node("/chosen").unwrap();
    let value = |name: &str| chosen.property(name).unwrap().value_as::<u64>().unwrap();
    assert_eq!(value("linux,initrd-start"), disk.ipa.get());
    assert_eq!(value("linux,initrd-end"), disk.ipa.get() + initrd.len() as u64);
}

#[test]
fn what_does_not_fit_is_named_with_both_ends() {
    let error = placed(RAM, 0x20_0000, &kernel(0, 0x30_0000, 2), None).unwrap_err();
    let text = "the kernel would end at 0x40300000, past the end of memory `ram` at 0x40200000";
    assert_eq!(error.to_string(), text);
    let error = placed(RAM, 0x40_0000, &kernel(0, 0x30_0000, 2), Some(&[0; 0x20_0000])).unwrap_err();
    assert!(error.to_string().starts_with("the initial RAM disk would end at 0x40500000"), "{error}");
    let error = placed(RAM, 0x40_0000, &kernel(0, 0x30_0000, 2), None).unwrap_err();
    assert!(error.to_string().starts_with("the device tree would end at"), "{error}");
}

#[test]
fn a_kernel_with_pages_that_the_cores_lack_is_refused() {
    let error = placed(RAM, 0x1000_0000, &kernel(0, 0x30_0000, 2 << 1), None).unwrap_err();
    assert_eq!(error, LinuxError::Pages(Granule::K16));
    assert!(placed(RAM, 0x1000_0000, &kernel(0, 0x30_0000, 3 << 1), None).is_ok(), "64k is there");
}

#[test]
fn the_users_own_tree_keeps_what_it_says_and_gets_command_line_and_ram_disk() {
    let board = virt_board();
    let guest = guest(&board, RAM, 0x1000_0000);
    let chosen = device_tree::Chosen { bootargs: Some("theirs".into()), initrd: None };
    let own = device_tree::generate(&board, &guest, &chosen).unwrap();
    let kernel = kernel(0, 0x30_0000, 2);
    let linux = Linux { kernel: &kernel, initrd: Some(&[1]), bootargs: None, tree: Some(&own) };
    let placement = place(&board, &guest, &linux).unwrap();
    let tree = device_tree::parse(&placement.segments[2].bytes).unwrap();
    let chosen = tree.find_node("/chosen").unwrap();
    assert_eq!(chosen.property("bootargs").unwrap().value(), b"theirs\0");
    assert!(chosen.property("linux,initrd-start").is_some());
    assert!(tree.find_node("/psci").is_some());
}

/// The fields of a newc entry at `at`, by their place in buffer-format.rst, and where the next one starts.
fn entry(bytes: &[u8], at: usize) -> (String, Vec<u32>, &[u8], usize) {
    assert_eq!(&bytes[at..at + 6], b"070701");
    let digits = std::str::from_utf8(&bytes[at + 6..at + 110]).unwrap();
    let fields: Vec<u32> = (0..13).map(|i| u32::from_str_radix(&digits[i * 8..i * 8 + 8], 16).unwrap()).collect();
    let name = &bytes[at + 110..at + 110 + fields[11] as usize - 1];
    let content = (at + 110 + fields[11] as usize).next_multiple_of(4);
    let end = content + fields[6] as usize;
    let name = std::str::from_utf8(name).unwrap().to_owned();
    (name, fields, &bytes[content..end], end.next_multiple_of(4))
}

#[test]
fn an_archive_reads_back_entry_by_entry() {
    let bytes = Archive::new().directory("bin").program("bin/x", b"hello").link("y", "bin/x").finish();
    let (name, fields, _, next) = entry(&bytes, 0);
    assert_eq!((name.as_str(), fields[1]), ("bin", 0o040_755));
    let (name, fields, content, next) = entry(&bytes, next);
    assert_eq!((name.as_str(), fields[1], content), ("bin/x", 0o100_755, &b"hello"[..]));
    let (name, fields, content, next) = entry(&bytes, next);
    assert_eq!((name.as_str(), fields[1], content), ("y", 0o120_777, &b"bin/x"[..]));
    let (name, .., end) = entry(&bytes, next);
    assert_eq!((name.as_str(), end), ("TRAILER!!!", bytes.len()));
}

#[test]
fn the_test_guests_init_says_the_marker() {
    let bytes = initramfs::for_tests(b"busybox");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(initramfs::MARKER));
}
