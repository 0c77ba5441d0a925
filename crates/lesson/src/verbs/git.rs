//! The repository, through the `git` command.

mod objects;
mod travel;

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

pub(super) use objects::{Change, Entry};

/// Where the reference was when the course began, or when it was last updated.
pub(super) const BASE: &str = "refs/coracle/base";
/// The commits that hold what a verb replaced.
pub(super) const BACKUP: &str = "refs/coracle/backup";
/// The sources, from the repository's root.
pub(super) const SOURCE: &str = "crates/coracle/src";
/// The line of the commits of `start` and `update` that names the reference. A clone of a learner's branch carries it,
/// unlike refs of our own.
const TRAILER: &str = "Coracle-Base";

/// A git repository with at least one commit.
pub(super) struct Git {
    root: PathBuf,
}

impl Git {
    /// Opens the repository whose root is the course's.
    ///
    /// # Errors
    /// Fails where git is missing, or where there is no history; the text says what to do.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let git = Self { root: root.to_path_buf() };
        let top = git.output(&["rev-parse", "--show-toplevel"])?;
        if !top.status.success() {
            let error = String::from_utf8_lossy(&top.stderr);
            if !error.contains("not a git repository") {
                bail!("{}", error.trim());
            }
            return Err(git.no_history("has no git history (a zip download?)"));
        }
        let top = PathBuf::from(String::from_utf8_lossy(&top.stdout).trim());
        if top.canonicalize().ok() != root.canonicalize().ok() {
            return Err(
                git.no_history(&format!("has no git history of its own: it lies inside {}", top.display()))
            );
        }
        if git.commit("HEAD").is_none() {
            return Err(git.no_history("has no commit yet"));
        }
        Ok(git)
    }

    fn no_history(&self, what: &str) -> anyhow::Error {
        let mut cure = vec![format!("cd {}", self.root.display()), "git init".to_owned()];
        if !self.knows_who() {
            cure.push("git config user.name \"Your Name\"".to_owned());
            cure.push("git config user.email you@example.com".to_owned());
        }
        cure.push("git add -A && git commit -m \"Coracle as downloaded\"".to_owned());
        cure.push("cargo lesson start".to_owned());
        anyhow::anyhow!(
            "{} {what}, and the course keeps your work in git. Do this once:\n  {}",
            self.root.display(),
            cure.join("\n  ")
        )
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        // The texts below are compared; a pager or a prompt would wait for somebody.
        command
            .arg("-C")
            .arg(&self.root)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null());
        command
    }

    fn output<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Output> {
        run(self.command().args(arguments))
    }

    /// What git prints, without the newline at its end.
    pub(super) fn read<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String> {
        read(self.command().args(arguments))
    }

    /// The commit that `revision` names, if there is one.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        self.read(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]).ok()
    }

    /// The branch that is checked out; `None` where HEAD is detached.
    pub(super) fn branch(&self) -> Option<String> {
        self.read(&["symbolic-ref", "--short", "--quiet", "HEAD"]).ok()
    }

    /// Whether git can tell whose commits these are.
    pub(super) fn knows_who(&self) -> bool {
        self.output(&["var", "GIT_COMMITTER_IDENT"]).is_ok_and(|output| output.status.success())
    }

    /// The reference of the course branch at `revision`; `None` where that is no course branch.
    ///
    /// # Errors
    /// Fails where the branch names a reference that this clone does not have.
    pub(super) fn base_of(&self, revision: &str) -> Result<Option<String>> {
        let format = format!("--format=%(trailers:key={TRAILER},valueonly)");
        // In the order of parents: an update counts before the start, whatever the clock said at the time.
        let base = self.read(&[
            "log",
            "-1",
            "--topo-order",
            &format!("--grep=^{TRAILER}: "),
            &format,
            revision,
            "--",
        ])?;
        if base.is_empty() {
            return Ok(None);
        }
        let found = self.commit(&base).with_context(|| {
            format!("the reference of this branch, commit {base}, is not in this clone. Try: git fetch --unshallow")
        })?;
        Ok(Some(found))
    }

    /// The text of a commit from which on `base` is the reference.
    pub(super) fn message(what: &str, base: &str) -> String {
        format!("{what}\n\n{TRAILER}: {base}\n")
    }

    /// The tracked files that differ from HEAD, one `git status` line each; empty where all is committed.
    pub(super) fn uncommitted(&self) -> Result<String> {
        self.read(&["status", "--porcelain", "--untracked-files=no"])
    }

    /// Whether `commit` has `other` in its history.
    pub(super) fn contains(&self, commit: &str, other: &str) -> Result<bool> {
        Ok(self.output(&["merge-base", "--is-ancestor", other, commit])?.status.success())
    }

    /// Asks the remote what is new, as the person who typed the command: git may ask for a password.
    pub(super) fn fetch(&self) -> Result<()> {
        let mut command = Command::new("git");
        let status = command.arg("-C").arg(&self.root).args(["fetch", "--quiet"]).status();
        if !status.context("git does not start")?.success() {
            bail!("git fetch failed, see above. Without the network: cargo lesson update");
        }
        Ok(())
    }

    /// What `git` prints when it is fed with `input`.
    fn feed(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("git does not start")?;
        let mut stdin = child.stdin.take().context("git has no stdin")?;
        // A scoped thread writes while this one reads: neither pipe can fill up.
        let output = std::thread::scope(|scope| {
            let writer = scope.spawn(move || stdin.write_all(input));
            let output = child.wait_with_output();
            let wrote = writer.join().map_err(|_| anyhow::anyhow!("writing to git failed"))?;
            let output = output?;
            // Why git did not read to the end, its own words tell better.
            if output.status.success() {
                wrote?;
            }
            Ok::<_, anyhow::Error>(output)
        })?;
        if !output.status.success() {
            return Err(failed(command, &output));
        }
        Ok(output.stdout)
    }
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("git is not installed, and the course keeps your work in it"),
        _ => anyhow::Error::new(error).context("git does not start"),
    })
}

fn read(command: &mut Command) -> Result<String> {
    let output = run(command)?;
    if !output.status.success() {
        return Err(failed(command, &output));
    }
    Ok(String::from_utf8(output.stdout)?.trim_end_matches('\n').to_owned())
}

/// What a git that failed said. A git that was killed leaves its lock behind, which stops all that come later.
fn failed(command: &Command, output: &Output) -> anyhow::Error {
    let words: Vec<_> = command.get_args().skip(2).map(OsStr::to_string_lossy).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let lock = said.split('\'').find(|part| part.ends_with(".lock"));
    match lock.filter(|_| said.contains("File exists")) {
        Some(lock) => anyhow::anyhow!(
            "git is locked: another git is at work in this clone (an editor's, perhaps), or one was killed. If none is:\n  \
             rm '{lock}'\nand then the same command again"
        ),
        None if said.is_empty() => anyhow::anyhow!("git {}: {}", words.join(" "), output.status),
        None => anyhow::anyhow!("git {}: {said}", words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus, Output};

    #[test]
    fn a_lock_that_is_left_over_is_named_with_its_cure() {
        let said =
            "fatal: Unable to create '/boat/.git/index.lock': File exists.\n\nAnother git process seems ...";
        let output =
            Output { status: ExitStatus::from_raw(128 << 8), stdout: Vec::new(), stderr: said.into() };
        let text = super::failed(&Command::new("git"), &output).to_string();
        assert!(text.contains("rm '/boat/.git/index.lock'"), "{text}");
    }
}
