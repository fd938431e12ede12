//! `board.toml` with every key typed and placed, one variant chosen, nothing judged.

use septum_plan::{CoreStart, GicVersion, PowerControl, UartKind};
use septum_stage2::Granule;
use toml::de::DeValue;

use crate::problem::{Code, Problem, Problems};
use crate::raw::key::{Inner, Keyed as _, Named as Tables, Words, keys};
use crate::raw::{Range, Table, Value, check_name, suggest};
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

keys!(Raw {
    /// What the board is called.
    DESCRIPTION = "description": String, Otherwise("none"), "\"Raspberry Pi 4 Model B\"";
    /// The lowest PARange of all cores.
    PA_BITS = "pa-bits": u32 as "bits", Needed, "44";
    /// The granules that every core has.
    GRANULES = "granules": Vec<Spanned<Granule>>, Needed, "[\"4k\", \"64k\"]";
    /// Where the image goes: a multiple of 2 MiB in RAM.
    LOAD = "load": u64 as "physical address", Needed, "0x0020_0000";
    /// Whether an SMMU stands in front of its bus masters; EL2 programs none, so it holds nobody back.
    SMMU = "smmu": bool, Needed, "false";
    /// The generic timer's frequency, where it is always the same.
    COUNTER_HZ = "counter-hz": u32 as "Hz", Otherwise("it varies"), "8_000_000";
    /// Each core's MPIDR_EL1, its affinity fields.
    CORES = "cores": Vec<Spanned<u64>> as "MPIDR_EL1", Needed, "[0x0, 0x1, 0x100, 0x101]";
    /// How secondary cores start.
    CORE_START = "core-start": Inner<Start>, Needed, "{ method = \"psci-smc\" }";
    /// The kinds of the board that differ in RAM; a configuration chooses one.
    VARIANT = "variant": Tables<Variant>, Otherwise("the board has none, and `ram`"),
        "{ 1GiB = { ram = [{ at = 0x0, size = \"1GiB\" }] }, 2GiB = { ram = [{ at = 0x0, size = \"2GiB\" }] } }";
    /// RAM banks, of whole pages; EL2 has room for 192 GiB, each bank beginning a GiB of its own.
    RAM = "ram": Vec<Spanned<Range>>, Otherwise("needed, or `variant`"), "[{ at = 0x4000_0000, size = \"2GiB\" }]";
    /// RAM that firmware keeps: no partition gets it.
    CARVE_OUT = "carve-out": Tables<Range>, Otherwise("none"), "{ optee = { at = 0xbe00_0000, size = \"32MiB\" } }";
    /// The interrupt controller.
    GIC = "gic": Inner<RawGic>, Needed,
        "{ version = \"v3\", distributor = { at = 0x3880_0000, size = 0x1_0000 }, redistributors = { at = 0x3888_0000, size = 0xc_0000 }, spis = 160 }";
    /// The devices with a `uart` table that can carry the log; the first is the default.
    CONSOLES = "consoles": Vec<Spanned<String>> as "device", Needed, "[\"uart0\", \"uart1\"]";
    /// How the board is switched off.
    POWER = "power": Inner<RawPower>, Needed, "{ method = \"psci-smc\" }";
    /// The devices that partitions may own.
    DEVICE = "device": Tables<RawDevice>, Otherwise("none"),
        "{ gpio = { registers = [{ at = 0x0903_0000, size = 0x1000 }], interrupts = [39] } }";
    /// The QEMU machine that behaves like the board.
    TWIN = "twin": Inner<RawTwin>, Otherwise("none: `run` cannot run it"),
        "{ qemu = [\"-M\", \"raspi4b\"], serials = [\"uart0\", \"uart1\"] }";
    one of "ram", "variant";
    "ram" excludes "variant": "each variant has its own";
});

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

keys!(Start {
    /// How they start: `spin-table` by an address each, `psci-smc` by firmware, `none` where they cannot be.
    METHOD = "method": CoreStart, Needed, "\"spin-table\"";
    /// Of `spin-table`: each core's own release address, a multiple of 8.
    RELEASE = "release": Vec<Spanned<u64>> as "physical address", Otherwise("none"), "[0xd8, 0xe0, 0xe8, 0xf0]";
});

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

keys!(RawGic {
    /// Its architecture's version.
    VERSION = "version": GicVersion, Needed, "\"v3\"";
    /// GICD.
    DISTRIBUTOR = "distributor": Range, Needed, "{ at = 0x3880_0000, size = 0x1_0000 }";
    /// GICR of every core (v3), the whole range, in a row; each core's is found by its affinity (GICR_TYPER).
    REDISTRIBUTORS = "redistributors": Range, Otherwise("needed with v3"), "{ at = 0x3888_0000, size = 0xc_0000 }";
    /// GICC (v2).
    CPU_INTERFACE = "cpu-interface": Range, Otherwise("needed with v2"), "{ at = 0xff84_2000, size = 0x2000 }";
    /// GICH (v2).
    VIRTUAL_CONTROL = "virtual-control": Range, Otherwise("needed with v2"), "{ at = 0xff84_4000, size = 0x2000 }";
    /// GICV (v2).
    VIRTUAL_CPU = "virtual-cpu": Range, Otherwise("needed with v2"), "{ at = 0xff84_6000, size = 0x2000 }";
    /// How many SPIs it has.
    SPIS = "spis": u32, Needed, "192";
});

#[derive(Debug)]
pub(super) struct RawPower {
    pub method: Spanned<PowerControl>,
    pub registers: Option<Spanned<Range>>,
}

keys!(RawPower {
    /// By what means: by firmware, by the power management of a BCM2835, or not at all.
    METHOD = "method": PowerControl, Needed, "\"bcm2835-pm\"";
    /// The registers of `bcm2835-pm`.
    REGISTERS = "registers": Range, Otherwise("none"), "{ at = 0xfe10_0000, size = 0x114 }";
});

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

keys!(RawDevice {
    /// Its register blocks.
    REGISTERS = "registers": Vec<Spanned<Range>>, Needed, "[{ at = 0xfe20_1000, size = 0x200 }]";
    /// Its interrupts, each an SPI, from 32 on.
    INTERRUPTS = "interrupts": Vec<Spanned<u32>> as "INTID", Default("[]"), "[153]";
    /// Whether it masters the bus, and so reaches memory past Stage-2.
    BUS_MASTER = "bus-master": bool, Default("false"), "true";
    /// What of physical memory a bus master reaches, where that is not all.
    DMA_REACH = "dma-reach": Range, Otherwise("all of it"), "{ at = 0x0, size = \"1GiB\" }";
    /// Whether whoever has it can reset the whole board, which `check` says.
    RESETS_BOARD = "resets-board": bool, Default("false"), "true";
    /// Its `compatible` strings, for generated device trees.
    COMPATIBLE = "compatible": Vec<Spanned<String>>, Default("[]"), "[\"arm,pl011\", \"arm,primecell\"]";
    /// What EL2 must know of it to write to it, where it is a UART.
    UART = "uart": Inner<Uart>, Otherwise("it cannot carry the log"),
        "{ kind = \"pl011\", clock-hz = 48_000_000, baud = 115_200 }";
});

#[derive(Debug)]
pub(super) struct Uart {
    pub kind: UartKind,
    pub clock_hz: Option<u32>,
    pub baud: Option<u32>,
}

keys!(Uart {
    /// Which driver of EL2's fits it.
    KIND = "kind": UartKind, Needed, "\"pl011\"";
    /// The frequency of its input clock.
    CLOCK_HZ = "clock-hz": u32 as "Hz", Otherwise("firmware has set the rate"), "48_000_000";
    /// The rate at which it is to send.
    BAUD = "baud": u32 as "bit/s", Otherwise("firmware has set the rate"), "115_200";
});

#[derive(Debug)]
pub(super) struct RawTwin {
    pub arguments: Vec<String>,
    pub serials: Vec<Spanned<String>>,
    pub variants: Option<Vec<String>>,
    pub dtb: Option<String>,
}

keys!(RawTwin {
    /// The arguments that make the machine.
    QEMU = "qemu": Vec<Spanned<String>>, Needed, "[\"-M\", \"raspi4b\"]";
    /// The devices that its serial lines are, in the order of `-serial`.
    SERIALS = "serials": Vec<Spanned<String>> as "device", Needed, "[\"uart0\", \"uart1\"]";
    /// The variants that it stands for.
    VARIANTS = "variants": Vec<Spanned<String>> as "name", Otherwise("all"), "[\"1GiB\", \"2GiB\"]";
    /// The board's device tree, a file beside the board's, where the machine does not make one itself.
    DTB = "dtb": String as "path", Otherwise("the machine makes one"), "\"board.dtb\"";
});

/// `variant.NAME`.
pub(super) struct Variant;

keys!(Variant {
    /// The RAM banks of boards of this kind.
    RAM = "ram": Vec<Spanned<Range>>, Needed, "[{ at = 0x4000_0000, size = \"2GiB\" }]";
});

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
    table.optional(Raw::DESCRIPTION, problems);
    let pa_bits = table.required(Raw::PA_BITS, problems);
    let granules = table.required(Raw::GRANULES, problems);
    let load = table.required(Raw::LOAD, problems);
    let smmu = table.required(Raw::SMMU, problems);
    let counter_hz = table.optional(Raw::COUNTER_HZ, problems).map(|hz| hz.value);
    let cores = table.required(Raw::CORES, problems);
    let start = read_start(&mut table, problems);
    let (ram, wrong_variant) = read_ram(&mut table, wanted, problems);
    let carve_outs = read_carve_outs(&mut table, problems);
    let gic = read_gic(&mut table, problems);
    let consoles = table.required(Raw::CONSOLES, problems);
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

fn read_start(table: &mut Table<'_, Raw>, problems: &mut Problems) -> Option<Start> {
    let mut table = table.required_inner(Raw::CORE_START, problems)?;
    let method = table.required(Start::METHOD, problems);
    let release = table.optional(Start::RELEASE, problems);
    table.close(problems);
    Some(Start { method: method?, release })
}

fn read_power(table: &mut Table<'_, Raw>, problems: &mut Problems) -> Option<RawPower> {
    let mut table = table.required_inner(Raw::POWER, problems)?;
    let method = table.required(RawPower::METHOD, problems);
    let registers = table.optional(RawPower::REGISTERS, problems);
    table.close(problems);
    Some(RawPower { method: method?, registers })
}

fn read_gic(table: &mut Table<'_, Raw>, problems: &mut Problems) -> Option<RawGic> {
    let mut table = table.required_inner(Raw::GIC, problems)?;
    let version = table.required(RawGic::VERSION, problems);
    let distributor = table.required(RawGic::DISTRIBUTOR, problems);
    let redistributors = table.optional(RawGic::REDISTRIBUTORS, problems);
    let cpu_interface = table.optional(RawGic::CPU_INTERFACE, problems);
    let virtual_control = table.optional(RawGic::VIRTUAL_CONTROL, problems);
    let virtual_cpu = table.optional(RawGic::VIRTUAL_CPU, problems);
    let spis = table.required(RawGic::SPIS, problems);
    table.close(problems);
    let (version, distributor, spis) = (version?, distributor?, spis?);
    Some(RawGic { version, distributor, redistributors, cpu_interface, virtual_control, virtual_cpu, spis })
}

fn read_carve_outs(table: &mut Table<'_, Raw>, problems: &mut Problems) -> Vec<Named> {
    let named = table.named(Raw::CARVE_OUT, problems);
    let read = |(name, value): (Spanned<String>, Value<'_>)| {
        check_name("carve-out", &name, problems);
        Some(Named { name, range: value.read(problems)? })
    };
    named.into_iter().filter_map(read).collect()
}

fn read_devices(table: &mut Table<'_, Raw>, problems: &mut Problems) -> Vec<RawDevice> {
    let named = table.named(Raw::DEVICE, problems);
    named.into_iter().filter_map(|(name, value)| read_device(name, value, problems)).collect()
}

fn read_device(name: Spanned<String>, value: Value<'_>, problems: &mut Problems) -> Option<RawDevice> {
    check_name("device", &name, problems);
    let mut table = Table::open(value, format!("device `{}`", name.value), name.span, problems)?;
    let registers = table.required(RawDevice::REGISTERS, problems);
    let interrupts = table.or_default(RawDevice::INTERRUPTS, problems);
    let bus_master = table.or_default(RawDevice::BUS_MASTER, problems).unwrap_or(false);
    let dma_reach = table.optional(RawDevice::DMA_REACH, problems);
    let resets_board = table.or_default(RawDevice::RESETS_BOARD, problems).unwrap_or(false);
    let compatible = table.or_default(RawDevice::COMPATIBLE, problems);
    let uart = read_uart(&mut table, problems);
    table.close(problems);
    Some(RawDevice {
        registers: registers?.value,
        interrupts: interrupts.unwrap_or_default(),
        bus_master,
        dma_reach,
        resets_board,
        compatible: values(compatible.unwrap_or_default()),
        uart,
        name,
    })
}

fn read_uart(table: &mut Table<'_, RawDevice>, problems: &mut Problems) -> Option<Uart> {
    let mut table = table.inner(RawDevice::UART, problems)?;
    let kind = table.required(Uart::KIND, problems);
    let clock_hz = table.optional(Uart::CLOCK_HZ, problems).map(|hz| hz.value);
    let baud = table.optional(Uart::BAUD, problems).map(|baud| baud.value);
    table.close(problems);
    Some(Uart { kind: kind?.value, clock_hz, baud })
}

fn read_twin(table: &mut Table<'_, Raw>, problems: &mut Problems) -> Option<RawTwin> {
    let mut table = table.inner(Raw::TWIN, problems)?;
    let arguments = table.required(RawTwin::QEMU, problems);
    let serials = table.required(RawTwin::SERIALS, problems);
    let variants = table.optional(RawTwin::VARIANTS, problems);
    let dtb = table.optional(RawTwin::DTB, problems).map(|dtb| dtb.value);
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
    table: &mut Table<'_, Raw>,
    wanted: Wanted<'_>,
    problems: &mut Problems,
) -> (Option<Vec<Spanned<Range>>>, Option<Problem>) {
    let variants = table.named(Raw::VARIANT, problems);
    if variants.is_empty() {
        let ram = table.required(Raw::RAM, problems).map(|ram| ram.value);
        return (ram, wanted.variant.map(|variant| no_variants(wanted, variant)));
    }
    if let Some((span, _)) = table.value(Raw::RAM) {
        problems.add(ram_and_variants(span, wanted));
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

fn ram_and_variants(ram: Span, wanted: Wanted<'_>) -> Problem {
    let message = format!("`ram` and `variant` exclude each other in board `{}`", wanted.name.value);
    let why = Raw::KEYS.exclusive.iter().map(|exclusive| exclusive.why).collect::<String>();
    Problem::new(Code::Exclusive, ram, message).here("leave it out").help(why)
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
    check_name("variant", name, problems);
    let mut table = Table::open(value, format!("variant `{}`", name.value), name.span, problems)?;
    let ram = table.required(Variant::RAM, problems);
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

impl Words for GicVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("v2", Self::V2), ("v3", Self::V3)];
}

impl Words for CoreStart {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("spin-table", Self::SpinTable), ("psci-smc", Self::PsciSmc)];
}

impl Words for PowerControl {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("psci-smc", Self::PsciSmc), ("bcm2835-pm", Self::Bcm2835Pm)];
}

impl Words for UartKind {
    const WORDS: &'static [(&'static str, Self)] = &{
        let mut words = [("", Self::ALL[0]); Self::ALL.len()];
        let mut index = 0;
        while index < words.len() {
            words[index] = (Self::ALL[index].facts().name, Self::ALL[index]);
            index += 1;
        }
        words
    };
}
