//! The oracle: what the tests ask is what a runtime of the field does.

use course::Lesson;

use super::{Case, Judgement, RUNTIME};
use crate::prove::evidence::{Outcome, Variant};

pub(super) fn judge(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    let number = lesson.number;
    let manifest = case.manifest(number);
    let tests = case.evidence.tests(number);
    for exempt in &lesson.exempt {
        if !tests.is_empty() && !tests.iter().any(|(_, test)| *test == exempt.test) {
            let text =
                format!("unknown test: [exempt.{}] in {manifest} names no test of the lesson", exempt.test);
            found.defect(number, text);
        }
    }
    for (_, test) in &tests {
        let Some(verdict) = case.evidence.verdict(&Variant::Oracle, number, test) else {
            continue;
        };
        let exempt = case.evidence.oracle.as_ref().and_then(|oracle| oracle.excuse(lesson, test));
        match (verdict.verdict, exempt) {
            (Outcome::Pass, None) | (Outcome::Fail | Outcome::Ignored, Some(_)) => {}
            (Outcome::Pass, Some(exempt)) => found.notes.push(format!(
                "lesson {number:02}: `{test}` is exempt on {RUNTIME} ({}), but passes there: is the exemption still \
                 needed?",
                exempt.reason
            )),
            (Outcome::Fail, None) => found.defect(
                number,
                format!(
                    "fails on {RUNTIME}: `{test}` (it said: {}). Ask only what every runtime does, or give the reason \
                     in [exempt.{test}] of {manifest}",
                    verdict.said()
                ),
            ),
            (Outcome::Ignored, None) => {
                let text = format!("`{test}` was ignored on {RUNTIME}: {}", verdict.said());
                found.unproven(case.strict, number, text);
            }
        }
    }
}
