//! How long processes waited for something there was too little of (Documentation/accounting/psi.rst); version 2 only.

use serde::Serialize;

use super::{Folder, parse, text};

#[derive(Debug, Default, Serialize)]
pub(super) struct Pressure {
    some: Share,
    full: Share,
}

/// The share of the time in which some, or all, waited: in per cent, over so many seconds.
#[derive(Debug, Default, Serialize)]
struct Share {
    avg10: f64,
    avg60: f64,
    avg300: f64,
    /// In microseconds.
    total: u64,
}

/// A kernel without PSI has no such file, or (booted with psi=0) does not let it be read.
pub(super) fn read(folder: &Folder, file: &str) -> Option<Pressure> {
    let Ok(Some(text)) = text(folder, file) else { return None };
    let share = |which: &str| -> Share {
        let line = text.lines().find_map(|line| line.strip_prefix(which)).unwrap_or_default();
        let value = |name: &str| {
            line.split_whitespace().filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name)
        };
        let average = |name| value(name).and_then(|(_, value)| parse(value)).unwrap_or(0.0);
        Share {
            avg10: average("avg10"),
            avg60: average("avg60"),
            avg300: average("avg300"),
            total: value("total").and_then(|(_, value)| parse(value)).unwrap_or(0),
        }
    };
    Some(Pressure { some: share("some "), full: share("full ") })
}
