//! The script's grammar (README.md): one step of it from text.
#![cfg_attr(not(target_os = "none"), allow(dead_code, reason = "the host builds it for its tests only"))]

use core::fmt;
use core::time::Duration;

use septum_guest::Width;

/// A number of the script: decimal, or hexadecimal with 0x; `_` separates digits.
pub type Number = u64;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Print the words.
    Say(&'a str),
    /// Read at an address and print the value.
    Read(Width, Number),
    /// Write a value at an address.
    Write(Width, Number, Number),
    /// Call an address.
    Execute(Number),
    /// Make a call with x1 to x3, and print x0 to x3.
    Call(Call, u32, [Number; 3]),
    /// Let time pass.
    Wait(Duration),
    /// Run an undefined instruction.
    Undefined,
    /// Sleep for good.
    Park,
    /// End the partition.
    Off,
    /// Start the partition anew.
    Reset,
    /// Start it anew if the word at an address does not say that this has been done.
    ResetOnce(Number),
    /// Set every byte of the range, by address and bytes.
    Fill(Number, Number),
    /// Say whether the range, by address and bytes, is all zeroes.
    Zeroes(Number, Number),
    /// Start all further cores: every other one sleeps, the rest spin.
    Cores,
    /// Have cores beyond the fifteenth take an SGI and the SPI with this INTID.
    Far(Number),
    /// Single-step over instructions that EL2 carries out.
    Steps,
    /// Run a T32 program at EL0 that reads the interrupt controller.
    Narrow,
    /// Sleep by CPU_SUSPEND until a timer, another core or the partition's end comes.
    Suspend,
    /// End an interrupt whose line stays high, again and again.
    Level,
    /// Switch the second core off and on around the interrupt of a PL011, by address and INTID.
    Power(Number, u32),
}

/// The instruction that makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// HVC.
    Hvc,
    /// SMC.
    Smc,
}

/// Why a step is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptError {
    /// The first word is no step.
    UnknownStep,
    /// A number is missing or cannot be read.
    Number,
    /// Words are left over.
    TooMany,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownStep => "no such step",
            Self::Number => "a number is missing or wrong",
            Self::TooMany => "more words than the step has",
        })
    }
}

impl core::error::Error for ScriptError {}

/// The step that `text` says.
///
/// # Errors
/// Where it says none.
pub fn parse(text: &str) -> Result<Step<'_>, ScriptError> {
    let (name, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    if name == "say" {
        return Ok(Step::Say(rest.trim()));
    }
    let mut words = rest.split(|c: char| c.is_whitespace() || c == '=').filter(|word| !word.is_empty());
    let step = parse_words(name, &mut words)?;
    words.next().map_or(Ok(step), |_| Err(ScriptError::TooMany))
}

fn parse_words<'a>(name: &str, words: &mut impl Iterator<Item = &'a str>) -> Result<Step<'a>, ScriptError> {
    if let Some(width) = name.strip_prefix("read").and_then(width) {
        return Ok(Step::Read(width, number(words)?));
    }
    if let Some(width) = name.strip_prefix("write").and_then(width) {
        return Ok(Step::Write(width, number(words)?, number(words)?));
    }
    match name {
        "exec" => Ok(Step::Execute(number(words)?)),
        "hvc" => call(Call::Hvc, words),
        "smc" => call(Call::Smc, words),
        "wait" => Ok(Step::Wait(Duration::from_millis(number(words)?))),
        "undefined" => Ok(Step::Undefined),
        "park" => Ok(Step::Park),
        "off" => Ok(Step::Off),
        "reset" => Ok(Step::Reset),
        "reset-once" => Ok(Step::ResetOnce(number(words)?)),
        "fill" => Ok(Step::Fill(number(words)?, number(words)?)),
        "zeroes" => Ok(Step::Zeroes(number(words)?, number(words)?)),
        "cores" => Ok(Step::Cores),
        "far" => Ok(Step::Far(number(words)?)),
        "steps" => Ok(Step::Steps),
        "narrow" => Ok(Step::Narrow),
        "suspend" => Ok(Step::Suspend),
        "level" => Ok(Step::Level),
        "power" => Ok(Step::Power(number(words)?, u32::try_from(number(words)?).map_err(|_| ScriptError::Number)?)),
        _ => Err(ScriptError::UnknownStep),
    }
}

fn call<'a>(call: Call, words: &mut impl Iterator<Item = &'a str>) -> Result<Step<'a>, ScriptError> {
    let function = u32::try_from(number(words)?).map_err(|_| ScriptError::Number)?;
    let mut arguments = [0; 3];
    for (argument, word) in arguments.iter_mut().zip(words) {
        *argument = parse_number(word).ok_or(ScriptError::Number)?;
    }
    Ok(Step::Call(call, function, arguments))
}

fn width(bits: &str) -> Option<Width> {
    match bits {
        "8" => Some(Width::Byte),
        "16" => Some(Width::Half),
        "32" => Some(Width::Word),
        "64" => Some(Width::Double),
        _ => None,
    }
}

fn number<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<Number, ScriptError> {
    words.next().and_then(parse_number).ok_or(ScriptError::Number)
}

fn parse_number(word: &str) -> Option<Number> {
    let (digits, radix) = word.strip_prefix("0x").map_or((word, 10), |digits| (digits, 16));
    digits.bytes().filter(|byte| *byte != b'_').try_fold(0u64, |value, byte| {
        let digit = char::from(byte).to_digit(radix)?;
        value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_have_four_widths() {
        assert_eq!(parse("read8 0x10"), Ok(Step::Read(Width::Byte, 16)));
        assert_eq!(parse("read64 0x4000_0000"), Ok(Step::Read(Width::Double, 0x4000_0000)));
        assert_eq!(parse("write16 12=3"), Ok(Step::Write(Width::Half, 12, 3)));
        assert_eq!(parse("write32 0x900_0000 = 0x41"), Ok(Step::Write(Width::Word, 0x900_0000, 0x41)));
    }

    #[test]
    fn calls_take_up_to_three_arguments() {
        assert_eq!(parse("smc 0x84000000"), Ok(Step::Call(Call::Smc, 0x8400_0000, [0; 3])));
        assert_eq!(parse("hvc 1 2 3 4"), Ok(Step::Call(Call::Hvc, 1, [2, 3, 4])));
        assert_eq!(parse("hvc 1 2 3 4 5"), Err(ScriptError::TooMany));
        assert_eq!(parse("hvc 0x1_0000_0000"), Err(ScriptError::Number));
    }

    #[test]
    fn the_other_steps() {
        assert_eq!(parse("say now = then"), Ok(Step::Say("now = then")));
        assert_eq!(parse("wait 20"), Ok(Step::Wait(Duration::from_millis(20))));
        assert_eq!(parse("exec 0x0"), Ok(Step::Execute(0)));
        assert_eq!(parse("undefined"), Ok(Step::Undefined));
        assert_eq!(parse("off"), Ok(Step::Off));
        assert_eq!(parse("reset-once 0x5000_0000"), Ok(Step::ResetOnce(0x5000_0000)));
        assert_eq!(parse("fill 0x5000_0000 4096"), Ok(Step::Fill(0x5000_0000, 4096)));
        assert_eq!(parse("zeroes 0x5000_0000 4096"), Ok(Step::Zeroes(0x5000_0000, 4096)));
        assert_eq!(parse("cores"), Ok(Step::Cores));
        assert_eq!(parse("power 0x904_0000 40"), Ok(Step::Power(0x904_0000, 40)));
        assert_eq!(parse("steps"), Ok(Step::Steps));
        assert_eq!(parse("narrow"), Ok(Step::Narrow));
        assert_eq!(parse("suspend"), Ok(Step::Suspend));
        assert_eq!(parse("level"), Ok(Step::Level));
    }

    #[test]
    fn what_is_no_step_is_refused() {
        assert_eq!(parse("read12 0"), Err(ScriptError::UnknownStep));
        assert_eq!(parse("read32"), Err(ScriptError::Number));
        assert_eq!(parse("read32 zero"), Err(ScriptError::Number));
        assert_eq!(parse("read32 0x1_0000_0000_0000_0000"), Err(ScriptError::Number));
        assert_eq!(parse("off now"), Err(ScriptError::TooMany));
    }
}
