//! `/ociVersion`: which specification a config was written for.

use semver::Version;

use super::wrong;
use crate::error::Result;

/// Checks `version`, which must be a semantic version (semver.org, 2.0.0), such as `1.0.2` or `1.0.2-dev`, of
/// major 0 or 1: within a major version, what is younger only adds (config.md, "Specification version"). Returns the
/// major number: what differs in a config of major 0 is for [`super::parse`].
///
/// # Errors
/// [`crate::Error::Config`] at `/ociVersion` for all else.
pub fn check(version: &str) -> Result<u64> {
    let fail = |problem: String| Err(wrong("/ociVersion", problem));
    match Version::parse(version) {
        Ok(Version { major: major @ (0 | 1), .. }) => Ok(major),
        Ok(Version { major, .. }) => {
            fail(format!("{version:?}: version {major} is none we know; we know 0 and 1"))
        }
        Err(_) if version.is_empty() => fail("is missing or empty; write \"1.3.0\"".into()),
        Err(error) => fail(format!("{version:?} is no semantic version such as \"1.3.0\": {error}")),
    }
}
