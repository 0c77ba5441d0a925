//! What was seen: builds and verdicts, the material that `judge` judges and `matrix` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use course::Course;
use serde::{Deserialize, Serialize};

use crate::runtime::Runtime;
pub(super) use crate::verdict::{Class, Kind, Outcome, Ran, Verdict};

/// A runtime that the lessons' tests are run against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    /// The starter of a lesson: items of this lesson and of later ones are blank.
    Snapshot(u32),
    /// The starter of a lesson as it will be once the drafts are lessons: their items >= the number are blank too.
    Cut(u32),
    /// The finished runtime.
    Reference,
    /// The finished runtime with one item blank.
    Without(String),
    /// The finished runtime with the wrong body that a guard names.
    Wrong { lesson: u32, test: String },
    /// Another runtime of this machine.
    Oracle,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variant::Snapshot(lesson) => write!(f, "the starter of lesson {lesson:02}"),
            Variant::Cut(lesson) => write!(f, "the cut at lesson {lesson:02}"),
            Variant::Reference => write!(f, "the finished runtime"),
            Variant::Without(item) => write!(f, "the finished runtime without `{item}`"),
            Variant::Wrong { test, .. } => {
                write!(f, "the finished runtime with the wrong body of guard `{test}`")
            }
            Variant::Oracle => write!(f, "the oracle"),
        }
    }
}

/// Where a lesson is finished: its successor's starter, and behind the last lesson the reference.
pub(super) fn next(course: &Course, lesson: u32) -> Variant {
    let next = course.lessons.iter().find(|candidate| candidate.number > lesson);
    next.map_or(Variant::Reference, |next| Variant::Snapshot(next.number))
}

/// One message of the compiler about the crate `coracle`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Diagnostic {
    /// With its code: `error[E0308]: mismatched types`.
    pub message: String,
    /// `crates/coracle/src/rootfs.rs:12`, empty where the compiler named no place.
    pub place: String,
    /// The item of the course that the place lies in.
    pub item: Option<String>,
}

/// How the build of a variant ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Build {
    Built { warnings: Vec<Diagnostic> },
    Broken { errors: Vec<Diagnostic> },
}

/// Everything that was seen of a course.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// The lessons that have a test target.
    pub programs: BTreeSet<u32>,
    pub builds: BTreeMap<Variant, Build>,
    pub runs: BTreeMap<(Variant, u32), Ran>,
    /// Whether `sandbox` runs a program on a variant; if not, how it failed.
    pub sandboxes: BTreeMap<Variant, Result<(), String>>,
    /// The later items that a test of a lesson turned out to need.
    pub needs: BTreeMap<(u32, String), Vec<String>>,
    /// The other runtime, where one is installed.
    pub oracle: Option<Runtime>,
}

impl Evidence {
    /// The verdict of a test, where its program ran on this variant and gave one.
    pub(super) fn verdict(&self, variant: &Variant, lesson: u32, test: &str) -> Option<&Verdict> {
        self.runs.get(&(variant.clone(), lesson))?.as_ref().ok()?.get(test)
    }

    /// The tests of a lesson with their kinds, red ones first. Every variant knows the same tests. A plain one repeats the
    /// others elsewhere, on another machine perhaps, and is no part of the proof.
    pub(super) fn tests(&self, lesson: u32) -> Vec<(Kind, String)> {
        let mut tests = BTreeSet::new();
        for ((_, of), ran) in &self.runs {
            if let (true, Ok(verdicts)) = (*of == lesson, ran) {
                let verdicts = verdicts.values().filter(|verdict| verdict.kind != Kind::Plain);
                tests.extend(verdicts.map(|verdict| (verdict.kind, verdict.test.clone())));
            }
        }
        tests.into_iter().collect()
    }

    /// Whether a test is green on the finished runtime: only then does its failure elsewhere say anything.
    pub(super) fn sound(&self, lesson: u32, test: &str) -> bool {
        self.verdict(&Variant::Reference, lesson, test).is_some_and(Verdict::passed)
    }

    /// Tests of a lesson that fail on its successor's starter, though the finished runtime turns them green.
    pub(super) fn impatient(&self, course: &Course, lesson: u32) -> Vec<String> {
        let next = next(course, lesson);
        let mut tests = self.tests(lesson);
        tests.retain(|(_, test)| {
            self.sound(lesson, test)
                && self.verdict(&next, lesson, test).is_some_and(|verdict| verdict.failed().is_some())
        });
        tests.into_iter().map(|(_, test)| test).collect()
    }

    /// The tests of a lesson that could not run on this machine, each with the reason.
    pub(super) fn ignored(&self, lesson: u32) -> Vec<(String, String)> {
        let mut ignored = BTreeMap::new();
        for ((variant, of), ran) in &self.runs {
            if let (true, Ok(verdicts)) = (*of == lesson && *variant != Variant::Oracle, ran) {
                let verdicts = verdicts.values().filter(|verdict| verdict.kind != Kind::Plain);
                for verdict in verdicts.filter(|verdict| verdict.verdict == Outcome::Ignored) {
                    ignored.insert(verdict.test.clone(), verdict.said().to_owned());
                }
            }
        }
        ignored.into_iter().collect()
    }
}
