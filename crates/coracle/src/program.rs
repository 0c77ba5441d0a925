//! The program: found in PATH, and become.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{AccessFlags, access, chdir, getcwd};

use crate::error::{Error, Result};
use crate::explain::{EXECVE, Explain, SIGNALS};
use crate::process::Process;
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

/// Becomes `program` with the arguments and environment of `process`. `mask` is the set of signals
/// that was blocked before the runtime began to hold them.
///
/// # Errors
/// Returns only with one.
pub fn execute(process: &Process, program: &Program, mask: &SigSet, explain: &Explain) -> Result<Infallible> {
    explain.step(&SIGNALS, || {
        sys::default_action(Signal::SIGPIPE).map_err(Error::refused("sigaction SIGPIPE"))?;
        signal::release(mask)
    })?;
    explain.last_step(&EXECVE);
    // An empty one is in the way of ours.
    let env: Vec<_> = match &program.home {
        Some(home) => process
            .env
            .iter()
            .filter(|entry| *entry != c"HOME=")
            .chain([home])
            .map(CString::as_c_str)
            .collect(),
        None => process.env.iter().map(CString::as_c_str).collect(),
    };
    nix::unistd::execve(&program.file, &process.args, &env).map_err(|errno| {
        let shown = Path::new(OsStr::from_bytes(program.file.to_bytes())).display();
        Error::refused(format!("execve {shown}"))(errno)
            .at(EXECVE.name)
            .with_cure(
                Errno::ENOENT,
                "give a program that is in the root filesystem, with the loader it asks for",
            )
            .with_cure(Errno::EACCES, "make it a file that its user may execute")
            .with_cure(Errno::ENOEXEC, "it is no program for this machine, or a script without #!")
    })
}
