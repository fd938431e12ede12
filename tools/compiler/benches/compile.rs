//! How long the compile step takes: shipped systems, the largest that is promised, and the most tables.
//!
//! `cargo bench -p septum-compiler` prints the figures of docs/performance.md. They are no tests: a loaded machine is
//! slow, not wrong.
#![allow(clippy::expect_used, reason = "a bench has nobody to report an error to")]

#[path = "../tests/common/files.rs"]
mod files;
#[path = "../tests/common/shipped.rs"]
mod shipped;
#[path = "../tests/common/support.rs"]
mod support;

use std::time::{Duration, Instant};

use septum_compiler::check::{FileError, Files, Loaded, check};
use septum_compiler::image;
use septum_compiler::source::SourceFile;
use septum_compiler::system::{Region, Segment, System, cover};
use septum_plan::RegionKind;
use septum_stage2::{Access, Geometry, Granule, Ipa, Mapping, Memory, Pa, PaRange, builder};

const RUNS: usize = 5;

fn main() {
    let el2 = support::el2_elf();
    for path in shipped::configs() {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        measure(&format!("{name}: check"), || shipped::checked(&path));
        let system = shipped::checked(&path);
        measure(&format!("{name}: build and proof"), || image::build(&system, &el2).expect("an image"));
    }
    let config = SourceFile { name: "large.toml".to_owned(), text: large_config(64, 64) };
    let large = || check(&config, &LargeBoard).unwrap_or_else(|problems| panic!("{problems}"));
    measure("48 bits, 64 partitions, 4096 regions: check", large);
    let system = large();
    measure("48 bits, 64 partitions, 4096 regions: build", || image::build(&system, &el2).expect("an image"));
    let scattered = scattered();
    measure("8 GiB in 4 KiB pages: tables", || tables(&scattered));
    let linux = with_payload(40 << 20);
    measure("a payload of 40 MiB, proved", || image::build(&linux, &el2).expect("an image"));
}

/// Prints the best and the median of a few runs.
fn measure<T>(what: &str, run: impl Fn() -> T) {
    let mut times: Vec<Duration> = (0..RUNS).map(|_| time(&run)).collect();
    times.sort_unstable();
    println!("{what:48} best {:8.2} ms, median {:8.2} ms", millis(times[0]), millis(times[RUNS / 2]));
}

fn time<T>(run: impl Fn() -> T) -> Duration {
    let start = Instant::now();
    std::hint::black_box(run());
    start.elapsed()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// `partitions` on a core each, `regions` apiece: one for the image, the others scattered over their addresses.
fn large_config(partitions: u64, regions: u64) -> String {
    let mut text = "board = \"large\"\n".to_owned();
    for partition in 0..partitions {
        text += &format!("[partition.p{partition}]\ncpus = [{partition}]\nimage = \"hello\"\n");
        text += "memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n";
        for region in 1..regions {
            let ipa = 0x8000_0000 + region * 0x2_0000;
            text += &format!("memory.m{region} = {{ ipa = {ipa:#x}, size = \"64KiB\" }}\n");
        }
    }
    text
}

/// The 42-bit board with 64 cores and 48 bits.
struct LargeBoard;

impl Files for LargeBoard {
    fn boards(&self) -> Vec<String> {
        vec!["large".to_owned()]
    }

    fn board(&self, _name: &str) -> Result<Loaded, FileError> {
        let mut loaded = tree().board("server-42")?;
        let text = String::from_utf8(loaded.bytes).expect("text");
        let cores: Vec<String> = (0..64).map(|core| format!("{:#x}", core / 8 * 0x100 + core % 8)).collect();
        let lines = text.lines().map(|line| match line.split(' ').next() {
            Some("pa-bits") => "pa-bits = 48".to_owned(),
            Some("cores") => format!("cores = [{}]", cores.join(", ")),
            Some("redistributors") => "redistributors = { at = 0x100_1100_0000, size = 0x80_0000 }".to_owned(),
            _ => line.to_owned(),
        });
        loaded.bytes = lines.collect::<Vec<_>>().join("\n").into_bytes();
        Ok(loaded)
    }

    fn partitions(&self) -> Vec<String> {
        tree().partitions()
    }

    fn partition(&self, name: &str) -> Result<Loaded, FileError> {
        tree().partition(name)
    }

    fn file(&self, _path: &str, _most: u64) -> Result<Loaded, FileError> {
        Err(FileError::Missing)
    }

    fn guests(&self) -> Vec<String> {
        Vec::new()
    }

    fn guest(&self, _name: &str) -> Result<Loaded, FileError> {
        Err(FileError::Missing)
    }
}

fn tree() -> files::Tree {
    files::shipped(files::root().join("configs"))
}

/// 8 GiB, no page of which continues the one before: physical pages in reverse order.
fn scattered() -> Vec<Mapping> {
    let pages = (8_u64 << 30) / 4096;
    let attributes = septum_stage2::Attributes { access: Access::RW, memory: Memory::Normal };
    let mapping = |page: u64| Mapping {
        ipa: Ipa::new(0x1_0000_0000 + page * 4096),
        pa: Pa::new(0x10_0000_0000 + (pages - 1 - page) * 4096),
        size: 4096,
        attributes,
    };
    (0..pages).map(mapping).collect()
}

fn tables(mappings: &[Mapping]) -> Vec<u8> {
    let geometry = Geometry::whole(Granule::K4, PaRange::from_bits(48).expect("a PA size"));
    let count = builder::tables_bytes(geometry, mappings).expect("tables");
    let mut bytes = vec![0; count.total_bytes as usize];
    builder::build(geometry, mappings, Pa::new(0), &mut bytes).expect("tables");
    bytes
}

/// One partition with as large a payload as a Linux kernel with its initramfs.
fn with_payload(bytes: usize) -> System {
    let mut system = support::systems()[0].clone();
    system.el2.size = 0x800_0000;
    system.partitions.truncate(1);
    let ram: &mut Region = &mut system.partitions[0].regions[0];
    assert_eq!(ram.kind, RegionKind::Memory);
    ram.size = 0x1000_0000;
    let bytes = (0..bytes).map(|index| index as u8).collect();
    let partition = &mut system.partitions[0];
    partition.segments = cover(&partition.regions, vec![Segment::new(0x4000_0000, bytes, 0)]);
    system
}
