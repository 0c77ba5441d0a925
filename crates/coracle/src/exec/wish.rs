//! What exec is to run: the container's own process, with what the command line says otherwise.

use std::path::PathBuf;

use crate::bundle;
use crate::capability;
use crate::config::{self, Capabilities, User};
use crate::error::{Error, Result};
use crate::explain::Explain;
use crate::process::Process;
use crate::state::Dir;

/// What the command line asks for. What it leaves out is as in the container's config.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The program and its arguments; empty: an interactive shell.
    pub args: Vec<String>,
    /// Instead: a line for a login shell.
    pub line: Option<String>,
    /// Instead of all else: a file with a `process` object.
    pub file: Option<PathBuf>,
    /// Working directory.
    pub cwd: Option<String>,
    /// Additional `NAME=value`.
    pub env: Vec<String>,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// `UID[:GID]`.
    pub user: Option<String>,
    /// Additional supplementary groups.
    pub groups: Vec<u32>,
    /// Whether execve(2) can never give it more privileges.
    pub no_new_privileges: bool,
    /// Additional capabilities.
    pub capabilities: Vec<String>,
}

impl Wish {
    /// The process for the container of `dir`.
    ///
    /// # Errors
    /// Names the option, or the property of the file by its JSON pointer.
    pub fn process(&self, dir: &Dir, explain: &Explain) -> Result<Process> {
        let (of_container, filter) = bundle::of_container(dir, explain)?;
        let (mut spec, at) = match &self.file {
            Some(file) => (bundle::from_file(file)?, ""),
            None => (of_container.clone(), "/process"),
        };
        // Where the file says nothing of them, it is no more than the container's own program.
        if spec.capabilities.is_none() {
            spec.capabilities = of_container.capabilities;
        }
        if self.file.is_none() {
            self.change(&mut spec)?;
        } else if self.terminal {
            // As runc has it: either may ask for a terminal.
            spec.terminal = true;
        }
        let mut process = bundle::process(&spec, at, explain).map_err(|error| match &self.file {
            Some(file) => bundle::blamed_on(file, error),
            None => self.blamed_on_option(error),
        })?;
        process.seccomp = filter;
        Ok(process)
    }

    /// The same error, blamed on the option that has brought it in, and not on the container's config: what that says was
    /// found good when the container was made.
    fn blamed_on_option(&self, error: Error) -> Error {
        let Error::Config { pointer, problem } = error else { return error };
        let option = match pointer.trim_start_matches("/process/").split('/').collect::<Vec<_>>()[..] {
            ["user", "uid" | "gid"] => self.user.as_ref().map(|user| format!("--user {user}")),
            ["user", "additionalGids", _] => Some("--additional-gids".to_owned()),
            ["cwd"] => self.cwd.as_ref().map(|_| "--cwd".to_owned()),
            ["env", _] => Some("--env".to_owned()),
            ["args", ..] => Some("the command".to_owned()),
            _ => None,
        };
        match option {
            Some(option) => Error::Usage { problem: format!("{option}: {problem}") },
            None => Error::Config { pointer, problem },
        }
    }

    fn change(&self, spec: &mut config::Process) -> Result<()> {
        spec.args = match &self.line {
            Some(line) => vec!["/bin/sh".into(), "-lc".into(), line.clone()],
            None if self.args.is_empty() => vec!["/bin/sh".into()],
            None => self.args.clone(),
        };
        spec.terminal = self.terminal;
        if let Some(cwd) = &self.cwd {
            spec.cwd.clone_from(cwd);
        }
        spec.env.extend(self.env.iter().cloned());
        spec.no_new_privileges |= self.no_new_privileges;
        self.identify(&mut spec.user)?;
        if !self.capabilities.is_empty() {
            self.grant(spec.capabilities.get_or_insert_default())?;
        }
        Ok(())
    }

    /// Makes `user` the one that is asked for: user and group by `UID` or `UID:GID` (without a group, it stays as it is),
    /// and the additional groups beside those that it has. Numbers and nothing else, for the container's /etc/passwd is
    /// its own, and what is half understood becomes somebody else (crun's CVE-2026-30892).
    ///
    /// # Errors
    /// [`Error::Usage`] for any other text.
    fn identify(&self, user: &mut User) -> Result<()> {
        if let Some(text) = &self.user {
            let (uid, gid) = parse_user(text)?;
            user.uid = uid;
            user.gid = gid.unwrap_or(user.gid);
        }
        user.additional_gids.extend(&self.groups);
        Ok(())
    }

    /// Adds the asked-for capabilities to `sets`, by their names of capabilities(7), in capitals or not, with `CAP_`
    /// before or not. They go into the bounding, the effective and the permitted set: so they count for this process, and
    /// are not handed on to those it starts. The inheritable and the ambient set stay as they are (CVE-2022-29162).
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is none.
    fn grant(&self, sets: &mut Capabilities) -> Result<()> {
        for name in &self.capabilities {
            if capability::number(name).is_none() {
                let problem =
                    format!("--cap {name}: there is no such capability; capabilities(7) lists them");
                return Err(Error::Usage { problem });
            }
            for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
                set.push(name.clone());
            }
        }
        Ok(())
    }
}

fn parse_user(text: &str) -> Result<(u32, Option<u32>)> {
    let fail =
        || Error::Usage { problem: format!("--user {text}: give a user's number, or two as in 1000:1000") };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().ok_or_else(fail)
    };
    match text.split_once(':') {
        Some((uid, gid)) => Ok((number(uid)?, Some(number(gid)?))),
        None => Ok((number(text)?, None)),
    }
}
