//! What page and picture share: colours, and text that is safe between tags.

use super::map::Owner;

/// An owner's colour: neighbours differ, the same index gives the same on every page.
pub(super) fn colour(owner: Owner) -> String {
    match owner {
        Owner::El2 => "#888".to_owned(),
        Owner::Board => "#ddd".to_owned(),
        Owner::Nobody => "#fff".to_owned(),
        // The golden angle spreads any number of hues.
        Owner::Partition(index) => format!("hsl({} 65% 72%)", (u32::from(index) * 137 + 200) % 360),
    }
}

/// `text` with what HTML would read as markup made harmless.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
