//! What a node of a user's tree says, read as Linux's drivers/of does.

use dtoolkit::model::DeviceTreeNode;
use dtoolkit::{Node, Property};

/// Whether a node is there for the guest: `status` is absent, "okay" or "ok".
pub(super) fn enabled(node: &DeviceTreeNode) -> bool {
    text(node, "status").is_none_or(|status| status == "okay" || status == "ok")
}

/// The property as 32-bit cells; `None` where it is absent or no multiple of four bytes.
pub(super) fn cells(node: &DeviceTreeNode, name: &str) -> Option<Vec<u32>> {
    let property = node.property(name)?;
    let (words, rest) = property.value().as_chunks::<4>();
    rest.is_empty().then(|| words.iter().copied().map(u32::from_be_bytes).collect())
}

/// The property's first cell.
pub(super) fn number(node: &DeviceTreeNode, name: &str) -> Option<u32> {
    cells(node, name)?.first().copied()
}

/// The property as one string.
pub(super) fn text(node: &DeviceTreeNode, name: &str) -> Option<String> {
    let property = node.property(name)?;
    let text = property.value().strip_suffix(b"\0")?;
    String::from_utf8(text.to_vec()).ok()
}

/// The property as a list of strings; empty where it is absent.
pub(super) fn texts(node: &DeviceTreeNode, name: &str) -> Vec<String> {
    let list = text(node, name).unwrap_or_default();
    list.split('\0').filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// The first of `known` that the node is compatible with.
pub(super) fn compatible<'a>(node: &DeviceTreeNode, known: &[&'a str]) -> Option<&'a str> {
    let own = texts(node, "compatible");
    known.iter().find(|name| own.iter().any(|own| own == *name)).copied()
}

/// The node's name without its unit address.
pub(super) fn base_name(node: &DeviceTreeNode) -> &str {
    node.name().split('@').next().unwrap_or_default()
}

/// Whether the node is of device type `kind`.
pub(super) fn is_type(node: &DeviceTreeNode, kind: &str) -> bool {
    text(node, "device_type").is_some_and(|own| own == kind)
}
