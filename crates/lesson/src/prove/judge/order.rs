//! Order: a lesson's tests are green from its successor's starter on, and stay so.

use course::Lesson;

use super::{Case, Judgement, quoted};
use crate::prove::evidence::{Variant, Verdict, next};

pub(super) fn judge(case: &Case<'_>, lesson: &Lesson, found: &mut Judgement) {
    for (_, test) in case.evidence.tests(lesson.number) {
        test_order(case, lesson, &test, found);
    }
}

fn test_order(case: &Case<'_>, lesson: &Lesson, test: &str, found: &mut Judgement) {
    let number = lesson.number;
    let verdict = |variant: &Variant| case.evidence.verdict(variant, number, test);
    let failed = |variant: &Variant| verdict(variant).filter(|verdict| verdict.failed().is_some());

    if let Some(verdict) = failed(&Variant::Reference) {
        let said = verdict.said();
        found.defect(
            number,
            format!(
                "never green: `{test}` fails on the finished runtime (it said: {said}). Mend the test or the \
                 runtime first; nothing else can be proved with it"
            ),
        );
        return;
    }

    let starters = case.course.lessons.iter().filter(|later| later.number > number);
    let starters: Vec<Variant> = starters.map(|later| Variant::Snapshot(later.number)).collect();
    let Some(first) = starters.iter().find(|starter| failed(starter).is_some()) else {
        return;
    };
    let said = failed(first).map_or("", Verdict::said);
    let successor = next(case.course, number);
    if *first != successor && verdict(&successor).is_some() {
        found.defect(
            number,
            format!(
                "lost again: `{test}` is green on {successor}, but not on {first} (it said: {said}). An item of a \
                 lesson between does not work without a later one"
            ),
        );
        return;
    }
    let green = starters.iter().filter(|starter| *starter > first);
    let green = green.chain([&Variant::Reference]).find(|later| verdict(later).is_some_and(Verdict::passed));
    let green = green.map_or("nowhere".to_owned(), |green| format!("only on {green}"));
    let cure = match case.evidence.needs.get(&(number, test.to_owned())).map(Vec::as_slice) {
        None | Some([]) => {
            "Judge only what the lessons so far bring about, or move the test to a later lesson".to_owned()
        }
        Some(needs) => {
            let owner = needs.iter().filter_map(|item| case.owner(item)).max().unwrap_or_default();
            format!(
                "It needs {}: give that to lesson {number:02} or an earlier one, or move the test to lesson {owner:02}",
                quoted(needs)
            )
        }
    };
    found.defect(
        number,
        format!(
            "needs a later item: `{test}` fails on {first}, where every item of lessons up to {number:02} is \
             finished (it said: {said}); it is green {green}. {cure}"
        ),
    );
}
