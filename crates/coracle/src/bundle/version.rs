//! `/ociVersion`: which specification a config was written for.

use super::wrong;
use crate::error::Result;

/// Checks `version`, which must be a semantic version (semver.org, 2.0.0), such as `1.0.2` or `1.0.2-dev`, of
/// major 0 or 1. Returns the major number: what differs in a config of major 0 is for [`super::parse`].
///
/// # Errors
/// [`crate::Error::Config`] at `/ociVersion` for all else.
pub fn check(version: &str) -> Result<u32> {
    if version.is_empty() {
        return Err(wrong("/ociVersion", "is missing or empty; write \"1.3.0\""));
    }
    match major(version) {
        Some(major @ (0 | 1)) => Ok(major),
        Some(major) => Err(wrong(
            "/ociVersion",
            format!("{version:?}: version {major} is none we know; we know 0 and 1"),
        )),
        None => Err(wrong("/ociVersion", format!("{version:?} is no semantic version such as \"1.3.0\""))),
    }
}

/// The major number of a semantic version; `None` where it is none.
fn major(version: &str) -> Option<u32> {
    let (rest, build) = cut(version, '+');
    let (numbers, release) = cut(rest, '-');
    let parts: Vec<_> = numbers.split('.').collect();
    let is_fine = parts.len() == 3
        && parts.iter().all(|part| is_number(part))
        && release.is_none_or(|release| release.split('.').all(|part| is_number(part) || is_word(part)))
        && build.is_none_or(|build| build.split('.').all(|part| is_word(part) || is_digits(part)));
    if is_fine { parts[0].parse().ok() } else { None }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_digits(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_number(part: &str) -> bool {
    is_digits(part) && (part == "0" || !part.starts_with('0'))
}

/// Letters, digits and hyphens, at least one of them no digit.
fn is_word(part: &str) -> bool {
    let allowed = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    allowed && !part.is_empty() && !is_digits(part)
}
