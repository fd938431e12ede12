//! Problems as text for people and as JSON for tools.

use std::borrow::Cow;

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::show::printable;
use super::{Label, Problem, Problems};
use crate::source::{FileId, Sources, Span};

/// As rustc shows errors: each problem with its source lines, each note likewise, then how many problems there are.
pub fn human(problems: &Problems, styled: bool) -> String {
    let renderer = if styled { Renderer::styled() } else { Renderer::plain().term_width(DEFAULT_TERM_WIDTH) };
    let mut text = String::new();
    for problem in problems.all() {
        text.push_str(&renderer.render(&[group(problem, &problems.sources)]));
        text.push_str("\n\n");
    }
    match problems.len() {
        0 => {}
        1 => text.push_str("1 problem found\n"),
        count => text.push_str(&format!("{count} problems found\n")),
    }
    text
}

fn group<'a>(problem: &'a Problem, sources: &'a Sources) -> Group<'a> {
    let level = if problem.code.is_note() { Level::NOTE } else { Level::ERROR };
    let title = level.primary_title(printable(&problem.message)).id(problem.code.text());
    let mut group = Group::with_title(title);
    for file in files(problem) {
        group = group.element(snippet(problem, file, sources));
    }
    match &problem.help {
        Some(help) => group.element(Level::HELP.message(printable(help))),
        None => group,
    }
}

/// The files that a problem points into, its own first.
fn files(problem: &Problem) -> Vec<FileId> {
    let mut files = vec![problem.primary.span.file];
    for label in &problem.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

fn snippet<'a>(
    problem: &'a Problem,
    file: FileId,
    sources: &'a Sources,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = sources.file(file);
    let primary = std::iter::once((AnnotationKind::Primary, &problem.primary));
    let others = problem.labels.iter().map(|label| (AnnotationKind::Context, label));
    let labels = primary.chain(others).filter(|(_, label)| label.span.file == file);
    // Only the lines that are shown: a renderer that had to go through all of a long text for each problem would crawl.
    let lines = sources.lines(file, labels.clone().map(|(_, label)| label.span));
    let first = sources.position(Span::new(file, lines.start..lines.start)).line as usize;
    let annotations = labels.map(|(kind, label)| {
        let span = label.span.range();
        kind.span(span.start - lines.start..span.end - lines.start).label(remark(label))
    });
    let text = source.text.get(lines.clone()).unwrap_or("");
    Snippet::source(text).line_start(first).path(printable(&source.name)).annotations(annotations)
}

fn remark(label: &Label) -> Option<Cow<'_, str>> {
    (!label.text.is_empty()).then(|| printable(&label.text))
}

#[derive(Serialize)]
struct JsonProblem<'a> {
    severity: &'static str,
    code: &'static str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
    label: &'a str,
    labels: Vec<JsonPlace<'a>>,
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonPlace<'a> {
    message: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
    length: usize,
}

/// A JSON array of all problems, then all notes. Lines and columns count from 1, columns and lengths in characters.
pub fn json(problems: &Problems) -> String {
    let list: Vec<_> = problems.all().map(|problem| json_problem(problem, &problems.sources)).collect();
    // Strings and numbers only: there is nothing in it that JSON could not hold.
    let mut text = serde_json::to_string_pretty(&list).unwrap_or_default();
    text.push('\n');
    text
}

fn json_problem<'a>(problem: &'a Problem, sources: &'a Sources) -> JsonProblem<'a> {
    JsonProblem {
        severity: if problem.code.is_note() { "note" } else { "error" },
        code: problem.code.text(),
        place: JsonPlace { message: &problem.message, ..json_place(&problem.primary, sources) },
        label: &problem.primary.text,
        labels: problem.labels.iter().map(|label| json_place(label, sources)).collect(),
        help: problem.help.as_deref(),
    }
}

fn json_place<'a>(label: &'a Label, sources: &'a Sources) -> JsonPlace<'a> {
    let file = sources.file(label.span.file);
    let position = sources.position(label.span);
    JsonPlace {
        message: &label.text,
        file: &file.name,
        line: position.line,
        column: position.column,
        length: file.text.get(label.span.range()).map_or(0, |text| text.chars().count()),
    }
}
