//! How an image differs from the one that its configuration gives today.

use septum_plan::{PartitionRecord, Plan, RegionRecord};

use super::reader::Reader;

/// Most differences that are named.
const NAMED_MAX: usize = 3;

/// What the image `it` has otherwise than `today`, the image that its configuration gives now; `None` where nothing is.
/// Where EL2 and the tables lie does not count.
pub fn between(it: &[u8], today: &[u8]) -> Option<String> {
    let (it, today) = (Reader::new(it).ok()?, Reader::new(today).ok()?);
    let found = Pair { it: it.plan().ok()?, today: today.plan().ok()? }.differences();
    let (first, rest) = found.split_at(found.len().min(NAMED_MAX));
    let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
    (!first.is_empty()).then(|| first.join(", ") + &more)
}

struct Pair<'a> {
    it: Plan<'a>,
    today: Plan<'a>,
}

impl<'a> Pair<'a> {
    fn differences(&self) -> Vec<String> {
        let names = |plan: &Plan<'a>| -> Vec<&'a str> {
            plan.partitions().iter().map(|partition| plan.text(partition.name)).collect()
        };
        let (its, todays) = (names(&self.it), names(&self.today));
        let only = |these: &[&'a str], others: &[&'a str], how: &str| -> Vec<String> {
            these.iter().filter(|name| !others.contains(name)).map(|name| format!("it has {how} `{name}`")).collect()
        };
        let mut found = only(&its, &todays, "a partition");
        found.extend(only(&todays, &its, "no partition"));
        for one in self.it.partitions() {
            let name = self.it.text(one.name);
            let other = self.today.partitions().iter().find(|other| self.today.text(other.name) == name);
            found.extend(other.into_iter().flat_map(|other| self.partition(name, one, other)));
        }
        found
    }

    fn partition(&self, name: &str, one: &PartitionRecord, other: &PartitionRecord) -> Vec<String> {
        let mut found = Vec::new();
        if self.it.vcpus(one) != self.today.vcpus(other) {
            let (its, todays) = (self.it.vcpus(one), self.today.vcpus(other));
            found.push(format!("`{name}` has cores {its:?} in it and {todays:?} now"));
        }
        found.extend(self.regions(name, one, other));
        if self.it.interrupts(one) != self.today.interrupts(other) {
            found.push(format!("`{name}` has other interrupts in it"));
        }
        let emulated = |plan: &Plan<'a>, partition: &PartitionRecord| -> Vec<_> {
            plan.emulated(partition).iter().map(|frame| (frame.kind, frame.ipa, frame.bytes, frame.intid)).collect()
        };
        if emulated(&self.it, one) != emulated(&self.today, other) {
            found.push(format!("`{name}` has other emulated devices in it"));
        }
        let loaded = |plan: &Plan<'a>, partition: &PartitionRecord| -> Vec<_> {
            let segments = plan.segments(partition).iter();
            segments.map(|it| (it.ipa, it.file_bytes, it.zero_bytes, it.keep_bytes, it.seal)).collect()
        };
        if (loaded(&self.it, one), one.entry, one.arguments)
            != (loaded(&self.today, other), other.entry, other.arguments)
        {
            found.push(format!("`{name}` is loaded with something else in it (program, arguments or device tree)"));
        }
        found
    }

    fn regions(&self, name: &str, one: &PartitionRecord, other: &PartitionRecord) -> Vec<String> {
        let mut found = Vec::new();
        let (its, todays) = (self.it.regions_of(one), self.today.regions_of(other));
        let named = |plan: &Plan<'a>, region: &RegionRecord| plan.text(region.name).to_owned();
        for region in its {
            let called = named(&self.it, region);
            match todays.iter().find(|today| named(&self.today, today) == called) {
                None => found.push(format!("`{name}` has `{called}` in it")),
                Some(today) if place(region) != place(today) => {
                    found.push(format!("`{called}` of `{name}` is {} in it and {} now", shown(region), shown(today)));
                }
                Some(_) => {}
            }
        }
        let lacks = todays.iter().map(|region| named(&self.today, region));
        let lacks = lacks.filter(|called| its.iter().all(|region| named(&self.it, region) != *called));
        found.extend(lacks.map(|called| format!("`{name}` has no `{called}` in it")));
        found
    }
}

/// What of a region is compared: the line that asked for it may move.
fn place(region: &RegionRecord) -> (u64, u64, u64, u8, u8) {
    (region.ipa, region.pa, region.size, region.kind, region.access)
}

fn shown(region: &RegionRecord) -> String {
    format!("[{:#x}..{:#x}) at {:#x}", region.ipa, region.ipa.saturating_add(region.size), region.pa)
}
