//! A Linux guest: its files fetched and recognised, and placed when everything else of the partition is known.

use septum_stage2::Access;

use super::draft::{Draft, Given};
use super::files::Programs;
use super::payload::{Fitted, LinuxFiles};
use super::{Loaded, fetch, tree};
use crate::board::Board;
use crate::linux::{self, LinuxError, Part};
use crate::payload::{HEADER_BYTES, LinuxImage, Payload, not_initrd};
use crate::problem::show;
use crate::problem::{Code, Problem, Problems};
use crate::raw::config::Partition as Raw;
use crate::raw::image::Image;
use crate::raw::linux::Linux;
use crate::source::{Span, Spanned};
use crate::system::Partition;

/// Fetches and recognises the files of `linux`. `None` has been reported.
pub(super) fn files(raw: &Raw, linux: &Linux, programs: Programs<'_>, problems: &mut Problems) -> Option<LinuxFiles> {
    let kernel = linux.kernel.as_ref().and_then(|kernel| fetch_kernel(raw, kernel, programs, problems));
    let initrd = match &linux.initrd {
        Some(initrd) => Some(fetch_initrd(raw, initrd, programs, problems)?),
        None => None,
    };
    Some(LinuxFiles { kernel: kernel?, initrd })
}

fn fetch_initrd(
    raw: &Raw,
    initrd: &Spanned<Image>,
    programs: Programs<'_>,
    problems: &mut Problems,
) -> Option<Vec<u8>> {
    let what = Part::Initrd.name();
    let Loaded { bytes, .. } = fetch::load(raw, what, initrd, programs, problems)?;
    let Some(found) = not_initrd(&bytes) else { return Some(bytes) };
    let message = format!("the {what} of partition `{}` is none that Linux takes", raw.name.value);
    problems.add(Problem::new(Code::NotAnInitrd, initrd.span, message).here(found));
    None
}

/// Says which guest sends its console to a UART and has none: nothing of it will be seen.
pub(super) fn remarks(drafts: &[Draft<'_>], problems: &mut Problems) {
    for draft in drafts.iter().filter(|draft| draft.raw.console.is_none()) {
        let Some(bootargs) = draft.raw.linux.as_ref().and_then(|linux| linux.value.bootargs.as_ref()) else { continue };
        let serial = ["ttyAMA", "ttyS", "ttymxc", "ttyLP", "ttyMSM", "uart"];
        let names = |word: &&str| {
            word.strip_prefix("console=").is_some_and(|name| serial.iter().any(|serial| name.starts_with(serial)))
        };
        let Some(word) = bootargs.value.split(' ').find(names) else { continue };
        let is_uart = |given: &Given<'_>| {
            let mut texts = given.device.compatible.iter().chain([&given.device.name]);
            texts.any(|text| ["uart", "serial", "pl011"].iter().any(|uart| text.contains(uart)))
        };
        if !draft.devices.iter().any(is_uart) {
            let message = format!("nothing will be seen of partition `{}`: it has no UART", draft.name());
            let note = Problem::new(Code::Silent, bootargs.span, message).here(format!("`{word}` is one"));
            problems.add(note.help("give it `console = true`, for `console=ttyAMA0`, or a UART of the board's"));
        }
    }
}

fn fetch_kernel(
    raw: &Raw,
    kernel: &Spanned<Image>,
    programs: Programs<'_>,
    problems: &mut Problems,
) -> Option<LinuxImage> {
    let what = Part::Kernel.name();
    let Loaded { bytes, .. } = fetch::load(raw, what, kernel, programs, problems)?;
    let found = match fetch::read(raw, what, kernel, &bytes, problems)? {
        Payload::LinuxImage(image) => return Some(image),
        Payload::Elf(_) => "an ELF: the Image that boots is another file, arch/arm64/boot/Image of the kernel's build",
        Payload::Raw(bytes) if (bytes.len() as u64) < HEADER_BYTES => {
            "shorter than an arm64 Image's header of 64 bytes"
        }
        Payload::Raw(_) => "no file with an arm64 Image's header",
    };
    let message = format!("the kernel of partition `{}` is no arm64 Image", raw.name.value);
    problems.add(Problem::new(Code::NotAKernel, kernel.span, message).here(found));
    None
}

/// Places the guest in the memory of `partition`. `None` has been reported.
pub(super) fn place(
    draft: &Draft<'_>,
    fetched: &LinuxFiles,
    board: &Board,
    partition: &Partition,
    problems: &mut Problems,
) -> Option<Fitted> {
    let spanned = draft.raw.linux.as_ref()?;
    let guest = linux::Linux {
        kernel: &fetched.kernel,
        initrd: fetched.initrd.as_deref(),
        bootargs: spanned.value.bootargs.as_ref().map(|bootargs| bootargs.value.as_str()),
        tree: draft.own_tree.as_ref().map(|tree| tree.content.as_slice()),
    };
    match linux::place(board, partition, &guest) {
        Ok(placement) => Some(Fitted {
            entry: placement.entry.get(),
            segments: placement.segments,
            arguments: placement.arguments,
            ..Fitted::default()
        }),
        Err(error) => {
            problems.add(misfit(draft, board, spanned, &error));
            None
        }
    }
}

fn misfit(draft: &Draft<'_>, board: &Board, linux: &Spanned<Linux>, error: &LinuxError) -> Problem {
    let name = draft.name();
    let kernel = linux.value.kernel.as_ref().map_or(linux.span, |kernel| kernel.span);
    match error {
        LinuxError::NoMemory => {
            let message = format!("the kernel of partition `{name}` needs more than any of its memory allows");
            let problem = Problem::new(Code::SegmentAccess, kernel, message).here(format!("needs {}", Access::RWX));
            problem.help("give one of them access = \"rwx\"")
        }
        LinuxError::DoesNotFit { part, memory, end, limit, by_tree } => {
            let message = format!("no room for the {} in the memory of partition `{name}`", part.name());
            let here = format!("would end at {}", show::address(*end));
            let problem = Problem::new(Code::NoRoomInMemory, span_of(*part, linux), message).here(here);
            let own = draft.memory.iter().find(|own| own.raw.name.value == *memory);
            let place = own.map_or(linux.span, |own| own.raw.name.span);
            let problem = match by_tree {
                true => problem
                    .label(place, format!("the device tree leaves `{memory}` free up to {}", show::address(*limit))),
                false => problem.label(place, format!("`{memory}` ends at {}", show::address(*limit))),
            };
            let short = end.saturating_sub(*limit).next_multiple_of(draft.granule.bytes());
            problem.help(format!("give it at least {} more", show::size(short)))
        }
        LinuxError::Pages(pages) => {
            let message = format!("the kernel of partition `{name}` cannot run on board `{}`", board.name);
            let problem = Problem::new(Code::KernelPages, kernel, message).here(format!("built for {pages} pages"));
            let has: Vec<_> = board.granules.iter().map(ToString::to_string).collect();
            problem.help(format!("pages of all its cores: {}", show::list(&has)))
        }
        LinuxError::TreeTooLarge(_) | LinuxError::Tree(_) => tree::unreadable(draft.raw, &error.to_string()),
        LinuxError::Generate(error) => tree::not_made(linux.span, error),
    }
}

fn span_of(part: Part, linux: &Spanned<Linux>) -> Span {
    let file = match part {
        Part::Kernel => linux.value.kernel.as_ref(),
        Part::Initrd => linux.value.initrd.as_ref(),
        Part::Tree => None,
    };
    file.map_or(linux.span, |file| file.span)
}
