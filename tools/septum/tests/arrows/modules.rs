//! The modules of a crate, and the arrows between them, read by Rust's grammar.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use syn::visit::Visit;
use syn::{Attribute, Item, UseTree};

/// One module uses a name of another's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// Who uses it; modules are named from the crate on, and the crate's own file has no name.
    pub from: String,
    /// Whose it is.
    pub to: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}: {}", self.from, self.to, self.name)
    }
}

/// The arrows between the modules of the crate in `folder`, tests left out.
pub fn arrows(folder: &Path) -> BTreeSet<Arrow> {
    let mut files = Vec::new();
    collect(folder, &mut Vec::new(), &mut files);
    let modules = files.iter().map(|(module, _)| module.join("::")).collect();
    let mut found = BTreeSet::new();
    for (module, text) in &files {
        let file = syn::parse_file(text).unwrap();
        let mut visitor = Paths { module: module.clone(), depth: 0, modules: &modules, found: &mut found };
        visitor.visit_file(&file);
    }
    found
}

/// Every module below `folder` with its text; `main.rs` and `lib.rs` are the crate's own.
fn collect(folder: &Path, path: &mut Vec<String>, files: &mut Vec<(Vec<String>, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let stem = entry.file_stem().unwrap().to_string_lossy().into_owned();
        if stem == "tests" {
            continue;
        }
        let root = path.is_empty() && ["main", "lib"].contains(&stem.as_str());
        path.extend((!root).then_some(stem));
        if entry.is_dir() {
            collect(&entry, path, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push((path.clone(), fs::read_to_string(&entry).unwrap()));
        }
        if !root {
            path.pop();
        }
    }
}

/// Whether an item is compiled for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    let is = |attribute: &Attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    attributes.iter().any(is)
}

struct Paths<'a> {
    /// Whose file it is.
    module: Vec<String>,
    /// Inline modules around what is visited.
    depth: usize,
    modules: &'a BTreeSet<String>,
    found: &'a mut BTreeSet<Arrow>,
}

impl Paths<'_> {
    /// Notes that `segments` are named here, if they lead into a module of the crate.
    fn note(&mut self, segments: &[String]) {
        let Some(absolute) = self.absolute(segments) else { return };
        let target = (0..=absolute.len()).rev().map(|length| absolute[..length].join("::"));
        let target = target.clone().find(|module| module.is_empty() || self.modules.contains(module)).unwrap();
        let from = self.module.join("::");
        let own = target == from || from.is_empty() || target.starts_with(&format!("{from}::"));
        if !own {
            self.found.insert(Arrow { from, to: target, name: segments.join("::") });
        }
    }

    /// The path from the crate on; `None` where it leads out of the crate or nowhere.
    fn absolute(&self, segments: &[String]) -> Option<Vec<String>> {
        let (first, rest) = segments.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([self.module.clone(), rest.to_vec()].concat()),
            "super" => {
                let (mut module, mut rest, mut inline) = (self.module.clone(), segments, self.depth);
                while let Some((_, next)) = rest.split_first().filter(|(first, _)| *first == "super") {
                    if inline == 0 {
                        module.pop();
                    }
                    inline = inline.saturating_sub(1);
                    rest = next;
                }
                Some([module, rest.to_vec()].concat())
            }
            // A child, by its own name.
            _ => {
                let child = [self.module.clone(), segments.to_vec()].concat();
                let own = child[..=self.module.len()].join("::");
                (segments.len() > 1 && self.modules.contains(&own)).then_some(child)
            }
        }
    }

    fn note_tree(&mut self, tree: &UseTree, path: &mut Vec<String>) {
        match tree {
            UseTree::Path(step) => {
                path.push(step.ident.to_string());
                self.note_tree(&step.tree, path);
                path.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.note_tree(tree, path)),
            UseTree::Name(name) if name.ident == "self" => self.note(path),
            UseTree::Name(name) => self.note(&[path.clone(), vec![name.ident.to_string()]].concat()),
            UseTree::Rename(name) => self.note(&[path.clone(), vec![name.ident.to_string()]].concat()),
            UseTree::Glob(_) => self.note(path),
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !is_test(attributes) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.depth += 1;
        syn::visit::visit_item_mod(self, item);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_tree(&item.tree, &mut Vec::new());
    }

    /// `pub(crate)` names nobody.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&segments);
        syn::visit::visit_path(self, path);
    }

    /// What a macro is given is tokens: the paths that begin with `crate` are found, and no others.
    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let text = invocation.tokens.to_string().replace(' ', "");
        for (at, _) in text.match_indices("crate::") {
            let word = |part: &str| part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
            let rest = &text[at + "crate::".len()..];
            let segments: Vec<_> = rest.split("::").map(word).take_while(|segment| !segment.is_empty()).collect();
            self.note(&[vec!["crate".to_owned()], segments].concat());
        }
        self.visit_path(&invocation.path);
    }
}
