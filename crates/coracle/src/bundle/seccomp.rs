//! `/linux/seccomp`: from names to a filter.

use std::collections::BTreeSet;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::wrong;
use crate::config::{Argument, Seccomp, Syscalls};
use crate::error::Result;
use crate::explain::Explain;
use crate::seccomp::action::{self, Action};
use crate::seccomp::arch::{self, Arch};
use crate::seccomp::verdict::{self, Verdict};
use crate::seccomp::{Condition, FLAGS, Filter, Listener, OPERATORS, Profile, Rule, compile, table};

/// More than any name of a call.
const MOST: usize = libc::BPF_MAXINSNS as usize;

/// The filter that is `asked` for; `None` where nothing is.
///
/// # Errors
/// At the property, for a word that the specification does not have; for a number with an action that takes none; for more
/// rules than the kernel takes; for a supervisor that is not there, or that would be asked before it is told.
pub fn filter(asked: Option<&Seccomp>, explain: &Explain) -> Result<Option<Filter>> {
    // As runc has it: an empty object asks for nothing.
    let Some(asked) = asked.filter(|asked| !asked.default_action.is_empty() || !asked.syscalls.is_empty())
    else {
        return Ok(None);
    };
    let profile = profile(asked, explain)?;
    let architectures = arch::of_filter(&profile.architectures);
    if let Some(unknown) = architectures.iter().find(|arch| !table::has(**arch)) {
        explain.warn(&format!("/linux/seccomp/architectures: {}: we know none of its calls", unknown.name()));
    }
    let program = compile::program(&profile, &architectures);
    if program.len() > MOST {
        let problem = format!(
            "makes a filter of {} statements, and the kernel takes {MOST}; give fewer rules",
            program.len()
        );
        return Err(wrong("/linux/seccomp/syscalls", problem));
    }
    let listener = listener(asked, &profile)?;
    let mut flags = flags(asked.flags.as_deref())?;
    // It says how a supervisor is waited for, and the kernel takes it with one only.
    if listener.is_none() {
        flags &= !libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    }
    explain.debug(&format!("seccomp filter flags: {}", flags | listener_flag(listener.as_ref())));
    Ok(Some(Filter { program, flags, listener }))
}

fn listener_flag(listener: Option<&Listener>) -> libc::c_ulong {
    listener.map_or(0, |_| libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)
}

/// The profile, every word of it understood.
///
/// # Errors
/// As [`filter`].
pub fn profile(asked: &Seccomp, explain: &Explain) -> Result<Profile> {
    let action = known_action("/linux/seccomp/defaultAction", &asked.default_action)?;
    if action == Action::Notify {
        return Err(wrong(
            "/linux/seccomp/defaultAction",
            "SCMP_ACT_NOTIFY cannot be used as default action",
        ));
    }
    let default = answer("/linux/seccomp/defaultErrnoRet", action, asked.default_errno_ret)?;
    let architecture = |(n, name): (usize, &String)| {
        Arch::named(name).ok_or_else(|| {
            let names = arch::NAMES.join(", ");
            wrong(
                format!("/linux/seccomp/architectures/{n}"),
                format!("unknown value `{name}`; must be one of {names}"),
            )
        })
    };
    let architectures = asked.architectures.iter().enumerate().map(architecture).collect::<Result<_>>()?;
    let rules = asked.syscalls.iter().enumerate().map(rule).collect::<Result<Vec<_>>>()?;
    let names: BTreeSet<&str> = rules.iter().flat_map(|rule| &rule.names).map(String::as_str).collect();
    let unknown: Vec<_> = names.into_iter().filter(|name| !table::is_known(name)).collect();
    if !unknown.is_empty() {
        explain
            .warn(&format!("/linux/seccomp/syscalls: unknown system calls ignored: {}", unknown.join(", ")));
    }
    Ok(Profile { default, rules, architectures })
}

fn known_action(pointer: &str, name: &str) -> Result<Action> {
    Action::named(name).ok_or_else(|| match name {
        "" => wrong(pointer, "is missing"),
        _ => wrong(pointer, format!("unknown value `{name}`; must be one of {}", action::NAMES.join(", "))),
    })
}

/// The answer of `action` with its `number`, which is at `pointer`.
///
/// # Errors
/// Where the action takes none, or not so great a one.
fn answer(pointer: &str, action: Action, number: Option<u32>) -> Result<u32> {
    match (action.greatest_number(), number) {
        (None, Some(number)) => {
            let problem = format!("{number} is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE only; take it out");
            Err(wrong(pointer, problem))
        }
        (Some(greatest), Some(number)) if number > greatest => {
            Err(wrong(pointer, format!("{number} must be at most {greatest}")))
        }
        _ => Ok(action::encode(action, number)),
    }
}

fn rule((n, asked): (usize, &Syscalls)) -> Result<Rule> {
    let at = format!("/linux/seccomp/syscalls/{n}");
    let action = known_action(&format!("{at}/action"), &asked.action)?;
    if asked.names.is_empty() {
        return Err(wrong(format!("{at}/names"), "is missing or empty; name a system call"));
    }
    if let Some(n) = asked.names.iter().position(String::is_empty) {
        return Err(wrong(format!("{at}/names/{n}"), "is empty; name a system call"));
    }
    // By these two we hand the listener over, and nobody decides on them before.
    if let Some(n) = asked.names.iter().position(|name| ["write", "sendmsg"].contains(&name.as_str()))
        && action == Action::Notify
    {
        let name = &asked.names[n];
        let problem = format!("SCMP_ACT_NOTIFY cannot be used for the {name} syscall");
        return Err(wrong(format!("{at}/names/{n}"), problem));
    }
    let conditions = asked.args.iter().enumerate().map(|(n, arg)| condition(&format!("{at}/args/{n}"), arg));
    Ok(Rule {
        names: asked.names.clone(),
        conditions: conditions.collect::<Result<_>>()?,
        action: answer(&format!("{at}/errnoRet"), action, asked.errno_ret)?,
    })
}

fn condition(at: &str, asked: &Argument) -> Result<Condition> {
    let operator = OPERATORS.iter().find(|(name, _)| *name == asked.op).map(|(_, operator)| *operator);
    let operator = operator.ok_or_else(|| {
        let names = OPERATORS.map(|(name, _)| name).join(", ");
        wrong(format!("{at}/op"), format!("unknown value `{}`; must be one of {names}", asked.op))
    })?;
    let index = match asked.index {
        index @ 0..=5 => index as u8,
        index => {
            let problem = format!("{index} must be from 0 to 5: a system call has six arguments");
            return Err(wrong(format!("{at}/index"), problem));
        }
    };
    Ok(Condition { index, operator, value: asked.value, second: asked.value_two })
}

/// Flags of seccomp(2). Where the config says nothing of them, speculation is left as it is, as runc and crun have it.
fn flags(asked: Option<&[String]>) -> Result<libc::c_ulong> {
    let Some(asked) = asked else { return Ok(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW) };
    let flag = |(n, name): (usize, &String)| match FLAGS.iter().find(|(known, _)| known == name) {
        Some((_, flag)) => Ok(*flag),
        None => {
            let problem =
                format!("unknown value `{name}`; must be one of {}", FLAGS.map(|(name, _)| name).join(", "));
            Err(wrong(format!("/linux/seccomp/flags/{n}"), problem))
        }
    };
    asked.iter().enumerate().map(flag).try_fold(0, |all, flag| Ok(all | flag?))
}

/// The supervisor, where a rule asks for one.
fn listener(asked: &Seccomp, profile: &Profile) -> Result<Option<Listener>> {
    const AT: &str = "/linux/seccomp/listenerPath";
    let path = asked.listener_path.as_deref().filter(|path| !path.is_empty());
    let metadata = asked.listener_metadata.clone().unwrap_or_default();
    if path.is_none() && !metadata.is_empty() {
        return Err(wrong(
            "/linux/seccomp/listenerMetadata",
            "must not be set without /linux/seccomp/listenerPath",
        ));
    }
    let notify = action::encode(Action::Notify, None);
    if !profile.rules.iter().any(|rule| rule.action == notify) {
        return Ok(None);
    }
    let Some(path) = path else {
        return Err(wrong(AT, "is missing, and SCMP_ACT_NOTIFY needs it: who decides?"));
    };
    if path.contains('\0') {
        return Err(wrong(AT, "has a NUL byte in it"));
    }
    is_socket(path).map_err(|problem| wrong(AT, problem))?;
    let allowed = [libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_LOG];
    may_call(profile, "sendmsg", &allowed)?;
    may_call(profile, "read", &[allowed[0], allowed[1], notify])?;
    Ok(Some(Listener { path: path.into(), metadata }))
}

fn is_socket(path: &str) -> Result<(), String> {
    if path.starts_with('@') {
        return Ok(());
    }
    match std::fs::metadata(Path::new(path)) {
        Ok(found) if found.file_type().is_socket() => Ok(()),
        Ok(_) => Err(format!("{path:?} is no socket")),
        Err(error) => Err(format!("failed to connect with seccomp agent: {path:?}: {error}; start it first")),
    }
}

/// Where a supervisor decides, the process hands it the listener after the filter is loaded, by these calls.
fn may_call(profile: &Profile, name: &str, allowed: &[u32]) -> Result<()> {
    let native = Arch::native();
    let Some(number) = table::number(native, name) else { return Ok(()) };
    let ranges = verdict::ranges(profile, &[native]);
    let range = ranges.iter().rfind(|range| range.first <= number);
    match range.map(|range| &range.verdict) {
        Some(Verdict::Answer(answer)) if !allowed.contains(answer) => {
            let problem =
                format!("forbids {name}, by which the listener of SCMP_ACT_NOTIFY is handed over; allow it");
            Err(wrong("/linux/seccomp/syscalls", problem))
        }
        _ => Ok(()),
    }
}
