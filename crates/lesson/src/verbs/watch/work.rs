//! One run: build the lesson's tests, run them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use course::Course;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cargo;
use crate::programs::Programs;
use crate::verdict::{Ran, Verdict, verdicts};

/// How a run ended.
pub(super) enum Outcome {
    /// It does not compile: the compiler's first error.
    Broken(String),
    /// The tests in the lesson's order, and what they said.
    Tested { order: Vec<String>, ran: Ran },
}

pub(super) struct Work {
    folder: TempDir,
    /// The program that runs now.
    child: Mutex<Option<Pid>>,
}

impl Work {
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder for the verdicts")?;
        Ok(Self { folder, child: Mutex::new(None) })
    }

    /// The folder in which the verdicts appear.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("verdicts")
    }

    /// The verdicts that the run under way has written until now.
    pub(super) fn so_far(&self) -> BTreeMap<String, Verdict> {
        let lines = fs::read_to_string(self.file()).unwrap_or_default();
        let verdicts = lines.lines().filter_map(|line| serde_json::from_str::<Verdict>(line).ok());
        verdicts.map(|verdict| (verdict.test.clone(), verdict)).collect()
    }

    /// Builds and runs the tests of a lesson of the learner's own tree.
    pub(super) fn run(&self, course: &Course, lesson: u32) -> Result<Outcome> {
        let mut build = Programs::building(course, &[course.lesson(lesson)?]);
        build.args(["--quiet", "--message-format=json"]);
        let output = self.output(build)?;
        let messages = cargo::messages(&output);
        if !output.status.success() {
            let errors = messages.iter().filter_map(|message| message.message.as_ref());
            let first = errors.filter(|error| error.is_error()).find_map(|error| error.rendered.clone());
            // No compiler spoke: a manifest is wrong, or a dependency is missing.
            let said = first.unwrap_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned());
            return Ok(Outcome::Broken(said.trim_end().to_owned()));
        }
        let programs = Programs::built(course, messages);
        let mut list = programs.command(lesson, None, None)?;
        list.arg("--list");
        let list = self.output(list)?;
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let order = list.lines().filter_map(|line| line.strip_suffix(": test"));
        let order = order.map(|line| line.rsplit(' ').next().unwrap_or(line).to_owned()).collect();

        fs::write(self.file(), "").with_context(|| format!("writing {}", self.file().display()))?;
        let mut tests = programs.command(lesson, None, None)?;
        tests.env("CORACLE_VERDICTS", self.file());
        let output = self.output(tests)?;
        let lines = fs::read_to_string(self.file()).context("reading the verdicts")?;
        Ok(Outcome::Tested { order, ran: verdicts(&output, &lines) })
    }

    fn output(&self, mut command: Command) -> Result<Output> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child =
            command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        *self.child() = Some(pid(&child));
        let output = child.wait_with_output();
        *self.child() = None;
        Ok(output?)
    }

    /// Ends what runs, as ^C would.
    pub(super) fn interrupt(&self) {
        if let Some(pid) = *self.child() {
            // It may have ended in this moment.
            let _ = kill(pid, Signal::SIGINT);
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Pid>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}
