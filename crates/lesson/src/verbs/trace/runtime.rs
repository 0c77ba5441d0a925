//! The runtimes, and strace.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::first::build;

/// A runtime that can be asked to run a bundle.
#[derive(Debug)]
pub(super) struct Runtime {
    /// The program.
    pub(super) path: PathBuf,
    /// What people call it: `runc`.
    pub(super) name: String,
    /// Its version, such as `1.1.5`.
    pub(super) version: String,
}

impl Runtime {
    /// The learner's own, freshly built, and the probe: the program in the container.
    ///
    /// As in the tests, `CORACLE_RUNTIME` and `CORACLE_PROBE` name others that are there already.
    pub(super) fn ours(root: &Path) -> Result<(Self, PathBuf)> {
        let named = |variable| std::env::var_os(variable).map(PathBuf::from);
        let (runtime, probe) = match (named("CORACLE_RUNTIME"), named("CORACLE_PROBE")) {
            (Some(runtime), Some(probe)) => (runtime, probe),
            (runtime, probe) => {
                let built = build::programs(root, &["coracle", "probe"])?;
                let or_built = |named: Option<PathBuf>, name| {
                    named.map_or_else(|| built.path(name).map(Path::to_owned), Ok)
                };
                (or_built(runtime, "coracle")?, or_built(probe, "probe")?)
            }
        };
        Ok((Self::at(runtime)?, probe))
    }

    /// The one that a name in PATH, or a path, means.
    pub(super) fn named(name: &str) -> Result<Self> {
        if name.contains('/') {
            return Self::at(name.into());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
        let file = files.find(|file| file.is_file()).with_context(|| {
            format!("no {name} in PATH: install the package {name}, or give the path of a runtime")
        })?;
        Self::at(file)
    }

    fn at(path: PathBuf) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("{} can't be started", path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (name, version) = identity(&text).with_context(|| {
            format!("{} --version does not say which runtime it is: {:?}", path.display(), text.trim())
        })?;
        Ok(Self { path, name, version })
    }
}

/// The name and the version in what `--version` prints first: `runc version 1.1.5+ds1`. A distribution adds to the
/// version; runc's own part is what matters.
fn identity(text: &str) -> Option<(String, String)> {
    let words: Vec<_> = text.lines().next()?.split_whitespace().collect();
    let version = words.iter().skip(1).find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    Some(((*words.first()?).to_owned(), version[..end].to_owned()))
}

/// Whether strace is there and may be used.
///
/// # Errors
/// Says what is missing and what to do.
pub(super) fn strace() -> Result<()> {
    let output = Command::new("strace").args(["-D", "-o", "/dev/null", "true"]).stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => bail!("strace can't be started ({error}): install the package strace"),
    };
    if !output.status.success() {
        bail!(
            "strace may not look into a process here: {}\nPossible reasons: kernel.yama.ptrace_scope is 3 (a reboot with \
             another value helps), or this is a container without ptrace (start it with --cap-add SYS_PTRACE)",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_runtime_says_who_it_is() {
        let is = |text| super::identity(text).map(|(name, version)| format!("{name} {version}"));
        assert_eq!(is("runc version 1.1.5+ds1\ncommit: 1.1.5+ds1-1").as_deref(), Some("runc 1.1.5"));
        assert_eq!(is("crun version 1.8.1\ncommit: f8a").as_deref(), Some("crun 1.8.1"));
        assert_eq!(is("youki version: 0.5.7\n").as_deref(), Some("youki 0.5.7"));
        assert_eq!(is("hello\n"), None);
        assert_eq!(is(""), None);
    }
}
