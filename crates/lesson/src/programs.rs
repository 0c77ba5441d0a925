//! The lessons' test programs: building them, and running one against a runtime.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use course::{Course, Lesson};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cargo::{self, Message, cargo};
use crate::verdict::{Ran, verdicts};

/// After this long a test program is stuck: every test in it has a deadline of its own.
pub(crate) const STUCK: Duration = Duration::from_secs(300);

/// The test programs by lesson, and the probe they use.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) tests: BTreeMap<u32, PathBuf>,
    pub(crate) probe: Option<PathBuf>,
    /// Where cargo runs a package's tests.
    folder: PathBuf,
}

impl Programs {
    /// Builds the tests of these lessons in the course's own tree; where there are none, those of all.
    ///
    /// # Errors
    /// Fails where they do not compile; cargo has shown why.
    pub(crate) fn build(course: &Course, lessons: &[&Lesson]) -> Result<Self> {
        let mut command = Self::building(course, lessons);
        command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
        let output = command.output().context("running cargo test --no-run")?;
        if !output.status.success() {
            bail!("the lessons' tests do not build");
        }
        Ok(Self::built(course, cargo::messages(&output)))
    }

    /// The command that builds the tests, but for the format of its messages.
    pub(crate) fn building(course: &Course, lessons: &[&Lesson]) -> Command {
        let mut command = cargo();
        command.current_dir(&course.root).args(["test", "--package", "lessons", "--no-run"]);
        let all = lessons.is_empty().then(|| "lesson-*".to_owned());
        for target in lessons.iter().map(|lesson| lesson.target()).chain(all) {
            command.args(["--test", &target]);
        }
        command
    }

    /// The programs that cargo's messages name.
    pub(crate) fn built(course: &Course, messages: Vec<Message>) -> Self {
        let (mut tests, mut probe) = (BTreeMap::new(), None);
        for message in messages {
            let Some(path) = &message.executable else {
                continue;
            };
            if let Some(target) = message.is_target("test") {
                let lesson = course.lessons.iter().find(|lesson| lesson.target() == target.name);
                tests.extend(lesson.map(|lesson| (lesson.number, path.clone())));
            } else if message.is_target("bin").is_some_and(|target| target.name == "probe-under-test") {
                probe = Some(path.clone());
            }
        }
        Self { tests, probe, folder: course.root.join("lessons") }
    }

    /// The command that runs a lesson's tests, or only one of them. `runtime` is the one under test, to which no lesson
    /// is locked; without it, the learner's own is tested.
    ///
    /// # Errors
    /// Fails where the lesson has no test program.
    pub(crate) fn command(&self, lesson: u32, only: Option<&str>, runtime: Option<&Path>) -> Result<Command> {
        let program = self.tests.get(&lesson).with_context(|| format!("lesson {lesson} has no tests"))?;
        let mut command = Command::new(program);
        command.args(only.into_iter().flat_map(|test| ["--exact", test])).current_dir(&self.folder);
        // A tier that is missing is for the caller to judge, and the probe is the one that was built with the tests.
        command.env_remove("CORACLE_STRICT").env_remove("CORACLE_PROBE").env_remove("CORACLE_RUNTIME");
        if let Some(runtime) = runtime {
            command.env("CORACLE_RUNTIME", runtime).env("CORACLE_UNLOCK", "all");
            // A test for another machine repeats the others there: too slow for every variant of a proof, and another
            // runtime may not be there.
            command.env_remove("CORACLE_VM");
        }
        Ok(command)
    }

    /// Runs a lesson's tests, or only one of them.
    ///
    /// # Errors
    /// Fails where the program cannot be started or its verdicts cannot be read; a broken program is a result.
    pub(crate) fn run(&self, lesson: u32, only: Option<&str>, runtime: Option<&Path>) -> Result<Ran> {
        let file = tempfile::NamedTempFile::new().context("making a file for the verdicts")?;
        let mut command = self.command(lesson, only, runtime)?;
        command.env("CORACLE_VERDICTS", file.path());
        let output = output_within(command, STUCK)?;
        let lines = fs::read_to_string(&file).context("reading the verdicts")?;
        Ok(match output {
            None => Err(format!("it had not ended after {} s and was killed", STUCK.as_secs())),
            Some(output) => verdicts(&output, &lines),
        })
    }
}

/// The output of a command, or `None` where it had to be killed.
pub(crate) fn output_within(mut command: Command, limit: Duration) -> Result<Option<Output>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
    let pid = Pid::from_raw(child.id().cast_signed());
    let (ended, end) = mpsc::channel();
    let waiter = std::thread::spawn(move || ended.send(child.wait_with_output()));
    let output = match end.recv_timeout(limit) {
        Ok(output) => Some(output?),
        Err(_) => {
            kill(pid, Signal::SIGKILL).context("killing a program that does not end")?;
            None
        }
    };
    // The send cannot fail: the receiver lives until here.
    drop(waiter.join());
    Ok(output)
}
