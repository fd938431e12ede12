//! What may be a payload and what may not, by file.
#![allow(clippy::unwrap_used)]

#[path = "common/support.rs"]
mod support;

use proptest::prelude::*;
use septum_compiler::payload::{self, Payload, PayloadError};

fn read_elf(bytes: &[u8]) -> payload::Elf {
    match payload::read(bytes).unwrap() {
        Payload::Elf(elf) => elf,
        other => panic!("{other:?}"),
    }
}

fn image(flags: u64) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[8..16].copy_from_slice(&0x10_0000_u64.to_le_bytes());
    bytes[16..24].copy_from_slice(&0x20_0000_u64.to_le_bytes());
    bytes[24..32].copy_from_slice(&flags.to_le_bytes());
    bytes[56..60].copy_from_slice(b"ARM\x64");
    bytes
}

/// Sets program header `index`'s p_paddr.
fn set_physical(elf: &mut [u8], index: usize, address: u64) {
    let offset = 64 + 56 * index + 24;
    elf[offset..offset + 8].copy_from_slice(&address.to_le_bytes());
}

#[test]
fn an_elf_goes_to_its_physical_addresses_and_its_entry_with_it() {
    let mut bytes = support::elf(&[(0xffff_0000, 5, vec![1; 16], 16), (0xffff_1000, 6, vec![2; 4], 32)]);
    set_physical(&mut bytes, 0, 0x4000_0000);
    set_physical(&mut bytes, 1, 0x4000_1000);
    let elf = read_elf(&bytes);
    assert_eq!(elf.entry, 0x4000_0000);
    assert_eq!(elf.segments[1].address, 0x4000_1000);
    assert_eq!((elf.segments[1].bytes.len(), elf.segments[1].zero_bytes), (4, 28));
    assert_eq!(elf.segments[0].access.to_string(), "rx");
}

#[test]
fn an_elf_without_physical_addresses_goes_to_its_virtual_ones() {
    let mut bytes = support::elf(&[(0x4000_0000, 5, vec![1; 16], 16)]);
    set_physical(&mut bytes, 0, 0);
    assert_eq!(read_elf(&bytes).segments[0].address, 0x4000_0000);
}

#[test]
fn a_linux_image_keeps_its_header() {
    let Payload::LinuxImage(found) = payload::read(&image(2)).unwrap() else { panic!("no Image") };
    assert_eq!((found.text_offset, found.image_size), (0x10_0000, 0x20_0000));
    assert_eq!(payload::read(&image(3)), Err(PayloadError::BigEndian));
}

#[test]
fn other_bytes_are_raw() {
    assert_eq!(payload::read(&[1, 2, 3]), Ok(Payload::Raw(vec![1, 2, 3])));
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let good = support::elf(&[(0x4000_0000, 5, vec![1; 16], 16)]);
    let changed = |offset: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[offset] = value;
        payload::read(&bytes)
    };
    assert_eq!(payload::read(&[]), Err(PayloadError::Empty));
    assert_eq!(payload::read(&image(2)[..60]), Err(PayloadError::Truncated { needed: 64, found: 60 }));
    assert_eq!(changed(18, 62), Err(PayloadError::Machine("x86".to_owned())));
    assert_eq!(changed(4, 1), Err(PayloadError::Machine("AArch64 with 32-bit pointers".to_owned())));
    assert_eq!(changed(5, 2), Err(PayloadError::BigEndian));
    assert_eq!(changed(16, 1), Err(PayloadError::NotLinked));
    assert_eq!(changed(64, 3), Err(PayloadError::Dynamic));
    assert_eq!(changed(64, 4), Err(PayloadError::NoSegment));
    let short = &good[..good.len() - 1];
    let needed = good.len() as u64;
    assert_eq!(payload::read(short), Err(PayloadError::Truncated { needed, found: needed - 1 }));
    assert_eq!(payload::read(&good[..10]), Err(PayloadError::Truncated { needed: 64, found: 10 }));
    let overlapping = support::elf(&[(0x1000, 5, vec![1; 16], 16), (0x100f, 6, vec![1; 1], 1)]);
    assert_eq!(payload::read(&overlapping), Err(PayloadError::Overlap(0x100f)));
    let wrapping = support::elf(&[(u64::MAX - 7, 5, vec![1; 16], 16)]);
    assert_eq!(payload::read(&wrapping), Err(PayloadError::Wraps(u64::MAX - 7)));
    assert!(matches!(payload::read(b"\x1f\x8b\x08..."), Err(PayloadError::Compressed(_))));
    assert!(matches!(payload::read(b"MZ\0\0zimg...."), Err(PayloadError::Compressed(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(damage in prop::collection::vec((0_usize..200, any::<u8>()), 1..6), cut in 0_usize..400) {
        let mut elf = support::elf(&[(0x4000_0000, 5, vec![1; 16], 16), (0x4000_1000, 6, vec![2; 4], 32)]);
        for (offset, value) in damage {
            let length = elf.len();
            elf[offset % length] = value;
        }
        elf.truncate(cut);
        let _ = payload::read(&elf);
        let mut image = image(0);
        image[0x3c..0x40].copy_from_slice(&(cut as u32 * 11).to_le_bytes());
        let _ = payload::read(&image);
    }
}
