//! Whether a board is the plan's: registers with the values of real cores, device trees as firmware hands them over.
#![allow(clippy::unwrap_used)]

#[path = "board_check/plan.rs"]
mod plan;
#[path = "board_check/tree.rs"]
mod tree;

use fdt_rs::base::DevTree;
use plan::{CARVE_OUT, EL2, RAM, with_plan};
use septum_core::board_check::core::{self, Identification, Mismatch, distributor_fits};
use septum_core::board_check::device_tree::{self, Mismatch as TreeMismatch, Range};
use septum_plan::refusal::Refusal;
use septum_plan::{GicVersion, Plan, PlanHeader};
use septum_stage2::Granule;
use tree::Tree;
use zerocopy::IntoBytes;

/// Cortex-A53 r0p4: 40 bits, granules 4k and 64k at both stages, GICv3 registers, AArch32 at every level.
const A53: Identification = Identification { mmfr0: 0x1122, pfr0: 0x100_2222, counter_hz: 8_000_000 };
/// Cortex-A72 r0p3: 44 bits, without GICv3 registers (GICCDISABLE).
const A72: Identification = Identification { mmfr0: 0x1124, pfr0: 0x2222, counter_hz: 54_000_000 };

fn check(core: Identification, change: impl FnOnce(&mut PlanHeader)) -> Result<(), Mismatch> {
    let mut result = Ok(());
    with_plan(change, |plan| result = core::check(&core, plan));
    result
}

#[test]
fn a_core_may_have_more_address_bits_than_the_plan_needs_but_not_fewer() {
    for (field, bits) in [(0, 32), (1, 36), (2, 40)] {
        assert_eq!(check(A53, |header| header.pa_range = field), Ok(()), "{bits} bits");
    }
    for (field, needs) in [(3, 42), (4, 44), (5, 48)] {
        assert_eq!(check(A53, |header| header.pa_range = field), Err(Mismatch::PaRange { has: 40, needs }));
    }
    let max = Identification { mmfr0: 0x1126, ..A53 };
    assert_eq!(check(max, |header| header.pa_range = 5), Ok(()), "52 bits are used as 48");
}

#[test]
fn every_granule_that_a_table_uses_is_asked_for() {
    assert_eq!(check(A53, |header| header.granules = 0b101), Ok(()), "4k and 64k");
    assert_eq!(check(A53, |header| header.granules = 0b010), Err(Mismatch::Stage2Granule(Granule::K16)));
    let no_64k = Identification { mmfr0: A53.mmfr0 | 0xf << 24, ..A53 };
    assert_eq!(check(no_64k, |header| header.granules = 0b100), Err(Mismatch::Stage2Granule(Granule::K64)));
    assert_eq!(check(no_64k, |header| header.granules = 0b001), Ok(()));
}

#[test]
fn the_stage_2_fields_overrule_those_of_stage_1() {
    let stage1_only = Identification { mmfr0: A53.mmfr0 | 1 << 40, ..A53 };
    assert_eq!(check(stage1_only, |header| header.granules = 1), Err(Mismatch::Stage2Granule(Granule::K4)));
    let stage2_too = Identification { mmfr0: A53.mmfr0 | 2 << 32, ..A53 };
    assert_eq!(check(stage2_too, |header| header.granules = 2), Ok(()), "16k at Stage 2 only");
}

#[test]
fn el2_itself_needs_4k() {
    let no_4k = Identification { mmfr0: A53.mmfr0 | 0xf << 28, ..A53 };
    let refused = check(no_4k, |_| ()).unwrap_err();
    assert_eq!((refused, refused.refusal()), (Mismatch::Stage1Granule, Refusal::M03));
}

#[test]
fn an_el1_without_aarch64_is_refused() {
    let aarch32 = Identification { pfr0: A53.pfr0 & !0xf0, ..A53 };
    let refused = check(aarch32, |_| ()).unwrap_err();
    assert_eq!((refused, refused.refusal()), (Mismatch::El1State, Refusal::M04));
}

#[test]
fn the_counter_must_run_as_the_board_file_says_if_it_says_so() {
    assert_eq!(check(A72, |header| header.gic = GicVersion::V2.code()), Ok(()));
    let change = |header: &mut PlanHeader| header.counter_hz = 8_000_000;
    assert_eq!(check(A53, change), Ok(()));
    assert_eq!(check(A72, change), Err(Mismatch::Counter { has: 54_000_000, needs: 8_000_000 }));
}

#[test]
fn a_gicv3_plan_needs_gicv3_registers() {
    assert_eq!(check(A72, |_| ()), Err(Mismatch::NoGicRegisters));
    // GICD_PIDR2 of GIC-400, GIC-500 and GIC-600.
    for (pidr2, version) in [(0x2b, GicVersion::V2), (0x3b, GicVersion::V3), (0x4b, GicVersion::V3)] {
        assert!(distributor_fits(version, pidr2));
    }
    assert!(!distributor_fits(GicVersion::V2, 0x3b) && !distributor_fits(GicVersion::V3, 0x2b));
    assert!(!distributor_fits(GicVersion::V2, 0), "QEMU's GICv3 where a GICv2 has the register");
}

/// A tree with `memory` as (address, size), both cores, and what `more` adds to the root.
fn tree(memory: &[(u32, u32)], more: impl FnOnce(Tree) -> Tree) -> Tree {
    let reg: Vec<u32> = memory.iter().flat_map(|(start, size)| [0, *start, 0, *size]).collect();
    let tree = Tree::default().begin("").cells("#address-cells", &[2]).cells("#size-cells", &[2]);
    let tree = tree.begin("memory@40000000").cells("reg", &reg).end();
    let tree = more(tree).begin("cpus").cells("#address-cells", &[1]).cells("#size-cells", &[0]);
    let tree = tree.begin("cpu@0").cells("reg", &[0]).end().begin("cpu@1").cells("reg", &[1]).end();
    tree.end().end()
}

fn reserved_memory(tree: Tree, name: &str, start: u32, no_map: bool) -> Tree {
    let tree = tree.begin("reserved-memory").cells("#address-cells", &[2]).cells("#size-cells", &[2]);
    let tree = tree.begin(name).cells("reg", &[0, start, 0, 0x1000]);
    let tree = if no_map { tree.cells("no-map", &[]) } else { tree };
    tree.end().end()
}

/// All of the plan's memory.
const MEMORY: &[(u32, u32)] = &[(0x4000_0000, 0x2000_0000)];
/// Where the trees lie: in nobody's memory.
const TREE_PA: u64 = 0x4800_0000;

fn judge(tree: Tree, test: impl FnOnce(&Plan<'_>, Result<(), TreeMismatch<'_>>)) {
    let (words, total) = tree.finish();
    // SAFETY: aligned to 8 bytes, and as long as the header says.
    let tree = unsafe { DevTree::new(&words.as_bytes()[..total]) }.unwrap();
    with_plan(|_| (), |plan| test(plan, device_tree::check(&tree, TREE_PA, plan)));
}

#[test]
fn a_tree_with_all_memory_and_cores_fits() {
    judge(tree(MEMORY, |tree| tree), |_, result| assert_eq!(result, Ok(())));
    let pieces: Vec<(u32, u32)> = (0..8).map(|i| (0x4000_0000 + i * 0x0400_0000, 0x0400_0000)).collect();
    judge(tree(&pieces, |tree| tree), |_, result| assert_eq!(result, Ok(()), "banks that touch"));
}

#[test]
fn memory_that_firmware_does_not_list_is_refused_with_its_first_address() {
    judge(tree(&[(0x4000_0000, 0x1010_0000)], |tree| tree), |plan, result| {
        assert_eq!(result, Err(TreeMismatch::NoRam { region: &plan.regions()[0], first: RAM + 0x10_0000 }));
    });
    judge(tree(&[(0x5000_0000, 0x1000_0000)], |tree| tree), |plan, result| {
        assert_eq!(result, Err(TreeMismatch::NoRam { region: &plan.regions()[2], first: EL2 }));
    });
}

#[test]
fn memory_that_firmware_keeps_is_refused_by_the_nodes_name() {
    let optee = tree(MEMORY, |tree| reserved_memory(tree, "optee@501ff000", RAM as u32 + 0x1f_f000, true));
    judge(optee, |plan, result| {
        let range = Range { start: RAM + 0x1f_f000, end: RAM + 0x20_0000 };
        let region = &plan.regions()[0];
        assert_eq!(result, Err(TreeMismatch::Reserved { region, name: "optee@501ff000", range }));
    });
    judge(tree(MEMORY, |tree| tree.reserve(EL2 + 0xf_ffff, 1)), |plan, result| {
        let range = Range { start: EL2 + 0xf_ffff, end: EL2 + 0x10_0000 };
        let region = &plan.regions()[2];
        assert_eq!(result, Err(TreeMismatch::Reserved { region, name: "/memreserve/", range }));
    });
}

#[test]
fn memory_that_firmware_keeps_elsewhere_or_only_suggests_does_not_matter() {
    let next = tree(MEMORY, |tree| reserved_memory(tree, "next@50200000", RAM as u32 + 0x20_0000, true));
    judge(next, |_, result| assert_eq!(result, Ok(()), "right behind the partition's memory"));
    let pool = tree(MEMORY, |tree| reserved_memory(tree, "linux,cma@50000000", RAM as u32, false));
    judge(pool, |_, result| assert_eq!(result, Ok(()), "a pool for Linux, without no-map"));
    judge(tree(MEMORY, |tree| tree.reserve(CARVE_OUT, 0x1000)), |_, result| assert_eq!(result, Ok(())));
    judge(tree(MEMORY, |tree| tree.reserve(TREE_PA, 0x2000)), |_, result| {
        assert_eq!(result, Ok(()), "the tree itself")
    });
}

#[test]
fn too_few_cores_are_refused() {
    let one_core = Tree::default().begin("").cells("#size-cells", &[1]).begin("memory");
    let one_core = one_core.cells("reg", &[0, 0x4000_0000, 0x2000_0000]).end().begin("cpus");
    let one_core = one_core.cells("#address-cells", &[2]).begin("cpu@1").cells("reg", &[0, 1]).end().end().end();
    judge(one_core, |_, result| assert_eq!(result, Err(TreeMismatch::Cores { has: 1, needs: 2 })));
}

#[test]
fn a_tree_that_cannot_be_read_says_nothing_about_the_board() {
    let long = tree(MEMORY, |tree| tree.begin("a-node-name-of-thirty-characte").end());
    judge(long, |_, result| assert_eq!(result, Err(TreeMismatch::Unreadable), "fdt-rs stops at 29"));
    judge(Tree::default().begin("").begin("memory"), |_, result| assert_eq!(result, Err(TreeMismatch::Unreadable)));
}

#[test]
fn no_damage_to_a_tree_makes_the_check_panic() {
    let (words, total) =
        tree(MEMORY, |tree| reserved_memory(tree, "optee@58000000", 0x5800_0000, true).reserve(1, 2)).finish();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut damaged = words.clone();
        let bytes = &mut damaged.as_mut_bytes()[..total];
        bytes[8 + (random % (total as u64 - 8)) as usize] = (random >> 32) as u8;
        bytes[8 + (random >> 40) as usize % (total - 8)] ^= (random >> 24) as u8;
        // SAFETY: aligned to 8 bytes, and as long as the header, whose first two words are intact, says.
        if let Ok(tree) = unsafe { DevTree::new(bytes) } {
            with_plan(
                |_| (),
                |plan| {
                    let _ = device_tree::check(&tree, TREE_PA, plan);
                },
            );
        }
    }
}
