//! The raw configuration: `configs/*.toml` with every key typed and placed, nothing resolved.

use septum_stage2::{Access, Granule};
use toml::de::DeValue;

use super::image::Image;
use super::linux::{self, COMMAND_LINE_BYTES_MAX, Linux};
use super::{Read, Size, Table, Value, check_name, choice};
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

/// Reads a configuration's outermost table.
pub fn read(file: FileId, node: &toml::Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<Config> {
    let value = Value::root(file, node);
    let mut table = Table::open(value, "the configuration", Span::new(file, 0..0), problems)?;
    let mut config = Config {
        board: table.required("board", problems),
        variant: table.optional("variant", problems),
        log: table.optional("log", problems),
        partitions: read_partitions(&mut table, problems),
        refused: Vec::new(),
    };
    config.refused = table.close(problems);
    Some(config)
}

fn read_partitions(table: &mut Table<'_>, problems: &mut Problems) -> Vec<Partition> {
    let named = table.named("partition", problems);
    if named.is_empty() {
        let problem = Problem::new(Code::NoPartition, table.span(), "the configuration has no partition");
        table.lacks(&["partition"], problem.help("begin one with [partition.NAME]"));
    }
    named.into_iter().filter_map(|(name, value)| read_partition(name, value, problems)).collect()
}

fn read_partition(name: Spanned<String>, value: Value<'_>, problems: &mut Problems) -> Option<Partition> {
    check_name("partition", &name, problems);
    let mut table = Table::open(value, format!("partition `{}`", name.value), name.span, problems)?;
    let (image, linux) = linux::read_program(&mut table, problems);
    let mut partition = Partition {
        cpus: table.required("cpus", problems),
        image,
        linux,
        dtb: table.optional("dtb", problems),
        entry: table.optional("entry", problems),
        load: table.optional("load", problems),
        args: table.optional("args", problems),
        memory: read_memories(&name, &mut table, problems),
        devices: read_devices(&mut table, problems),
        granule: table.optional("granule", problems),
        stage2: table.optional("stage2", problems).map_or(Stage2::Full, |stage2| stage2.value),
        dma: table.optional::<Trusted>("dma", problems).map(|dma| dma.span),
        device_tree: table.optional::<Option<Added>>("device-tree", problems).and_then(present),
        console: table.optional::<Option<Added>>("console", problems).and_then(present),
        physical_timer: table.optional("physical-timer", problems).map_or(PhysicalTimer::Given, |timer| timer.value),
        refused: Vec::new(),
        name,
    };
    partition.refused = table.close(problems);
    check_keys(&partition, problems);
    check_command_line(&partition, problems);
    Some(partition)
}

fn present<T>(value: Spanned<Option<T>>) -> Option<Spanned<T>> {
    Some(Spanned::new(value.value?, value.span))
}

fn read_memories(owner: &Spanned<String>, table: &mut Table<'_>, problems: &mut Problems) -> Vec<Memory> {
    let before = problems.len();
    let named = table.named("memory", problems);
    if let Some(problem) = nameless(owner, &named) {
        problems.add(problem);
        return Vec::new();
    }
    if named.is_empty() && problems.len() == before {
        let message = format!("partition `{}` has no memory", owner.value);
        let help = "give it some: memory.ram = { ipa = 0x4000_0000, size = \"16MiB\", access = \"rwx\" }";
        table.lacks(&["memory"], Problem::new(Code::NoMemory, owner.span, message).help(help));
    }
    named.into_iter().filter_map(|(name, value)| read_memory(&owner.value, name, value, problems)).collect()
}

/// The problem of a memory without a name, `memory = { ipa = .., size = .. }`: its keys stand where names do.
fn nameless(owner: &Spanned<String>, named: &[(Spanned<String>, Value<'_>)]) -> Option<Problem> {
    let keys = ["ipa", "pa", "size", "access", "identity", "keep"];
    let is_key =
        |(name, value): &&(Spanned<String>, Value<'_>)| keys.contains(&name.value.as_str()) && !value.node().is_table();
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
    let access = table.or_default("access", Access::RW, problems);
    let size = table.required::<Size>("size", problems).map(|size| size.map(|size| size.0));
    let (ipa, pa) = (table.optional("ipa", problems), table.optional("pa", problems));
    let identity = table.optional::<bool>("identity", problems).filter(|flag| flag.value).map(|flag| flag.span);
    let memory = Memory {
        ipa,
        pa,
        size: size.filter(|_| problems.len() == before),
        access: access.unwrap_or(Access::RW),
        identity,
        keep: table.optional("keep", problems).is_some_and(|flag| flag.value),
        name,
    };
    table.former("zero", "memory is zeroed unless it says `keep = true`: leave `zero` out", problems);
    table.close(problems);
    Some(memory)
}

fn read_devices(table: &mut Table<'_>, problems: &mut Problems) -> Vec<DeviceUse> {
    let devices = table.optional::<Vec<Spanned<DeviceUse>>>("devices", problems);
    devices.map_or(Vec::new(), |list| list.value.into_iter().map(|device| device.value).collect())
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
        let name = table.required("name", problems);
        let (ipa, access) = (table.optional("ipa", problems), table.optional("access", problems));
        table.close(problems);
        Some(Self { name: name?, ipa, access })
    }
}

impl Read for Stage2 {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        choice(&[("full", Self::Full), ("compact", Self::Compact)], value, problems)
    }
}

impl Read for PhysicalTimer {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        choice(&[("given", Self::Given), ("trapped", Self::Trapped)], value, problems)
    }
}

/// `dma = "trusted"`.
#[derive(Clone, Copy)]
struct Trusted;

impl Read for Trusted {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        choice(&[("trusted", Self)], value, problems)
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
        let ipa = table.optional("ipa", problems);
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
    let linux = partition.linux.as_ref().map(|linux| linux.span);
    let tree = partition.device_tree.map(|tree| tree.span);
    let pairs = [
        ("image", span(partition.image.as_ref()), "linux", linux, "a partition runs one of them"),
        ("args", span(partition.args.as_ref()), "linux", linux, "a kernel's arguments are `bootargs` of `linux`"),
        ("entry", span(partition.entry.as_ref()), "linux", linux, "a kernel's header says where it starts"),
        ("load", span(partition.load.as_ref()), "linux", linux, "a kernel's header says where it goes"),
        ("device-tree", tree, "linux", linux, "a Linux guest has one anyway"),
        ("device-tree", tree, "dtb", span(partition.dtb.as_ref()), "it is either generated or the user's own"),
    ];
    for (key, span, other, other_span, why) in pairs {
        let (Some(span), Some(other_span)) = (span, other_span) else { continue };
        let name = &partition.name.value;
        let message = format!("`{key}` and `{other}` exclude each other in partition `{name}`");
        let problem = Problem::new(Code::Exclusive, span, message).here("leave it out");
        problems.add(problem.label(other_span, format!("because of `{other}`")).help(why));
    }
}

fn span<T>(value: Option<&Spanned<T>>) -> Option<Span> {
    value.map(|value| value.span)
}
