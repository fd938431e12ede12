//! What only the linked binary shows: no path from a trap leads to a panic, and no instructions are what an erratum of
//! Cortex-A53 is about.
//!
//! The call graph is read from the machine code: a branch that leaves its function is a call. Functions that no direct
//! branch leads to may be called through a pointer, so they count as reachable from anywhere, but for the boot path's
//! entries.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::path::Path;
use std::process::Command;

use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};

/// Where execution comes in: the boot stub calls these two through the addresses that it holds.
const BOOT: [&str; 2] = ["5start7primary", "5start9secondary"];
/// Parts of the names of what a panic goes through.
const PANICS: [&str; 6] =
    ["9panicking", "unwrap_failed", "expect_failed", "slice_index_fail", "_defmt_panic", "rust_begin_unwind"];

/// The release binary, built.
fn binary() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = "aarch64-unknown-none-softfloat";
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", "board", "--package", "septum-el2", "--target", target])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let key = "\"executable\":\"";
    let paths = messages.match_indices(key).map(|(at, _)| &messages[at + key.len()..]);
    let path = paths.map(|rest| &rest[..rest.find('"').unwrap()]).last().expect("an executable");
    std::fs::read(path).unwrap()
}

/// Functions by address, each with its name, and whom each calls.
struct Graph {
    names: BTreeMap<u64, String>,
    calls: BTreeMap<u64, BTreeSet<u64>>,
}

impl Graph {
    fn new(elf: &object::File<'_>) -> Self {
        let functions =
            elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text || symbol.name() == Ok("vectors"));
        let names: BTreeMap<u64, String> = functions
            .filter(|symbol| symbol.address() != 0 && symbol.name().is_ok_and(|name| !name.starts_with('$')))
            .map(|symbol| (symbol.address(), symbol.name().unwrap().to_owned()))
            .collect();
        let text = elf.section_by_name(".text").unwrap();
        let mut graph = Self { names, calls: BTreeMap::new() };
        for (index, word) in text.data().unwrap().as_chunks::<4>().0.iter().enumerate() {
            graph.add(text.address() + 4 * index as u64, u32::from_le_bytes(*word));
        }
        graph
    }

    fn add(&mut self, at: u64, instruction: u32) {
        let (Some(target), Some(from)) = (branch_target(at, instruction), self.function_of(at)) else { return };
        if let Some(to) = self.function_of(target).filter(|to| *to != from) {
            self.calls.entry(from).or_default().insert(to);
        }
    }

    /// The first address of the function that holds `address`.
    fn function_of(&self, address: u64) -> Option<u64> {
        self.names.range(..=address).next_back().map(|(start, _)| *start)
    }

    fn named<'a>(&'a self, parts: &'a [&str]) -> impl Iterator<Item = u64> + 'a {
        self.names.iter().filter(|(_, name)| parts.iter().any(|part| name.contains(part))).map(|(start, _)| *start)
    }

    /// Functions that no direct branch leads to.
    fn uncalled(&self) -> impl Iterator<Item = u64> {
        let called: BTreeSet<u64> = self.calls.values().flatten().copied().collect();
        self.names.keys().copied().filter(move |start| !called.contains(start))
    }

    /// From each function that `roots` lead to, who calls it on the way.
    fn reachable(&self, roots: impl IntoIterator<Item = u64>) -> BTreeMap<u64, u64> {
        let mut from: BTreeMap<u64, u64> = BTreeMap::new();
        let mut open: Vec<(u64, u64)> = roots.into_iter().map(|root| (root, root)).collect();
        while let Some((function, caller)) = open.pop() {
            if let Entry::Vacant(place) = from.entry(function) {
                place.insert(caller);
                open.extend(self.calls.get(&function).into_iter().flatten().map(|callee| (*callee, function)));
            }
        }
        from
    }

    /// The names on the way to `function`.
    fn way(&self, from: &BTreeMap<u64, u64>, mut function: u64) -> String {
        let mut way = self.names[&function].clone();
        while from[&function] != function {
            function = from[&function];
            way = format!("{} -> {way}", self.names[&function]);
        }
        way
    }
}

/// Where a direct branch at `at` leads: B, BL, B.cond, CBZ, CBNZ, TBZ, TBNZ (Arm ARM C4.1.65).
fn branch_target(at: u64, instruction: u32) -> Option<u64> {
    let field = |low: u32, width: u32| i64::from(((instruction << (32 - low - width)) as i32) >> (32 - width));
    let words = match instruction >> 24 {
        0x14..=0x17 | 0x94..=0x97 => field(0, 26),
        0x54 | 0x34 | 0x35 | 0xb4 | 0xb5 => field(5, 19),
        0x36 | 0x37 | 0xb6 | 0xb7 => field(5, 14),
        _ => return None,
    };
    Some(at.wrapping_add_signed(4 * words))
}

#[test]
fn no_trap_leads_to_a_panic() {
    let binary = binary();
    let elf = object::File::parse(&*binary).unwrap();
    let graph = Graph::new(&elf);
    let boot: Vec<u64> = graph.named(&BOOT).collect();
    assert_eq!(boot.len(), BOOT.len(), "the boot path has other names now");
    let traps = graph.named(&["vectors"]).chain(graph.uncalled().filter(|start| !boot.contains(start)));
    let panics: BTreeSet<u64> = graph.named(&PANICS).collect();
    // The panicking functions themselves are in the binary, and some stand for themselves.
    let from = graph.reachable(traps.filter(|start| !panics.contains(start)));
    for name in ["4trap8hot_call", "10hot_access", "4trap4rare", "4trap9interrupt", "9own_fault"] {
        assert!(graph.named(&[name]).any(|start| from.contains_key(&start)), "{name} is not reached: a broken graph");
    }
    let ways: Vec<String> = panics.iter().filter(|p| from.contains_key(p)).map(|p| graph.way(&from, *p)).collect();
    assert!(ways.is_empty(), "a trap can panic:\n{}", ways.join("\n"));
}

#[test]
fn the_graph_sees_the_boot_path_s_panics() {
    let binary = binary();
    let elf = object::File::parse(&*binary).unwrap();
    let graph = Graph::new(&elf);
    let from = graph.reachable(graph.named(&BOOT));
    assert!(from.len() > 20, "the boot path calls {} functions", from.len());
}

/// Most bytes of code and read-only data, in whole pages: every board keeps them in memory for good.
const CODE_AND_READ_ONLY_BYTES: u64 = 64 << 10;

#[test]
fn code_and_read_only_data_stay_in_their_budget_and_nothing_is_writable_and_executable() {
    let binary = binary();
    let elf = object::File::parse(&*binary).unwrap();
    let flags = |segment: &object::Segment<'_, '_>| match segment.flags() {
        object::SegmentFlags::Elf { p_flags, .. } => p_flags,
        other => panic!("{other:?}"),
    };
    let writable = |flags: object::elf::ProgramFlags| flags.contains(object::elf::PF_W);
    let segments: Vec<_> = elf.segments().map(|segment| (flags(&segment), segment.size())).collect();
    assert!(segments.iter().any(|(flags, _)| writable(*flags)), "the flags are not read: {segments:?}");
    let both = segments.iter().any(|(flags, _)| writable(*flags) && flags.contains(object::elf::PF_X));
    assert!(!both, "writable and executable: {segments:?}");
    let bytes: u64 =
        segments.iter().filter(|(flags, _)| !writable(*flags)).map(|(_, size)| size.next_multiple_of(4096)).sum();
    assert!(bytes <= CODE_AND_READ_ONLY_BYTES, "{bytes} bytes of code and read-only data: {segments:?}");
}

/// Whether `instruction` accesses memory: loads and stores (Arm ARM C4.1.66, op0 x1x0).
const fn is_memory_access(instruction: u32) -> bool {
    instruction >> 25 & 0b0101 == 0b0100
}

/// Whether `instruction` is a 64-bit MADD, MSUB, SMADDL, SMSUBL, UMADDL or UMSUBL that does add something (Ra is not
/// XZR; C4.1.68, Data-processing (3 source)).
const fn is_multiply_accumulate(instruction: u32) -> bool {
    let accumulates = matches!(instruction >> 21 & 0b111, 0b000 | 0b001 | 0b101);
    instruction >> 24 == 0x9b && accumulates && instruction >> 10 & 0x1f != 0x1f
}

/// Cortex-A53 erratum 835769: such a pair may compute a wrong result.
#[test]
fn no_multiply_accumulate_follows_a_memory_access() {
    let binary = binary();
    let elf = object::File::parse(&*binary).unwrap();
    let text = elf.section_by_name(".text").unwrap();
    let words: Vec<u32> =
        text.data().unwrap().as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    assert!(words.iter().any(|word| is_multiply_accumulate(*word)), "none at all: they are not decoded");
    let pairs = words.windows(2).enumerate();
    let found: Vec<u64> = pairs
        .filter(|(_, pair)| is_memory_access(pair[0]) && is_multiply_accumulate(pair[1]))
        .map(|(index, _)| text.address() + 4 * index as u64)
        .collect();
    assert!(found.is_empty(), "erratum 835769 at {found:x?}");
}

#[test]
fn multiply_accumulates_and_memory_accesses_are_decoded() {
    assert!(is_memory_access(0xf940_142a), "ldr x10, [x1, #40]");
    assert!(is_memory_access(0xa94c_308d), "ldp x13, x12, [x4, #192]");
    assert!(!is_memory_access(0xd503_201f), "nop");
    assert!(is_multiply_accumulate(0x9b09_76bb), "madd x27, x21, x9, x29");
    assert!(is_multiply_accumulate(0x9ba8_269c), "umaddl x28, w20, w8, x9");
    assert!(!is_multiply_accumulate(0x9b08_7d29), "mul x9, x9, x8");
    assert!(!is_multiply_accumulate(0x9bc8_7d29), "umulh x9, x9, x8");
}

#[test]
fn branches_are_decoded() {
    assert_eq!(branch_target(0x1000, 0x9400_0002), Some(0x1008), "bl .+8");
    assert_eq!(branch_target(0x1000, 0x17ff_ffff), Some(0xffc), "b .-4");
    assert_eq!(branch_target(0x1000, 0x5400_0041), Some(0x1008), "b.ne .+8");
    assert_eq!(branch_target(0x1000, 0xb5ff_ffe8), Some(0xffc), "cbnz x8, .-4");
    assert_eq!(branch_target(0x1000, 0x3707_ffe0), Some(0xffc), "tbnz w0, #0, .-4");
    assert_eq!(branch_target(0x1000, 0xd65f_03c0), None, "ret");
}
