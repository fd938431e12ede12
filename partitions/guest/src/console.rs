//! The console that EL2 offers: text by hypercall, shown line by line with the partition's name.

use core::fmt::{self, Write};

use septum_plan::calls::CONSOLE_BYTES_MAX;

use crate::hypercall;

/// Gathers text into full calls; what is left goes out when it is dropped.
struct Writer {
    bytes: [u8; CONSOLE_BYTES_MAX],
    used: usize,
}

impl Writer {
    const fn new() -> Self {
        Self { bytes: [0; CONSOLE_BYTES_MAX], used: 0 }
    }

    fn flush(&mut self) {
        hypercall::console_write(self.bytes.get(..self.used).unwrap_or(&[]));
        self.used = 0;
    }
}

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if let Some(place) = self.bytes.get_mut(self.used) {
                *place = byte;
                self.used += 1;
            }
            if self.used == CONSOLE_BYTES_MAX {
                self.flush();
            }
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes formatted text; what [`print!`](crate::print) calls.
pub fn print(text: fmt::Arguments<'_>) {
    // The writer itself never fails; a failing `Display` loses its own text only.
    let _ = Writer::new().write_fmt(text);
}

/// Writes formatted text and a line end; what [`println!`](crate::println) calls.
pub fn print_line(text: fmt::Arguments<'_>) {
    let mut writer = Writer::new();
    let _ = writer.write_fmt(text).and_then(|()| writer.write_str("\n"));
}

/// Prints to the partition's console.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::console::print(format_args!($($argument)*)) };
}

/// Prints a line to the partition's console.
#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => { $crate::console::print_line(format_args!($($argument)*)) };
}
