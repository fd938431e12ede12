//! What a row of the table of calls holds, and the macros that the table is written with.

/// A call that EL2 answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// As Arm's documents spell it, or docs/abi.md.
    pub name: &'static str,
    /// Its function numbers; where it has two forms, SMC32 stands before SMC64.
    pub numbers: &'static [Numbers],
    /// What it takes, from x1 on.
    pub arguments: &'static [Value],
    /// What it leaves, from x0 on; nothing means that it does not return.
    pub results: &'static [Value],
    /// What it does, in a sentence.
    pub sentence: &'static str,
}

/// A function number of a call, or a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The constant's name.
    pub name: &'static str,
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// An argument or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its name.
    pub name: &'static str,
    /// What the register holds.
    pub kind: Kind,
    /// How many registers it takes.
    pub registers: usize,
    /// What it means, with its unit.
    pub meaning: &'static str,
}

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bits 31:0.
    Word,
    /// All 64 bits.
    Long,
    /// A result code ([`super::CODES`]) or small number, with its sign.
    Code,
}

macro_rules! codes {
    ($(#[doc = $doc:literal] $name:ident = $code:literal,)*) => {
        $(#[doc = concat!("Result code:", $doc)] pub const $name: i64 = $code;)*

        /// Every result code: name, number, meaning.
        pub const CODES: &[(&str, i64, &str)] = &[$((stringify!($name), $code, $doc.trim_ascii_start()),)*];
    };
}

macro_rules! calls {
    (
        #[doc = $about:literal]
        $family:ident, $rows:ident:
        $(
            #[doc = $sentence:literal]
            $call:ident $name:literal [$($constant:ident = $first:literal $(..= $last:literal)?),+]
            ($($argument:ident: $kind:ident $registers:literal $meaning:literal),*)
            -> ($($result:ident: $result_kind:ident $result_meaning:literal),*);
        )*
    ) => {
        $($(
            #[doc = concat!("Function number of ", $name, ".")]
            pub const $constant: u32 = $first;
        )+)*

        #[doc = $about]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $family { $(#[doc = $sentence] $call,)* }

        impl $family {
            /// The call whose function number is `number`, w0.
            #[inline(always)]
            pub const fn of(number: u32) -> Option<Self> {
                match number {
                    $($($first $(..= $last)?)|+ => Some(Self::$call),)*
                    _ => None,
                }
            }
        }

        #[doc = $about]
        pub const $rows: &[$crate::calls::Call] = &[$($crate::calls::Call {
            name: $name,
            numbers: &[$($crate::calls::Numbers {
                name: stringify!($constant),
                first: $first,
                last: { let _last: u32 = $first; $(let _last: u32 = $last;)? _last },
            },)+],
            arguments: &[$($crate::calls::Value {
                name: stringify!($argument),
                kind: $crate::calls::Kind::$kind,
                registers: $registers,
                meaning: $meaning,
            },)*],
            results: &[$($crate::calls::Value {
                name: stringify!($result),
                kind: $crate::calls::Kind::$result_kind,
                registers: 1,
                meaning: $result_meaning,
            },)*],
            sentence: $sentence.trim_ascii_start(),
        },)*];
    };
}

pub(super) use {calls, codes};
