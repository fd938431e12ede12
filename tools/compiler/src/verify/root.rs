//! One of EL2's roots while it is judged: what it reaches, against the windows of EL2's address space.

use septum_plan::space;

use super::range::Range;
use super::reach::{Reach, Reached};
use super::violation::{Findings, Tables, Violation};

/// Virtual addresses of the run root; windows of the derived roots lie above.
pub(super) const RUN: Range = Range { start: 0, end: space::RAM_VA };
pub(super) const RAM: Range = Range { start: space::RAM_VA, end: space::LOADER_VA };
pub(super) const LOADER: Range = Range { start: space::LOADER_VA, end: 1 << space::VA_BITS };
pub(super) const CORES: Range = Range { start: space::CORES_VA, end: space::DEVICES_VA };
pub(super) const DEVICES: Range = Range { start: space::DEVICES_VA, end: space::DEVICES_VA_END };

/// A root being judged.
pub(super) struct Root<'a> {
    pub tables: Tables,
    pub reached: &'a Reached,
    pub run: &'a Reached,
}

impl Root<'_> {
    pub fn refuse(&self, reach: Reach, why: &'static str, findings: &mut Findings) {
        findings.add(Violation::El2Reach { tables: self.tables.clone(), reach, why });
    }

    pub fn missing(&self, what: &'static str, va: u64, findings: &mut Findings) {
        findings.add(Violation::El2Missing { tables: self.tables.clone(), what, va });
    }

    /// Exactly `expected` is mapped at its addresses.
    pub fn check_exact(&self, what: &'static str, expected: Reach, findings: &mut Findings) {
        let mut found = self.reached.within(expected.inputs());
        if found.next() != Some(expected) || found.next().is_some() {
            self.missing(what, expected.input, findings);
        }
    }

    /// Nothing is mapped in `range`.
    pub fn check_empty(&self, range: Range, findings: &mut Findings) {
        for reach in self.reached.within(range) {
            self.refuse(reach, "belongs to no window", findings);
        }
    }

    /// Below the derived roots' windows it is the run root.
    pub fn check_derived(&self, findings: &mut Findings) {
        if !self.reached.within(RUN).eq(self.run.within(RUN)) {
            self.missing("the run root's part", 0, findings);
        }
    }
}
