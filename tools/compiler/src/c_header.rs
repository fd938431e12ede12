//! The C header of the calls that EL2 answers, for partitions in C and assembly: written from `septum_plan::calls`.
//!
//! C99 with `<stddef.h>` and `<stdint.h>`, nothing of a C library. Assembly finds the numbers; C on AArch64 finds an inline
//! function per call, too, with docs/abi.md's register contract.

use std::fmt::{self, Display, Formatter};

use septum_plan::calls::{CODES, CONSOLE_BYTES_MAX, Call, FACTS, FIRMWARE_CALLS, Kind, Numbers, OWN_CALLS, UID, Value};

/// The header's file name.
pub const FILE: &str = "septum.h";

/// The header's text.
pub fn text() -> String {
    let header = Header;
    header.to_string()
}

struct Header;

impl Display for Header {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(BEGIN)?;
        numbers(f, "Septum's own calls: function numbers (vendor-specific hypervisor range).", OWN_CALLS)?;
        numbers(f, "PSCI 1.1 and SMCCC 1.2: function numbers.", FIRMWARE_CALLS)?;
        constants(f)?;
        f.write_str(HVC)?;
        OWN_CALLS.iter().chain(FIRMWARE_CALLS).filter(|call| is_one(call)).try_for_each(|call| function(f, call))?;
        f.write_str(END)
    }
}

const BEGIN: &str = "\
/* The calls that Septum's EL2 answers to a partition. Written by `septum header`; docs/abi.md is the prose.
 *
 * Everybody finds the numbers here, assembly too. C on AArch64 finds an inline function per call: it makes the call by
 * HVC #0 at EL1, with the function number in w0 and the arguments from x1 on; results are in x0 and on. Every other
 * register keeps its value. EL2 reaches no memory of the partition's, so nothing is passed by address; where a function
 * takes a pointer, it is the function itself that reads or writes there. */
#ifndef SEPTUM_H
#define SEPTUM_H
";

const HVC: &str = "
#if defined(__aarch64__) && !defined(__ASSEMBLER__)
#include <stddef.h>
#include <stdint.h>

/* x0 to x3 after a call. */
struct septum_answer {
    uint64_t x[4];
};

/* The call `function` with x1 to x7, by HVC #0. */
static inline struct septum_answer septum_hvc(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                                              uint64_t a5, uint64_t a6, uint64_t a7)
{
    register uint64_t x0 __asm__(\"x0\") = function;
    register uint64_t x1 __asm__(\"x1\") = a1;
    register uint64_t x2 __asm__(\"x2\") = a2;
    register uint64_t x3 __asm__(\"x3\") = a3;
    register uint64_t x4 __asm__(\"x4\") = a4;
    register uint64_t x5 __asm__(\"x5\") = a5;
    register uint64_t x6 __asm__(\"x6\") = a6;
    register uint64_t x7 __asm__(\"x7\") = a7;
    struct septum_answer answer;

    __asm__ __volatile__(\"hvc #0\"
                         : \"+r\"(x0), \"+r\"(x1), \"+r\"(x2), \"+r\"(x3)
                         : \"r\"(x4), \"r\"(x5), \"r\"(x6), \"r\"(x7)
                         : \"memory\");
    answer.x[0] = x0;
    answer.x[1] = x1;
    answer.x[2] = x2;
    answer.x[3] = x3;
    return answer;
}

/* Hands `count` bytes at `bytes` to `function`, SEPTUM_CONSOLE_WRITE or SEPTUM_DEFMT_WRITE, in as many calls as they need.
 * Returns SEPTUM_SUCCESS, or the code of the call that failed. */
static inline int64_t septum_write(uint32_t function, const void *bytes, size_t count)
{
    const unsigned char *from = (const unsigned char *)bytes;
    int64_t result = SEPTUM_SUCCESS;

    while (count > 0 && result == SEPTUM_SUCCESS) {
        size_t piece = count < SEPTUM_CONSOLE_BYTES_MAX ? count : SEPTUM_CONSOLE_BYTES_MAX;
        uint64_t word[SEPTUM_CONSOLE_BYTES_MAX / 8] = {0};
        size_t i;

        for (i = 0; i < piece; i++)
            word[i / 8] |= (uint64_t)from[i] << (8 * (i % 8));
        result = (int64_t)septum_hvc(function, piece, word[0], word[1], word[2], word[3], word[4], word[5]).x[0];
        from += piece;
        count -= piece;
    }
    return result;
}
";

const END: &str = "
#endif /* __aarch64__ && !__ASSEMBLER__ */
#endif /* SEPTUM_H */
";

fn numbers(f: &mut Formatter<'_>, about: &str, calls: &[Call]) -> fmt::Result {
    writeln!(f, "\n/* {about} */")?;
    calls.iter().flat_map(|call| call.numbers).try_for_each(|Numbers { name, first, last }| match first == last {
        true => writeln!(f, "#define SEPTUM_{name} {first:#010x}"),
        false => {
            writeln!(f, "#define SEPTUM_{name} {first:#010x} /* the first of a range */")?;
            writeln!(f, "#define SEPTUM_{name}_LAST {last:#010x}")
        }
    })
}

fn constants(f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n/* Result codes, in x0 as signed numbers. */")?;
    CODES.iter().try_for_each(|(name, code, meaning)| writeln!(f, "#define SEPTUM_{name} ({code}) /* {meaning} */"))?;
    writeln!(f, "\n/* What SEPTUM_INFORMATION tells. */")?;
    FACTS.iter().try_for_each(|fact| {
        writeln!(f, "#define SEPTUM_INFORMATION_{} {} /* {} */", fact.name, fact.number, fact.meaning)
    })?;
    writeln!(f, "\n/* Most bytes of one SEPTUM_CONSOLE_WRITE or SEPTUM_DEFMT_WRITE. */")?;
    writeln!(f, "#define SEPTUM_CONSOLE_BYTES_MAX {CONSOLE_BYTES_MAX}")?;
    writeln!(f, "\n/* The answer to SEPTUM_CALL_UID, four little-endian words. */")?;
    UID.iter().enumerate().try_for_each(|(index, word)| writeln!(f, "#define SEPTUM_UID_{index} {word:#010x}"))
}

/// Whether `call` is one function, not a range of them.
fn is_one(call: &Call) -> bool {
    call.numbers.iter().all(|numbers| numbers.first == numbers.last)
}

/// The inline function of `call`, by the last of its numbers: SMC64 where it has both forms. Its first result is returned,
/// the others go where pointers say.
fn function(f: &mut Formatter<'_>, call: &Call) -> fmt::Result {
    let Some(numbers) = call.numbers.last() else { return Ok(()) };
    let pointers = call.results.iter().skip(1);
    let parameters: Vec<_> = call.arguments.iter().map(parameter).chain(pointers.clone().map(pointer)).collect();
    let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
    comment(f, call)?;
    let kind = call.results.first().map_or("__attribute__((__noreturn__)) void", |result| c_type(result.kind));
    writeln!(f, "static inline {kind} septum_{}({parameters})\n{{", call.name.to_lowercase())?;
    let hvc = format!("septum_hvc(SEPTUM_{}{})", numbers.name, registers(call.arguments));
    match call.results {
        [] => writeln!(f, "    {hvc};\n    for (;;) {{\n    }}")?,
        [result] => writeln!(f, "    return ({}){hvc}.x[0];", c_type(result.kind))?,
        [result, ..] => {
            writeln!(f, "    struct septum_answer answer = {hvc};\n")?;
            (1..).zip(pointers).try_for_each(|(register, result)| {
                writeln!(f, "    *{} = ({})answer.x[{register}];", result.name, c_type(result.kind))
            })?;
            writeln!(f, "    return ({})answer.x[0];", c_type(result.kind))?;
        }
    }
    f.write_str("}\n")
}

fn comment(f: &mut Formatter<'_>, call: &Call) -> fmt::Result {
    write!(f, "\n/* {}: {}", call.name, call.sentence)?;
    call.arguments.iter().try_for_each(|argument| write!(f, "\n *   {}: {}.", argument.name, argument.meaning))?;
    let (first, others) = match call.results {
        [] => return writeln!(f, "\n * Does not return. */"),
        [first, others @ ..] => (first, others),
    };
    others.iter().try_for_each(|result| write!(f, "\n *   {}: filled in: {}.", result.name, result.meaning))?;
    writeln!(f, "\n * Returns {}. */", first.meaning)
}

fn parameter(argument: &Value) -> String {
    match argument.registers {
        1 => format!("{} {}", c_type(argument.kind), argument.name),
        registers => format!("const {} {}[{registers}]", c_type(argument.kind), argument.name),
    }
}

fn pointer(result: &Value) -> String {
    format!("{} *{}", c_type(result.kind), result.name)
}

/// The seven arguments of `septum_hvc` behind the function number.
fn registers(arguments: &[Value]) -> String {
    let given = arguments.iter().flat_map(|argument| {
        (0..argument.registers).map(move |index| match argument.registers {
            1 => argument.name.to_owned(),
            _ => format!("{}[{index}]", argument.name),
        })
    });
    let all = given.chain(std::iter::repeat("0".to_owned())).take(7);
    all.map(|register| format!(", {register}")).collect()
}

const fn c_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Word => "uint32_t",
        Kind::Long => "uint64_t",
        Kind::Code => "int64_t",
    }
}
