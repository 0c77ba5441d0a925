//! Git, the learner's time machine.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A repository's work tree.
#[derive(Debug)]
pub(super) struct Git<'a> {
    root: &'a Path,
}

/// Where the course was started from.
pub(super) const BASE: &str = "refs/coracle/base";

impl<'a> Git<'a> {
    /// The repository of the course.
    ///
    /// # Errors
    /// Where there is no history, as in an archive that was downloaded; the text says how to make one.
    pub(super) fn open(root: &'a Path) -> Result<Git<'a>> {
        let git = Git { root };
        let top = git.output(&["rev-parse", "--show-toplevel"])?;
        let same = |text: &[u8]| Path::new(String::from_utf8_lossy(text).trim_end()).canonicalize().ok();
        if !top.status.success() || same(&top.stdout) != root.canonicalize().ok() {
            bail!(
                "{} has no git history, and git is what keeps your work safe. Make one, then try again:\n  \
                 git init && git add -A && git commit -m coracle",
                root.display()
            );
        }
        if !git.succeeds(&["rev-parse", "--verify", "--quiet", "HEAD"])? {
            bail!("there is no commit yet. Make one, then try again:\n  git add -A && git commit -m coracle");
        }
        Ok(git)
    }

    /// What git prints, without the newline at its end.
    ///
    /// # Errors
    /// Where git fails; with its own words.
    pub(super) fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.output(args)?;
        if !output.status.success() {
            bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    /// Whether git succeeds.
    ///
    /// # Errors
    /// Where there is no git.
    pub(super) fn succeeds(&self, args: &[&str]) -> Result<bool> {
        Ok(self.output(args)?.status.success())
    }

    /// The bytes of a file in a commit.
    ///
    /// # Errors
    /// Where it is not there.
    pub(super) fn file(&self, commit: &str, path: &str) -> Result<String> {
        let output = self.output(&["show", &format!("{commit}:{path}")])?;
        if !output.status.success() {
            bail!("{path} is not in {commit}");
        }
        String::from_utf8(output.stdout).with_context(|| format!("{path} in {commit}"))
    }

    /// The branch we are on; empty for none.
    ///
    /// # Errors
    /// Where there is no git.
    pub(super) fn branch(&self) -> Result<String> {
        Ok(self.run(&["symbolic-ref", "--quiet", "--short", "HEAD"]).unwrap_or_default())
    }

    /// Commits everything that is staged.
    ///
    /// # Errors
    /// As git.
    pub(super) fn commit(&self, message: &str) -> Result<()> {
        self.run(&["commit", "--quiet", "--no-verify", "--message", message]).map(drop)
    }

    /// Keeps the work tree as it is now, untracked files apart, under a ref of its own. Returns how to get it back;
    /// `None` where the last commit has it all.
    ///
    /// # Errors
    /// As git.
    pub(super) fn keep(&self) -> Result<Option<String>> {
        let commit = self.run(&["stash", "create", "before cargo lesson changed it"])?;
        if commit.is_empty() {
            return Ok(None);
        }
        let name = format!("refs/coracle/backup/{}", &commit[..12]);
        self.run(&["update-ref", &name, &commit])?;
        Ok(Some(format!("git checkout {name} -- crates/coracle/src")))
    }

    fn output(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new("git");
        command.current_dir(self.root).args(args).stdin(Stdio::null());
        // Whoever has no identity yet gets one for the course's own commits, and no advice.
        for role in ["AUTHOR", "COMMITTER"] {
            for (what, value) in [("NAME", "learner"), ("EMAIL", "learner@localhost")] {
                let key = format!("user.{}", what.to_lowercase());
                let set = Command::new("git").current_dir(self.root).args(["config", &key]).output();
                let variable = format!("GIT_{role}_{what}");
                if set.is_ok_and(|set| !set.status.success()) && std::env::var_os(&variable).is_none() {
                    command.env(variable, value);
                }
            }
        }
        command.output().context("git can't be started: install it")
    }
}
