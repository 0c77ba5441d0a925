//! The judgement: from what was seen to the defects of the course. Nothing here runs anything.

mod build;
mod cut;
mod knockout;
mod oracle;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use course::{Course, Lesson};

use super::evidence::{Class, Evidence, Kind, Outcome, Variant};

/// The runtime that is used as oracle.
pub(super) const RUNTIME: &str = "runc";

/// Something the course's author has to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Defect {
    pub lesson: u32,
    pub text: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lesson {:02}: {}", self.lesson, self.text)
    }
}

/// What the evidence amounts to.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub defects: Vec<Defect>,
    /// What is good to know and no defect: what this machine could not prove, an exemption no longer needed.
    pub notes: Vec<String>,
}

impl Judgement {
    fn defect(&mut self, lesson: u32, text: impl Into<String>) {
        self.defects.push(Defect { lesson, text: text.into() });
    }

    /// Something this machine could not prove: a note, or under `CORACLE_STRICT=1` a defect.
    fn unproven(&mut self, strict: bool, lesson: u32, text: impl Into<String>) {
        let text = format!("not proven here: {}", text.into());
        if strict {
            self.defect(lesson, text);
        } else {
            self.notes.push(format!("lesson {lesson:02}: {text}"));
        }
    }
}

/// What every rule may look at.
struct Case<'a> {
    course: &'a Course,
    evidence: &'a Evidence,
    strict: bool,
}

/// Judges the chosen lessons. `strict`: what this machine cannot prove is a defect.
pub(super) fn judge(course: &Course, chosen: &BTreeSet<u32>, evidence: &Evidence, strict: bool) -> Judgement {
    let case = Case { course, evidence, strict };
    let mut found = Judgement::default();
    build::judge(&case, &mut found);
    cut::sandboxes(&case, &mut found);
    for lesson in &course.lessons {
        if evidence.programs.contains(&lesson.number) {
            // Lessons before a chosen one were run too: their order is part of what was asked.
            programs(&case, lesson, &mut found);
            order::judge(&case, lesson, &mut found);
            cut::tests(&case, lesson, &mut found);
        }
        if !chosen.contains(&lesson.number) {
            continue;
        }
        if !evidence.programs.contains(&lesson.number) {
            if !lesson.items.is_empty() {
                let number = lesson.number;
                let text = format!("no tests: lessons/Cargo.toml has no [[test]] named {}", lesson.target());
                found.defect(number, text);
            }
            continue;
        }
        ignored(&case, lesson, &mut found);
        red(&case, lesson, &mut found);
        knockout::items(&case, lesson, &mut found);
        knockout::guards(&case, lesson, &mut found);
        oracle::judge(&case, lesson, &mut found);
    }
    if evidence.oracle.is_none() {
        let text = "runc is not installed here: no test was held against a second runtime";
        found.notes.push(text.to_owned());
    }
    found.defects.sort_by_key(|defect| defect.lesson);
    found
}

/// Test programs that broke, and tests that a program was silent about.
fn programs(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    let tests = case.evidence.tests(lesson.number);
    for ((variant, _), ran) in case.evidence.runs.iter().filter(|((_, of), _)| *of == lesson.number) {
        match ran {
            Err(broke) => found.defect(
                lesson.number,
                format!("broken tests: {} broke on {variant}: {broke}", lesson.target()),
            ),
            // A wrong body is shown to its guard alone.
            Ok(_) if matches!(variant, Variant::Wrong { .. }) => {}
            Ok(verdicts) => {
                for (_, test) in tests.iter().filter(|(_, test)| !verdicts.contains_key(test)) {
                    found.defect(lesson.number, format!("no verdict: `{test}` gave none on {variant}"));
                }
            }
        }
    }
}

fn ignored(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    for (test, reason) in case.evidence.ignored(lesson.number) {
        found.unproven(case.strict, lesson.number, format!("`{test}` was ignored: {reason}"));
    }
}

/// A red test fails on the lesson's own starter, by an assertion.
fn red(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    let starter = Variant::Snapshot(lesson.number);
    for (kind, test) in case.evidence.tests(lesson.number) {
        let Some(verdict) = case.evidence.verdict(&starter, lesson.number, &test) else {
            continue;
        };
        if kind == Kind::Red && verdict.verdict == Outcome::Pass {
            found.defect(
                lesson.number,
                format!(
                    "vacuous test: red test `{test}` is green on the lesson's own starter, before the learner wrote \
                     anything. Assert what only the finished items bring about; if it says that normal use still \
                     works, make it a guard with the wrong body it notices"
                ),
            );
        }
        let Some(class) = verdict.failed() else {
            continue;
        };
        // A guard need not be red here. But the starter must run, so its failure must not be of these kinds either.
        let wrong = match kind {
            Kind::Red => class != Class::Assertion,
            _ => matches!(class, Class::RuntimePanic | Class::Deadline | Class::Harness),
        };
        if wrong {
            let said = verdict.said();
            found.defect(
                lesson.number,
                format!(
                    "red for the wrong reason: `{test}` fails on the lesson's starter by {class}, not by an \
                     assertion of its own (it said: {said}). {}",
                    cure(class)
                ),
            );
        }
    }
}

/// What to do about a test that failed, but not by its own assertion.
fn cure(class: Class) -> &'static str {
    match class {
        Class::Assertion => "",
        Class::RuntimePanic => {
            "A neutral body is the absence of the capability, never a panic: choose one after which the runtime \
             still runs"
        }
        Class::Deadline => {
            "Wait with `within(time, fact)`, whose expiry is an assertion that names the fact, and shorter than \
             the deadline"
        }
        Class::NoEvidence => {
            "Assert on the exit status or the output first, so that the test says what is wrong when there is no report"
        }
        Class::Harness => {
            "The harness itself failed, or the machine was not as before: mend that before the lesson"
        }
    }
}

/// `x`, `y` and `z` in back quotes.
fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

impl Case<'_> {
    /// The lesson that owns an item.
    fn owner(&self, item: &str) -> Option<u32> {
        let owns = |lesson: &&Lesson| lesson.items.iter().any(|owned| owned.path == item);
        self.course.with_drafts().into_iter().find(owns).map(|lesson| lesson.number)
    }

    /// The manifest as the author types it.
    fn manifest(&self, lesson: u32) -> String {
        let found = self.course.with_drafts().into_iter().find(|candidate| candidate.number == lesson);
        format!("lessons/{}/lesson.toml", found.map(Lesson::folder).unwrap_or_default())
    }
}
