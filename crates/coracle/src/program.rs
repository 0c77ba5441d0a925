//! The program: found in PATH, and become.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{AccessFlags, access, chdir, faccessat, getcwd};

use crate::error::{Error, Result};
use crate::explain::{EXECVE, Explain, SIGNALS};
use crate::seccomp::load::Slate;
use crate::sys::Prepared;
use crate::{path, signal, sys};

/// The PATH of a container that sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a process becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file, seen from inside.
    pub file: CString,
    /// `HOME=...`, where the environment is to have it beside its own.
    pub home: Option<CString>,
}

impl Program {
    /// The environment `set`, with its home where that is missing or empty.
    pub fn environment<'a>(&'a self, set: &'a [CString]) -> Vec<&'a CStr> {
        // An empty one is in the way of ours.
        let stays = |entry: &&CString| self.home.is_none() || entry.as_c_str() != c"HOME=";
        set.iter().filter(stays).chain(&self.home).map(CString::as_c_str).collect()
    }
}

/// The path of the program `name`, seen from where we are. A name with a slash in it is a path already. Any other
/// is looked for in the directories of `search` (a PATH, colons between), in their order; the first regular file
/// that we may execute is it. execve(2) does not search: shells and runtimes do.
///
/// # Errors
/// [`Error::ProgramNotFound`].
pub fn find(name: &CStr, search: &OsStr) -> Result<CString> {
    if name.to_bytes().contains(&b'/') {
        return Ok(name.to_owned());
    }
    for directory in std::env::split_paths(search) {
        let candidate = directory.join(OsStr::from_bytes(name.to_bytes()));
        if candidate.is_file() && access(&candidate, AccessFlags::X_OK).is_ok() {
            return path::c_string(&candidate);
        }
    }
    Err(Error::ProgramNotFound { name: name.to_string_lossy().into_owned() })
}

/// Asks whether the program at the path `file` is there, and whether we may execute it: so that create says what else start
/// would, for runc and crun do, and engines count on it (podman ends with 127 or 126 for what create says, by its words).
/// What the kernel finds out later, such as a loader that is missing, only execve(2) tells.
///
/// # Errors
/// As [`refused`]: `ENOENT`, `EACCES`.
pub fn require(file: &CStr) -> Result<()> {
    // By the capabilities that we have, and not those that our user would: execve(2) asks for these as well.
    faccessat(AT_FDCWD, file, AccessFlags::X_OK, AtFlags::AT_EACCESS).map_err(|errno| refused(file, errno))
}

/// Goes to the working directory `cwd`, which must be inside our root: a path such as /proc/self/fd/N can lead out of
/// it, and the kernel then has no name for where we are (CVE-2024-21626).
///
/// # Errors
/// `ENOENT`, `ENOTDIR`, `EACCES`; `ENOENT` of getcwd(2) for a directory outside.
pub fn enter(cwd: &CStr) -> Result<()> {
    let shown = cwd.to_string_lossy();
    chdir(cwd).map_err(Error::refused(format!("chdir {shown}"))).map_err(|error| {
        error.with_cure(Errno::ENOENT, "make it in the root filesystem, or change /process/cwd")
    })?;
    match getcwd() {
        Ok(path) if path.is_absolute() => Ok(()),
        Ok(_) => {
            Err(Error::refused(format!("chdir {shown}, which is outside of the container"))(Errno::EACCES))
        }
        Err(errno) => Err(Error::refused(format!("getcwd after chdir {shown}"))(errno)
            .with_cure(Errno::ENOENT, "choose a directory inside the container")),
    }
}

/// An environment in which each name has one value, the last that was given: getenv(3) would take the first.
pub fn environment(entries: impl IntoIterator<Item = CString>) -> Vec<CString> {
    let mut environment: Vec<CString> = Vec::new();
    for entry in entries {
        let name = |entry: &CString| entry.to_bytes().split(|byte| *byte == b'=').next().map(<[u8]>::to_vec);
        match environment.iter_mut().find(|other| name(other) == name(&entry)) {
            Some(other) => *other = entry,
            None => environment.push(entry),
        }
    }
    environment
}

/// Gives the program its signals: `mask` is the set that was blocked before the runtime began to hold them.
///
/// # Errors
/// Those of sigaction(2) and sigprocmask(2).
pub fn give_signals(mask: &SigSet, explain: &Explain) -> Result<()> {
    explain.step(&SIGNALS, || {
        sys::default_action(Signal::SIGPIPE).map_err(Error::refused("sigaction SIGPIPE"))?;
        signal::release(mask)
    })
}

/// Becomes the `prepared` program. Where this process is under a filter already, which has a `slate`, nothing is told any
/// more, and an error is left there first of all.
///
/// # Errors
/// Returns only with one.
pub fn execute(prepared: &Prepared<'_>, slate: Option<&Slate>, explain: &Explain) -> Result<Infallible> {
    if slate.is_none() {
        explain.last_step(&EXECVE);
    }
    let errno = prepared.execute();
    if let Some(slate) = slate {
        slate.leave(errno);
    }
    Err(refused(prepared.file(), errno))
}

/// What execve(2) of the program at `file` says no with, for a person.
pub fn refused(file: &CStr, errno: Errno) -> Error {
    let shown = Path::new(OsStr::from_bytes(file.to_bytes())).display();
    Error::refused(format!("execve {shown}"))(errno)
        .at(EXECVE.name)
        .with_cure(
            Errno::ENOENT,
            "give a program that is in the root filesystem, with the loader it asks for",
        )
        .with_cure(Errno::EACCES, "make it a file that its user may execute")
        .with_cure(Errno::ENOEXEC, "it is no program for this machine, or a script without #!")
}
