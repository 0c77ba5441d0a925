//! Running a lesson's tests against a runtime, and keeping what they said.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use course::Course;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cargo::{self, cargo};
use super::evidence::{Kind, Outcome, Ran, Verdict};
use super::workshop::{Binary, Workshop, hash_of};

/// After this long a test program is stuck: every test in it has a deadline of its own.
const STUCK: Duration = Duration::from_secs(300);

/// The lessons' test programs and the probe they use.
#[derive(Debug)]
pub(super) struct Programs {
    pub tests: BTreeMap<u32, Binary>,
    pub probe: Option<Binary>,
    /// Where cargo runs a package's tests.
    folder: PathBuf,
    /// What a verdict may depend on beside the programs.
    machine: u64,
}

impl Programs {
    /// Builds the tests in the course's own tree.
    ///
    /// # Errors
    /// Fails where they do not compile; cargo has shown why.
    pub(super) fn build(course: &Course) -> Result<Self> {
        let mut command = cargo();
        command.args(["test", "--package", "lessons", "--test", "lesson-*", "--no-run"]);
        command.arg("--message-format=json-render-diagnostics");
        command.current_dir(&course.root).stderr(Stdio::inherit());
        let output = command.output().context("running cargo test --no-run")?;
        if !output.status.success() {
            bail!("the lessons' tests do not build");
        }
        let mut tests = BTreeMap::new();
        let mut probe = None;
        for message in cargo::messages(&output) {
            let Some(path) = &message.executable else {
                continue;
            };
            if let Some(target) = message.is_target("test") {
                let lesson = course.lessons.iter().find(|lesson| lesson.target() == target.name);
                if let Some(lesson) = lesson {
                    tests.insert(lesson.number, Binary::of(path)?);
                }
            } else if message.is_target("bin").is_some_and(|target| target.name == "probe-under-test") {
                probe = Some(Binary::of(path)?);
            }
        }
        Ok(Self { tests, probe, folder: course.root.join("lessons"), machine: machine() })
    }

    /// Runs a lesson's tests, or only one of them, against `runtime`, unless the same was run before. Returns how
    /// long it took where it was run now.
    ///
    /// # Errors
    /// Fails where the program cannot be started or its verdicts cannot be kept; a broken program is a result.
    pub(super) fn run(
        &self,
        workshop: &mut Workshop,
        lesson: u32,
        only: Option<&str>,
        runtime: &Binary,
    ) -> Result<(Ran, Option<Duration>)> {
        let program = self.tests.get(&lesson).context("a lesson without tests")?;
        let probe = self.probe.as_ref().map(|probe| probe.hash);
        let key = hash_of(&(runtime.hash, program.hash, probe, only, self.machine));
        let record = workshop.cached("verdicts", &format!("{key:016x}.json"));
        if let Ok(known) = fs::read(&record)
            && let Ok(known) = serde_json::from_slice::<BTreeMap<String, Verdict>>(&known)
        {
            return Ok((Ok(known), None));
        }

        let file = workshop.folder().join("verdicts.jsonl");
        fs::write(&file, "").with_context(|| format!("writing {}", file.display()))?;
        let mut command = Command::new(&program.path);
        command.args(only.into_iter().flat_map(|test| ["--exact", test]));
        command.current_dir(&self.folder);
        command
            .env("CORACLE_RUNTIME", &runtime.path)
            .env("CORACLE_UNLOCK", "all")
            .env("CORACLE_VERDICTS", &file);
        // A test for another machine is plain (see `Evidence::tests`), and too slow to be run on every variant.
        command.env_remove("CORACLE_VM");
        // A tier that is missing is judged here, and the probe is the one that was built with the tests.
        command.env_remove("CORACLE_STRICT").env_remove("CORACLE_PROBE");
        let start = Instant::now();
        let output = output_within(command, STUCK)?;
        let took = start.elapsed();
        let lines = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        fs::remove_file(&file)?;
        let ran = match output {
            None => Err(format!("it had not ended after {} s and was killed", STUCK.as_secs())),
            Some(output) => verdicts(&output, &lines),
        };
        if let Ok(verdicts) = &ran
            && verdicts.values().all(lasting)
        {
            fs::write(&record, serde_json::to_vec(verdicts)?)?;
        }
        Ok((ran, Some(took)))
    }
}

/// Whether a verdict is worth keeping: one that hangs on the machine's load or on what is installed is asked for again.
fn lasting(verdict: &Verdict) -> bool {
    match verdict.verdict {
        Outcome::Pass => true,
        Outcome::Fail => verdict.failed().is_some_and(|class| class.notices()),
        // A plain one is ignored in every proof.
        Outcome::Ignored => verdict.kind == Kind::Plain,
    }
}

/// The verdicts of a test program that ended. They must agree with its exit status: a program that died half way has
/// proved nothing.
fn verdicts(output: &Output, lines: &str) -> Ran {
    let mut verdicts = BTreeMap::new();
    for line in lines.lines() {
        let verdict: Verdict =
            serde_json::from_str(line).map_err(|error| format!("it wrote the verdict {line}: {error}"))?;
        verdicts.insert(verdict.test.clone(), verdict);
    }
    let failed = verdicts.values().any(|verdict| verdict.verdict == Outcome::Fail);
    if output.status.code().is_some_and(|code| (code == 0) != failed) {
        return Ok(verdicts);
    }
    let said =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = said[said.len().saturating_sub(3)..].join(" / ");
    Err(format!("it ended with {} after {} verdicts: {tail}", output.status, verdicts.len()))
}

/// The output of a command, or `None` where it had to be killed.
pub(super) fn output_within(mut command: Command, limit: Duration) -> Result<Option<Output>> {
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

/// What decides on this machine which tests can run: the user, the kernel.
pub(super) fn machine() -> u64 {
    let kernel = nix::sys::utsname::uname().map(|names| names.release().to_owned());
    hash_of(&(nix::unistd::geteuid().as_raw(), kernel.unwrap_or_default()))
}
