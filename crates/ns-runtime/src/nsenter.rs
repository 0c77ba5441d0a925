//! `exec --via-nsenter`: the container's namespaces by nsenter(1) of util-linux, to see that there is no magic in ours.
//!
//! What it does not do is what `exec` is more than that: the session is not in the container's control group, has its
//! caller's environment and capabilities, and nothing keeps the container's processes from
//! looking into it.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;

use coracle::namespace::Kind;
use coracle::state::State;

use crate::error::{Error, Result};
use crate::log::{Level, Log};
use crate::machine::Command;

const PROGRAM: &str = "nsenter";

/// The options of nsenter(1), each with its namespace: what belongs to a user namespace is entered by way of that.
const OPTIONS: [(&str, Kind); 6] = [
    ("--user", Kind::User),
    ("--mount", Kind::Mount),
    ("--uts", Kind::Uts),
    ("--ipc", Kind::Ipc),
    ("--net", Kind::Network),
    ("--pid", Kind::Pid),
];

/// Runs an interactive shell, or `line` in a login shell, in the namespaces of the PID 1 of `started`. Returns the exit code
/// to end with.
///
/// # Errors
/// [`Error::Host`] where nsenter is not in PATH, or the namespaces may not be entered;
/// [`coracle::Error::NotRunning`] where the PID 1 is gone.
pub fn enter(started: &State, line: Option<&str>, log: &Log) -> Result<u8> {
    let host = |problem| Error::Host { command: Command::Exec, problem };
    // What it shares with the host, an ordinary user may not enter, and needs not.
    let options = OPTIONS.iter().filter(|(_, kind)| started.namespaces.contains(kind));
    for (_, kind) in options.clone() {
        let path = format!("/proc/{}/ns/{}", started.pid, kind.file());
        match std::fs::File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(coracle::Error::NotRunning { id: started.id.clone() }.into());
            }
            Err(error) => {
                let cure = "run as the user who created the container, or as root";
                return Err(host(format!("open {path}: {error}; {cure}")));
            }
            Ok(_) => {}
        }
    }
    let mut nsenter = std::process::Command::new(PROGRAM);
    nsenter.arg(format!("--target={}", started.pid)).args(options.map(|(option, _)| option));
    // An ordinary user is root inside by the mapping, and may not change groups there (user_namespaces(7)).
    if started.namespaces.contains(&Kind::User) && !nix::unistd::geteuid().is_root() {
        nsenter.arg("--preserve-credentials");
    }
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
