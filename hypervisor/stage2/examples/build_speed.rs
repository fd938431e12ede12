//! Prints how long the tables for 8 GiB in 4 KiB pages take: `cargo run -p septum-stage2 --example build_speed`.

use std::time::Instant;

use septum_stage2::{
    Access, Attributes, BuildError, Geometry, Granule, Ipa, Mapping, Memory, Pa, PaRange, build, tables_bytes,
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
    let geometry = Geometry::whole(Granule::K4, pa_range);
    let start = Instant::now();
    let count = tables_bytes(geometry, mappings)?;
    let mut out = vec![0; usize::try_from(count.total_bytes).unwrap_or(usize::MAX)];
    build(geometry, mappings, Pa::new(1 << 32), &mut out)?;
    println!("{what}: {} tables in {:.1} ms", count.tables, start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}
