//! `board.toml` with every key typed and placed, one variant chosen, nothing judged.

use septum_plan::{CoreStart, GicVersion, PowerControl, UartKind};
use septum_stage2::Granule;
use toml::de::DeValue;

use crate::problem::{Code, Problem, Problems};
use crate::raw::{Range, Read, Table, Value, check_name, choice, suggest};
use crate::source::{FileId, Span, Spanned};

/// Who asked for the board, and in which variant.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The board's name, and where the configuration gives it.
    pub name: &'a Spanned<String>,
    /// The variant, where the configuration gives one.
    pub variant: Option<&'a Spanned<String>>,
    /// Whether a variant is named that could not be read, which has been reported.
    pub variant_refused: bool,
}

/// A board's file, with the places of what it says.
#[derive(Debug)]
pub(super) struct Raw {
    pub load: Spanned<u64>,
    pub pa_bits: Spanned<u32>,
    pub cores: Spanned<Vec<Spanned<u64>>>,
    pub start: Start,
    pub ram: Vec<Spanned<Range>>,
    pub carve_outs: Vec<Named>,
    pub gic: RawGic,
    pub consoles: Vec<Spanned<String>>,
    pub power: RawPower,
    pub devices: Vec<RawDevice>,
    pub granules: Spanned<Vec<Spanned<Granule>>>,
    pub smmu: bool,
    pub counter_hz: Option<u32>,
    pub twin: Option<RawTwin>,
}

/// A range with a name.
#[derive(Debug)]
pub(super) struct Named {
    pub name: Spanned<String>,
    pub range: Spanned<Range>,
}

#[derive(Debug)]
pub(super) struct Start {
    pub method: Spanned<CoreStart>,
    pub release: Option<Spanned<Vec<Spanned<u64>>>>,
}

#[derive(Debug)]
pub(super) struct RawGic {
    pub version: Spanned<GicVersion>,
    pub distributor: Spanned<Range>,
    pub redistributors: Option<Spanned<Range>>,
    pub cpu_interface: Option<Spanned<Range>>,
    pub virtual_control: Option<Spanned<Range>>,
    pub virtual_cpu: Option<Spanned<Range>>,
    pub spis: Spanned<u32>,
}

#[derive(Debug)]
pub(super) struct RawPower {
    pub method: Spanned<PowerControl>,
    pub registers: Option<Spanned<Range>>,
}

#[derive(Debug)]
pub(super) struct RawDevice {
    pub name: Spanned<String>,
    pub registers: Vec<Spanned<Range>>,
    pub interrupts: Vec<Spanned<u32>>,
    pub bus_master: bool,
    pub dma_reach: Option<Spanned<Range>>,
    /// `resets-board`.
    pub resets_board: bool,
    pub compatible: Vec<String>,
    pub uart: Option<Uart>,
}

#[derive(Debug)]
pub(super) struct Uart {
    pub kind: UartKind,
    pub clock_hz: Option<u32>,
    pub baud: Option<u32>,
}

#[derive(Debug)]
pub(super) struct RawTwin {
    pub arguments: Vec<String>,
    pub serials: Vec<Spanned<String>>,
    pub variants: Option<Vec<String>>,
    pub dtb: Option<String>,
}

/// Reads a board's outermost table. `None` has been reported.
pub(super) fn read(
    file: FileId,
    node: &toml::Spanned<DeValue<'_>>,
    wanted: Wanted<'_>,
    problems: &mut Problems,
) -> Option<Raw> {
    let before = problems.len();
    let title = format!("board `{}`", wanted.name.value);
    let mut table = Table::open(Value::root(file, node), title, Span::new(file, 0..0), problems)?;
    table.optional::<String>("description", problems);
    let pa_bits = table.required("pa-bits", problems);
    let granules = table.required("granules", problems);
    let load = table.required("load", problems);
    let smmu = table.required("smmu", problems);
    let counter_hz = table.optional("counter-hz", problems).map(|hz| hz.value);
    let cores = table.required("cores", problems);
    let start = read_start(&mut table, problems);
    let (ram, wrong_variant) = read_ram(&mut table, wanted, problems);
    let carve_outs = read_carve_outs(&mut table, problems);
    let gic = read_gic(&mut table, problems);
    let consoles = table.required("consoles", problems);
    let power = read_power(&mut table, problems);
    let devices = read_devices(&mut table, problems);
    let twin = read_twin(&mut table, problems);
    table.close(problems);
    let readable = problems.len() == before;
    wrong_variant.into_iter().for_each(|problem| problems.add(problem));
    let raw = Raw {
        load: load?,
        pa_bits: pa_bits?,
        cores: cores?,
        start: start?,
        ram: ram?,
        carve_outs,
        gic: gic?,
        consoles: consoles?.value,
        power: power?,
        devices,
        granules: granules?,
        smmu: smmu?.value,
        counter_hz,
        twin,
    };
    readable.then_some(raw)
}

fn open<'a>(key: &'static str, found: Option<(Span, Value<'a>)>, problems: &mut Problems) -> Option<Table<'a>> {
    let (span, value) = found?;
    Table::open(value, format!("`{key}`"), span, problems)
}

fn needed<'a>(table: &mut Table<'a>, key: &'static str, problems: &mut Problems) -> Option<Table<'a>> {
    let found = table.required_value(key);
    open(key, found, problems)
}

fn read_start(table: &mut Table<'_>, problems: &mut Problems) -> Option<Start> {
    let mut table = needed(table, "core-start", problems)?;
    let method = table.required("method", problems);
    let release = table.optional("release", problems);
    table.close(problems);
    Some(Start { method: method?, release })
}

fn read_power(table: &mut Table<'_>, problems: &mut Problems) -> Option<RawPower> {
    let mut table = needed(table, "power", problems)?;
    let method = table.required("method", problems);
    let registers = table.optional("registers", problems);
    table.close(problems);
    Some(RawPower { method: method?, registers })
}

fn read_gic(table: &mut Table<'_>, problems: &mut Problems) -> Option<RawGic> {
    let mut table = needed(table, "gic", problems)?;
    let version = table.required("version", problems);
    let distributor = table.required("distributor", problems);
    let redistributors = table.optional("redistributors", problems);
    let cpu_interface = table.optional("cpu-interface", problems);
    let virtual_control = table.optional("virtual-control", problems);
    let virtual_cpu = table.optional("virtual-cpu", problems);
    let spis = table.required("spis", problems);
    table.close(problems);
    let (version, distributor, spis) = (version?, distributor?, spis?);
    Some(RawGic { version, distributor, redistributors, cpu_interface, virtual_control, virtual_cpu, spis })
}

fn read_carve_outs(table: &mut Table<'_>, problems: &mut Problems) -> Vec<Named> {
    let named = table.named("carve-out", problems);
    let read = |(name, value): (Spanned<String>, Value<'_>)| {
        check_name("carve-out", &name, problems);
        Some(Named { name, range: value.read(problems)? })
    };
    named.into_iter().filter_map(read).collect()
}

fn read_devices(table: &mut Table<'_>, problems: &mut Problems) -> Vec<RawDevice> {
    let named = table.named("device", problems);
    named.into_iter().filter_map(|(name, value)| read_device(name, value, problems)).collect()
}

fn read_device(name: Spanned<String>, value: Value<'_>, problems: &mut Problems) -> Option<RawDevice> {
    check_name("device", &name, problems);
    let mut table = Table::open(value, format!("device `{}`", name.value), name.span, problems)?;
    let registers = table.required::<Vec<Spanned<Range>>>("registers", problems);
    let interrupts = table.optional::<Vec<Spanned<u32>>>("interrupts", problems);
    let bus_master = table.optional("bus-master", problems).is_some_and(|flag| flag.value);
    let dma_reach = table.optional("dma-reach", problems);
    let resets_board = table.optional("resets-board", problems).is_some_and(|flag| flag.value);
    let compatible = table.optional::<Vec<Spanned<String>>>("compatible", problems);
    let uart = read_uart(&mut table, problems);
    table.close(problems);
    Some(RawDevice {
        registers: registers?.value,
        interrupts: interrupts.map_or(Vec::new(), |list| list.value),
        bus_master,
        dma_reach,
        resets_board,
        compatible: compatible.map_or(Vec::new(), |list| values(list.value)),
        uart,
        name,
    })
}

fn read_uart(table: &mut Table<'_>, problems: &mut Problems) -> Option<Uart> {
    let found = table.value("uart");
    let mut table = open("uart", found, problems)?;
    let kind = table.required("kind", problems);
    let clock_hz = table.optional("clock-hz", problems).map(|hz| hz.value);
    let baud = table.optional("baud", problems).map(|baud| baud.value);
    table.close(problems);
    Some(Uart { kind: kind?.value, clock_hz, baud })
}

fn read_twin(table: &mut Table<'_>, problems: &mut Problems) -> Option<RawTwin> {
    let found = table.value("twin");
    let mut table = open("twin", found, problems)?;
    let arguments = table.required::<Vec<Spanned<String>>>("qemu", problems);
    let serials = table.required("serials", problems);
    let variants = table.optional::<Vec<Spanned<String>>>("variants", problems);
    let dtb = table.optional("dtb", problems).map(|dtb| dtb.value);
    table.close(problems);
    Some(RawTwin {
        arguments: values(arguments?.value),
        serials: serials?.value,
        variants: variants.map(|list| values(list.value)),
        dtb,
    })
}

/// The values without their places.
pub(super) fn values<T>(list: Vec<Spanned<T>>) -> Vec<T> {
    list.into_iter().map(|item| item.value).collect()
}

/// RAM of the wanted variant, or of the board that has none. Where the configuration is wrong about that, the most RAM
/// that the board can have: what does not fit there fits no variant.
fn read_ram(
    table: &mut Table<'_>,
    wanted: Wanted<'_>,
    problems: &mut Problems,
) -> (Option<Vec<Spanned<Range>>>, Option<Problem>) {
    let variants = table.named("variant", problems);
    if variants.is_empty() {
        let ram = table.required::<Vec<Spanned<Range>>>("ram", problems).map(|ram| ram.value);
        return (ram, wanted.variant.map(|variant| no_variants(wanted, variant)));
    }
    let names: Vec<_> = variants.iter().map(|(name, _)| name.value.clone()).collect();
    let is_wanted = |name: &str| wanted.variant.is_some_and(|variant| variant.value == name);
    let read = variants.into_iter().map(|(name, value)| (is_wanted(&name.value), read_variant(&name, value, problems)));
    let mut rams: Vec<_> = read.collect();
    match rams.iter().position(|(is_wanted, _)| *is_wanted) {
        Some(index) => (rams.swap_remove(index).1, None),
        None if wanted.variant_refused => (largest(rams), None),
        None => (largest(rams), Some(no_such_variant(&names, wanted))),
    }
}

fn largest(rams: Vec<(bool, Option<Vec<Spanned<Range>>>)>) -> Option<Vec<Spanned<Range>>> {
    let bytes = |ram: &Vec<Spanned<Range>>| ram.iter().map(|bank| u128::from(bank.value.size)).sum::<u128>();
    rams.into_iter().filter_map(|(_, ram)| ram).max_by_key(bytes)
}

fn no_variants(wanted: Wanted<'_>, variant: &Spanned<String>) -> Problem {
    let message = format!("board `{}` has no variants", wanted.name.value);
    Problem::new(Code::UnknownVariant, variant.span, message).here("no such variant").help("leave `variant` out")
}

fn read_variant(name: &Spanned<String>, value: Value<'_>, problems: &mut Problems) -> Option<Vec<Spanned<Range>>> {
    let mut table = Table::open(value, format!("variant `{}`", name.value), name.span, problems)?;
    let ram = table.required::<Vec<Spanned<Range>>>("ram", problems);
    table.close(problems);
    ram.map(|ram| ram.value)
}

fn no_such_variant(names: &[String], wanted: Wanted<'_>) -> Problem {
    let (board, all) = (&wanted.name.value, names.join(", "));
    let Some(variant) = wanted.variant else {
        let message = format!("board `{board}` has several variants, and none is chosen");
        let problem = Problem::new(Code::MissingVariant, wanted.name.span, message);
        return problem.here("which one?").help(format!("add `variant = \"..\"` with one of: {all}"));
    };
    let message = format!("board `{board}` has no variant `{}`", variant.value);
    let problem = Problem::new(Code::UnknownVariant, variant.span, message).here("no such variant");
    let near = suggest(&variant.value, names.iter().map(String::as_str)).filter(|near| !is_number_apart(near, variant));
    let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    problem.help(format!("its variants: {all}{near}"))
}

/// Whether the two differ in a number, which is no slip of the pen: `3GiB` is not a misspelt `1GiB`.
fn is_number_apart(near: &str, variant: &Spanned<String>) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    digits(near) != digits(&variant.value)
}

impl Read for GicVersion {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        choice(&[("v2", Self::V2), ("v3", Self::V3)], value, problems)
    }
}

impl Read for CoreStart {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        choice(&[("none", Self::None), ("spin-table", Self::SpinTable), ("psci-smc", Self::PsciSmc)], value, problems)
    }
}

impl Read for PowerControl {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        choice(&[("none", Self::None), ("psci-smc", Self::PsciSmc), ("bcm2835-pm", Self::Bcm2835Pm)], value, problems)
    }
}

impl Read for UartKind {
    fn read(value: Value<'_>, problems: &mut Problems) -> Option<Self> {
        choice(&[("pl011", Self::Pl011), ("imx", Self::Imx), ("bcm2835-aux", Self::Bcm2835Aux)], value, problems)
    }
}
