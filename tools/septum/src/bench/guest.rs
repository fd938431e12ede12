//! The rows that the partition `bench` measures from inside and prints on its console.

use std::io::Read;
use std::os::unix::net::UnixStream;

use super::BenchError;
use super::machine::Prepared;
use super::report::Row;
use crate::log::decoder::Decoder;
use crate::log::legend::Legend;
use crate::log::line::{Kind, Line};
use crate::log::stream::LogStream;

/// What each line of the partition begins with.
const PREFIX: &str = "bench: ";
/// Its last line, without the prefix.
const END: &str = "done";
/// What EL2 says when nothing runs any more.
const ALL_ENDED: &str = "all partitions have ended";

/// Runs the partition to its end; its rows.
///
/// # Errors
/// The machine is lost, or the partition did not come to its end.
pub fn measure(prepared: &Prepared) -> Result<Vec<Row>, BenchError> {
    let index = prepared.log_line()?;
    let mut machine = prepared.start(&[index], Vec::new(), false)?;
    let log = machine.serials.remove(&index).ok_or_else(|| prepared.unfinished("no serial line"))?;
    let lines = read_log(prepared, log)?;
    let texts: Vec<_> = lines.iter().filter(|line| line.kind == Kind::Console).map(|line| &*line.text).collect();
    if !texts.contains(&&*format!("{PREFIX}{END}")) {
        return Err(prepared.unfinished("the partition did not come to its end"));
    }
    Ok(texts.iter().filter_map(|text| row(text)).collect())
}

/// The log until EL2 has said that all is over, or the machine is off.
///
/// # Errors
/// The line is broken.
pub fn read_log(prepared: &Prepared, mut log: UnixStream) -> Result<Vec<Line>, BenchError> {
    let legend = Legend::new(&prepared.built.system, &prepared.built.el2);
    let mut stream = LogStream::new(legend, |elf| Box::new(Decoder::new(elf)));
    let (mut lines, mut bytes) = (Vec::new(), [0; 4096]);
    while let count @ 1.. = log.read(&mut bytes)? {
        lines.extend(stream.push(bytes.get(..count).unwrap_or_default()));
        if lines.iter().any(|line| line.text.contains(ALL_ENDED)) {
            break;
        }
    }
    lines.extend(stream.end());
    Ok(lines)
}

/// The row of a line `bench: NAME min A median B max C` or `bench: NAME A`.
fn row(line: &str) -> Option<Row> {
    let words: Vec<_> = line.strip_prefix(PREFIX)?.split_whitespace().collect();
    match *words {
        [name, "min", minimum, "median", median, "max", maximum] => Some(Row {
            minimum: minimum.parse().ok()?,
            median: median.parse().ok()?,
            maximum: maximum.parse().ok()?,
            ..Row::single(name, 0)
        }),
        [name, value] => Some(Row::single(name, value.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_from_the_partitions_lines() {
        let read = row("bench: null-hypercall min 39 median 40 max 41").unwrap();
        assert_eq!((&*read.name, read.minimum, read.median, read.maximum), ("null-hypercall", 39, 40, 41));
        assert_eq!(row("bench: compute-16m 0"), Some(Row::single("compute-16m", 0)));
        assert_eq!(row("bench: done"), None);
        assert_eq!(row("bench: second core: denied"), None);
    }
}
