//! A panic ends the partition: its place and message go to the console.

use core::panic::PanicInfo;

use crate::{println, psci};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    psci::system_off()
}
