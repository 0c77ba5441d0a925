//! What a profile says, read without making a program of it.

use std::collections::BTreeSet;

use coracle::bundle::seccomp::profile;
use coracle::config::Seccomp;
use coracle::explain::Explain;
use coracle::seccomp::arch::{self, Arch};
use coracle::seccomp::{Profile, compile, table};
use serde_json::Value;

use crate::machine::{Call, run};
use crate::{ALLOW, ENOSYS, KILL, Random};

/// Whether a condition of a profile holds, by its words.
fn holds(condition: &Value, arch: Arch, args: &[u64; 6]) -> bool {
    let number = |key: &str| condition[key].as_u64().unwrap_or(0);
    let width = if arch.has_wide_arguments() { u64::MAX } else { u64::from(u32::MAX) };
    let arg = args[number("index") as usize] & width;
    let (value, second) = (number("value") & width, number("valueTwo") & width);
    match condition["op"].as_str().expect("an operator") {
        "SCMP_CMP_EQ" => arg == value,
        "SCMP_CMP_NE" => arg != value,
        "SCMP_CMP_LT" => arg < value,
        "SCMP_CMP_LE" => arg <= value,
        "SCMP_CMP_GT" => arg > value,
        "SCMP_CMP_GE" => arg >= value,
        "SCMP_CMP_MASKED_EQ" => arg & value == second & value,
        other => panic!("{other}"),
    }
}

pub(crate) fn answer(action: &Value, number: &Value) -> u32 {
    let number = number.as_u64().unwrap_or(1) as u32;
    match action.as_str().expect("an action") {
        "SCMP_ACT_ALLOW" => ALLOW,
        "SCMP_ACT_ERRNO" => 0x0005_0000 | number,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x0003_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | number,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_NOTIFY" => 0x7fc0_0000,
        other => panic!("{other}"),
    }
}

/// The verdict of a profile on a call, by its words, for one that no detour leads to.
fn expected(asked: &Value, architectures: &[Arch], call: &Call) -> u32 {
    let of_this_kind = |arch: &&Arch| {
        let is_x32 = (arch::X32_BIT..u32::MAX).contains(&call.number);
        arch.audit() == call.audit
            && (arch.audit() != Arch::X86_64.audit() || (**arch == Arch::X32) == is_x32)
    };
    let default = answer(&asked["defaultAction"], &asked["defaultErrnoRet"]);
    let is_strict = !matches!(default & 0xffff_0000, 0x7fff_0000 | 0x7ffc_0000 | 0x7ff0_0000);
    let Some(arch) = architectures.iter().find(of_this_kind).copied() else { return KILL };
    let none = Vec::new();
    let rules = asked["syscalls"].as_array().unwrap_or(&none);
    let names = |rule: &Value| -> Vec<String> {
        let names = rule["names"].as_array().expect("names");
        names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let is_about = |rule: &&Value| {
        names(rule).iter().any(|name| table::number(arch, name) == Some(call.number))
            && answer(&rule["action"], &rule["errnoRet"]) != default
    };
    let of_rule = |rule: &Value| answer(&rule["action"], &rule["errnoRet"]);
    let conditions = |rule: &Value| rule["args"].as_array().cloned().unwrap_or_default();
    let about: Vec<&Value> = rules.iter().filter(is_about).collect();
    if let Some(rule) = about.iter().find(|rule| conditions(rule).is_empty()) {
        return of_rule(rule);
    }
    for rule in &about {
        let all = conditions(rule);
        let indices: BTreeSet<_> = all.iter().map(|one| one["index"].as_u64()).collect();
        let mut each = all.iter().map(|one| holds(one, arch, &call.args));
        if if indices.len() < all.len() { each.any(|one| one) } else { each.all(|one| one) } {
            return of_rule(rule);
        }
    }
    if !about.is_empty() {
        return default;
    }
    let own = table::own(arch);
    let numbers = rules.iter().flat_map(names).filter_map(|name| table::number(arch, &name));
    let newest = numbers.filter(|number| !own.contains(number)).max();
    if is_strict && newest.is_some_and(|newest| call.number > newest) && !own.contains(&call.number) {
        return ENOSYS;
    }
    default
}

pub(crate) fn checked(asked: &Value) -> Profile {
    let asked: Seccomp = serde_json::from_value(asked.clone()).expect("a seccomp object");
    profile(&asked, &Explain::silent()).expect("a profile")
}

pub(crate) const X86: [Arch; 3] = [Arch::X86_64, Arch::X86, Arch::X32];

/// Holds the compiled profile against its words: for all calls of `architectures` and beyond, with arguments near every value
/// that it names, and with some that are no number of it.
#[track_caller]
pub(crate) fn compare(asked: &Value, architectures: &[Arch]) {
    let program = compile::program(&checked(asked), architectures);
    let mut values = BTreeSet::from([0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX, 0x5555_5555_aaaa_aaaa]);
    let rules = asked["syscalls"].as_array().cloned().unwrap_or_default();
    for condition in rules.iter().filter_map(|rule| rule["args"].as_array()).flatten() {
        for key in ["value", "valueTwo"] {
            let value = condition[key].as_u64().unwrap_or(0);
            let near =
                [value, value.wrapping_add(1), value.wrapping_sub(1), value ^ 1 << 32, value << 32, !value];
            values.extend(near);
        }
    }
    let values: Vec<u64> = values.into_iter().collect();
    let has_conditions: BTreeSet<u32> = rules
        .iter()
        .filter(|rule| rule["args"].is_array())
        .flat_map(|rule| rule["names"].as_array().cloned().unwrap_or_default())
        .flat_map(|name| architectures.iter().filter_map(move |arch| table::number(*arch, name.as_str()?)))
        .collect();
    let audits: BTreeSet<u32> = X86.iter().chain(architectures).map(|arch| arch.audit()).collect();
    let mut random = Random(0x9e37_79b9);
    for audit in audits.into_iter().chain([0, u32::MAX]) {
        let common = (0..480).chain(0xf_0000..0xf_0008);
        let x32 = (0..552).map(|number| arch::X32_BIT | number);
        for number in common.chain(x32).chain([0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX])
        {
            let times = if has_conditions.contains(&number) { 4 * values.len() } else { 1 };
            for n in 0..times {
                let mut args = [0; 6].map(|_| values[random.below(values.len())]);
                args[n % 6] = values[n / 4 % values.len()];
                let call = Call { audit, number, args };
                let wanted = expected(asked, architectures, &call);
                let found = run(&program, &call);
                assert_eq!(found, wanted, "{found:#x}, not {wanted:#x} for {call:x?}\n{asked}");
            }
        }
    }
}
