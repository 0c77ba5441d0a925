//! `exec --via-nsenter`: the container's namespaces by nsenter(1) of util-linux, to see that there is no magic in ours.
//!
//! What it does not do is what `exec` is more than that: the session is not in the container's control group, has its
//! caller's environment, capabilities and user (root in a user namespace), and nothing keeps the container's processes from
//! looking into it.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;

use coracle::namespace::Kind;
use coracle::state::State;

use crate::error::{Error, Result};
use crate::log::{Level, Log};
use crate::machine::Command;

const PROGRAM: &str = "nsenter";

/// The namespaces that are entered, by the options of nsenter(1) and the names in /proc/PID/ns.
const NAMESPACES: [(&str, &str); 5] =
    [("--mount", "mnt"), ("--uts", "uts"), ("--ipc", "ipc"), ("--net", "net"), ("--pid", "pid")];

/// Runs an interactive shell, or `line` in a login shell, in the namespaces of the PID 1 of `started`. Returns the exit code
/// to end with.
///
/// # Errors
/// [`Error::Host`] where nsenter is not in PATH, or the namespaces may not be entered.
pub fn enter(started: &State, line: Option<&str>, log: &Log) -> Result<u8> {
    let host = |problem| Error::Host { command: Command::Exec, problem };
    let mut options: Vec<_> = NAMESPACES.to_vec();
    // Into those that belong to a user namespace, the way leads through it.
    if started.namespaces.contains(&Kind::User) {
        options.insert(0, ("--user", "user"));
    }
    for (_, file) in &options {
        let path = format!("/proc/{}/ns/{file}", started.pid);
        if let Err(error) = std::fs::File::open(&path) {
            let cure = "run as the user who created the container, or as root";
            return Err(host(format!("open {path}: {}; {cure}", error.kind())));
        }
    }
    let mut nsenter = std::process::Command::new(PROGRAM);
    nsenter.arg(format!("--target={}", started.pid)).args(options.iter().map(|(option, _)| option));
    nsenter.args(["--", "/bin/sh"]);
    if let Some(line) = line {
        nsenter.args(["-lc", line]);
    }
    log.say(Level::Debug, &format!("{nsenter:?}"));
    let status = nsenter.status().map_err(|error| match error.kind() {
        ErrorKind::NotFound => host(format!(
            "{PROGRAM} is not in PATH: install util-linux, or leave out --via-nsenter, which needs no program"
        )),
        _ => host(format!("run {PROGRAM}: {error}")),
    })?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(code.try_into().unwrap_or(u8::MAX))
}
