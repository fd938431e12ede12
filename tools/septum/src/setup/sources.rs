//! Where this Debian system gets its packages: the mirror named in its own source lists, in either of apt's formats.

use std::fs;
use std::path::Path;

/// One archive, as a source list names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its address, as written.
    pub uri: String,
    /// Suites taken from it.
    pub suites: Vec<String>,
    /// The value of `Signed-By`: a path, or an embedded key with its line breaks; none means apt's trusted keys.
    pub signed_by: Option<String>,
}

/// The archive of `release` (a codename) that this system uses, if its lists name one.
pub fn archive_of(release: &str) -> Option<Source> {
    let lists = list_files().into_iter().filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text)));
    let mut sources = lists.flat_map(|(path, text)| parse(&path, &text));
    sources.find(|source| source.suites.iter().any(|suite| names_release(suite, release)))
}

fn names_release(suite: &str, release: &str) -> bool {
    suite == release || ["stable", "testing", "unstable", "sid"].contains(&suite)
}

fn list_files() -> Vec<std::path::PathBuf> {
    let mut files = vec!["/etc/apt/sources.list".into()];
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    files.extend(parts);
    files.sort();
    files
}

fn parse(path: &Path, text: &str) -> Vec<Source> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("sources") => stanzas(text).iter().filter_map(from_stanza).collect(),
        Some("list") => text.lines().filter_map(from_line).collect(),
        _ => Vec::new(),
    }
}

/// A stanza's fields, in order.
type Stanza = Vec<(String, String)>;

/// deb822: fields `Name: value`, continued by indented lines, stanzas parted by empty lines (sources.list(5)).
fn stanzas(text: &str) -> Vec<Stanza> {
    let mut stanzas = vec![Stanza::new()];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            stanzas.push(Stanza::new());
        } else if let Some(stanza) = stanzas.last_mut() {
            add_line(stanza, line);
        }
    }
    stanzas
}

fn add_line(stanza: &mut Stanza, line: &str) {
    if line.starts_with([' ', '\t']) {
        if let Some((_, value)) = stanza.last_mut() {
            value.push('\n');
            value.push_str(line);
        }
    } else if let Some((name, value)) = line.split_once(':') {
        stanza.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn from_stanza(stanza: &Stanza) -> Option<Source> {
    let field = |name: &str| stanza.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let words = |name: &str| field(name).unwrap_or_default().split_whitespace().map(str::to_owned);
    if field("enabled") == Some("no") || !words("types").any(|kind| kind == "deb") {
        return None;
    }
    Some(Source {
        uri: words("uris").next()?,
        suites: words("suites").collect(),
        signed_by: field("signed-by").map(str::to_owned),
    })
}

/// One line: `deb [option=value ...] uri suite component ...`.
fn from_line(line: &str) -> Option<Source> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracket) => bracket.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source {
        uri: words.next()?,
        suites: words.next().into_iter().collect(),
        signed_by: options.split_whitespace().find_map(|option| option.strip_prefix("signed-by=")).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, suites: &[&str], signed_by: Option<&str>) -> Source {
        Source {
            uri: uri.to_owned(),
            suites: suites.iter().map(|suite| (*suite).to_owned()).collect(),
            signed_by: signed_by.map(str::to_owned),
        }
    }

    #[test]
    fn stanza_format_gives_address_suites_and_key() {
        let text = "Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main\nSigned-By: /usr/share/keyrings/k.gpg\n\nTypes: deb-src\nURIs: http://other.example/\n";
        let expected = source(
            "http://mirror.example/debian",
            &["bookworm", "bookworm-updates"],
            Some("/usr/share/keyrings/k.gpg"),
        );
        assert_eq!(parse(Path::new("a.sources"), text), [expected]);
    }

    #[test]
    fn embedded_key_keeps_its_lines() {
        let text = "Types: deb\nURIs: u\nSuites: s\nSigned-By:\n -----BEGIN\n .\n abc\n";
        let key = parse(Path::new("a.sources"), text).remove(0).signed_by;
        assert_eq!(key.as_deref(), Some("\n -----BEGIN\n .\n abc"));
    }

    #[test]
    fn disabled_stanza_is_no_source() {
        assert!(parse(Path::new("a.sources"), "Types: deb\nEnabled: no\nURIs: u\nSuites: s\n").is_empty());
    }

    #[test]
    fn line_format_gives_address_suite_and_key() {
        let text = "# deb http://old/ x main\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main\ndeb-src http://s b main\n";
        assert_eq!(
            parse(Path::new("b.list"), text),
            [source("http://mirror.example/debian", &["bookworm"], Some("/k.gpg"))]
        );
    }

    #[test]
    fn other_files_are_no_lists() {
        assert!(parse(Path::new("c.save"), "deb http://m s main\n").is_empty());
    }
}
