//! The log's records on their way from a core to the UART.

pub mod ring;
