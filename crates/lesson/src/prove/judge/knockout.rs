//! Knock-outs: every item is noticed by a test of its lesson, every guard notices the wrong body it names.

use course::Lesson;

use super::{Case, Judgement, cure, quoted};
use crate::prove::evidence::{Build, Class, Kind, Variant};

/// A blank item makes some test of its lesson fail.
pub(super) fn items(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    let tests = case.evidence.tests(lesson.number);
    for item in &lesson.items {
        let variant = Variant::Without(item.path.clone());
        if !matches!(case.evidence.builds.get(&variant), Some(Build::Built { .. })) {
            continue;
        }
        let failures: Vec<(&str, Class)> = tests
            .iter()
            .filter(|(_, test)| case.evidence.sound(lesson.number, test))
            .filter_map(|(_, test)| {
                let verdict = case.evidence.verdict(&variant, lesson.number, test)?;
                Some((test.as_str(), verdict.failed()?))
            })
            .collect();
        if failures.iter().any(|(_, class)| class.notices()) {
            continue;
        }
        let path = &item.path;
        if let Some((test, class)) = failures.first() {
            found.defect(
                lesson.number,
                format!(
                    "unobserved item: blanking `{path}` in the finished runtime is noticed by no assertion: `{test}` \
                     fails, but by {class}. {}",
                    cure(*class)
                ),
            );
            continue;
        }
        let text = format!(
            "unobserved item: no test of the lesson fails when `{path}` is blanked in the finished runtime"
        );
        match case.evidence.ignored(lesson.number).len() {
            0 => found.defect(
                lesson.number,
                format!("{text}. Write a test of what the item alone brings about, or give the item up"),
            ),
            some => found.unproven(
                case.strict,
                lesson.number,
                format!("{text}, but {some} of its tests cannot run on this machine"),
            ),
        }
    }
}

/// Every guard has a wrong body, and fails on it by an assertion.
pub(super) fn guards(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    let number = lesson.number;
    let manifest = case.manifest(number);
    let tests = case.evidence.tests(number);
    for (_, test) in tests.iter().filter(|(kind, _)| *kind == Kind::Guard) {
        if !lesson.guards.iter().any(|guard| guard.test == *test) {
            found.defect(
                number,
                format!(
                    "unproved guard: `{test}` has no [guards.{test}] in {manifest}. Name the item and the wrong \
                     body that must turn it red"
                ),
            );
        }
    }
    for guard in &lesson.guards {
        let (test, item) = (&guard.test, &guard.item);
        if !tests.is_empty() && !tests.iter().any(|(_, known)| known == test) {
            let known: Vec<&str> = tests.iter().map(|(_, test)| test.as_str()).collect();
            found.defect(
                number,
                format!(
                    "unknown test: [guards.{test}] in {manifest} names no test of the lesson; there are {}",
                    quoted(&known)
                ),
            );
            continue;
        }
        let variant = Variant::Wrong { lesson: number, test: test.clone() };
        if !case.evidence.sound(number, test) {
            continue;
        }
        let Some(verdict) = case.evidence.verdict(&variant, number, test) else {
            if matches!(case.evidence.runs.get(&(variant.clone(), number)), Some(Ok(_))) {
                found.defect(number, format!("no verdict: guard `{test}` gave none on {variant}"));
            }
            continue;
        };
        if verdict.passed() {
            found.defect(
                number,
                format!(
                    "unnoticed wrong body: guard `{test}` stays green when the body of `{item}` is `{}`. Sharpen \
                     the test, or name a wrong body in {manifest} that it must notice",
                    guard.body.trim()
                ),
            );
        } else if let Some(class) = verdict.failed().filter(|class| *class != Class::Assertion) {
            found.defect(
                number,
                format!(
                    "red for the wrong reason: guard `{test}` fails on the wrong body of `{item}` by {class}, not by \
                     an assertion of its own (it said: {}). {}",
                    verdict.said(),
                    cure(class)
                ),
            );
        }
    }
}

impl Class {
    /// Whether such a failure shows that the test saw something. A runtime that gives no evidence any more is seen;
    /// a panic, a deadline or a harness that failed says nothing about the item.
    pub(in crate::prove) fn notices(self) -> bool {
        matches!(self, Class::Assertion | Class::NoEvidence)
    }
}
