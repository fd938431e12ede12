//! Device trees: the user's own, judged by what its partition has, and those put beside an image.

use dtoolkit::model::DeviceTree;

use super::draft::Draft;
use super::image::{self, Fitted, View};
use super::{FileError, Files};
use crate::board::Board;
use crate::device_tree::{self, Chosen, DeviceTreeError, Finding, Owner, TreeProblem};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition as Raw;
use crate::source::{Span, Spanned};
use crate::system::Partition;

/// The user's own device tree.
#[derive(Debug)]
pub(super) struct OwnTree {
    /// The file's bytes.
    pub content: Vec<u8>,
    tree: DeviceTree,
    span: Span,
}

impl OwnTree {
    /// Bytes that it takes in the image file, at most: what is put into it is counted apart.
    pub fn bytes(&self) -> u64 {
        self.content.len() as u64
    }
}

/// Fetches and reads `raw`'s own tree, if it has one; what is wrong with it is reported.
pub(super) fn fetch(raw: &Raw, files: &dyn Files, problems: &mut Problems) -> Option<OwnTree> {
    let Spanned { value: path, span } = raw.dtb.as_ref()?;
    let content = match files.file(path) {
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

/// Reports what users' own trees name that their partitions do not have, with the place where its owner got it.
pub(super) fn judge(drafts: &[Draft<'_>], board: &Board, partitions: &[Partition], problems: &mut Problems) {
    for (draft, partition) in drafts.iter().zip(partitions) {
        let Some(own) = &draft.own_tree else { continue };
        for finding in device_tree::check(board, partitions, partition, &own.tree) {
            problems.add(foreign(draft, own, &finding, drafts).maybe_help(own_help(partition, &finding)));
        }
    }
}

fn foreign(draft: &Draft<'_>, own: &OwnTree, finding: &Finding, drafts: &[Draft<'_>]) -> Problem {
    let name = draft.name();
    let (code, owner) = match &finding.problem {
        TreeProblem::Address { owner, .. } => (Code::TreeAddress, owner.as_ref()),
        TreeProblem::Interrupt { owner, .. } => (Code::TreeInterrupt, owner.as_ref()),
        TreeProblem::Core { .. } => (Code::TreeCore, None),
        TreeProblem::Malformed => (Code::TreeUnreadable, None),
    };
    let message = format!("the device tree of partition `{name}` does not fit it: {finding}");
    let problem = Problem::new(code, own.span, message).here(format!("`{}` in `{}`", finding.property, finding.node));
    match (owner, &finding.problem) {
        (Some(owner), _) => with_owner(problem, draft, owner, drafts),
        (None, TreeProblem::Core { .. }) => {
            let cpus = draft.raw.cpus.as_ref().map_or(draft.raw.name.span, |cpus| cpus.span);
            problem.label(cpus, format!("`{name}` has these; it sees them as 0, 1 and so on"))
        }
        (None, TreeProblem::Malformed) => problem,
        (None, _) => problem.help("set the node's status to \"disabled\", or take it out"),
    }
}

/// What would be right where a tree names more than all of what is the partition's own.
fn own_help(partition: &Partition, finding: &Finding) -> Option<String> {
    let TreeProblem::Address { owner: Some(owner), .. } = &finding.problem else { return None };
    if owner.partition.as_ref() != Some(&partition.name) {
        return None;
    }
    let region = partition.regions.iter().find(|region| region.name == owner.name)?;
    let range = show::range(region.ipa.get(), region.size);
    Some(format!("partition `{}` sees `{}` at {range}", partition.name, owner.name))
}

fn with_owner(problem: Problem, draft: &Draft<'_>, owner: &Owner, drafts: &[Draft<'_>]) -> Problem {
    let device = draft.name();
    let Some(partition) = &owner.partition else {
        return problem.help(format!("give `{}` to partition `{device}`, or disable the node", owner.name));
    };
    let place = drafts.iter().find(|draft| draft.name() == partition).and_then(|draft| given(draft, &owner.name));
    let problem = match place {
        Some(span) => problem.label(span, format!("`{partition}` has it here")),
        None => problem,
    };
    problem.help("set the node's status to \"disabled\", or take it out")
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
    let ipa = match ipa {
        Some(ipa) => fixed(fitted, views, ipa, tree),
        None => image::put(fitted, views, tree),
    };
    if ipa.is_none() {
        let message = format!("no room for the device tree in the memory of partition `{}`", draft.name());
        let problem = Problem::new(Code::NoRoomInMemory, span, message);
        problems.add(problem.help("leave `ipa` out, or give more memory"));
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
    (inside && clear && ipa.is_multiple_of(8)).then(|| image::add(fitted, ipa, bytes))?;
    Some(ipa)
}
