//! `septum explain`: who owns an address or an interrupt, and how it is mapped.

use std::path::Path;
use std::str::FromStr;

use septum_compiler::explain;

use crate::check::{self, Format};
use crate::failure::Failure;
use crate::home::Home;
use crate::output;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// An address, physical or a partition's: written with `0x`.
    Address(u64),
    /// An interrupt, by its INTID: a decimal number.
    Interrupt(u32),
}

/// A question that cannot be read.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("neither an address (0x..) nor an interrupt's number (decimal)")]
pub struct QuestionError;

impl FromStr for Question {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, QuestionError> {
        let digits = text.replace('_', "");
        let parsed = match digits.strip_prefix("0x") {
            Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok().map(Self::Address),
            None => digits.parse().ok().map(Self::Interrupt),
        };
        parsed.ok_or(QuestionError)
    }
}

/// Answers `question` about `config`.
///
/// # Errors
/// The configuration is wrong, or its board has no such interrupt.
pub fn run(home: &Home, config: &Path, question: Question) -> Result<(), Failure> {
    let system = check::checked(home, config, Format::Human)?;
    match question {
        Question::Address(address) => output::show(explain::address(&system, address))?,
        Question::Interrupt(intid) => {
            output::show(explain::interrupt(&system, intid).map_err(Failure::input)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hexadecimal_and_interrupts_decimal() {
        assert_eq!("0x4000_0000".parse::<Question>().unwrap(), Question::Address(0x4000_0000));
        assert_eq!("33".parse::<Question>().unwrap(), Question::Interrupt(33));
        assert!("uart0".parse::<Question>().is_err());
        assert!("0x".parse::<Question>().is_err());
    }
}
