//! The raw configuration: `configs/*.toml` with every key typed and placed, nothing resolved.

use septum_stage2::{Access, Granule};
use toml::de::DeValue;

use super::image::Image;
use super::key::{Describe, Exclusive, Keyed as _, Kind, Named, Words, keys};
use super::linux::{COMMAND_LINE_BYTES_MAX, Linux};
use super::{Read, Size, Table, Value, check_name};
use crate::problem::{Code, Problem, Problems};
use crate::source::{FileId, Span, Spanned};

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `board`.
    pub board: Option<Spanned<String>>,
    /// `variant`.
    pub variant: Option<Spanned<String>>,
    /// `log`: the console device that carries it.
    pub log: Option<Spanned<String>>,
    /// The partitions, in the order of the text.
    pub partitions: Vec<Partition>,
    /// Keys that are there and could not be read, which has been reported.
    pub refused: Vec<&'static str>,
}

keys!(Config {
    /// The board: a folder of `boards/`, beside this file or Septum's own.
    BOARD = "board": String as "name", Needed, "\"rpi4\"";
    /// Which variant of the board, where it has several.
    VARIANT = "variant": String as "name", Otherwise("needed where the board has variants"), "\"2GiB\"";
    /// The UART that carries the log, one of the board's `consoles`.
    LOG = "log": String as "device", Otherwise("the board's first console"), "\"uart0\"";
    /// The partitions, each with cores, memory and devices of its own.
    PARTITION = "partition": Named<Partition>, Needed,
        "{ control = { cpus = [0], image = \"hello\", memory = { ram = { ipa = 0x4000_0000, size = \"2MiB\" } } } }";
});

/// `[partition.NAME]`.
#[derive(Clone, Debug)]
pub struct Partition {
    /// NAME.
    pub name: Spanned<String>,
    /// `cpus`.
    pub cpus: Option<Spanned<Vec<Spanned<u32>>>>,
    /// `image`.
    pub image: Option<Spanned<Image>>,
    /// `linux`, instead of `image`.
    pub linux: Option<Spanned<Linux>>,
    /// `dtb`: the user's own device tree, a file relative to the configuration.
    pub dtb: Option<Spanned<String>>,
    /// `entry`, of a raw image.
    pub entry: Option<Spanned<u64>>,
    /// `load`, of a raw or arm64 image.
    pub load: Option<Spanned<u64>>,
    /// `args`.
    pub args: Option<Spanned<String>>,
    /// `memory.NAME`, in the order of the text.
    pub memory: Vec<Memory>,
    /// `devices`.
    pub devices: Vec<DeviceUse>,
    /// `granule`.
    pub granule: Option<Spanned<Granule>>,
    /// `stage2`.
    pub stage2: Stage2,
    /// `dma = "trusted"`.
    pub dma: Option<Span>,
    /// `device-tree`.
    pub device_tree: Option<Spanned<Added>>,
    /// `console`: an emulated PL011.
    pub console: Option<Spanned<Added>>,
    /// `physical-timer`.
    pub physical_timer: PhysicalTimer,
    /// Keys that are there and could not be read, which has been reported.
    pub refused: Vec<&'static str>,
}

keys!(Partition {
    /// What it runs: a crate of `partitions/`, a file (a path has a `/` or a `.`), or a program that `setup` fetches.
    IMAGE = "image": Image as "crate, or path relative to the configuration", Otherwise("needed, or `linux`"), "\"hello\"";
    /// The Linux guest that it runs instead of an image: kernel, initial RAM disk and command line.
    LINUX = "linux": Linux, Otherwise("needed, or `image`"),
        "{ kernel = { guest = \"linux-6.1\" }, bootargs = \"console=ttyAMA0\" }";
    /// The board's cores that are its own; virtual core i is the i-th.
    CPUS = "cpus": Vec<Spanned<u32>> as "index", Needed, "[0, 1]";
    /// The user's own device tree instead of a generated one; it is checked.
    DTB = "dtb": String as "path, relative to the configuration", Otherwise("none"), "\"board.dtb\"";
    /// Of a raw image: where the first instruction is. With it, an arm64 Image is taken as raw.
    ENTRY = "entry": u64 as "IPA", Otherwise("what the image says"), "0x4000_0000";
    /// Where the first byte of a raw or arm64 image goes.
    LOAD = "load": u64 as "IPA", Otherwise("`entry`, or what the image says"), "0x4020_0000";
    /// A string for the program: x0 is its IPA, x1 its length. With `device-tree` it becomes the tree's `bootargs`.
    ARGS = "args": String, Otherwise("none"), "\"left lines=5\"";
    /// Its RAM, in pieces.
    MEMORY = "memory": Named<Memory>, Needed,
        "{ ram = { ipa = 0x4000_0000, size = \"16MiB\", access = \"rwx\" } }";
    /// The board's devices that are its own, by name, or with the place and the rights that it has there.
    DEVICES = "devices": Vec<Spanned<DeviceUse>> as "device", Default("[]"),
        "[\"gpio\", { name = \"uart0\", ipa = 0x0900_0000 }]";
    /// The granule of its Stage-2.
    GRANULE = "granule": Granule, Default("\"4k\""), "\"64k\"";
    /// What its Stage-2 table covers: the board's whole PARange, or the addresses in use.
    STAGE2 = "stage2": Stage2, Default("\"full\""), "\"compact\"";
    /// Lets it own devices that master the bus, and so reach all memory; one partition of a board at most.
    DMA = "dma": Trusted, Otherwise("it may not"), "\"trusted\"";
    /// A generated tree of what the partition has; x0 is its IPA.
    DEVICE_TREE = "device-tree": Option<Added>, Default("false"), "true";
    /// An emulated PL011, whose text goes to the log.
    CONSOLE = "console": Option<Added>, Default("false"), "{ ipa = 0x0900_0000 }";
    /// What it can do with the EL1 physical timer: everything, or its accesses trap.
    PHYSICAL_TIMER = "physical-timer": PhysicalTimer, Default("\"given\""), "\"trapped\"";
    one of "image", "linux";
    "image" excludes "linux": "a partition runs one of them";
    "args" excludes "linux": "a kernel's arguments are `bootargs` of `linux`";
    "entry" excludes "linux": "a kernel's header says where it starts";
    "load" excludes "linux": "a kernel's header says where it goes";
    "device-tree" excludes "linux": "a Linux guest has one anyway";
    "device-tree" excludes "dtb": "it is either generated or the user's own";
});

/// `memory.NAME`.
#[derive(Clone, Debug)]
pub struct Memory {
    /// NAME.
    pub name: Spanned<String>,
    /// `ipa`.
    pub ipa: Option<Spanned<u64>>,
    /// `pa`.
    pub pa: Option<Spanned<u64>>,
    /// `size`; `None` where this, an address or `access` could not be read, which has been reported: nothing more can
    /// be said.
    pub size: Option<Spanned<u64>>,
    /// `access`.
    pub access: Access,
    /// `identity`: where, if true.
    pub identity: Option<Span>,
    /// `keep`: whether EL2 leaves it as it is where no payload goes.
    pub keep: bool,
}

keys!(Memory {
    /// What the partition may do with it: read, write, execute.
    ACCESS = "access": Access, Default("\"rw\""), "\"rwx\"";
    /// How long it is: a multiple of the granule.
    SIZE = "size": Size, Needed, "\"16MiB\"";
    /// Where the partition sees it.
    IPA = "ipa": u64 as "IPA", Otherwise("needed, or `identity`"), "0x4000_0000";
    /// Where it lies, if that must be fixed.
    PA = "pa": u64 as "physical address", Otherwise("the compiler chooses"), "0x8000_0000";
    /// Whether the partition sees it where it lies.
    IDENTITY = "identity": bool, Default("false"), "true";
    /// Whether it stays as it was at a start of the partition, where nothing is loaded into it.
    KEEP = "keep": bool, Default("false"), "true";
});

/// An entry of `devices`.
#[derive(Clone, Debug)]
pub struct DeviceUse {
    /// The board's name for it.
    pub name: Spanned<String>,
    /// Where the partition sees its first register block.
    pub ipa: Option<Spanned<u64>>,
    /// What the partition may do there.
    pub access: Option<Spanned<Access>>,
}

keys!(DeviceUse {
    /// The board's name for it.
    NAME = "name": String as "device", Needed, "\"uart0\"";
    /// Where the partition sees its first register block.
    IPA = "ipa": u64 as "IPA", Otherwise("its physical address"), "0x0900_0000";
    /// What the partition may do there.
    ACCESS = "access": Access, Default("\"rw\""), "\"r\"";
});

/// `stage2`: how much the table covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage2 {
    /// The board's whole PARange.
    Full,
    /// Just the addresses in use.
    Compact,
}

/// `physical-timer`: what the partition can do with the EL1 physical timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhysicalTimer {
    /// Everything.
    Given,
    /// Its accesses trap.
    Trapped,
}

/// `true` or `{ ipa = .. }`: something that the compiler adds to what the partition sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// Where; `None` lets the compiler choose.
    pub ipa: Option<Spanned<u64>>,
}

keys!(Added {
    /// Where the partition sees it.
    IPA = "ipa": u64 as "IPA", Otherwise("the compiler chooses"), "0x4000_0000";
});

/// Reads a configuration's outermost table.
pub fn read(file: FileId, node: &toml::Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Config> {
    let value = Value::root(file, node);
    let mut table = Table::open(value, "the configuration", Span::new(file, 0..0), problems)?;
    let mut config = Config {
        board: table.required(Config::BOARD, problems),
        variant: table.optional(Config::VARIANT, problems),
        log: table.optional(Config::LOG, problems),
        partitions: read_partitions(&mut table, problems),
        refused: Vec::new(),
    };
    config.refused = table.close(problems);
    Some(config)
}

fn read_partitions(table: &mut Table<'_, Config>, problems: &mut Problems) -> Vec<Partition> {
    let named = table.named(Config::PARTITION, problems);
    if named.is_empty() {
        let problem = Problem::new(Code::NoPartition, table.span(), "the configuration has no partition");
        table.lacks(&[Config::PARTITION.name()], problem.help("begin one with [partition.NAME]"));
    }
    named.into_iter().filter_map(|(name, value)| read_partition(name, value, problems)).collect()
}

fn read_partition(name: Spanned<String>, value: Value<'_>, problems: &mut Problems) -> Option<Partition> {
    check_name("partition", &name, problems);
    let mut table = Table::open(value, format!("partition `{}`", name.value), name.span, problems)?;
    let (image, linux) = read_program(&mut table, problems);
    let mut partition = Partition {
        cpus: table.required(Partition::CPUS, problems),
        image,
        linux,
        dtb: table.optional(Partition::DTB, problems),
        entry: table.optional(Partition::ENTRY, problems),
        load: table.optional(Partition::LOAD, problems),
        args: table.optional(Partition::ARGS, problems),
        memory: read_memories(&name, &mut table, problems),
        devices: read_devices(&mut table, problems),
        granule: table.optional(Partition::GRANULE, problems),
        stage2: table.or_default(Partition::STAGE2, problems).unwrap_or(Stage2::Full),
        dma: table.optional(Partition::DMA, problems).map(|dma| dma.span),
        device_tree: table.optional(Partition::DEVICE_TREE, problems).and_then(present),
        console: table.optional(Partition::CONSOLE, problems).and_then(present),
        physical_timer: table.or_default(Partition::PHYSICAL_TIMER, problems).unwrap_or(PhysicalTimer::Given),
        refused: Vec::new(),
        name,
    };
    partition.refused = table.close(problems);
    check_keys(&partition, problems);
    check_command_line(&partition, problems);
    Some(partition)
}

/// `image` or `linux`: one of them.
fn read_program(
    table: &mut Table<'_, Partition>,
    problems: &mut Problems,
) -> (Option<Spanned<Image>>, Option<Spanned<Linux>>) {
    let (image, linux) = (table.value(Partition::IMAGE), table.value(Partition::LINUX));
    if image.is_none() && linux.is_none() {
        let message = format!("{} has no `image`", table.title());
        let problem = Problem::new(Code::MissingKey, table.span(), message).here("`image` or `linux` is needed");
        table.lacks(Partition::KEYS.one_of, problem);
    }
    let image = image.and_then(|(_, value)| value.read(problems));
    (image, linux.and_then(|(_, value)| value.read(problems)))
}

fn present<T>(value: Spanned<Option<T>>) -> Option<Spanned<T>> {
    Some(Spanned::new(value.value?, value.span))
}

fn read_memories(owner: &Spanned<String>, table: &mut Table<'_, Partition>, problems: &mut Problems) -> Vec<Memory> {
    let before = problems.len();
    let named = table.named(Partition::MEMORY, problems);
    if let Some(problem) = nameless(owner, &named) {
        problems.add(problem);
        return Vec::new();
    }
    if named.is_empty() && problems.len() == before {
        let message = format!("partition `{}` has no memory", owner.value);
        let help = "give it some: memory.ram = { ipa = 0x4000_0000, size = \"16MiB\", access = \"rwx\" }";
        table.lacks(&[Partition::MEMORY.name()], Problem::new(Code::NoMemory, owner.span, message).help(help));
    }
    named.into_iter().filter_map(|(name, value)| read_memory(&owner.value, name, value, problems)).collect()
}

/// The problem of a memory without a name, `memory = { ipa = .., size = .. }`: its keys stand where names do.
fn nameless(owner: &Spanned<String>, named: &[(Spanned<String>, Value<'_>)]) -> Option<Problem> {
    let is_key = |(name, value): &&(Spanned<String>, Value<'_>)| {
        Memory::KEYS.rows.iter().any(|row| row.name == name.value) && !value.node().is_table()
    };
    let (key, _) = named.iter().find(is_key)?;
    let message = format!("memory of partition `{}` has no name", owner.value);
    let problem =
        Problem::new(Code::WrongType, key.span, message).here(format!("`{}` stands where a name does", key.value));
    Some(problem.help("name it: memory.ram = { .. }"))
}

fn read_memory(owner: &str, name: Spanned<String>, value: Value<'_>, problems: &mut Problems) -> Option<Memory> {
    check_name("memory", &name, problems);
    let title = format!("memory `{}` of partition `{owner}`", name.value);
    let mut table = Table::open(value, title, name.span, problems)?;
    let before = problems.len();
    let access = table.or_default(Memory::ACCESS, problems);
    let size = table.required(Memory::SIZE, problems).map(|size| size.map(|size| size.0));
    let (ipa, pa) = (table.optional(Memory::IPA, problems), table.optional(Memory::PA, problems));
    let identity = table.optional(Memory::IDENTITY, problems).filter(|flag| flag.value).map(|flag| flag.span);
    let memory = Memory {
        ipa,
        pa,
        size: size.filter(|_| problems.len() == before),
        access: access.unwrap_or(Access::RW),
        identity,
        keep: table.or_default(Memory::KEEP, problems).unwrap_or(false),
        name,
    };
    table.former("zero", "memory is zeroed unless it says `keep = true`: leave `zero` out", problems);
    table.close(problems);
    Some(memory)
}

fn read_devices(table: &mut Table<'_, Partition>, problems: &mut Problems) -> Vec<DeviceUse> {
    let devices = table.or_default(Partition::DEVICES, problems);
    devices.unwrap_or_default().into_iter().map(|device| device.value).collect()
}

impl Describe for DeviceUse {
    fn kind() -> Kind {
        Kind::Or(Box::new([Kind::Text, Kind::Table(Self::KEYS)]))
    }
}

impl Read for DeviceUse {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        if let DeValue::String(name) = value.node() {
            let name = Spanned::new(name.clone().into_owned(), value.span());
            return Some(Self { name, ipa: None, access: None });
        }
        if !value.node().is_table() {
            return value.wrong_type("device names, or { name = .., ipa = .. }", problems);
        }
        let mut table = Table::open(value, "the device", value.span(), problems)?;
        let name = table.required(Self::NAME, problems);
        let (ipa, access) = (table.optional(Self::IPA, problems), table.optional(Self::ACCESS, problems));
        table.close(problems);
        Some(Self { name: name?, ipa, access })
    }
}

impl Words for Stage2 {
    const WORDS: &'static [(&'static str, Self)] = &[("full", Self::Full), ("compact", Self::Compact)];
}

impl Words for PhysicalTimer {
    const WORDS: &'static [(&'static str, Self)] = &[("given", Self::Given), ("trapped", Self::Trapped)];
}

/// `dma = "trusted"`.
#[derive(Clone, Copy)]
pub struct Trusted;

impl Words for Trusted {
    const WORDS: &'static [(&'static str, Self)] = &[("trusted", Self)];
}

impl Describe for Option<Added> {
    fn kind() -> Kind {
        Kind::Or(Box::new([Kind::Flag, Kind::Table(Added::KEYS)]))
    }
}

impl Read for Option<Added> {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        if let DeValue::Boolean(wanted) = value.node() {
            return Some(wanted.then_some(Added { ipa: None }));
        }
        if !value.node().is_table() {
            return value.wrong_type("true, or { ipa = .. }", problems);
        }
        let mut table = Table::open(value, value.title(), value.span(), problems)?;
        let ipa = table.optional(Added::IPA, problems);
        table.close(problems);
        Some(Some(Added { ipa }))
    }
}

/// Reports a command line of which the guest would see the beginning only: `bootargs`, or `args` beside a device tree.
fn check_command_line(partition: &Partition, problems: &mut Problems) {
    let bootargs = partition.linux.as_ref().and_then(|linux| linux.value.bootargs.as_ref());
    let has_tree = partition.device_tree.is_some() || partition.dtb.is_some();
    let args = partition.args.as_ref().filter(|_| has_tree);
    for (key, text) in [("bootargs", bootargs), ("args", args)] {
        let Some(text) = text else { continue };
        let new = |what: String| {
            let message = format!("`{key}` of partition `{}` {what}", partition.name.value);
            Problem::new(Code::CommandLine, text.span, message)
        };
        if let Some(at) = text.value.find('\0') {
            let problem = new("contains a NUL character".into()).here(format!("byte {at} is NUL"));
            problems.add(problem.help("a device tree's text ends at the first NUL: the guest would not see the rest"));
        }
        let bytes = text.value.len();
        if key == "bootargs" && bytes > COMMAND_LINE_BYTES_MAX {
            let problem = new(format!("has {bytes} bytes"));
            problems
                .add(problem.here(format!("at most {COMMAND_LINE_BYTES_MAX}")).help("Linux drops the rest silently"));
        }
    }
}

/// Reports keys of `partition` that exclude each other.
fn check_keys(partition: &Partition, problems: &mut Problems) {
    for Exclusive { key, other, why } in Partition::KEYS.exclusive {
        let (Some(span), Some(other_span)) = (partition.place(key), partition.place(other)) else { continue };
        let name = &partition.name.value;
        let message = format!("`{key}` and `{other}` exclude each other in partition `{name}`");
        let problem = Problem::new(Code::Exclusive, span, message).here("leave it out");
        problems.add(problem.label(other_span, format!("because of `{other}`")).help(*why));
    }
}

impl Partition {
    /// Where the value of `key` is, of those that exclude another.
    fn place(&self, key: &str) -> Option<Span> {
        let places = [
            (Self::IMAGE.name(), span(self.image.as_ref())),
            (Self::LINUX.name(), span(self.linux.as_ref())),
            (Self::ARGS.name(), span(self.args.as_ref())),
            (Self::ENTRY.name(), span(self.entry.as_ref())),
            (Self::LOAD.name(), span(self.load.as_ref())),
            (Self::DEVICE_TREE.name(), span(self.device_tree.as_ref())),
            (Self::DTB.name(), span(self.dtb.as_ref())),
        ];
        places.into_iter().find(|(name, _)| *name == key)?.1
    }
}

fn span<T>(value: Option<&Spanned<T>>) -> Option<Span> {
    value.map(|value| value.span)
}
