//! How long a check takes: the shipped configurations, and a 48-bit board with 64 partitions and 4,096 regions.
//!
//! `cargo run --release -p septum-compiler --example check_speed` (or without `--release`: the compiler's own crates
//! are optimised in `dev` too). Files come from memory, so this is the checker's own time.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use septum_compiler::check::{FileError, Files, Loaded, check};
use septum_compiler::source::SourceFile;

const PARTITIONS: usize = 64;
const REGIONS: usize = 64;
const ROUNDS: usize = 20;

/// The shipped boards, and an image of one instruction for whatever is asked.
struct Tree {
    root: PathBuf,
    cores: usize,
}

impl Tree {
    fn loaded(&self, path: PathBuf) -> Result<Loaded, FileError> {
        fs::read(&path).map(|bytes| Loaded { bytes, path }).map_err(|_| FileError::Missing)
    }
}

impl Files for Tree {
    fn boards(&self) -> Vec<String> {
        let entries = fs::read_dir(self.root.join("boards")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).chain(["wide".into()]).collect()
    }

    fn board(&self, name: &str) -> Result<Loaded, FileError> {
        match name {
            "wide" => Ok(Loaded { bytes: wide_board(self.cores).into_bytes(), path: "wide".into() }),
            _ => self.loaded(self.root.join("boards").join(name).join("board.toml")),
        }
    }

    fn partitions(&self) -> Vec<String> {
        Vec::new()
    }

    fn partition(&self, _: &str) -> Result<Loaded, FileError> {
        Ok(Loaded { bytes: elf(), path: PathBuf::new() })
    }

    fn file(&self, path: &str, _most: u64) -> Result<Loaded, FileError> {
        Ok(Loaded { bytes: vec![0x1f, 0x20, 0x03, 0xd5], path: path.into() })
    }

    fn guests(&self) -> Vec<String> {
        Vec::new()
    }

    fn guest(&self, name: &str) -> Result<Loaded, FileError> {
        Ok(Loaded { bytes: vec![0x1f; 1 << 20], path: name.into() })
    }
}

/// An AArch64 ELF of one segment at 0x4000_0000.
fn elf() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0".to_vec();
    [0x4000_0000_u64, 64, 0].into_iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    let text = 0x1000;
    [120_u64, 0x4000_0000, 0x4000_0000, text, text, 0x1000]
        .into_iter()
        .for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.resize(120 + text as usize, 0x1f);
    bytes
}

fn wide_board(cores: usize) -> String {
    let cores: Vec<_> = (0..cores).map(|core| format!("{:#x}", (core >> 2) << 8 | (core & 3))).collect();
    format!(
        r#"
pa-bits = 48
granules = ["4k", "16k", "64k"]
cores = [{}]
load = 0x4020_0000
smmu = false
core-start = {{ method = "psci-smc" }}
power = {{ method = "psci-smc" }}
consoles = ["uart0"]
ram = [{{ at = 0x4000_0000, size = "128GiB" }}]
gic = {{ version = "v3", distributor = {{ at = 0x0800_0000, size = 0x1_0000 }}, redistributors = {{ at = 0x1000_0000, size = 0x1000_0000 }}, spis = 224 }}
device.uart0 = {{ registers = [{{ at = 0x0900_0000, size = 0x1000 }}], interrupts = [33], uart = {{ kind = "pl011" }} }}
"#,
        cores.join(", ")
    )
}

/// Every second region has a fixed place, sizes are mixed, and each partition has an executable region first.
fn wide_config() -> String {
    let mut text = String::from("board = \"wide\"\n");
    for partition in 0..PARTITIONS {
        let _ = writeln!(text, "[partition.p{partition}]\ncpus = [{partition}]\nimage = \"hello\"");
        text.push_str("memory.ram = { ipa = 0x4000_0000, size = \"2MiB\", access = \"rwx\" }\n");
        for region in 1..REGIONS {
            let index = (partition * REGIONS + region) as u64;
            let (ipa, size) = (0x10_0000_0000 + region as u64 * 0x400_0000, 0x1000 << (region % 12));
            let fixed = if region % 2 == 0 {
                format!(", pa = {:#x}", 0x10_0000_0000 + index * 0x80_0000)
            } else {
                String::new()
            };
            let _ = writeln!(text, "memory.r{region} = {{ ipa = {ipa:#x}, size = {size}{fixed} }}");
        }
    }
    text
}

/// The median of [`ROUNDS`] checks.
fn measure(config: &SourceFile, files: &Tree) -> Result<Duration, String> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let system = check(config, files).map_err(|problems| problems.human(false))?;
        times.push(start.elapsed());
        drop(system);
    }
    times.sort();
    Ok(times[ROUNDS / 2])
}

fn main() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no repository")?.to_owned();
    let files = Tree { root: root.clone(), cores: PARTITIONS };
    let entries = fs::read_dir(root.join("configs")).map_err(|error| error.to_string())?;
    let mut configs: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    configs.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    configs.sort();
    for path in configs {
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("{name:24} {:>10.3?}", measure(&SourceFile { name: name.clone(), text }, &files)?);
    }
    let wide = SourceFile { name: format!("{PARTITIONS} x {REGIONS} regions"), text: wide_config() };
    println!("{:24} {:>10.3?}", wide.name, measure(&wide, &files)?);
    Ok(())
}
