//! Numbers and foreign text as messages show them.

use std::borrow::Cow;

/// `text` with everything that a terminal would obey instead of showing (control characters, line ends, changes of the
/// writing's direction) as Rust's escapes: names come from files that somebody else may have written.
pub fn printable(text: &str) -> Cow<'_, str> {
    if is_printable(text) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if is_shown(c) { c.to_string() } else { c.escape_debug().to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// As [`printable`], but for tabs, which stay.
pub fn printable_line(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

/// Whether a terminal shows all of `text`.
pub fn is_printable(text: &str) -> bool {
    text.chars().all(is_shown)
}

/// Quotes and backslashes have escapes, too, but are shown.
fn is_shown(c: char) -> bool {
    matches!(c, '\'' | '"' | '\\') || c.escape_debug().len() == 1
}

/// `0x0900_0000`: an address, in whole groups of four digits where it has more than one.
pub fn address(value: u64) -> String {
    let digits = format!("{value:x}");
    if digits.len() <= 4 {
        return format!("0x{digits}");
    }
    let digits = format!("{digits:0>width$}", width = digits.len().next_multiple_of(4));
    let groups: Vec<_> = (0..digits.len()).step_by(4).map(|at| &digits[at..at + 4]).collect();
    format!("0x{}", groups.join("_"))
}

/// `[0x1000..0x2000)`.
pub fn range(start: u64, size: u64) -> String {
    format!("[{}..{})", address(start), address(start.saturating_add(size)))
}

/// `16 MiB`: in the largest unit that gives a whole number.
pub fn size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift)) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None => format!("{} bytes", address(bytes)),
    }
}

/// `a`, `b`, `c`, each as code.
pub fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `a, b and c`: texts that hold commas or quotes of their own.
pub fn all_of(texts: &[String]) -> String {
    match texts {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => texts.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_write_them() {
        assert_eq!(address(0), "0x0");
        assert_eq!(address(0x4000_0000), "0x4000_0000");
        assert_eq!(address(0x900_0000), "0x0900_0000");
        assert_eq!(range(0x1000, 0x1000), "[0x1000..0x2000)");
        assert_eq!((size(16 << 20), size(0x1800)), ("16 MiB".into(), "6 KiB".into()));
        assert_eq!(size(3), "0x3 bytes");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_escapes() {
        for text in ["uart0+uart2", "a/b c.toml", "`größer` \"than\" \\ 'that'"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(printable("a\u{1b}[2Jb\nc\0"), "a\\u{1b}[2Jb\\nc\\0");
        assert_eq!(printable_line("a\tb\n"), "a\tb\\n");
        assert_eq!(printable("\u{202e}\u{9b}"), "\\u{202e}\\u{9b}");
    }

    #[test]
    fn the_last_of_several_is_joined_by_a_word() {
        let texts = ["a", "b", "c"].map(str::to_owned);
        assert_eq!((all_of(&texts[..0]), all_of(&texts[..1])), (String::new(), "a".into()));
        assert_eq!((all_of(&texts[..2]), all_of(&texts)), ("a and b".into(), "a, b and c".into()));
    }
}
