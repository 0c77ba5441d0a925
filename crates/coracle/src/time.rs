//! Times as people and engines read them.

use std::time::{Duration, SystemTime};

/// Now, as RFC 3339 with nanoseconds: `2026-03-01T12:00:00.000000000Z`.
pub fn now() -> String {
    humantime::format_rfc3339_nanos(SystemTime::now()).to_string()
}

/// The time of day, UTC, with milliseconds: `12:00:00.000`.
pub fn of_day() -> String {
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    now["YYYY-MM-DDT".len()..].trim_end_matches('Z').to_owned()
}

/// A span of time as Go's programs write it, such as `5s`, `1m30s` or `1.5h`: numbers, each with a unit; `0` needs none.
/// `None` for anything else, and for what is below 0.
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    while !rest.is_empty() || text.is_empty() {
        let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
        let (number, behind) = rest.split_at(rest.find(|letter| !is_number(letter))?);
        let end = behind.find(is_number).unwrap_or(behind.len());
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &behind[..end])?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = &behind[end..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}
