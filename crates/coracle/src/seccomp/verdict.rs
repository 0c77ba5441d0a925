//! From a profile to a verdict on every number of an architecture's calls.

use std::collections::BTreeMap;

use super::arch::{Arch, X32_BIT};
use super::{Condition, Operator, Profile, Rule, action, table};

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An answer (`SECCOMP_RET_*`), whatever its arguments.
    Answer(u32),
    /// That of the first of these whose conditions all hold; where none does, the profile's default.
    Ask(Vec<(Vec<Condition>, u32)>),
}

/// The verdict on all numbers from `first` to the next range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first number.
    pub first: u32,
    /// What becomes of these calls.
    pub verdict: Verdict,
}

/// "Function not implemented", as libraries expect it from a kernel that is older than a call.
const NOT_IMPLEMENTED: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// The verdicts of `profile` on the calls of `architectures`, which share one number in `seccomp_data.arch`, cut into as few
/// ranges as there can be: the first begins at 0, each ends where the next one begins, the last at 2^32 - 1, and no two
/// neighbours are the same.
pub fn ranges(profile: &Profile, architectures: &[Arch]) -> Vec<Range> {
    let mut all = BTreeMap::new();
    for arch in architectures {
        all.append(&mut of_one(profile, *arch));
    }
    if architectures.contains(&Arch::X86_64) {
        // As libseccomp has it, an x32 call is one of another architecture. -1 is what a tracer makes of a call that it
        // skips, and is none of x32.
        let last = rest(profile, Arch::X86_64)(u32::MAX);
        if !architectures.contains(&Arch::X32) {
            all.insert(X32_BIT, Verdict::Answer(super::OTHER_ARCHITECTURE));
        }
        all.insert(u32::MAX, last);
    }
    let mut ranges: Vec<Range> = Vec::new();
    for (first, verdict) in all {
        if ranges.last().is_none_or(|last| last.verdict != verdict) {
            ranges.push(Range { first, verdict });
        }
    }
    ranges
}

/// Where verdicts begin to differ, by their first numbers.
fn of_one(profile: &Profile, arch: Arch) -> BTreeMap<u32, Verdict> {
    let rules = by_number(profile, arch);
    let own = table::own(arch);
    let rest = rest(profile, arch);
    let least = if arch == Arch::X32 { X32_BIT } else { 0 };
    let mut cuts = vec![least, own.start, own.end];
    cuts.extend(newest(profile, arch).map(|newest| newest + 1));
    cuts.extend(rules.keys().flat_map(|number| [*number, number + 1]));
    cuts.retain(|number| *number >= least);
    let verdict = |number: u32| rules.get(&number).cloned().unwrap_or_else(|| rest(number));
    cuts.into_iter().map(|number| (number, verdict(number))).collect()
}

/// The verdict on calls that no rule is about. Where the default forbids: what the kernel has and the profile's author had not is
/// "not there", rather than forbidden, so that a library falls back to what was there before (as runc has it,
/// libcontainer/seccomp/patchbpf).
fn rest(profile: &Profile, arch: Arch) -> impl Fn(u32) -> Verdict {
    let (default, own) = (profile.default, table::own(arch));
    let newest = newest(profile, arch).filter(|_| !action::lets_through(default));
    move |number| match newest {
        Some(newest) if number > newest && !own.contains(&number) => Verdict::Answer(NOT_IMPLEMENTED),
        _ => Verdict::Answer(default),
    }
}

/// The newest call that the profile says anything of, by its number: they are given in the order of time, but for an
/// architecture's own.
fn newest(profile: &Profile, arch: Arch) -> Option<u32> {
    let own = table::own(arch);
    let numbers =
        profile.rules.iter().flat_map(|rule| &rule.names).filter_map(|name| table::number(arch, name));
    numbers.filter(|number| !own.contains(number)).max()
}

/// The verdicts on the calls that the profile has rules for, as libseccomp puts them together: a rule without conditions goes
/// before all that have some, and the first of those without before others; a rule whose answer is the default's says
/// nothing.
fn by_number(profile: &Profile, arch: Arch) -> BTreeMap<u32, Verdict> {
    let mut verdicts = BTreeMap::new();
    // On s390 it stands for all calls whose number does not fit, known or not; it does nothing else since long ago.
    if arch == Arch::S390x && !action::lets_through(profile.default) {
        verdicts.insert(0, Verdict::Answer(NOT_IMPLEMENTED));
    }
    for rule in profile.rules.iter().filter(|rule| rule.action != profile.default) {
        for name in &rule.names {
            if let Some(number) = table::number(arch, name) {
                add(&mut verdicts, number, alternatives(&rule.conditions), rule.action);
            }
            if let Some(detour) = table::detour(arch, name)
                && applies_to_detours(rule, profile)
            {
                let which = Condition {
                    index: 0,
                    operator: Operator::MaskedEqual,
                    value: detour.mask,
                    second: detour.which,
                };
                add(&mut verdicts, detour.call, vec![vec![which]], rule.action);
            }
        }
    }
    verdicts
}

/// Behind socketcall(2) the arguments are in memory, where no filter can look. A rule that asks for them is then one for all
/// of these calls where it forbids, and for none where it permits.
fn applies_to_detours(rule: &Rule, profile: &Profile) -> bool {
    rule.conditions.is_empty() || !action::lets_through(rule.action) || action::lets_through(profile.default)
}

/// The lists of conditions that a rule stands for. As runc has it: where two ask for the same argument, each is a rule of its
/// own, and one of them is enough.
fn alternatives(conditions: &[Condition]) -> Vec<Vec<Condition>> {
    let again = |n: usize| conditions[..n].iter().any(|before| before.index == conditions[n].index);
    if (0..conditions.len()).any(again) {
        return conditions.iter().map(|one| vec![*one]).collect();
    }
    vec![conditions.to_vec()]
}

fn add(verdicts: &mut BTreeMap<u32, Verdict>, number: u32, alternatives: Vec<Vec<Condition>>, answer: u32) {
    for conditions in alternatives {
        match verdicts.get_mut(&number) {
            Some(Verdict::Answer(_)) => {}
            Some(verdict) if conditions.is_empty() => *verdict = Verdict::Answer(answer),
            Some(Verdict::Ask(rules)) => rules.push((conditions, answer)),
            None if conditions.is_empty() => drop(verdicts.insert(number, Verdict::Answer(answer))),
            None => drop(verdicts.insert(number, Verdict::Ask(vec![(conditions, answer)]))),
        }
    }
}
