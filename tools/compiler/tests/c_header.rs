//! The C header compiles, warning by warning, and says what docs/abi.md says.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use septum_compiler::c_header;
use septum_plan::calls::{CALLS, FACTS};

/// Uses what every compiler sees of the header: numbers.
const NUMBERS: &str = "#include \"septum.h\"
int numbers[] = { SEPTUM_CONSOLE_WRITE == 0xc6000001, SEPTUM_NOT_SUPPORTED == -1, SEPTUM_INFORMATION_CONSOLE == 7 };
";
/// Uses its functions.
const FUNCTIONS: &str = "#include \"septum.h\"
void use(void);
void use(void)
{
    uint64_t fact;
    uint32_t minor;

    if (septum_information(SEPTUM_INFORMATION_VCPU_COUNT, &fact) == SEPTUM_SUCCESS && septum_call_revision(&minor) == 1)
        septum_write(SEPTUM_CONSOLE_WRITE, \"hello\\n\", 6);
    if (septum_cpu_on(1, 0x40000000, 0) == SEPTUM_ALREADY_ON)
        septum_system_off();
    septum_cpu_off();
}
";

/// Has the machine's C compiler look at `source` beside the header, with `options`.
fn compile(name: &str, source: &str, options: &[&str]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c_header").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(c_header::FILE), c_header::text()).unwrap();
    let file: PathBuf = folder.join("main.c");
    fs::write(&file, source).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-ffreestanding", "-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99", "-fsyntax-only"]).args(options);
    let output = cc.arg(&file).output().expect("a C compiler");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_plain_c_compiler_takes_the_header_without_a_warning() {
    compile("numbers", NUMBERS, &[]);
}

#[test]
fn the_inline_functions_are_c99_without_a_warning() {
    // The machine's compiler need not be AArch64's: it sees everything but the names of registers.
    let options = match cfg!(target_arch = "aarch64") {
        true => &[][..],
        false => &["-D__aarch64__", "-D__asm__(register)="],
    };
    compile("functions", FUNCTIONS, options);
}

#[test]
fn every_call_number_and_fact_is_in_the_header() {
    let header = c_header::text();
    for numbers in CALLS.iter().copied().flatten().flat_map(|call| call.numbers) {
        let line = format!("#define SEPTUM_{} {:#010x}", numbers.name, numbers.first);
        assert!(header.lines().any(|is| is.starts_with(&line)), "{line}");
    }
    for fact in FACTS {
        let line = format!("#define SEPTUM_INFORMATION_{} {} ", fact.name, fact.number);
        assert!(header.lines().any(|is| is.starts_with(&line)), "{line}");
    }
}

#[test]
fn a_call_s_registers_are_as_the_page_of_calls_says() {
    let header = c_header::text();
    let written = [
        "static inline int64_t septum_console_write(uint64_t count, const uint64_t bytes[6])\n{\n    return (int64_t)septum_hvc(SEPTUM_CONSOLE_WRITE, count, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]).x[0];\n}\n",
        "static inline int64_t septum_cpu_on(uint64_t target, uint64_t entry, uint64_t context)\n{\n    return (int64_t)septum_hvc(SEPTUM_CPU_ON_64, target, entry, context, 0, 0, 0, 0).x[0];\n}\n",
        "    *fact = (uint64_t)answer.x[1];\n    return (int64_t)answer.x[0];\n",
    ];
    for text in written {
        assert!(header.contains(text), "{text}\nis not in:\n{header}");
    }
}
