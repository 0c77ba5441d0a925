//! What a transcript of `cargo test` shows although nobody runs it: the names of tests, and how many are red.

use std::collections::BTreeMap;

use course::Course;

use crate::testlist::{self, Kind};

/// The lessons' tests: for each target, the names with their kinds.
pub(super) struct Tests(BTreeMap<String, Vec<(String, Kind)>>);

impl Tests {
    pub(super) fn read(course: &Course) -> Self {
        let lessons = course.lessons.iter().filter(|lesson| !lesson.items.is_empty());
        let lists = lessons.map(|lesson| {
            // A list that cannot be read is a defect of the chapter's {{#tests}}.
            let tests = testlist::read(course, lesson).into_iter().flatten();
            (lesson.target(), tests.map(|test| (test.name, test.kind)).collect())
        });
        Self(lists.collect())
    }

    /// Whether a lesson has a test of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.values().flatten().any(|(test, _)| test == name)
    }

    /// What is wrong in a transcript, each with its place.
    pub(super) fn check(&self, text: &str) -> Vec<(usize, String)> {
        let mut wrong = Vec::new();
        let mut target = None;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let shown = line.trim();
            if let Some(command) = shown.strip_prefix("$ ") {
                target = self.0.iter().find(|(target, _)| command == format!("cargo test --test {target}"));
            }
            if let Some(test) = named(shown).filter(|test| !self.has(test)) {
                wrong.push((at, format!("no lesson has a test called {test}")));
            }
            if let (Some((target, tests)), Some((passed, failed))) = (target, counted(shown)) {
                let count = |kind| tests.iter().filter(|(_, other)| *other == kind).count();
                let (red, guards) = (count(Kind::Red), count(Kind::Guard));
                let right =
                    if failed == 0 { passed == red + guards } else { (passed, failed) == (guards, red) };
                if !right {
                    wrong.push((at, format!("{target} has {red} red tests and {guards} guards")));
                }
            }
            at += line.len();
        }
        wrong
    }
}

/// The test that a line of `cargo test` is about.
fn named(line: &str) -> Option<&str> {
    let listed = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "));
    listed.map(|(name, _)| name.trim_end()).or_else(|| line.strip_prefix("---- ")?.strip_suffix(" ----"))
}

/// How many passed and failed, where the line says so in numbers.
fn counted(line: &str) -> Option<(usize, usize)> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let (passed, rest) = rest.split_once(" passed; ")?;
    let (failed, _) = rest.split_once(" failed;")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}
