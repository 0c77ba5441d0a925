//! Times as people and engines read them.

use std::time::SystemTime;

/// Now, as RFC 3339 with nanoseconds: `2026-03-01T12:00:00.000000000Z`.
pub fn now() -> String {
    humantime::format_rfc3339_nanos(SystemTime::now()).to_string()
}

/// The time of day, UTC, with milliseconds: `12:00:00.000`.
pub fn of_day() -> String {
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    now["YYYY-MM-DDT".len()..].trim_end_matches('Z').to_owned()
}
