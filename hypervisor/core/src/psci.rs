//! PSCI 1.1 (Arm DEN0022D) and SMCCC 1.2 (DEN0028) as a partition sees them: what each call is to do, apart from doing it.

use septum_plan::affinity::AFFINITY;
use septum_plan::calls::{
    ALREADY_ON, Firmware, INVALID_ADDRESS, INVALID_PARAMETERS, NOT_SUPPORTED, ON_PENDING, SMC64, SUCCESS,
};

/// PSCI_VERSION's answer: 1.1.
pub const VERSION_1_1: i64 = 1 << 16 | 1;
/// SMCCC_VERSION's answer: 1.2.
pub const SMCCC_1_2: i64 = 1 << 16 | 2;

/// MIGRATE_INFO_TYPE: there is no Trusted OS to migrate.
const NOTHING_TO_MIGRATE: i64 = 2;
/// Bits of a power state, original format, that must be zero: 31:26 and 23:17 (DEN0022D 5.4.2).
const POWER_STATE_RESERVED: u64 = 0xfcfe_0000;
/// A power state's type: power-down, not standby.
const POWER_STATE_DOWN: u64 = 1 << 16;

/// What PSCI knows of a virtual core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuState {
    /// Runs, or sleeps in WFI.
    On,
    /// Must be started.
    Off,
    /// Has been started but has not arrived.
    OnPending,
}

impl CpuState {
    /// AFFINITY_INFO's answer (DEN0022D 5.7).
    const fn code(self) -> i64 {
        match self {
            Self::On => 0,
            Self::Off => 1,
            Self::OnPending => 2,
        }
    }
}

/// The partition that calls, as far as PSCI needs to know it.
pub trait Partition {
    /// How many virtual cores it has.
    fn vcpus(&self) -> u16;
    /// How far virtual core `vcpu` is; `vcpu` is below [`Partition::vcpus`].
    fn state(&self, vcpu: u16) -> CpuState;
    /// Whether a core may start at `ipa`: memory of the partition that it may execute.
    fn is_executable(&self, ipa: u64) -> bool;
    /// Whether the board's firmware answers SMCCC calls.
    fn has_firmware(&self) -> bool;
}

/// How a partition ends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// SYSTEM_OFF.
    SystemOff,
    /// CPU_OFF on the last core that was on.
    LastCoreOff,
}

impl End {
    /// What the log says.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SystemOff => "SYSTEM_OFF",
            Self::LastCoreOff => "CPU_OFF of its last core",
        }
    }
}

/// What to do about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Go on with this in x0.
    Return(i64),
    /// Start a virtual core that is off; if another core wins the race for it, answer [`ON_PENDING`].
    CpuOn {
        /// Which.
        vcpu: u16,
        /// Where: an intermediate address.
        entry: u64,
        /// Its x0.
        context: u64,
    },
    /// Switch the calling core off.
    CpuOff,
    /// Wait for an interrupt, then go on with SUCCESS.
    Standby,
    /// Wait for an interrupt, then go on at an entry point.
    PowerDown {
        /// Where: an intermediate address.
        entry: u64,
        /// x0 there.
        context: u64,
    },
    /// The partition ends itself.
    End(End),
    /// The partition starts anew from its pristine image.
    Restart,
    /// Ask the firmware the same, x0 to x3, and go on with its x0.
    Forward,
    /// No call of PSCI's or the architecture's.
    Unknown,
}

/// VMPIDR_EL2's affinity of virtual core `vcpu`.
pub const fn affinity(vcpu: u16) -> u64 {
    septum_plan::virtual_affinity(vcpu as usize)
}

/// What to do about the call `x`, x0 to at least x3.
pub fn decide(x: &[u64], partition: &impl Partition) -> Action {
    let number = x.first().copied().unwrap_or(0) as u32;
    let Some(call) = Firmware::of(number) else { return Action::Unknown };
    // The SMC32 form of a call takes 32 bits of each argument, and so does a call that has no other.
    let mask = if number & SMC64 == 0 { 0xffff_ffff } else { u64::MAX };
    let argument = |index| x.get(index).copied().unwrap_or(0) & mask;
    match call {
        Firmware::PsciVersion => Action::Return(VERSION_1_1),
        Firmware::CpuSuspend => cpu_suspend(argument(1) & 0xffff_ffff, argument(2), argument(3), partition),
        Firmware::CpuOff => Action::CpuOff,
        Firmware::CpuOn => cpu_on(argument(1), argument(2), argument(3), partition),
        Firmware::AffinityInfo => Action::Return(affinity_info(argument(1), argument(2) & 0xffff_ffff, partition)),
        Firmware::MigrateInfoType => Action::Return(NOTHING_TO_MIGRATE),
        Firmware::SystemOff => Action::End(End::SystemOff),
        Firmware::SystemReset => Action::Restart,
        Firmware::PsciFeatures => Action::Return(features(argument(1) as u32)),
        Firmware::SmcccVersion => Action::Return(SMCCC_1_2),
        Firmware::SmcccArchFeatures => arch_features(argument(1) as u32, partition),
        Firmware::SmcccArchWorkaround1
        | Firmware::SmcccArchWorkaround2
        | Firmware::SmcccArchWorkaround3
        | Firmware::SmcccArchWorkaround4 => forward(partition),
        Firmware::Trng => Action::Return(NOT_SUPPORTED),
    }
}

/// DEN0022D 5.4. The level says how much may go to sleep at most, and the state's number which of the platform's states it
/// is: here the core sleeps alone and in one way, as platform-coordinated mode allows (4.2.3.1). From a power-down a
/// core goes on at the entry point even though nothing was lost: Linux takes a return for a failure.
fn cpu_suspend(power_state: u64, entry: u64, context: u64, partition: &impl Partition) -> Action {
    if power_state & POWER_STATE_RESERVED != 0 {
        Action::Return(INVALID_PARAMETERS)
    } else if power_state & POWER_STATE_DOWN == 0 {
        Action::Standby
    } else if is_entry(entry, partition) {
        Action::PowerDown { entry, context }
    } else {
        Action::Return(INVALID_ADDRESS)
    }
}

/// DEN0022D 5.6.
fn cpu_on(target: u64, entry: u64, context: u64, partition: &impl Partition) -> Action {
    let Some(vcpu) = vcpu_at(target, partition) else { return Action::Return(INVALID_PARAMETERS) };
    match partition.state(vcpu) {
        CpuState::On => Action::Return(ALREADY_ON),
        CpuState::OnPending => Action::Return(ON_PENDING),
        CpuState::Off if is_entry(entry, partition) => Action::CpuOn { vcpu, entry, context },
        CpuState::Off => Action::Return(INVALID_ADDRESS),
    }
}

/// Whether a core may go on at `entry`, in AArch64.
fn is_entry(entry: u64, partition: &impl Partition) -> bool {
    entry & 0b11 == 0 && partition.is_executable(entry)
}

/// DEN0022D 5.7. At a level above 0 the affinity fields below it are ignored, and the group is as far as its furthest
/// core.
fn affinity_info(target: u64, level: u64, partition: &impl Partition) -> i64 {
    let mask = match level {
        0 => AFFINITY,
        1 => AFFINITY & !0xff,
        2 => AFFINITY & !0xffff,
        3 => AFFINITY & !0xff_ffff,
        _ => return INVALID_PARAMETERS,
    };
    if target & !AFFINITY != 0 {
        return INVALID_PARAMETERS;
    }
    let group = (0..partition.vcpus()).filter(|vcpu| (affinity(*vcpu) ^ target) & mask == 0);
    let codes = group.map(|vcpu| partition.state(vcpu).code());
    // On (0) outdoes on-pending (2), which outdoes off (1).
    codes.min_by_key(|code| [0, 2, 1].get(*code as usize).copied().unwrap_or(3)).unwrap_or(INVALID_PARAMETERS)
}

fn vcpu_at(target: u64, partition: &impl Partition) -> Option<u16> {
    (0..partition.vcpus()).find(|vcpu| affinity(*vcpu) == target)
}

/// DEN0022D 5.15: 0 for what there is; CPU_SUSPEND's flags are 0 too, the original format and platform-coordinated.
const fn features(number: u32) -> i64 {
    use Firmware::*;
    match Firmware::of(number) {
        None
        | Some(
            SmcccArchFeatures | SmcccArchWorkaround1 | SmcccArchWorkaround2 | SmcccArchWorkaround3
            | SmcccArchWorkaround4 | Trng,
        ) => NOT_SUPPORTED,
        Some(
            PsciVersion | CpuSuspend | CpuOff | CpuOn | AffinityInfo | MigrateInfoType | SystemOff | SystemReset
            | PsciFeatures | SmcccVersion,
        ) => SUCCESS,
    }
}

/// DEN0028 7.3. Whoever asks for the True Random Number Generator, as every Linux does, is told that it is not there.
fn arch_features(number: u32, partition: &impl Partition) -> Action {
    use Firmware::*;
    match Firmware::of(number) {
        Some(SmcccVersion | SmcccArchFeatures) => Action::Return(SUCCESS),
        Some(SmcccArchWorkaround1 | SmcccArchWorkaround2 | SmcccArchWorkaround3 | SmcccArchWorkaround4) => {
            forward(partition)
        }
        _ => Action::Return(NOT_SUPPORTED),
    }
}

fn forward(partition: &impl Partition) -> Action {
    if partition.has_firmware() { Action::Forward } else { Action::Return(NOT_SUPPORTED) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CpuState::{Off, On, OnPending};
    use septum_plan::calls::*;

    /// SMCCC_ARCH_WORKAROUND_1 to 4.
    const WORKAROUNDS: [u32; 4] =
        [SMCCC_ARCH_WORKAROUND_1, SMCCC_ARCH_WORKAROUND_2, SMCCC_ARCH_WORKAROUND_3, SMCCC_ARCH_WORKAROUND_4];

    struct Fake {
        states: Vec<CpuState>,
        firmware: bool,
    }

    impl Partition for Fake {
        fn vcpus(&self) -> u16 {
            self.states.len() as u16
        }
        fn state(&self, vcpu: u16) -> CpuState {
            self.states[usize::from(vcpu)]
        }
        fn is_executable(&self, ipa: u64) -> bool {
            (0x4000_0000..0x5000_0000).contains(&ipa)
        }
        fn has_firmware(&self) -> bool {
            self.firmware
        }
    }

    fn ask(states: &[CpuState], x: &[u64]) -> Action {
        decide(x, &Fake { states: states.to_vec(), firmware: false })
    }

    fn cpu_on(states: &[CpuState], target: u64, entry: u64) -> Action {
        ask(states, &[CPU_ON_64.into(), target, entry, 77])
    }

    #[test]
    fn cpu_on_starts_a_core_that_is_off() {
        assert_eq!(cpu_on(&[On, Off], 1, 0x4000_0000), Action::CpuOn { vcpu: 1, entry: 0x4000_0000, context: 77 });
    }

    #[test]
    fn cpu_on_takes_32_bits_of_each_argument_in_its_smc32_form() {
        let high = 0xffff_ffff_0000_0000;
        let x = [CPU_ON_32.into(), high | 1, high | 0x4000_0000, high | 7];
        assert_eq!(ask(&[On, Off], &x), Action::CpuOn { vcpu: 1, entry: 0x4000_0000, context: 7 });
    }

    #[test]
    fn cpu_on_gives_every_error_of_the_specification() {
        let refused = Action::Return;
        assert_eq!(cpu_on(&[On, On], 1, 0x4000_0000), refused(ALREADY_ON));
        assert_eq!(cpu_on(&[On], 0, 0x4000_0000), refused(ALREADY_ON));
        assert_eq!(cpu_on(&[On, OnPending], 1, 0x4000_0000), refused(ON_PENDING));
        for foreign in [2, 16, 1 << 8, 1 << 31 | 1, 1 << 32, u64::MAX] {
            assert_eq!(cpu_on(&[On, Off], foreign, 0x4000_0000), refused(INVALID_PARAMETERS), "{foreign:#x}");
        }
        for entry in [0, 0x4000_0002, 0x5000_0000, u64::MAX] {
            assert_eq!(cpu_on(&[On, Off], 1, entry), refused(INVALID_ADDRESS), "{entry:#x}");
        }
    }

    #[test]
    fn affinities_are_contiguous_and_sixteen_to_a_cluster() {
        assert_eq!([0, 1, 15, 16, 17, 35].map(affinity), [0, 1, 15, 0x100, 0x101, 0x203]);
    }

    #[test]
    fn affinity_info_tells_cores_and_clusters() {
        let info = |states: &[CpuState], target, level| ask(states, &[AFFINITY_INFO_64.into(), target, level]);
        assert_eq!(info(&[On, Off, OnPending], 0, 0), Action::Return(0));
        assert_eq!(info(&[On, Off, OnPending], 1, 0), Action::Return(1));
        assert_eq!(info(&[On, Off, OnPending], 2, 0), Action::Return(2));
        assert_eq!(info(&[On, Off, OnPending], 3, 0), Action::Return(INVALID_PARAMETERS));
        assert_eq!(info(&[On, Off], 0, 4), Action::Return(INVALID_PARAMETERS));
        assert_eq!(info(&[On, Off], 1 << 31, 1), Action::Return(INVALID_PARAMETERS));
        assert_eq!(info(&[Off, Off, On], 0x55, 1), Action::Return(0));
        assert_eq!(info(&[Off, Off, OnPending], 0, 2), Action::Return(2));
        assert_eq!(info(&[Off, Off], 0, 3), Action::Return(1));
        assert_eq!(info(&[Off, Off], 0x100, 1), Action::Return(INVALID_PARAMETERS));
    }

    #[test]
    fn a_power_state_is_standby_or_power_down_unless_a_reserved_bit_is_set() {
        for bit in 0..32 {
            let expected = match bit {
                0..=15 | 24 | 25 => Action::Standby,
                16 => Action::PowerDown { entry: 0x4000_0000, context: 77 },
                _ => Action::Return(INVALID_PARAMETERS),
            };
            let x = [CPU_SUSPEND_64.into(), 0xffff_ffff << 32 | 1 << bit, 0x4000_0000, 77];
            assert_eq!(ask(&[On], &x), expected, "bit {bit}");
        }
        let x = [CPU_SUSPEND_64.into(), 0, u64::MAX, 77];
        assert_eq!(ask(&[On], &x), Action::Standby, "standby has no entry point");
    }

    #[test]
    fn a_power_down_needs_an_entry_point_that_cpu_on_would_take() {
        for entry in [0, 0x4000_0001, 0x4000_0002, 0x5000_0000, u64::MAX, 1 << 32 | 0x4000_0000] {
            let x = [CPU_SUSPEND_64.into(), 0x101_0033, entry, 77];
            assert_eq!(ask(&[On], &x), Action::Return(INVALID_ADDRESS), "{entry:#x}");
        }
        let high = 0xffff_ffff_0000_0000;
        let x = [CPU_SUSPEND_32.into(), high | 1 << 16, high | 0x4000_0000, high | 7];
        assert_eq!(ask(&[On], &x), Action::PowerDown { entry: 0x4000_0000, context: 7 });
    }

    #[test]
    fn features_agree_with_what_is_answered() {
        for number in (0x8400_0000..0x8400_0040).chain(0xc400_0000..0xc400_0040) {
            let known = ask(&[On], &[number]) != Action::Unknown;
            let told = ask(&[On], &[PSCI_FEATURES.into(), number]) == Action::Return(SUCCESS);
            assert_eq!(known, told, "{number:#x}");
        }
        assert_eq!(ask(&[On], &[PSCI_FEATURES.into(), SMCCC_VERSION.into()]), Action::Return(SUCCESS));
    }

    #[test]
    fn workarounds_are_the_firmware_s_where_there_is_one() {
        let with_firmware = Fake { states: vec![On], firmware: true };
        for number in WORKAROUNDS.map(u64::from) {
            assert_eq!(decide(&[number], &with_firmware), Action::Forward);
            assert_eq!(decide(&[SMCCC_ARCH_FEATURES.into(), number], &with_firmware), Action::Forward);
            assert_eq!(ask(&[On], &[number]), Action::Return(NOT_SUPPORTED));
            assert_eq!(ask(&[On], &[SMCCC_ARCH_FEATURES.into(), number]), Action::Return(NOT_SUPPORTED));
        }
    }

    #[test]
    fn the_rest_of_psci_is_unknown() {
        // MIGRATE, SYSTEM_RESET2, MEM_PROTECT.
        for number in [0x8400_0005, 0xc400_0012, 0x8400_0012, 0x8400_0013] {
            assert_eq!(ask(&[On], &[number]), Action::Unknown, "{number:#x}");
        }
        // TRNG_VERSION, TRNG_FEATURES, TRNG_RND64.
        for number in [0x8400_0050, 0x8400_0051, 0xc400_0053] {
            assert_eq!(ask(&[On], &[number]), Action::Return(NOT_SUPPORTED), "{number:#x}");
        }
        assert_eq!(ask(&[On], &[MIGRATE_INFO_TYPE.into()]), Action::Return(2));
        assert_eq!(ask(&[On], &[PSCI_VERSION.into()]), Action::Return(0x1_0001));
        assert_eq!(ask(&[On], &[CPU_OFF.into()]), Action::CpuOff);
        assert_eq!(ask(&[On], &[SYSTEM_OFF.into()]), Action::End(End::SystemOff));
        assert_eq!(ask(&[On], &[SYSTEM_RESET.into()]), Action::Restart);
    }
}
