//! How EL2 starts, or why it does not: images, memory and cores that are not as they should be, on the emulator.
//!
//! Every refusal is provoked here, or by a host test that is named here ([`NOT_ON_TWINS`]). The emulator is started here and not by `septum run`, which makes the right machine.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use septum_plan::frames::GICR_BYTES;
use septum_plan::refusal::{PREFIX, Refusal};
use septum_plan::{BootBlock, CoreRecord, CoreStart, DeviceKind, PlanHeader, boot, space};
use zerocopy::{FromBytes, IntoBytes};

/// Longest that EL2 may take to say it: a guard against a board that hangs, not a measure of time.
const GUARD: Duration = Duration::from_secs(60);
/// What EL2 says last where all is well.
const ENDED: &str = "all partitions have ended";
/// Where QEMU's `virt` puts an image whose header asks for 2 MiB above the start of RAM, and where it is linked to lie.
const LOAD: u64 = 0x4020_0000;

/// The board that the configurations `virt-*` are for.
const VIRT: [&str; 8] = ["-M", "virt,virtualization=on,gic-version=3", "-cpu", "cortex-a53", "-smp", "4", "-m", "1G"];

/// [`VIRT`] with the argument behind `option` replaced.
fn virt_but(option: &str, argument: &'static str) -> [&'static str; 8] {
    let mut machine = VIRT;
    let at = machine.iter().position(|word| *word == option).unwrap();
    machine[at + 1] = argument;
    machine
}

/// A built configuration.
struct Built {
    image: Vec<u8>,
    el2: PathBuf,
}

/// Builds a configuration of configs/, each once.
fn build(config: &str) -> Built {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("boot").join(config);
    let mut septum = Command::new(env!("CARGO_BIN_EXE_septum"));
    septum.current_dir(tree).arg("build").arg(format!("configs/{config}.toml")).arg("--out").arg(&out);
    assert!(septum.stdout(Stdio::null()).status().unwrap().success(), "{config} is not built");
    Built { image: fs::read(out.join("septum.img")).unwrap(), el2: out.join("el2.elf") }
}

/// The emulator that `septum run` would use.
fn emulator() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let output = Command::new(env!("CARGO_BIN_EXE_septum")).arg("setup").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let line = said.lines().find(|line| line.starts_with("QEMU ")).expect("`septum setup` names the emulator");
        PathBuf::from(line.split_once(": ").unwrap().1)
    })
}

/// How the image gets into the machine.
#[derive(Clone, Copy)]
enum Start {
    /// As a kernel: QEMU's own loader puts it where its header says.
    Kernel,
    /// At this address, and the first core starts there.
    At(u64),
    /// At this address, but the first core starts `SHIM` at `SHIM_AT`.
    Behind(u64),
}

/// A machine that runs, until dropped.
struct Machine {
    qemu: Child,
    decoder: Child,
    lines: Receiver<String>,
    _one: MutexGuard<'static, ()>,
}

impl Machine {
    fn start(machine: &[&str], el2: &Path, image: &[u8], start: Start) -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).unwrap();
            path.into_os_string().into_string().unwrap()
        };
        let image = file("boot.img", image);
        let load = |file: &str, at: u64| format!("loader,file={file},addr={at:#x},force-raw=on");
        let run = |at: u64| format!("loader,addr={at:#x},cpu-num=0");
        let arguments = match start {
            Start::Kernel => vec!["-kernel".to_owned(), image],
            Start::At(at) => devices([load(&image, at), run(at)]),
            Start::Behind(at) => devices([load(&image, at), load(&file("shim.bin", &shim()), SHIM_AT), run(SHIM_AT)]),
        };
        let mut qemu = Command::new(emulator());
        qemu.args(machine).args(["-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"]);
        let mut qemu = qemu.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut decoder = Command::new(env!("CARGO_BIN_EXE_septum"));
        decoder.arg("decode").arg(el2).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut decoder = decoder.spawn().unwrap();
        let (sender, lines) = channel();
        let (serial, input) = (qemu.stdout.take().unwrap(), decoder.stdin.take().unwrap());
        let records = decoder.stdout.take().unwrap();
        let plain = sender.clone();
        thread::spawn(move || pass_on(serial, input, &plain));
        thread::spawn(move || BufReader::new(records).lines().map_while(Result::ok).try_for_each(|l| sender.send(l)));
        Self { qemu, decoder, lines, _one: one }
    }

    /// Waits for a line that contains `text`, in plain text or as a record.
    fn says(&self, text: &str) {
        self.waits_for(text, |line| line.contains(text));
    }

    /// Waits for a line that says `refusal`, and gives it.
    fn refuses(&self, refusal: Refusal) -> String {
        self.waits_for(refusal.number(), |line| {
            let begin = [PREFIX, "partition `"].iter().find_map(|begin| line.find(begin));
            begin.is_some_and(|at| Refusal::in_line(&line[at..]) == Some(refusal))
        })
    }

    fn waits_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let (begin, mut seen) = (Instant::now(), Vec::new());
        while let Ok(line) = self.lines.recv_timeout(GUARD.saturating_sub(begin.elapsed())) {
            if is_it(&line) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line says `{what}`:\n{}", seen.join("\n"));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for child in [&mut self.qemu, &mut self.decoder] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn devices<const N: usize>(values: [String; N]) -> Vec<String> {
    values.into_iter().flat_map(|value| ["-device".to_owned(), value]).collect()
}

/// Hands the serial line's bytes to the decoder, and what the boot stub says, which is plain text, to `lines`.
fn pass_on(serial: ChildStdout, mut decoder: impl Write, lines: &Sender<String>) {
    let mut piece = Vec::new();
    for byte in BufReader::new(serial).bytes().map_while(Result::ok) {
        let _ = decoder.write_all(&[byte]).and_then(|()| decoder.flush());
        piece.push(byte);
        if byte == 0 {
            let said = String::from_utf8_lossy(&std::mem::take(&mut piece)).into_owned();
            if said.contains("septum: boot refused") && lines.send(said).is_err() {
                return;
            }
        }
    }
}

/// Where the shim lies.
const SHIM_AT: u64 = 0x4800_0000;
/// Where it goes on: its last but one instruction holds the number.
const SHIM_TARGET: u64 = 0x4400_0000;

/// What U-Boot's `go` does: jumps to [`SHIM_TARGET`] with MMU and caches on and every address mapped to itself.
fn shim() -> Vec<u8> {
    const CODE: [u32; 17] = [
        0x1000_8000, // adr   x0, . + 0x1000
        0x529f_e081, // mov   w1, #0xff04
        0xd51c_a201, // msr   mair_el2, x1
        0x5286_a321, // mov   w1, #0x3519
        0x72b0_1001, // movk  w1, #0x8080, lsl #16
        0xd51c_2041, // msr   tcr_el2, x1
        0xd51c_2000, // msr   ttbr0_el2, x0
        0xd50c_871f, // tlbi  alle2
        0xd503_3f9f, // dsb   sy
        0xd503_3fdf, // isb
        0xd53c_1001, // mrs   x1, sctlr_el2
        0x5282_00a2, // mov   w2, #0x1005
        0xaa02_0021, // orr   x1, x1, x2
        0xd51c_1001, // msr   sctlr_el2, x1
        0xd503_3fdf, // isb
        0xd2a8_8001, // mov   x1, #0x44000000
        0xd61f_0020, // br    x1
    ];
    // Level 1, blocks of 1 GiB: devices, then RAM.
    const TABLE: [u64; 2] = [0x401, 0x4000_0705];
    let mut bytes: Vec<u8> = CODE.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x1000, 0);
    bytes.extend(TABLE.iter().flat_map(|entry| entry.to_le_bytes()));
    bytes.resize(0x2000, 0);
    bytes
}

/// The image's boot block.
fn boot_block(image: &[u8]) -> BootBlock {
    BootBlock::read_from_prefix(&image[boot::OFFSET..]).unwrap().0
}

#[test]
fn an_image_that_was_loaded_elsewhere_moves_itself_to_its_place() {
    let Built { image, el2 } = build("virt-hello");
    // One page off in both directions, so that source and target overlap, and far off.
    for at in [LOAD + 0x1000, LOAD - 0x1000, 0x4800_0000] {
        Machine::start(&VIRT, &el2, &image, Start::At(at)).says(ENDED);
    }
}

#[test]
fn el2_starts_from_a_boot_loader_that_leaves_mmu_and_caches_on() {
    let Built { image, el2 } = build("virt-hello");
    Machine::start(&VIRT, &el2, &image, Start::Behind(SHIM_TARGET)).says(ENDED);
}

#[test]
fn el2_refuses_to_start_at_another_exception_level() {
    let Built { image, el2 } = build("virt-hello");
    let el1 = virt_but("-M", "virt,gic-version=3");
    Machine::start(&el1, &el2, &image, Start::Kernel).refuses(Refusal::B01);
    let el3 = virt_but("-M", "virt,virtualization=on,secure=on,gic-version=3");
    Machine::start(&el3, &el2, &image, Start::At(LOAD)).refuses(Refusal::B02);
}

#[test]
fn an_image_that_is_not_at_a_page_is_refused() {
    let Built { image, el2 } = build("virt-hello");
    Machine::start(&VIRT, &el2, &image, Start::At(LOAD + 0x800)).refuses(Refusal::B03);
}

#[test]
fn damage_to_the_boot_block_is_refused() {
    let Built { image, el2 } = build("virt-hello");
    // One bit in the load address, one in the seal itself.
    for byte in [boot::OFFSET + offset_of!(BootBlock, load), boot::OFFSET + size_of::<BootBlock>() - 1] {
        let mut damaged = image.clone();
        damaged[byte] ^= 0x10;
        Machine::start(&VIRT, &el2, &damaged, Start::Kernel).refuses(Refusal::B04);
    }
}

#[test]
fn an_image_of_another_version_is_refused() {
    let Built { mut image, el2 } = build("virt-hello");
    let mut block = boot_block(&image);
    block.version += 1;
    image[boot::OFFSET..][..size_of::<BootBlock>()].copy_from_slice(block.sealed().as_bytes());
    Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::B05);
}

#[test]
fn any_flipped_bit_in_plan_or_tables_is_refused() {
    let Built { image, el2 } = build("virt-hello");
    let block = boot_block(&image);
    let (first, bytes) = ((block.plan - block.load) as usize, block.sealed_bytes as usize);
    for bit in [0, 8 * 700 + 3, 4 * bytes, 8 * bytes - 1] {
        let mut damaged = image.clone();
        damaged[first + bit / 8] ^= 1 << (bit % 8);
        Machine::start(&VIRT, &el2, &damaged, Start::Kernel).refuses(Refusal::B06);
    }
}

#[test]
fn a_damaged_payload_stops_its_own_partition_only() {
    let Built { mut image, el2 } = build("virt-hello");
    // A letter of the prober's script.
    let script = b"say not reached";
    let at = image.windows(script.len()).position(|bytes| bytes == script).unwrap();
    image[at] ^= 1;
    let machine = Machine::start(&VIRT, &el2, &image, Start::Kernel);
    assert!(machine.refuses(Refusal::L01).contains("partition `prober` not started: "));
    machine.says(ENDED);
}

#[test]
fn a_boot_core_that_the_plan_does_not_have_is_refused() {
    let Built { mut image, el2 } = build("virt-hello");
    change_plan(&mut image, |plan| {
        let (header, _) = PlanHeader::ref_from_prefix(plan).unwrap();
        let first = header.cores.offset as usize;
        let (core, _) = CoreRecord::mut_from_prefix(&mut plan[first..]).unwrap();
        core.mpidr = 0x100;
    });
    Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::B07);
}

#[test]
fn a_plan_that_is_whole_but_of_another_kind_is_refused() {
    let Built { mut image, el2 } = build("virt-hello");
    change_plan(&mut image, |plan| PlanHeader::mut_from_prefix(plan).unwrap().0.version += 1);
    Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::B08);
}

/// Changes the plan and makes both seals right again.
fn change_plan(image: &mut [u8], change: impl FnOnce(&mut [u8])) {
    let mut block = boot_block(image);
    let plan = &mut image[(block.plan - block.load) as usize..][..block.sealed_bytes as usize];
    change(plan);
    block.sealed = septum_plan::seal(plan);
    image[boot::OFFSET..][..size_of::<BootBlock>()].copy_from_slice(block.sealed().as_bytes());
}

#[test]
fn an_exception_before_el2_runs_is_named() {
    let Built { mut image, el2 } = build("virt-hello");
    // A place without RAM: the move faults.
    let block = BootBlock { load: 0x2_0000_0000, ..boot_block(&image) };
    image[boot::OFFSET..][..size_of::<BootBlock>()].copy_from_slice(block.sealed().as_bytes());
    Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::B09);
}

#[test]
fn a_core_with_fewer_address_bits_than_the_plan_needs_is_refused() {
    let Built { image, el2 } = build("virt-48-hello");
    let said = Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::M01);
    assert!(said.contains("core 0: M01 it has 40 physical address bits, the plan needs 48"), "{said}");
}

#[test]
fn another_interrupt_controller_than_the_board_files_is_refused() {
    let Built { image, el2 } = build("virt-hello");
    let v2 = virt_but("-M", "virt,virtualization=on,gic-version=2");
    Machine::start(&v2, &el2, &image, Start::Kernel).refuses(Refusal::M06);
    let Built { image, el2 } = build("virt-gicv2-hello");
    let a72 = virt_but("-cpu", "cortex-a72");
    Machine::start(&a72, &el2, &image, Start::Kernel).refuses(Refusal::G01);
}

#[test]
fn missing_cores_are_refused() {
    let Built { image, el2 } = build("virt-hello");
    let two = virt_but("-smp", "2");
    let said = Machine::start(&two, &el2, &image, Start::Kernel).refuses(Refusal::D03);
    assert!(said.contains("firmware lists 2 of the 4 cores"), "{said}");
    // Without the device tree, firmware's answer to CPU_ON tells.
    let said = Machine::start(&two, &el2, &image, Start::At(LOAD)).refuses(Refusal::C01);
    assert!(said.contains("core 2: C01"), "{said}");
}

#[test]
fn missing_memory_is_refused_by_the_name_of_what_should_lie_there() {
    let Built { image, el2 } = build("virt-hello");
    let said = Machine::start(&virt_but("-m", "9M"), &el2, &image, Start::Kernel).refuses(Refusal::D01);
    assert!(said.contains("D01 `ram` of `"), "{said}");
}

#[test]
fn memory_that_firmware_keeps_is_refused_by_both_names() {
    let Built { image, el2 } = build("virt-hello");
    let tree = reserve(&firmwares_tree(), LOAD, 0x1000);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reserved.dtb");
    fs::write(&file, tree).unwrap();
    let machine = [&VIRT[..], &["-dtb", file.to_str().unwrap()]].concat();
    let said = Machine::start(&machine, &el2, &image, Start::Kernel).refuses(Refusal::D02);
    assert!(said.contains("of `EL2` lies at 0x40200000, but firmware keeps 0x40200000..0x40201000"), "{said}");
}

/// The device tree that QEMU makes for [`VIRT`], without the room behind it.
fn firmwares_tree() -> Vec<u8> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("virt.dtb");
    let mut qemu = Command::new(emulator());
    qemu.args(VIRT).args(["-M", &format!("dumpdtb={}", file.display())]);
    assert!(qemu.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    let mut tree = fs::read(file).unwrap();
    // The strings stand last: off_dt_strings and size_dt_strings (Devicetree Specification 5.2).
    tree.truncate((word(&tree, 12) + word(&tree, 32)) as usize);
    let total = tree.len() as u32;
    set_word(&mut tree, 4, total);
    tree
}

/// `tree` with one more entry in its memory reservation block (Devicetree Specification 5.3).
fn reserve(tree: &[u8], address: u64, bytes: u64) -> Vec<u8> {
    let mut tree = tree.to_vec();
    let block = word(&tree, 16) as usize;
    tree.splice(block..block, address.to_be_bytes().into_iter().chain(bytes.to_be_bytes()));
    // totalsize, off_dt_struct, off_dt_strings.
    for field in [4, 8, 12] {
        let moved = word(&tree, field) + 16;
        set_word(&mut tree, field, moved);
    }
    tree
}

fn word(tree: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(tree[at..at + 4].try_into().unwrap())
}

fn set_word(tree: &mut [u8], at: usize, value: u32) {
    tree[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

/// Changes the plan's header.
fn change_header(image: &mut [u8], change: impl FnOnce(&mut PlanHeader)) {
    change_plan(image, |plan| change(PlanHeader::mut_from_prefix(plan).unwrap().0));
}

#[test]
fn a_core_without_a_granule_that_a_table_uses_is_refused() {
    let Built { mut image, el2 } = build("virt-hello");
    // Bit 1: 16 KiB, which the Cortex-A53 has not.
    change_header(&mut image, |header| header.granules |= 1 << 1);
    let said = Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::M02);
    assert!(said.contains("core 0: M02 it has no Stage-2 granule of 16384 bytes"), "{said}");
}

#[test]
fn a_counter_of_another_rate_than_the_board_files_is_refused() {
    let Built { mut image, el2 } = build("virt-hello");
    change_header(&mut image, |header| header.counter_hz = 1);
    let said = Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::M05);
    assert!(said.contains("Hz, the board file says 1"), "{said}");
}

#[test]
fn a_core_without_a_redistributor_is_refused() {
    let Built { mut image, el2 } = build("virt-hello");
    // The redistributors of the first three cores only.
    change_header(&mut image, |header| header.devices[DeviceKind::Gicr.place()].bytes = 3 * GICR_BYTES);
    let said = Machine::start(&VIRT, &el2, &image, Start::Kernel).refuses(Refusal::G02);
    assert!(said.contains("core 3: G02 interrupt controller: no redistributor has this core's affinity"), "{said}");
}

#[test]
fn cores_that_do_not_arrive_are_refused() {
    let Built { mut image, el2 } = build("virt-hello");
    // Nobody polls these release addresses, in the stack of the last core, which never runs.
    change_plan(&mut image, |plan| {
        let (header, _) = PlanHeader::mut_from_prefix(plan).unwrap();
        header.core_start = CoreStart::SpinTable.code();
        let (first, count) = (header.cores.offset as usize, header.cores.count as usize);
        let (cores, _) = <[CoreRecord]>::mut_from_prefix_with_elems(&mut plan[first..], count).unwrap();
        for core in cores {
            core.release_va = space::core_area(3) + space::CORE_STACK_OFFSET;
        }
    });
    // Time passes at once where all cores sleep: EL2 waits ten seconds of it.
    let machine = [&VIRT[..], &["-icount", "shift=0,sleep=off"]].concat();
    let said = Machine::start(&machine, &el2, &image, Start::Kernel).refuses(Refusal::C02);
    assert!(said.contains("core 1: C02 MPIDR 0x1 was started and did not arrive"), "{said}");
}

/// Refusals that no twin can be brought to say: each with the test of `hypervisor/core/tests/board_check.rs` that shows it
/// instead, and the reason.
const NOT_ON_TWINS: [(Refusal, &str, &str); 2] = [
    (Refusal::M03, "el2_itself_needs_4k", "every CPU model of QEMU has the 4 KiB granule at Stage 1"),
    (Refusal::M04, "an_el1_without_aarch64_is_refused", "no CPU model of QEMU has AArch64 at EL2 and not at EL1"),
];

#[test]
fn every_refusal_is_provoked() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let on_the_host = fs::read_to_string(tree.join("hypervisor/core/tests/board_check.rs")).unwrap();
    let tests: Vec<_> = include_str!("boot.rs").split("#[test]").collect();
    for refusal in Refusal::ALL {
        let asked = format!("refuses(Refusal::{})", refusal.number());
        let here = tests.iter().any(|test| test.contains(&asked));
        let elsewhere = NOT_ON_TWINS.iter().find(|(other, ..)| other == refusal);
        assert!(here || elsewhere.is_some(), "no test provokes {refusal:?}");
        let Some((_, test, reason)) = elsewhere else { continue };
        assert!(!here, "{refusal:?} is provoked, though {reason}");
        let body = on_the_host.split("#[test]").find(|body| body.contains(&format!("fn {test}()")));
        let shown = body.is_some_and(|body| body.contains(&format!("Refusal::{}", refusal.number())));
        assert!(shown, "`{test}` does not show {refusal:?}");
    }
}
