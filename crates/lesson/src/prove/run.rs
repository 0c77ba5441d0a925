//! Running a lesson's tests against a runtime, and keeping what they said.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use course::Course;

use super::evidence::{Kind, Outcome, Ran, Verdict};
use super::workshop::{Binary, Workshop, hash_of};
use crate::programs;

/// The lessons' test programs and the probe they use, told apart by their bytes.
#[derive(Debug)]
pub(super) struct Programs {
    pub tests: BTreeMap<u32, Binary>,
    pub probe: Option<Binary>,
    programs: programs::Programs,
    /// What a verdict may depend on beside the programs.
    machine: u64,
}

impl Programs {
    /// Builds the tests in the course's own tree.
    ///
    /// # Errors
    /// Fails where they do not compile; cargo has shown why.
    pub(super) fn build(course: &Course) -> Result<Self> {
        let programs = programs::Programs::build(course, &[])?;
        let tests = programs.tests.iter().map(|(lesson, path)| Ok((*lesson, Binary::of(path)?)));
        let tests = tests.collect::<Result<_>>()?;
        let probe = programs.probe.as_deref().map(Binary::of).transpose()?;
        Ok(Self { tests, probe, programs, machine: machine() })
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
        let start = Instant::now();
        let ran = self.programs.run(lesson, only, Some(&runtime.path))?;
        if let Ok(verdicts) = &ran
            && verdicts.values().all(lasting)
        {
            fs::write(&record, serde_json::to_vec(verdicts)?)?;
        }
        Ok((ran, Some(start.elapsed())))
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

/// What decides on this machine which tests can run: the user, the kernel.
pub(super) fn machine() -> u64 {
    let kernel = nix::sys::utsname::uname().map(|names| names.release().to_owned());
    hash_of(&(nix::unistd::geteuid().as_raw(), kernel.unwrap_or_default()))
}
