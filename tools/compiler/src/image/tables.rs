//! Which tables an image holds: each partition's Stage-2, and EL2's run root with the roots derived from it.

use septum_plan::RegionKind;
use septum_stage2::stage1::{self, ROOT_BYTES};
use septum_stage2::{Attributes, Mapping, Memory, Pa, builder};

use super::layout::Block;
use super::plan_writer::Regime;
use super::{BuildError, Draft};
use crate::system::{Partition, Region, System};

/// What each partition's Stage-2 tables need.
pub(super) fn stage2_needs(system: &System) -> Result<Vec<Block>, BuildError> {
    system.partitions.iter().map(stage2_need).collect()
}

fn stage2_need(partition: &Partition) -> Result<Block, BuildError> {
    let count = builder::tables_bytes(partition.geometry, &mappings(partition))
        .map_err(|error| BuildError::Stage2 { partition: partition.name.clone(), error })?;
    Ok(Block { size: count.total_bytes, alignment: count.alignment })
}

/// What `partition`'s Stage-2 must map.
pub(crate) fn mappings(partition: &Partition) -> Vec<Mapping> {
    partition.regions.iter().map(mapping).collect()
}

fn mapping(region: &Region) -> Mapping {
    let memory = if region.kind == RegionKind::Device { Memory::Device } else { Memory::Normal };
    let attributes = Attributes { access: region.access, memory };
    Mapping { ipa: region.ipa, pa: region.pa, size: region.size, attributes }
}

impl Draft<'_> {
    /// Bytes of all of EL2's own tables. A derived root takes the same wherever the run root's lower tables lie, so a
    /// count against an empty run root is right; whether the slots are free is found out when it is built.
    pub(super) fn stage1_bytes(&self) -> Result<u64, BuildError> {
        let pa_range = self.system.board.pa_range;
        let mut bytes = stage1::tables_bytes(pa_range, &self.space.run).map_err(BuildError::Stage1)?.total_bytes;
        for mappings in self.derived() {
            let count = stage1::derived_bytes(&[0; ROOT_BYTES], pa_range, mappings).map_err(BuildError::Stage1)?;
            bytes += count.total_bytes;
        }
        Ok(bytes)
    }

    /// The mappings of the boot root, then of each loader root that has any.
    fn derived(&self) -> impl Iterator<Item = &[stage1::Mapping]> {
        let loaders = self.space.loaders.iter().map(|loader| loader.mappings.as_slice());
        std::iter::once(self.space.boot.as_slice()).chain(loaders.filter(|mappings| !mappings.is_empty()))
    }

    pub(super) fn write_stage2(&self, image: &mut [u8]) -> Result<(), BuildError> {
        for (partition, offset) in self.system.partitions.iter().zip(&self.layout.stage2) {
            let base = Pa::new(self.system.board.load.get() + offset);
            builder::build(partition.geometry, &mappings(partition), base, &mut image[*offset as usize..])
                .map_err(|error| BuildError::Stage2 { partition: partition.name.clone(), error })?;
        }
        Ok(())
    }

    pub(super) fn write_stage1(&self, image: &mut [u8]) -> Result<Regime, BuildError> {
        let pa_range = self.system.board.pa_range;
        let load = self.system.board.load.get();
        let mut next = self.layout.stage1 as usize;
        let place = |next: usize| Pa::new(load + next as u64);
        let run =
            stage1::build(pa_range, &self.space.run, place(next), &mut image[next..]).map_err(BuildError::Stage1)?;
        let run_root = image[next..next + ROOT_BYTES].to_vec();
        next += run.count.total_bytes as usize;
        let mut roots = Vec::new();
        for mappings in self.derived() {
            let built = stage1::build_derived(&run_root, pa_range, mappings, place(next), &mut image[next..])
                .map_err(BuildError::Stage1)?;
            next += built.count.total_bytes as usize;
            roots.push(built.root.get());
        }
        Ok(self.regime(run.root, &roots))
    }

    fn regime(&self, run_root: Pa, derived: &[u64]) -> Regime {
        let mut derived = derived.iter().copied();
        let boot_root = derived.next().unwrap_or(run_root.get());
        // A partition without payload needs nothing mapped to be loaded.
        let loader_roots = self.space.loaders.iter().map(|loader| match loader.mappings.is_empty() {
            true => run_root.get(),
            false => derived.next().unwrap_or(run_root.get()),
        });
        Regime {
            boot_root,
            run_root: run_root.get(),
            loader_roots: loader_roots.collect(),
            tcr: stage1::tcr(self.system.board.pa_range),
            mair: stage1::MAIR,
        }
    }
}
