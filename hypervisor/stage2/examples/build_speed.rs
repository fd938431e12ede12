//! Prints how long it takes to build, and to walk, the tables for 8 GiB in 4 KiB pages:
//! `cargo run -p septum-stage2 --example build_speed`. The walk is compiled with this file, so only `--release` times it
//! as the compiler runs it.

use std::time::Instant;

use septum_stage2::{
    Access, Attributes, BuildError, Geometry, Granule, Ipa, Leaf, Mapping, Memory, Pa, PaRange, TableBytes, TablePage,
    Visitor, Walker, build, tables_bytes,
};

const BYTES: u64 = 8 << 30;
const PAGE: u64 = 4096;

fn main() -> Result<(), BuildError> {
    // An offset of one page between input and output rules every block and every contiguous group out.
    let whole = [mapping(0x4000_0000, 0x8000_1000, BYTES)];
    measure("one region of 8 GiB, off by a page", &whole)?;
    // Every other page swapped with its neighbour: no two mappings join.
    let pages: Vec<Mapping> =
        (0..BYTES / PAGE).map(|page| mapping(page * PAGE, (page ^ 1) * PAGE + (1 << 34), PAGE)).collect();
    measure("8 GiB as 2,097,152 regions of a page", &pages)
}

fn mapping(ipa: u64, pa: u64, size: u64) -> Mapping {
    let attributes = Attributes { access: Access::RW, memory: Memory::Normal };
    Mapping { ipa: Ipa::new(ipa), pa: Pa::new(pa), size, attributes }
}

fn measure(what: &str, mappings: &[Mapping]) -> Result<(), BuildError> {
    let Some(pa_range) = PaRange::from_bits(40) else { return Ok(()) };
    let (geometry, base) = (Geometry::whole(Granule::K4, pa_range), Pa::new(1 << 32));
    let start = Instant::now();
    let count = tables_bytes(geometry, mappings)?;
    let mut bytes = vec![0; usize::try_from(count.total_bytes).unwrap_or(usize::MAX)];
    build(geometry, mappings, base, &mut bytes)?;
    println!("{what}: {} tables built in {:.1} ms", count.tables, milliseconds(start));
    let start = Instant::now();
    let mut mapped = Mapped(0);
    if let Ok(walker) = Walker::new(geometry.vtcr(), base.get(), pa_range) {
        match walker.leaves(&TableBytes { base, bytes: &bytes }, count.tables, &mut mapped) {
            Ok(()) => println!("  {} bytes found mapped in {:.1} ms", mapped.0, milliseconds(start)),
            Err(refusal) => println!("  refused: {refusal}"),
        }
    }
    Ok(())
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Adds up what a walk finds.
struct Mapped(u64);

impl Visitor<Ipa> for Mapped {
    fn table(&mut self, _table: TablePage) {}

    fn leaf(&mut self, leaf: Leaf<Ipa>) {
        self.0 += leaf.size;
    }
}
