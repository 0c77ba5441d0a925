//! The cut: `sandbox` runs a program on every starter, and without any one item of a draft. What the tests of finished
//! lessons miss there is told, and judged once the drafts are lessons.

use course::Lesson;

use super::{Case, Judgement};
use crate::prove::evidence::{Variant, Verdict};

pub(super) fn sandboxes(case: &Case<'_>, found: &mut Judgement) {
    if let Some(Err(said)) = case.evidence.sandboxes.get(&Variant::Reference) {
        // Then nothing is the cut's fault: this machine allows no container, or the runtime is broken as it is.
        let text = format!("`sandbox` does not run on {}: {said}", Variant::Reference);
        return found.unproven(case.strict, 0, text);
    }
    let mut failed = Vec::new();
    for (variant, ran) in &case.evidence.sandboxes {
        match (variant, ran) {
            (Variant::Snapshot(lesson) | Variant::Cut(lesson), Err(said)) => {
                failed.push((lesson, variant, said))
            }
            (Variant::Without(item), Err(said)) => {
                let owner = case.owner(item).unwrap_or_default();
                found.defect(
                    owner,
                    format!("sandbox does not run on {variant}: {said}. {}", cure(case, owner)),
                );
            }
            _ => {}
        }
    }
    // What an item spoils, it spoils on the starters of every lesson up to its own: the last of them is named.
    failed.sort();
    if let Some((lesson, variant, said)) = failed.pop() {
        let more = match failed.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        found.defect(
            *lesson,
            format!("sandbox does not run on {variant}{more}: {said}. {}", cure(case, *lesson)),
        );
    }
}

/// Notes the tests of a lesson that need an item of a draft: such a test is red on a later starter some day.
pub(super) fn tests(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    let number = lesson.number;
    for (_, test) in case.evidence.tests(number) {
        let fails = |draft: &u32| {
            let verdict = case.evidence.verdict(&Variant::Cut(*draft), number, &test);
            verdict.filter(|verdict| verdict.failed().is_some()).map(Verdict::said)
        };
        let numbers: Vec<u32> = case.course.with_drafts().iter().map(|lesson| lesson.number).collect();
        let last = numbers.into_iter().rev().find_map(|draft| Some((draft, fails(&draft)?)));
        if let (Some((draft, said)), true) = (last, case.evidence.sound(number, &test)) {
            found.notes.push(format!(
                "lesson {number:02}: `{test}` fails up to {} (it said: {said}). It needs an item of lesson {draft:02}, \
                 which is a draft today: give that to lesson {number:02} or an earlier one, or leave it given",
                Variant::Cut(draft)
            ));
        }
    }
}

fn cure(case: &Case<'_>, lesson: u32) -> String {
    format!(
        "A neutral body is the absence of the capability, after which the runtime still runs: mend it in {}",
        case.manifest(lesson)
    )
}
