//! `/process`: what a container runs, and what `exec --process` adds to one.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::path::Path;

use nix::fcntl::AT_FDCWD;

use super::file;
use super::{kernel, label, parse, scheduling, wrong};
use crate::capability::{self, Sets};
use crate::config::{self, Capabilities, Config, Rlimit, User};
use crate::console::Size;
use crate::error::{Error, Result};
use crate::explain::Explain;
use crate::process::Process;
use crate::program;
use crate::rlimit::{self, Limit};
use crate::scheduler;
use crate::state::Dir;
use crate::user::Identity;

/// "No id" of the kernel: what setresuid(2) takes for "leave it".
const NOBODY: u32 = u32::MAX;

/// Reads the process object in the file `file`. What it does not say (capabilities, limits) is left empty.
///
/// # Errors
/// Names the file, and the property by its JSON pointer in it.
pub fn from_file(file: &Path) -> Result<config::Process> {
    let text = file::read(AT_FDCWD, file, file)?;
    parse::process(&text, file).map_err(|error| blamed_on(file, error))
}

/// The same error, of a process object that was in `file` and not in a `config.json`.
pub fn blamed_on(file: &Path, error: Error) -> Error {
    match error {
        Error::Config { pointer, problem } => file::broken(file, format!("{pointer}: {problem}")),
        other => other,
    }
}

/// The process of a container that is there, and what else is its processes' own, from the copy of its config in `dir`; a
/// default one where it never had a config (`sandbox`).
///
/// # Errors
/// Those of reading the copy.
pub fn of_container(dir: &Dir, explain: &Explain) -> Result<(config::Process, config::Linux)> {
    let path = dir.config_path();
    let config = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        read => {
            let text = read.map_err(Error::io(format!("read {}", path.display())))?;
            Some(parse::config(&text, &path, explain)?)
        }
    };
    let (of_its_own, linux) = config.map(|config| (config.process, config.linux)).unwrap_or_default();
    let process = of_its_own.unwrap_or_else(|| {
        let env = vec![format!("PATH={}", program::DEFAULT_PATH), "TERM=xterm".into()];
        config::Process { env, cwd: "/".into(), ..config::Process::default() }
    });
    Ok((process, linux))
}

/// The first process of the container of `config`. The processors of exec are not its own.
///
/// # Errors
/// As [`process`].
pub(super) fn first(config: &Config, explain: &Explain) -> Result<Process> {
    let mut process = match &config.process {
        Some(asked) => process(asked, &config.linux, "/process", explain)?,
        None => Process { cwd: c"/".into(), ..Process::default() },
    };
    process.scheduling.before = None;
    process.scheduling.processors = Some(scheduler::all_processors());
    Ok(process)
}

/// Checks the process object `asked`, which is at the JSON pointer `at`, and what `linux` says of all processes of the
/// container.
///
/// # Errors
/// What can be found wrong without looking into the container.
pub fn process(
    asked: &config::Process,
    linux: &config::Linux,
    at: &str,
    explain: &Explain,
) -> Result<Process> {
    let capabilities = asked.capabilities.as_ref();
    Ok(Process {
        args: arguments(&asked.args, at)?,
        home: !has_home(&asked.env),
        env: environment(&asked.env, at)?,
        cwd: working_directory(&asked.cwd, at)?,
        terminal: terminal(asked, at)?,
        user: identity(&asked.user, at)?,
        // What nobody asks for is not given: as with runc and crun, no capabilities at all.
        capabilities: Some(capabilities.map_or(Ok(Sets::default()), |asked| sets(asked, at, explain))?),
        no_new_privileges: asked.no_new_privileges,
        limits: limits(&asked.rlimits, at)?,
        oom_score_adj: oom_score_adj(asked.oom_score_adj, at)?,
        scheduling: scheduling::scheduling(asked, at)?,
        labels: label::labels(asked, at)?,
        memory_policy: linux.memory_policy.as_ref().map_or(Ok(None), kernel::memory_policy)?,
        personality: linux.personality.as_ref().map(kernel::personality).transpose()?,
        // The container's: it is in no process object.
        seccomp: None,
    })
}

/// The program's name and its arguments.
///
/// # Errors
/// At `/process/args` for none at all, an empty name, or a NUL byte.
pub fn arguments(listed: &[String], at: &str) -> Result<Vec<CString>> {
    match listed.first().map(String::as_str) {
        None => Err(wrong(format!("{at}/args"), "is missing or empty: nothing to run; name a program")),
        Some("") => Err(wrong(format!("{at}/args/0"), "is empty; name a program")),
        Some(_) => texts(listed, &format!("{at}/args")),
    }
}

/// The environment as execve(2) takes it: no name twice, the last value counts ([`program::environment`]).
///
/// # Errors
/// At `/process/env/N` for an entry that is not `NAME=value`, or has a NUL byte in it.
pub fn environment(listed: &[String], at: &str) -> Result<Vec<CString>> {
    let is_wrong = |entry: &String| !matches!(entry.find('='), Some(1..));
    if let Some(n) = listed.iter().position(is_wrong) {
        return Err(wrong(format!("{at}/env/{n}"), format!("{:?} must be NAME=value", listed[n])));
    }
    Ok(program::environment(texts(listed, &format!("{at}/env"))?))
}

/// Whether it says where HOME is: the last value counts, and an empty one says nothing.
fn has_home(listed: &[String]) -> bool {
    listed.iter().rev().find_map(|entry| entry.strip_prefix("HOME=")).is_some_and(|home| !home.is_empty())
}

/// The working directory as chdir(2) takes it. Whether it is there, only the container knows.
///
/// # Errors
/// At `/process/cwd` for a relative or empty path, or a NUL byte.
pub fn working_directory(path: &str, at: &str) -> Result<CString> {
    let pointer = format!("{at}/cwd");
    if !path.starts_with('/') {
        return Err(wrong(
            pointer,
            format!("{path:?} must be an absolute path inside the container, such as \"/\""),
        ));
    }
    CString::new(path).map_err(|_| wrong(pointer, "has a NUL byte in it"))
}

/// Who the process is.
///
/// # Errors
/// At `/process/user` for 4294967295, which is no id, or a umask of more than 0o777.
pub fn identity(user: &User, at: &str) -> Result<Identity> {
    let fail = |name: &str, problem: String| Err(wrong(format!("{at}/user/{name}"), problem));
    let no_id = || format!("{NOBODY} is no id: the last one is {}", NOBODY - 1);
    if user.uid == NOBODY {
        return fail("uid", no_id());
    }
    if user.gid == NOBODY {
        return fail("gid", no_id());
    }
    if let Some(n) = user.additional_gids.iter().position(|gid| *gid == NOBODY) {
        return fail(&format!("additionalGids/{n}"), no_id());
    }
    match user.umask {
        Some(umask @ 0o1000..) => fail("umask", format!("{umask} (0o{umask:o}) must be at most 511 (0o777)")),
        umask => Ok(Identity {
            uid: user.uid,
            gid: user.gid,
            groups: user.additional_gids.clone(),
            // An annotation's word: it is in no process object.
            keeps_groups: false,
            umask,
        }),
    }
}

/// The five sets. What is not in a set's list is not in the set.
///
/// # Errors
/// At `/process/capabilities` for one flat list, which [`parse`] takes from old configs only.
pub fn sets(asked: &Capabilities, at: &str, explain: &Explain) -> Result<Sets> {
    let pointer = format!("{at}/capabilities");
    if asked.flat {
        let problem =
            "is a list, as before version 1.0; now an object holds a list for each set, such as bounding";
        return Err(wrong(pointer, problem));
    }
    let mut unknown = BTreeSet::new();
    let mut mask = |list| mask(list, &mut unknown);
    let mut sets = Sets {
        bounding: mask(&asked.bounding),
        effective: mask(&asked.effective),
        permitted: mask(&asked.permitted),
        inheritable: mask(&asked.inheritable),
        ambient: mask(&asked.ambient),
    };
    for name in unknown {
        explain.warn(&format!("{pointer}: unknown capability {name:?}: ignored"));
    }
    // The same for what counts: it cannot be granted, and that is no error (config.md, "capabilities").
    if sets.effective & !sets.permitted != 0 {
        let names = capability::names(sets.effective & !sets.permitted);
        explain.warn(&format!("{pointer}/effective: {names}: ignored, since permitted has it not"));
        sets.effective &= sets.permitted;
    }
    // Nothing gets into the inheritable set that is not in the bounding set.
    if sets.inheritable & !sets.bounding != 0 {
        let names = capability::names(sets.inheritable & !sets.bounding);
        explain.warn(&format!("{pointer}/inheritable: {names}: ignored, since bounding has it not"));
        sets.inheritable &= sets.bounding;
    }
    // capabilities(7): a capability can be ambient only while it is permitted and inheritable.
    let possible = sets.ambient & sets.permitted & sets.inheritable;
    if sets.ambient != possible {
        let words = format!("{pointer}/ambient: what is not permitted and inheritable as well is ignored");
        // To be logged, as what cannot be granted must be; but "runc spec" writes such a list into every config.
        explain.warn_in_log(&words);
        sets.ambient = possible;
    }
    Ok(sets)
}

/// The mask of the capabilities in `list`; adds the names that nobody knows to `unknown`.
fn mask<'a>(list: &'a [String], unknown: &mut BTreeSet<&'a str>) -> u64 {
    list.iter().fold(0, |mask, name| match capability::number(name) {
        Some(number) => mask | 1 << number,
        None => {
            unknown.insert(name);
            mask
        }
    })
}

/// The resource limits.
///
/// # Errors
/// At `/process/rlimits/N` for an unknown type, one that is there twice, a soft limit above the hard one.
pub fn limits(listed: &[Rlimit], at: &str) -> Result<Vec<Limit>> {
    let limit = |(n, found): (usize, &Rlimit)| {
        let (name, soft, hard) = (&found.kind, found.soft, found.hard);
        let fail = |what, problem| Err(wrong(format!("{at}/rlimits/{n}/{what}"), problem));
        if listed[..n].iter().any(|before| before.kind == *name) {
            return fail("type", format!("{name} is in the list twice; take one of them out"));
        }
        if soft > hard {
            return fail("soft", format!("{name}: {soft} is more than the hard limit, {hard}"));
        }
        match rlimit::resource(name) {
            Some(resource) => Ok(Limit { resource, soft, hard }),
            None => fail(
                "type",
                format!("unknown value `{name}`: no resource that can be limited; see setrlimit(2)"),
            ),
        }
    };
    listed.iter().enumerate().map(limit).collect()
}

/// A size without a terminal is no size (config.md, "Process").
fn terminal(asked: &config::Process, at: &str) -> Result<Option<Size>> {
    if !asked.terminal {
        return Ok(None);
    }
    let Some(size) = asked.console_size else { return Ok(Some(Size::default())) };
    let side = |name: &str, value: u64| {
        u16::try_from(value)
            .map_err(|_| wrong(format!("{at}/consoleSize/{name}"), format!("{value} is more than 65535")))
    };
    Ok(Some(Size { rows: side("height", size.height)?, columns: side("width", size.width)? }))
}

fn oom_score_adj(asked: Option<i32>, at: &str) -> Result<Option<i32>> {
    match asked {
        None | Some(-1000..=1000) => Ok(asked),
        Some(value) => Err(wrong(format!("{at}/oomScoreAdj"), format!("{value} must be from -1000 to 1000"))),
    }
}

fn texts(listed: &[String], pointer: &str) -> Result<Vec<CString>> {
    let text = |(n, text): (usize, &String)| {
        CString::new(text.as_str()).map_err(|_| wrong(format!("{pointer}/{n}"), "has a NUL byte in it"))
    };
    listed.iter().enumerate().map(text).collect()
}
