//! Images changed by hand, with every seal made right again: what a fault of the compiler, or a forger, could make.
#![allow(dead_code, reason = "no test uses all of it")]

use std::mem::offset_of;
use std::ops::Range;

use septum_compiler::image;
use septum_compiler::system::System;
use septum_plan::{
    BootBlock, CoreRecord, DeviceRecord, EmulatedRecord, PartitionRecord, PlanHeader, RamRecord, RegionRecord,
    SegmentRecord, Slice, boot,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::support;

/// A bit of an image, as its plan calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The kind of record.
    pub record: &'static str,
    /// Which of them.
    pub index: usize,
    /// The byte in the record.
    pub offset: usize,
    /// The byte in the image.
    pub byte: usize,
    /// The bit in the byte.
    pub bit: usize,
}

impl Place {
    /// Whether it is in `bytes` of a `record`.
    pub fn is(&self, record: &str, bytes: &Range<usize>) -> bool {
        self.record == record && bytes.contains(&self.offset)
    }
}

/// `places`, as runs of bits of one byte.
pub fn list(places: &[Place]) -> String {
    let bytes = places.chunk_by(|one, next| one.byte == next.byte);
    let texts = bytes.take(200).map(|bits| {
        let Place { record, index, offset, .. } = bits[0];
        let bits: String = bits.iter().map(|place| place.bit.to_string()).collect();
        format!("{record} {index} byte {offset} bits {bits}")
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Shortens what is hashed at every look; no field of a plan depends on it but lengths and seals.
pub fn cut_payloads(system: &mut System) {
    let segments = system.partitions.iter_mut().flat_map(|partition| &mut partition.segments);
    for segment in segments {
        let whole = segment.bytes.len();
        segment.bytes.truncate(0x1001);
        // The rest is zeroed, as segments cover all memory.
        segment.zero_bytes += (whole - segment.bytes.len()) as u64;
    }
}

/// An image that is changed.
pub struct Forged {
    image: Vec<u8>,
    plan: usize,
    sealed: usize,
}

impl Forged {
    /// The image of `system`.
    pub fn new(system: &System) -> Self {
        let image = image::build(system, &support::el2_elf()).unwrap().into_bytes();
        let block = block(&image);
        Self { image, plan: (block.plan - block.load) as usize, sealed: block.sealed_bytes as usize }
    }

    /// The image's bytes.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// The plan's header.
    pub fn header(&self) -> PlanHeader {
        PlanHeader::read_from_prefix(&self.image[self.plan..]).unwrap().0
    }

    /// Flips a bit and seals.
    pub fn flip(&mut self, byte: usize, bit: usize) {
        self.image[byte] ^= 1 << bit;
        self.seal();
    }

    /// Changes the header, and seals.
    pub fn change(&mut self, change: impl FnOnce(&mut PlanHeader)) {
        let mut header = self.header();
        change(&mut header);
        self.image[self.plan..][..size_of::<PlanHeader>()].copy_from_slice(header.as_bytes());
        self.seal();
    }

    /// Writes a word, and seals.
    pub fn write(&mut self, byte: usize, value: u64) {
        self.image[byte..byte + 8].copy_from_slice(&value.to_le_bytes());
        self.seal();
    }

    /// Makes every seal right again.
    pub fn seal(&mut self) {
        let sealed = septum_plan::seal(&self.image[self.plan..self.plan + self.sealed]);
        let mut block = block(&self.image);
        block.sealed = sealed;
        self.image[boot::OFFSET..boot::OFFSET + size_of::<BootBlock>()].copy_from_slice(block.sealed().as_bytes());
    }

    /// Every byte of Image header, boot block (its seals apart) and plan.
    pub fn places(&self) -> Vec<Place> {
        let header = self.header();
        let mut places = Vec::new();
        let mut add = |record, first: usize, size: usize, count: usize| {
            for (index, offset) in (0..count).flat_map(|index| (0..size).map(move |offset| (index, offset))) {
                places.push(Place { record, index, offset, byte: first + index * size + offset, bit: 0 });
            }
        };
        add("Image header", 0, boot::OFFSET, 1);
        add("boot block", boot::OFFSET, size_of::<BootBlock>(), 1);
        let devices = offset_of!(PlanHeader, devices);
        add("header", self.plan, devices, 1);
        add("device", self.plan + devices, size_of::<DeviceRecord>(), header.devices.len());
        let mut array =
            |record, slice: Slice, size| add(record, self.plan + slice.offset as usize, size, slice.count as usize);
        array("core", header.cores, size_of::<CoreRecord>());
        array("partition", header.partitions, size_of::<PartitionRecord>());
        array("vcpu", header.vcpus, size_of::<u16>());
        array("region", header.regions, size_of::<RegionRecord>());
        array("segment", header.segments, size_of::<SegmentRecord>());
        array("ram", header.ram, size_of::<RamRecord>());
        array("emulated", header.emulated, size_of::<EmulatedRecord>());
        array("interrupts", header.interrupts, size_of::<u32>());
        let records = places.iter().map(|place| place.byte + 1).max().unwrap_or(0);
        let end = self.plan + header.plan_bytes as usize;
        let strings =
            (records..end).map(|byte| Place { record: "strings", index: 0, offset: byte - records, byte, bit: 0 });
        places.extend(strings);
        let seals = [offset_of!(BootBlock, sealed), offset_of!(BootBlock, seal)];
        places.retain(|place| place.record != "boot block" || !seals.contains(&(place.offset & !7)));
        places
    }
}

/// The boot block of `image`.
pub fn block(image: &[u8]) -> BootBlock {
    BootBlock::read_from_prefix(&image[boot::OFFSET..]).unwrap().0
}
