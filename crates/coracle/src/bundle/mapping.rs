//! `/linux/uidMappings` and `/linux/gidMappings`: who is who in a new user namespace.

use super::wrong;
use crate::config::{IdMapping, Linux};
use crate::error::Result;
use crate::explain::Explain;
use crate::mapping::{Mappings, Range};
use crate::namespace::{Kind, Namespaces};
use crate::user::Identity;

const UIDS: &str = "/linux/uidMappings";
const GIDS: &str = "/linux/gidMappings";

/// The mappings of a container with these `namespaces`.
///
/// # Errors
/// Mappings without a user namespace, or one without mappings; ranges that the kernel would refuse.
pub(super) fn mappings(linux: &Linux, namespaces: &Namespaces, explain: &Explain) -> Result<Mappings> {
    let (uids, gids) = (&linux.uid_mappings, &linux.gid_mappings);
    if namespaces.has(Kind::User) {
        return Ok(Mappings { uids: ranges(UIDS, uids)?, gids: ranges(GIDS, gids)? });
    }
    let joins = linux.namespaces.iter().any(|namespace| namespace.kind == Kind::User.name());
    for (pointer, listed) in [(UIDS, uids), (GIDS, gids)] {
        match (listed.is_empty(), joins) {
            (true, _) => {}
            (false, true) => {
                explain.warn(&format!("{pointer}: ignored, the joined user namespace has its own"))
            }
            (false, false) => {
                return Err(wrong(pointer, "needs a new user namespace in /linux/namespaces"));
            }
        }
    }
    Ok(Mappings::default())
}

/// The ranges of `listed`, checked as the kernel will check them (user_namespaces(7), "Defining user and group ID
/// mappings").
///
/// # Errors
/// At `pointer` for no ranges, an empty range, one that goes beyond the last id, two that overlap.
pub fn ranges(pointer: &str, listed: &[IdMapping]) -> Result<Vec<Range>> {
    let ranges = some(pointer, listed)?;
    match ranges.is_empty() {
        false => Ok(ranges),
        true => Err(wrong(pointer, "is missing or empty: a new user namespace knows nobody without it")),
    }
}

/// As [`ranges`], and there may be none.
///
/// # Errors
/// At `pointer` for an empty range, one that goes beyond the last id, two that overlap.
pub(super) fn some(pointer: &str, listed: &[IdMapping]) -> Result<Vec<Range>> {
    let mut ranges: Vec<Range> = Vec::new();
    for (n, found) in listed.iter().enumerate() {
        let at = |problem: &str| Err(wrong(format!("{pointer}/{n}"), problem));
        let range = Range { inside: found.container_id, outside: found.host_id, size: found.size };
        if range.size == 0 {
            return at("is empty: size must be 1 or more");
        }
        if range.inside.checked_add(range.size).is_none() || range.outside.checked_add(range.size).is_none() {
            return at("goes beyond the last id, 4294967294");
        }
        let overlap = |a: u32, b: u32, other: &Range| a < b + other.size && b < a + range.size;
        if ranges.iter().any(|o| overlap(range.inside, o.inside, o) || overlap(range.outside, o.outside, o)) {
            return at("overlaps with a range before it");
        }
        ranges.push(range);
    }
    Ok(ranges)
}

/// Checks that the process is somebody in its new user namespace.
///
/// # Errors
/// At the id that is not mapped.
pub(super) fn check_identity(mappings: &Mappings, identity: &Identity) -> Result<()> {
    let check = |pointer: String, id: u32, ranges: &[Range], of: &str| {
        let is_mapped = ranges.iter().any(|range| id >= range.inside && id - range.inside < range.size);
        let problem = || wrong(pointer, format!("{id} is in no range of {of}"));
        if ranges.is_empty() || is_mapped { Ok(()) } else { Err(problem()) }
    };
    check("/process/user/uid".into(), identity.uid, &mappings.uids, UIDS)?;
    check("/process/user/gid".into(), identity.gid, &mappings.gids, GIDS)?;
    identity
        .groups
        .iter()
        .enumerate()
        .try_for_each(|(n, id)| check(format!("/process/user/additionalGids/{n}"), *id, &mappings.gids, GIDS))
}
