//! Who runs where: every partition has cores, and no core has two partitions.

use std::collections::BTreeMap;

use septum_plan::affinity::VCPUS_MAX;

use crate::board::Board;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::{Config, Partition};
use crate::source::Spanned;

/// VMIDs from 1 on in 8 bits (VTCR_EL2.VS = 0); 0 is EL2's "no partition".
pub const VMIDS: usize = 255;

/// Reports cores with two owners, and partitions without a core or with too many.
pub(super) fn check_owners(config: &Config, problems: &mut Problems) {
    let mut owners = BTreeMap::new();
    for partition in &config.partitions {
        let Some(cpus) = &partition.cpus else { continue };
        if cpus.value.is_empty() {
            let message = format!("partition `{}` has no core", partition.name.value);
            problems.add(Problem::new(Code::CoreCount, cpus.span, message).here("list at least one"));
        }
        if let Some(excess) = cpus.value.get(VCPUS_MAX) {
            let message = format!("partition `{}` has {} cores", partition.name.value, cpus.value.len());
            let problem = Problem::new(Code::CoreCount, excess.span, message);
            problems.add(problem.here(format!("a partition has at most {VCPUS_MAX}")));
        }
        for cpu in &cpus.value {
            if let Some((owner, span)) = owners.insert(cpu.value, (&partition.name.value, cpu.span)) {
                let problem = owned_twice(*cpu, &partition.name.value, owner);
                problems.add(problem.label(span, format!("first given to `{owner}` here")));
            }
        }
    }
}

fn owned_twice(cpu: Spanned<u32>, name: &str, owner: &str) -> Problem {
    let cpu_name = cpu.value;
    let message = match owner == name {
        true => format!("core {cpu_name} is given to partition `{name}` twice"),
        false => format!("core {cpu_name} is given to partition `{owner}` and to partition `{name}`"),
    };
    Problem::new(Code::CoreOwnedTwice, cpu.span, message).here("a core runs one partition")
}

/// The cores of `partition` that the board has; the others are reported.
pub(super) fn resolve(partition: &Partition, board: &Board, problems: &mut Problems) -> Vec<u32> {
    let cpus = partition.cpus.iter().flat_map(|cpus| &cpus.value);
    let (known, unknown): (Vec<&Spanned<u32>>, Vec<_>) = cpus.partition(|cpu| (cpu.value as usize) < board.cores.len());
    for cpu in unknown {
        let message = format!("board `{}` has no core {}", board.name, cpu.value);
        let last = board.cores.len() - 1;
        problems.add(Problem::new(Code::UnknownCore, cpu.span, message).here(format!("its cores are 0 to {last}")));
    }
    known.into_iter().map(|cpu| cpu.value).collect()
}

/// Reports the first partition for which no VMID is left.
pub(super) fn check_count(config: &Config, problems: &mut Problems) {
    if let Some(first) = config.partitions.get(VMIDS) {
        let message = format!("{} partitions are more than there are VMIDs", config.partitions.len());
        let problem = Problem::new(Code::TooManyPartitions, first.name.span, message);
        problems.add(problem.here(format!("a configuration has at most {VMIDS} partitions")));
    }
}
