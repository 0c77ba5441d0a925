//! Device rules as systemd has them: a list of what is allowed, and all else is denied.

use zbus::Variant;

use super::super::devices::{Access, Rule};
use super::properties::Property;

/// `DevicePolicy` and `DeviceAllow` for `rules`. systemd can deny nothing that is part of what it allows, and for a rule about
/// a minor number alone it has no words: there it allows more than the rules. Its program is asked beside ours, which knows
/// them all: a device must be allowed by both.
pub(super) fn properties(rules: &[Rule]) -> Vec<Property> {
    let mut everything = false;
    let mut allowed: Vec<(String, String)> = Vec::new();
    for rule in rules {
        let is_all = (rule.kind, rule.major, rule.minor, rule.access) == ('a', None, None, Access::ALL);
        if is_all {
            everything = rule.allow;
            allowed.clear();
        } else if rule.allow {
            allowed.extend(entries(rule));
        }
    }
    if everything {
        return vec![("DevicePolicy", "auto".into())];
    }
    vec![("DevicePolicy", "strict".into()), ("DeviceAllow", Variant::new(allowed))]
}

/// What is allowed, and for which access: `r`, `w` and `m`.
fn entries(rule: &Rule) -> Vec<(String, String)> {
    let kinds = match rule.kind {
        'b' => &["block"][..],
        'c' => &["char"],
        _ => &["block", "char"],
    };
    let letters = [(Access::READ, 'r'), (Access::WRITE, 'w'), (Access::MKNOD, 'm')];
    let access: String =
        letters.iter().filter(|(bit, _)| rule.access.0 & bit.0 != 0).map(|(_, letter)| letter).collect();
    let name = |kind: &&str| match (rule.major, rule.minor) {
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
        (Some(major), None) => format!("{kind}-{major}"),
        (None, _) => format!("{kind}-*"),
    };
    kinds.iter().map(|kind| (name(kind), access.clone())).collect()
}
