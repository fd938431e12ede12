//! Nodes and properties in the few forms that the generator needs.

use dtoolkit::model::{DeviceTreeNode, DeviceTreeProperty};

/// A node under construction.
pub(super) struct Node(DeviceTreeNode);

impl From<DeviceTreeNode> for Node {
    fn from(node: DeviceTreeNode) -> Self {
        Self(node)
    }
}

impl Node {
    /// The root.
    pub(super) fn root() -> Self {
        Self(DeviceTreeNode::new_unchecked(""))
    }

    /// A node whose name is right by construction.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self(DeviceTreeNode::new_unchecked(name))
    }

    /// A node named by the board or the user; `None` where the name is no node name.
    pub(super) fn checked(name: &str) -> Option<Self> {
        DeviceTreeNode::new(name).ok().map(Self)
    }

    /// Adds a string.
    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.property(DeviceTreeProperty::new_unchecked(name, value))
    }

    /// Adds a list of strings.
    pub(super) fn texts(self, name: &str, values: &[&str]) -> Self {
        self.property(DeviceTreeProperty::new_unchecked(name, values))
    }

    /// Adds 32-bit cells.
    pub(super) fn cells(self, name: &str, values: &[u32]) -> Self {
        self.property(DeviceTreeProperty::new_unchecked(name, values))
    }

    /// Adds numbers of two cells each.
    pub(super) fn wide(self, name: &str, values: &[u64]) -> Self {
        let cells: Vec<u32> = values.iter().flat_map(|value| [(value >> 32) as u32, *value as u32]).collect();
        self.cells(name, &cells)
    }

    /// Adds a property that says something by being there.
    pub(super) fn flag(self, name: &str) -> Self {
        self.property(DeviceTreeProperty::new_unchecked(name, [0_u8; 0]))
    }

    /// Adds a child.
    pub(super) fn child(mut self, child: Self) -> Self {
        self.0.add_child(child.0);
        self
    }

    /// Adds children.
    pub(super) fn children(self, children: Vec<Self>) -> Self {
        children.into_iter().fold(self, Self::child)
    }

    /// The node.
    pub(super) fn finish(self) -> DeviceTreeNode {
        self.0
    }

    fn property(mut self, property: DeviceTreeProperty) -> Self {
        self.0.add_property(property);
        self
    }
}
