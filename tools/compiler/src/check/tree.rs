//! Device trees: the user's own, judged by what its partition has, and those put beside an image.

use super::FileError;
use super::draft::Draft;
use super::files::Programs;
use super::payload::{Fitted, OwnTree, View};
use crate::board::Board;
use crate::device_tree::{self, Chosen, DeviceTreeError, Finding, Guest, Layout, Owner, Rule, TreeProblem};
use crate::linux::TREE_BYTES_MAX;
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition as Raw;
use crate::source::{Span, Spanned};
use crate::system::{Partition, Region};

/// Fetches and reads `raw`'s own tree, if it has one; what is wrong with it is reported.
pub(super) fn fetch(raw: &Raw, programs: Programs<'_>, problems: &mut Problems) -> Option<OwnTree> {
    let Spanned { value: path, span } = raw.dtb.as_ref()?;
    let content = match programs.files.file(path, TREE_BYTES_MAX) {
        Ok(loaded) => loaded.bytes,
        Err(error) => {
            problems.add(lacking(raw, path, *span, error));
            return None;
        }
    };
    match device_tree::parse(&content) {
        Ok(tree) => Some(OwnTree { content, tree, span: *span }),
        Err(error) => {
            problems.add(unreadable(raw, &error.to_string()));
            None
        }
    }
}

fn lacking(raw: &Raw, path: &str, span: Span, error: FileError) -> Problem {
    let here = format!("device tree of partition `{}`", raw.name.value);
    match error {
        FileError::Missing => Problem::new(Code::ImageMissing, span, format!("there is no file `{path}`"))
            .here(here)
            .help("paths are relative to the configuration"),
        FileError::Unreadable(why) => {
            Problem::new(Code::ImageUnreadable, span, format!("the {here} cannot be had")).here(why)
        }
        FileError::TooLarge => unreadable(raw, &format!("it is longer than {}", show::size(TREE_BYTES_MAX))),
    }
}

/// The problem of `raw`'s own tree that it cannot be used as a tree, for the reason `why`.
pub(super) fn unreadable(raw: &Raw, why: &str) -> Problem {
    let span = raw.dtb.as_ref().map_or(raw.name.span, |dtb| dtb.span);
    let message = format!("the device tree of partition `{}` cannot be used", raw.name.value);
    Problem::new(Code::TreeUnreadable, span, message).here(why)
}

/// The problem that no tree can be generated for what is asked for at `span`.
pub(super) fn not_made(span: Span, error: &DeviceTreeError) -> Problem {
    Problem::new(Code::NoDeviceTree, span, "no device tree can be made").here(error.to_string())
}

/// Reports what users' own trees say that their partitions do not have, with the place where its owner got it: one
/// problem for each node. Per partition, whether its tree fits it.
pub(super) fn judge(
    drafts: &[Draft<'_>],
    board: &Board,
    partitions: &[Partition],
    problems: &mut Problems,
) -> Vec<bool> {
    let mut fits = Vec::new();
    for (draft, partition) in drafts.iter().zip(partitions) {
        let before = problems.len();
        if let Some(own) = &draft.own_tree {
            let found = device_tree::check(board, partitions, partition, guest(draft), &own.tree);
            let judge = Judge { draft, own, partition, drafts };
            by_node(&found).iter().for_each(|of_one| problems.add(judge.problem(of_one)));
            for remark in device_tree::remarks(partition, &own.tree) {
                let message = format!("the device tree of partition `{}`: {remark}", draft.name());
                problems.add(Problem::new(Code::TreeRemark, own.span, message));
            }
        }
        fits.push(problems.len() == before);
    }
    fits
}

fn guest(draft: &Draft<'_>) -> Guest {
    let linux = draft.raw.linux.as_ref();
    Guest {
        linux: linux.is_some(),
        initrd: linux.is_some_and(|linux| linux.value.initrd.is_some()),
        bootargs: linux.is_some_and(|linux| linux.value.bootargs.is_some()) || draft.raw.args.is_some(),
    }
}

/// The findings of each node, in the order of the nodes' first.
fn by_node(found: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut nodes: Vec<Vec<&Finding>> = Vec::new();
    for finding in found {
        match nodes.iter_mut().find(|of_one| of_one.first().is_some_and(|first| first.node == finding.node)) {
            Some(of_one) => of_one.push(finding),
            None => nodes.push(vec![finding]),
        }
    }
    nodes
}

struct Judge<'a> {
    draft: &'a Draft<'a>,
    own: &'a OwnTree,
    partition: &'a Partition,
    drafts: &'a [Draft<'a>],
}

impl Judge<'_> {
    /// The problem of one node.
    fn problem(&self, of_one: &[&Finding]) -> Problem {
        let name = self.draft.name();
        let node = of_one.first().map_or("/", |finding| finding.node.as_str());
        let named = of_one.iter().filter(|finding| !finding.property.is_empty());
        let properties = once(named.map(|finding| format!("`{}`", finding.property)));
        let properties = if properties.is_empty() { String::new() } else { format!("{} in ", properties.join(", ")) };
        let code = of_one.iter().map(|finding| code(&finding.problem)).min().unwrap_or(Code::TreeUnreadable);
        let message = format!("the device tree of partition `{name}` does not fit it: node `{node}`: {}", said(of_one));
        let mut problem = Problem::new(code, self.own.span, message).here(format!("{properties}`{node}`"));
        let mut places: Vec<_> = of_one.iter().filter_map(|finding| self.place(&finding.problem)).collect();
        places.sort_unstable();
        places.dedup();
        for (span, text) in places {
            problem = problem.label(span, text);
        }
        let helps = once(of_one.iter().filter_map(|finding| self.help(&finding.problem)));
        problem.maybe_help((!helps.is_empty()).then(|| helps.join("; ")))
    }

    /// The other party's place.
    fn place(&self, problem: &TreeProblem) -> Option<(Span, String)> {
        match problem {
            TreeProblem::Address { owner, .. } | TreeProblem::Interrupt { owner, .. } => {
                let Some(Owner::Partition { name, partition }) = owner else { return None };
                let draft = self.drafts.iter().find(|draft| draft.name() == partition)?;
                Some((given(draft, name)?, format!("`{partition}` has it here")))
            }
            TreeProblem::Core { .. } => {
                let raw = self.draft.raw;
                let cpus = raw.cpus.as_ref().map_or(raw.name.span, |cpus| cpus.span);
                Some((cpus, format!("`{}` has these; it sees them as 0, 1 and so on", self.draft.name())))
            }
            TreeProblem::Malformed | TreeProblem::Unfit { .. } => None,
        }
    }

    /// What would be right.
    fn help(&self, problem: &TreeProblem) -> Option<String> {
        let name = self.draft.name();
        match problem {
            TreeProblem::Address { owner: Some(Owner::Partition { name: what, partition }), .. }
                if partition == name =>
            {
                let named = |region: &&Region| region.name == *what || region.has_device(what);
                let region = self.partition.regions.iter().find(named)?;
                let range = show::range(region.ipa.get(), region.size);
                Some(format!("partition `{name}` sees `{what}` at {range}"))
            }
            TreeProblem::Address { owner: Some(Owner::Nobody { device }), .. }
            | TreeProblem::Interrupt { owner: Some(Owner::Nobody { device }), .. } => {
                Some(format!("give `{device}` to partition `{name}`, or disable the node"))
            }
            TreeProblem::Address { .. } | TreeProblem::Interrupt { .. } => {
                Some("set the node's status to \"disabled\", or take it out".into())
            }
            TreeProblem::Core { disabled: true, .. } => {
                Some("take the node out: a kernel tries to start cores whose nodes are disabled, too".into())
            }
            TreeProblem::Core { .. } => Some("take the node out".into()),
            TreeProblem::Malformed => None,
            TreeProblem::Unfit { right, .. } => Some(right.clone()),
        }
    }
}

const fn code(problem: &TreeProblem) -> Code {
    match problem {
        TreeProblem::Address { .. } => Code::TreeAddress,
        TreeProblem::Interrupt { .. } => Code::TreeInterrupt,
        TreeProblem::Core { .. } => Code::TreeCore,
        TreeProblem::Malformed => Code::TreeUnreadable,
        TreeProblem::Unfit { rule: Rule::Start, .. } => Code::TreeStart,
        TreeProblem::Unfit { rule: Rule::Memory, .. } => Code::TreeMemory,
        TreeProblem::Unfit { rule: Rule::Controller, .. } => Code::TreeController,
        TreeProblem::Unfit { rule: Rule::Chosen, .. } => Code::TreeChosen,
    }
}

/// What is wrong with one node: each property once with all that it names, and an owner once where all have one.
fn said(of_one: &[&Finding]) -> String {
    let owners = once(of_one.iter().filter_map(|finding| Some(finding.problem.owner()?.to_string())));
    let unowned = of_one.iter().any(|finding| finding.problem.owner().is_none());
    let common = owners.first().filter(|_| owners.len() == 1 && !unowned && of_one.len() > 1);
    let mut properties: Vec<(&str, Vec<String>)> = Vec::new();
    for finding in of_one {
        let said = if common.is_some() { finding.problem.named() } else { finding.problem.to_string() };
        match properties.iter_mut().find(|(property, _)| *property == finding.property) {
            Some((_, all)) if all.contains(&said) => {}
            Some((_, all)) => all.push(said),
            None => properties.push((finding.property, vec![said])),
        }
    }
    let one = |(property, all): &(&str, Vec<String>)| match *property {
        "" => all.join(", "),
        property => format!("`{property}` {}", shortened(all)),
    };
    let text = properties.iter().map(one).collect::<Vec<_>>().join("; ");
    common.map_or(text.clone(), |owner| format!("{text}: {owner}"))
}

/// At most six of `all`.
fn shortened(all: &[String]) -> String {
    const MOST: usize = 6;
    let (first, rest) = all.split_at(all.len().min(MOST));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    let list = first.join(", ").replace(", names ", ", ");
    list + &more
}

/// Each text once, in the order of the first.
fn once(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.fold(Vec::new(), |mut once, text| {
        if !once.contains(&text) {
            once.push(text);
        }
        once
    })
}

/// Where `draft` is given what is called `name`: a device, or a memory.
fn given(draft: &Draft<'_>, name: &str) -> Option<Span> {
    let device = draft.devices.iter().find(|given| given.device.name == name).map(|given| given.raw.name.span);
    let memory = || draft.memory.iter().find(|memory| memory.raw.name.value == name);
    device.or_else(|| memory().map(|memory| memory.raw.name.span))
}

/// Puts the tree that `draft` wants besides its image into memory: `args` become the guest's boot arguments, and x0
/// the tree's IPA. `None` has been reported.
pub(super) fn add(
    draft: &Draft<'_>,
    fitted: &mut Fitted,
    views: &[View<'_>],
    board: &Board,
    partition: &Partition,
    problems: &mut Problems,
) -> Option<()> {
    let Some((ipa, span)) = wanted(draft) else { return Some(()) };
    let bootargs = draft.raw.args.as_ref().map(|args| args.value.clone());
    let chosen = Chosen { bootargs, initrd: None };
    let tree = match &draft.own_tree {
        Some(own) => device_tree::with_chosen(&own.content, &chosen)
            .map_err(|error| problems.add(unreadable(draft.raw, &error.to_string()))),
        None => device_tree::generate(board, partition, &chosen).map_err(|error| problems.add(not_made(span, &error))),
    };
    let tree = tree.ok()?;
    if let Some(own) = &draft.own_tree {
        // What the tree reserves is not for the tree.
        let reserved = Layout::of(&own.tree);
        fitted.taken.extend(reserved.reserved().iter().map(|range| (range.start, range.end)));
    }
    let takes = format!("takes {} bytes", tree.len());
    let ipa = match ipa {
        Some(ipa) => fixed(fitted, views, ipa, tree),
        None => fitted.put(views, tree),
    };
    if ipa.is_none() {
        let message = format!("no room for the device tree in the memory of partition `{}`", draft.name());
        let problem = Problem::new(Code::NoRoomInMemory, span, message);
        problems.add(problem.here(takes).help("leave `ipa` out, or give more memory"));
    }
    fitted.arguments = [ipa?, 0, 0, 0];
    Some(())
}

/// Whether an image wants a tree beside it: at which IPA, and where the configuration says so.
fn wanted(draft: &Draft<'_>) -> Option<(Option<u64>, Span)> {
    let generated = draft.raw.device_tree.map(|tree| (tree.value.ipa.map(|ipa| ipa.value), tree.span));
    generated.or_else(|| draft.own_tree.as_ref().map(|own| (None, own.span)))
}

fn fixed(fitted: &mut Fitted, views: &[View<'_>], ipa: u64, bytes: Vec<u8>) -> Option<u64> {
    let end = ipa.checked_add(bytes.len() as u64)?;
    let inside = views.iter().any(|view| view.ipa <= ipa && end <= view.ipa + view.size);
    let clear = fitted.taken.iter().all(|(first, last)| end <= *first || *last <= ipa);
    (inside && clear && ipa.is_multiple_of(8)).then(|| fitted.add(ipa, bytes))?;
    Some(ipa)
}
