//! Reading and writing of disks.

use serde::Serialize;

use super::pressure::{self, Pressure};
use super::{Cgroup, Folder, is_nothing, parse, text};
use crate::error::Result;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blkio {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_queue_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_time_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_wait_time_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_merged_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_time_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sectors_recursive: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

/// A number of one device.
#[derive(Debug, Serialize)]
struct Entry {
    #[serde(skip_serializing_if = "is_nothing")]
    major: u64,
    #[serde(skip_serializing_if = "is_nothing")]
    minor: u64,
    /// Of what: `Read`, `Write`, `Total` and others; empty where the device has one number.
    #[serde(skip_serializing_if = "String::is_empty")]
    op: String,
    #[serde(skip_serializing_if = "is_nothing")]
    value: u64,
}

pub(super) fn read(cgroup: &Cgroup) -> Result<Blkio> {
    if let Some(folder) = cgroup.v1("blkio") {
        return of_v1(folder);
    }
    let Some(folder) = cgroup.v2() else { return Ok(Blkio::default()) };
    let stat = text(folder, "io.stat")?.unwrap_or_default();
    Ok(Blkio {
        io_service_bytes_recursive: pairs(&stat, "rbytes", "wbytes"),
        io_serviced_recursive: pairs(&stat, "rios", "wios"),
        psi: pressure::read(folder, "io.pressure"),
        ..Blkio::default()
    })
}

/// Which files count depends on the disk's scheduler: the first of them that has lines is the one.
fn of_v1(folder: &Folder) -> Result<Blkio> {
    let read = |name: &str| -> Result<Vec<Entry>> {
        for file in ["bfq.", "", "throttle."].map(|who| format!("blkio.{who}{name}_recursive")) {
            let text = text(folder, &file)?.unwrap_or_default();
            if !text.is_empty() {
                return Ok(text.lines().filter_map(line).collect());
            }
        }
        // An old kernel throttles without looking below.
        let text = text(folder, &format!("blkio.throttle.{name}"))?.unwrap_or_default();
        Ok(text.lines().filter_map(line).collect())
    };
    Ok(Blkio {
        io_service_bytes_recursive: read("io_service_bytes")?,
        io_serviced_recursive: read("io_serviced")?,
        io_queue_recursive: read("io_queued")?,
        io_service_time_recursive: read("io_service_time")?,
        io_wait_time_recursive: read("io_wait_time")?,
        io_merged_recursive: read("io_merged")?,
        io_time_recursive: read("time")?,
        sectors_recursive: read("sectors")?,
        psi: None,
    })
}

/// A line of version 1: `MAJOR:MINOR [OP] VALUE`. That of the sum over all devices is none.
fn line(line: &str) -> Option<Entry> {
    let (device, rest) = line.split_once(' ')?;
    let (op, value) = rest.rsplit_once(' ').unwrap_or(("", rest));
    let (major, minor) = device.split_once(':')?;
    Some(Entry { major: parse(major)?, minor: parse(minor)?, op: op.to_owned(), value: parse(value)? })
}

/// Two of the numbers in the lines of version 2: `MAJOR:MINOR rbytes=N wbytes=N rios=N ...`.
fn pairs(stat: &str, read: &str, write: &str) -> Vec<Entry> {
    let of_line = |line| -> Vec<Entry> {
        let Some((device, rest)) = str::split_once(line, ' ') else { return Vec::new() };
        let pair = |word: &str| {
            let (name, value) = word.split_once('=')?;
            let op = if name == read { "Read" } else { "Write" };
            let counts = name == read || name == write;
            self::line(&format!("{device} {op} {value}")).filter(|_| counts)
        };
        rest.split_whitespace().filter_map(pair).collect()
    };
    stat.lines().flat_map(of_line).collect()
}
