//! An initial RAM disk: a cpio archive in the "newc" format that Linux unpacks (Documentation/driver-api/early-userspace/
//! buffer-format.rst), made here so that no tool of the host is needed and the same input gives the same bytes.

/// File type bits of a mode (inode(7)).
const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMBOLIC_LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
/// Name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// An archive under construction. Everything in it belongs to root and is dated 1970.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// One entry's header fields that differ.
#[derive(Clone, Copy, Debug, Default)]
struct Entry<'a> {
    name: &'a str,
    mode: u32,
    device: (u32, u32),
    content: &'a [u8],
}

impl Archive {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder; its parent must be there already. `name` has no leading slash.
    pub fn directory(self, name: &str) -> Self {
        self.add(Entry { name, mode: DIRECTORY | 0o755, ..Entry::default() })
    }

    /// Adds a program.
    pub fn program(self, name: &str, content: &[u8]) -> Self {
        self.add(Entry { name, mode: FILE | 0o755, content, ..Entry::default() })
    }

    /// Adds a symbolic link.
    pub fn link(self, name: &str, target: &str) -> Self {
        self.add(Entry { name, mode: SYMBOLIC_LINK | 0o777, content: target.as_bytes(), ..Entry::default() })
    }

    /// Adds a character device by its major and minor number.
    pub fn character_device(self, name: &str, major: u32, minor: u32) -> Self {
        self.add(Entry { name, mode: CHARACTER_DEVICE | 0o600, device: (major, minor), ..Entry::default() })
    }

    /// The archive's bytes.
    pub fn finish(self) -> Vec<u8> {
        self.add(Entry { name: TRAILER, ..Entry::default() }).bytes
    }

    fn add(mut self, entry: Entry<'_>) -> Self {
        self.entries += 1;
        let links = if entry.mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let (size, name_size) = (entry.content.len() as u32, entry.name.len() as u32 + 1);
        let (major, minor) = entry.device;
        // Inode, mode, uid, gid, links, time, size, device of the file system, of the node, bytes of the name, checksum.
        let fields = [self.entries, entry.mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        fields.iter().for_each(|field| self.bytes.extend_from_slice(format!("{field:08x}").as_bytes()));
        self.bytes.extend_from_slice(entry.name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(entry.content);
        self.align();
        self
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// What the emulator tests boot: busybox and an init that loads every core, lets time pass, shows the interrupts and
/// says [`MARKER`] with the number of cores, then powers off.
pub fn for_tests(busybox: &[u8]) -> Vec<u8> {
    Archive::new()
        .directory("bin")
        .directory("dev")
        .directory("proc")
        .directory("sys")
        .character_device("dev/console", 5, 1)
        .character_device("dev/null", 1, 3)
        .character_device("dev/mem", 1, 1)
        .program("bin/busybox", busybox)
        .link("bin/sh", "busybox")
        .program("init", INIT.as_bytes())
        .finish()
}

/// What the test guest's last line begins with; the number of its cores follows.
pub const MARKER: &str = "GUEST-OK cpus=";

const INIT: &str = include_str!("init.sh");
