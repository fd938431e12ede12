//! The picture of physical memory: one bar, lowest address at the top, as inline SVG.
//!
//! Sizes differ by a factor of a million, so heights grow with the logarithm; gaps are drawn as thin breaks.

use std::fmt::Write as _;

use septum_plan::RegionKind;

use super::map::MapEntry;
use super::markup::{colour, escape};
use super::size;

const WIDTH: u32 = 900;
const BAR: u32 = 170;
const BAR_WIDTH: u32 = 150;
const GAP: u32 = 14;
/// Height of 4 KiB, and what each doubling adds, in pixels.
const LEAST: u32 = 20;
const DOUBLING: u32 = 2;

/// The SVG element for `map`; `owner` names an entry's owner, "" for nobody.
pub(super) fn svg(map: &[MapEntry], owner: impl Fn(&MapEntry) -> String) -> String {
    let mut body = String::new();
    let mut top = GAP;
    let mut done = 0;
    for entry in map {
        if entry.pa > done && done != 0 {
            top += GAP;
        }
        let height = height(entry.size);
        bar(&mut body, entry, top, height, &owner(entry));
        top += height;
        done = done.max(entry.pa.saturating_add(entry.size));
    }
    let height = top + GAP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"physical memory\">\n{body}</svg>\n"
    )
}

fn height(bytes: u64) -> u32 {
    LEAST + bytes.max(4096).ilog2().saturating_sub(12) * DOUBLING
}

fn bar(body: &mut String, entry: &MapEntry, top: u32, height: u32, owner: &str) {
    let (text, middle) = (top + 13, BAR + BAR_WIDTH + 12);
    let dashes = if entry.kind == RegionKind::Device { " stroke-dasharray=\"4 3\"" } else { "" };
    // Writing to a String cannot fail.
    let _ = writeln!(body, "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{:#x}</text>", BAR - 10, entry.pa);
    let _ = writeln!(
        body,
        "<rect x=\"{BAR}\" y=\"{top}\" width=\"{BAR_WIDTH}\" height=\"{height}\" fill=\"{}\" stroke=\"#333\"{dashes}/>",
        colour(entry.owner)
    );
    let owner = if owner.is_empty() { String::new() } else { format!("{owner}: ") };
    let label = format!("{owner}{} ({})", entry.name, size(entry.size));
    let _ = writeln!(body, "<text x=\"{middle}\" y=\"{text}\">{}</text>", escape(&label));
}
