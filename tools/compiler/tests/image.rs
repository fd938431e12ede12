//! What an image must be, whatever the board.
#![allow(clippy::unwrap_used)]

#[path = "common/support.rs"]
mod support;

use septum_compiler::image;
use septum_plan::{BootBlock, Plan, boot};
use zerocopy::FromBytes;

fn boot_block(image: &[u8]) -> BootBlock {
    BootBlock::read_from_prefix(&image[boot::OFFSET..]).unwrap().0
}

#[test]
fn the_boot_block_leads_to_a_plan_with_the_right_seal() {
    for system in support::systems() {
        let image = image::build(&system, &support::el2_elf()).unwrap().into_bytes();
        let block = boot_block(&image);
        assert_eq!(block.seal, block.own_seal());
        let start = (block.plan - block.load) as usize;
        let plan = Plan::parse(&image[start..start + block.sealed_bytes as usize], block.sealed).unwrap();
        assert_eq!(plan.board(), system.board.name);
        assert_eq!(plan.partitions().len(), system.partitions.len());
        assert_eq!(image.len() as u64, block.image_bytes);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for system in support::systems() {
        let build = || image::build(&system, &support::el2_elf()).unwrap().into_bytes();
        assert!(build() == build());
    }
}

#[test]
fn the_header_leads_firmware_to_the_load_address() {
    for system in support::systems() {
        let image = image::build(&system, &support::el2_elf()).unwrap().into_bytes();
        let word = |offset: usize| u64::from_le_bytes(image[offset..offset + 8].try_into().unwrap());
        assert_eq!(word(8), 0x20_0000, "text_offset: load address less the start of RAM");
        assert_eq!(word(16), boot_block(&image).memory_bytes, "image_size counts all of EL2's memory");
        assert_eq!(word(24), 2, "little-endian, 4 KiB pages, not anywhere");
        assert_eq!(&image[56..60], b"ARM\x64");
        assert_eq!(&image[..4], 0x1400_0100_u32.to_le_bytes(), "EL2's own first instruction");
    }
}
