//! Calls that nobody offers, with arguments that make no sense.

use septum_guest::hypercall::{hvc, smc};
use septum_guest::println;
use septum_plan::calls;

const NONSENSE: [u64; 7] = [u64::MAX, 0x8000_0000_0000_0000, 0xdead_beef, 1, 0x5555_5555_5555_5555, 0, u64::MAX - 7];
/// Functions of each range that are tried: the first ones, and the queries at its end.
const FUNCTIONS: [core::ops::Range<u32>; 2] = [0..0x30, 0xff00..0xff10];
/// Calls that end or put to sleep the caller, as they should.
const ENDING: [u32; 6] = [
    calls::CPU_SUSPEND_32,
    calls::CPU_SUSPEND_64,
    calls::CPU_OFF,
    calls::SYSTEM_OFF,
    calls::SYSTEM_RESET,
    SYSTEM_RESET2_32,
];
/// SYSTEM_RESET2 (DEN0022D 5.12), which EL2 does not answer, of SMC32 and SMC64.
const SYSTEM_RESET2_32: u32 = 0x8400_0012;
const SYSTEM_RESET2_64: u32 = SYSTEM_RESET2_32 | calls::SMC64;

/// Every owner, fast and yielding, 32 and 64 bits, by HVC and by SMC.
pub fn sweep() {
    let mut refused = 0_u32;
    let mut made = 0_u32;
    for high in 0..=0xff_u32 {
        for function in FUNCTIONS.into_iter().flatten() {
            let number = high << 24 | function;
            if ENDING.contains(&number) || number == SYSTEM_RESET2_64 {
                continue;
            }
            for answer in [hvc(number, NONSENSE), smc(number, NONSENSE)] {
                made += 1;
                refused += u32::from((answer[0] as i32) < 0);
            }
        }
    }
    println!("hostile: {made} calls, {refused} refused");
}

/// CPU_ON and AFFINITY_INFO for cores that are not there, by every form of MPIDR.
pub fn start_everybody() {
    let mut accepted = 0_u32;
    for index in 1..256_u64 {
        for mpidr in [index << 8, index << 16, index << 32, 0x8000_0000 | index << 8, u64::MAX - index] {
            for number in [calls::CPU_ON_64, calls::CPU_ON_32, calls::AFFINITY_INFO_64, calls::AFFINITY_INFO_32] {
                let answer = hvc(number, [mpidr, 0x4000_0001, 0, 0, 0, 0, 0]);
                accepted += u32::from(answer[0] as i32 >= 0);
            }
        }
    }
    println!("hostile: {accepted} foreign cores answered for");
}
