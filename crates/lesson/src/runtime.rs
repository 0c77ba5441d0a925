//! A runtime that the lessons' tests are run on, other than the one of this tree: which it is, and what it is excused
//! from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use course::{Exempt, Lesson};

/// An installed runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runtime {
    pub(crate) path: PathBuf,
    /// The first line of what its `--version` prints.
    pub(crate) line: String,
}

impl Runtime {
    /// Asks a runtime for its version.
    ///
    /// # Errors
    /// Fails where the program cannot be run, or does not know `--version`: then it is no runtime.
    pub(crate) fn ask(path: &Path) -> Result<Self> {
        let output = Command::new(path).arg("--version").output();
        let output = output.with_context(|| format!("{} can't be run", path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().next().unwrap_or_default().trim().to_owned();
        if !output.status.success() || line.is_empty() {
            bail!("{} does not answer to --version, as a container runtime does", path.display());
        }
        Ok(Self { path: path.to_path_buf(), line })
    }

    /// Its name, as exemptions have it: `runc` of `runc version 1.1.5`.
    pub(crate) fn name(&self) -> &str {
        self.line.split_whitespace().next().unwrap_or_default()
    }

    /// Its version: `1.1.5+ds1` of `runc version 1.1.5+ds1`.
    pub(crate) fn version(&self) -> Option<&str> {
        self.line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// Why a test of `lesson` need not pass on it, if that is so.
    pub(crate) fn excuse<'l>(&self, lesson: &'l Lesson, test: &str) -> Option<&'l Exempt> {
        let here = |exempt: &&Exempt| exempt.test == test && exempt.runtime == self.name();
        lesson.exempt.iter().filter(here).find(|exempt| match (&exempt.before, self.version()) {
            (Some(first), Some(version)) => numbers(version) < numbers(first),
            _ => true,
        })
    }
}

/// The numbers of a version up to what is none: `1.1.5+ds1` is 1, 1, 5.
fn numbers(version: &str) -> Vec<u32> {
    let digits = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    version[..digits].split('.').map_while(|part| part.parse().ok()).collect()
}

/// Where a program is: in PATH, or where distributions keep runtimes, which an ordinary user's PATH may lack.
pub(crate) fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).chain(usual);
    folders.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()))
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("1.1.5+ds1") < numbers("1.2"));
        assert!(numbers("1.10.0") > numbers("1.9"));
        assert!(numbers("1.2.0-rc.1") >= numbers("1.2"));
    }
}
