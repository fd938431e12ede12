//! What EL2 answers to a partition's calls (HVC #0 and SMC #0) that are Septum's own; [`crate::psci`] has the rest.
//!
//! docs/abi.md is the prose, [`septum_plan::calls`] the list.

use septum_plan::calls::{
    CALL_COUNT_ANSWER, CONSOLE_BYTES_MAX, Call, FIRMWARE_CALLS, INVALID_PARAMETERS, Information, OWN_CALLS, Own,
    SUCCESS, UID, VENDOR_64,
};
use septum_plan::record::NO_ADDRESS;
use septum_plan::{EmulatedKind, EmulatedRecord, GicVersion, PartitionRecord, frames};

/// Version of Septum's own calls.
pub const ABI_VERSION: u64 = 1;

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Index of the virtual core.
    pub vcpu: u16,
    /// Number of the partition's virtual cores.
    pub vcpus: u16,
    /// The board's interrupt controller.
    pub gic: GicVersion,
    /// The partition.
    pub partition: &'a PartitionRecord,
    /// What EL2 emulates for it.
    pub emulated: &'a [EmulatedRecord],
}

impl Caller<'_> {
    /// Where it sees what of `kind` EL2 emulates, or [`NO_ADDRESS`].
    fn ipa_of(&self, kind: EmulatedKind) -> u64 {
        frames::of_kind(self.emulated, kind).map_or(NO_ADDRESS, |frame| frame.ipa)
    }
}

/// What to do about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Go on with these results.
    Return(Results),
    /// Console bytes; then go on with SUCCESS.
    Console(Bytes),
    /// Bytes of the partition's defmt stream; then go on with SUCCESS.
    Stream(Bytes),
    /// Nobody knows the call: NOT_SUPPORTED, and count it.
    Unknown,
}

/// Result registers: x0 up to x3; the rest keeps its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Results {
    values: [u64; 4],
    count: usize,
}

impl Results {
    /// x0 = SUCCESS.
    pub const SUCCESS: Self = Self::one(SUCCESS);

    /// x0 alone.
    pub const fn one(x0: i64) -> Self {
        Self { values: [x0 as u64, 0, 0, 0], count: 1 }
    }

    const fn two(x0: u64, x1: u64) -> Self {
        Self { values: [x0, x1, 0, 0], count: 2 }
    }

    const fn four(words: [u32; 4]) -> Self {
        let [x0, x1, x2, x3] = words;
        Self { values: [x0 as u64, x1 as u64, x2 as u64, x3 as u64], count: 4 }
    }

    /// The values, x0 first.
    pub fn values(&self) -> &[u64] {
        self.values.get(..self.count).unwrap_or(&[])
    }
}

/// Bytes that came in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes {
    registers: [[u8; 8]; CONSOLE_BYTES_MAX / 8],
    count: usize,
}

impl Bytes {
    /// From x1 (how many) and x2 to x7; `None` for a number out of range.
    fn from_registers(x: &[u64]) -> Option<Self> {
        let count = usize::try_from(*x.get(1)?).ok().filter(|count| (1..=CONSOLE_BYTES_MAX).contains(count))?;
        let mut registers = [[0; 8]; CONSOLE_BYTES_MAX / 8];
        for (to, from) in registers.iter_mut().zip(x.get(2..)?) {
            *to = from.to_le_bytes();
        }
        Some(Self { registers, count })
    }

    /// The bytes.
    pub fn get(&self) -> &[u8] {
        self.registers.as_flattened().get(..self.count).unwrap_or(&[])
    }
}

/// Whether the call `number`, w0, is in the vendor's range and nobody's: NOT_SUPPORTED, without looking further.
///
/// This is the hot path: Septum's own calls all lie below [`VENDOR_64`] + 8, so two masks tell the rest of that range.
#[inline(always)]
pub const fn is_unknown(number: u32) -> bool {
    number & 0xff00_0000 == VENDOR_64 && number & 0x00ff_fff8 != 0
}

/// No call of the table is taken for an unknown one.
const _: () = assert!(none_is_unknown(OWN_CALLS) && none_is_unknown(FIRMWARE_CALLS));

const fn none_is_unknown(mut calls: &[Call]) -> bool {
    while let [call, other_calls @ ..] = calls {
        let mut numbers = call.numbers;
        while let [range, other_ranges @ ..] = numbers {
            if is_unknown(range.first) || is_unknown(range.last) {
                return false;
            }
            numbers = other_ranges;
        }
        calls = other_calls;
    }
    true
}

/// The answer to the call with argument registers `x`, x0 to at least x7.
pub fn decide(x: &[u64], caller: Caller<'_>) -> Outcome {
    let invalid = Outcome::Return(Results::one(INVALID_PARAMETERS));
    let Some(call) = Own::of(x.first().copied().unwrap_or(u64::MAX) as u32) else { return Outcome::Unknown };
    match call {
        Own::ConsoleWrite => Bytes::from_registers(x).map_or(invalid, Outcome::Console),
        Own::DefmtWrite => Bytes::from_registers(x).map_or(invalid, Outcome::Stream),
        Own::Information => Outcome::Return(inform(x.get(1).copied(), caller)),
        Own::CallCount => Outcome::Return(Results::one(i64::from(CALL_COUNT_ANSWER))),
        Own::CallUid => Outcome::Return(Results::four(UID)),
        Own::CallRevision => Outcome::Return(Results::two(ABI_VERSION, 0)),
    }
}

fn inform(which: Option<u64>, caller: Caller<'_>) -> Results {
    let Some(which) = which.and_then(Information::of) else { return Results::one(INVALID_PARAMETERS) };
    let fact = match which {
        Information::AbiVersion => ABI_VERSION,
        Information::VcpuCount => u64::from(caller.vcpus),
        Information::VcpuIndex => u64::from(caller.vcpu),
        Information::GicVersion => u64::from(caller.gic.code()),
        Information::Distributor => caller.ipa_of(EmulatedKind::Gicd),
        Information::CpuInterface => caller.partition.gicc_ipa,
        Information::Redistributor => caller.ipa_of(EmulatedKind::Gicr),
        Information::Console => caller.ipa_of(EmulatedKind::Pl011),
    };
    if fact == NO_ADDRESS { Results::one(INVALID_PARAMETERS) } else { Results::two(SUCCESS as u64, fact) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septum_plan::calls::{CALL_COUNT, CALL_UID, CONSOLE_WRITE, DEFMT_WRITE, INFORMATION, PSCI_VERSION};

    /// The answer to virtual core 1 of 3 of a partition behind a GICv3.
    fn answer(x: &[u64]) -> Outcome {
        let partition = PartitionRecord { gicc_ipa: NO_ADDRESS, ..PartitionRecord::default() };
        let frames =
            [(EmulatedKind::Gicd, 0x800_0000), (EmulatedKind::Gicr, 0x80a_0000), (EmulatedKind::Pl011, 0x900_0000)];
        let emulated = frames.map(|(kind, ipa)| EmulatedRecord { ipa, kind: kind.code(), ..EmulatedRecord::default() });
        decide(x, Caller { vcpu: 1, vcpus: 3, gic: GicVersion::V3, partition: &partition, emulated: &emulated })
    }

    fn call(number: u32, arguments: &[u64]) -> Outcome {
        let mut x = [0xdead_dead_dead_dead; 18];
        x[0] = u64::from(number);
        x[1..=arguments.len()].copy_from_slice(arguments);
        answer(&x)
    }

    fn x0(value: i64) -> Outcome {
        Outcome::Return(Results::one(value))
    }

    #[test]
    fn all_other_numbers_are_unknown() {
        for number in [0, 0x8400_0040, 0x8600_ff02, VENDOR_64, VENDOR_64 + 4, 0x8600_0001, 0xc700_0001, u32::MAX] {
            assert_eq!(call(number, &[]), Outcome::Unknown, "{number:#x}");
        }
    }

    #[test]
    fn the_hot_path_takes_only_calls_that_nobody_knows() {
        let around = |n: u32| (0..=20).map(move |d| n.wrapping_add(d).wrapping_sub(8));
        for number in [0, VENDOR_64, VENDOR_64 + 0x00ff_ffff, PSCI_VERSION, CALL_COUNT, 0xc700_0000].map(around) {
            for number in number {
                if is_unknown(number) {
                    assert_eq!(call(number, &[]), Outcome::Unknown, "{number:#x}");
                }
            }
        }
        assert!(is_unknown(VENDOR_64 + 0x1234) && !is_unknown(PSCI_VERSION));
    }

    #[test]
    fn the_upper_half_of_x0_is_ignored() {
        let x = [0xffff_ffff_0000_0000 | u64::from(CALL_COUNT), 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(answer(&x), x0(3));
    }

    #[test]
    fn console_bytes_come_out_of_the_registers_in_order() {
        let words = [48, 0x0807_0605_0403_0201, 0x1817_1615_1413_1211, 3, 4, 5, 0xff00_0000_0000_0000];
        let Outcome::Console(bytes) = call(CONSOLE_WRITE, &words) else { panic!("not a console write") };
        assert_eq!(bytes.get().len(), 48);
        assert_eq!(bytes.get()[..9], [1, 2, 3, 4, 5, 6, 7, 8, 0x11]);
        assert_eq!(bytes.get()[47], 0xff);
        let Outcome::Stream(bytes) = call(DEFMT_WRITE, &[9, 0x0807_0605_0403_0201, 0x19]) else { panic!("no stream") };
        assert_eq!(bytes.get(), [1, 2, 3, 4, 5, 6, 7, 8, 0x19]);
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for length in [0, 49, 1 << 32, u64::MAX] {
            assert_eq!(call(CONSOLE_WRITE, &[length]), x0(INVALID_PARAMETERS), "{length}");
            assert_eq!(call(DEFMT_WRITE, &[length]), x0(INVALID_PARAMETERS), "{length}");
        }
    }

    #[test]
    fn information_tells_version_and_virtual_cores() {
        for (which, fact) in [(0, 1), (1, 3), (2, 1)] {
            assert_eq!(call(INFORMATION, &[which]), Outcome::Return(Results::two(0, fact)));
        }
        assert_eq!(call(INFORMATION, &[99]), x0(INVALID_PARAMETERS));
    }

    #[test]
    fn information_tells_where_the_emulated_devices_are() {
        let facts = [(3, 3), (4, 0x800_0000), (6, 0x80a_0000), (7, 0x900_0000)];
        for (which, fact) in facts {
            assert_eq!(call(INFORMATION, &[which]), Outcome::Return(Results::two(0, fact)));
        }
        assert_eq!(call(INFORMATION, &[5]), x0(INVALID_PARAMETERS), "no CPU interface in memory");
    }

    #[test]
    fn the_vendor_range_identifies_itself() {
        let Outcome::Return(uid) = call(CALL_UID, &[]) else { panic!("no UID") };
        assert_eq!(uid.values(), UID.map(u64::from));
        assert_eq!(call(CALL_COUNT, &[]), x0(3));
    }
}
