//! The rules on made-up evidence; what real courses look like is in tests/prover.rs.

use std::path::PathBuf;

use course::{Course, Exempt, Guard, Item, Lesson};

use super::super::evidence::{Build, Class, Diagnostic, Evidence, Kind, Outcome, Variant, Verdict};
use super::{Judgement, judge};
use crate::runtime::Runtime;

fn lesson(number: u32, items: &[&str]) -> Lesson {
    let items = items.iter().map(|path| Item { path: (*path).to_owned(), neutral: "Ok(())".to_owned() });
    Lesson {
        number,
        slug: "slug".to_owned(),
        dir: PathBuf::new(),
        title: "Title".to_owned(),
        learns: String::new(),
        minutes: 1,
        stars: 1,
        needs: Vec::new(),
        items: items.collect(),
        private: Vec::new(),
        guards: Vec::new(),
        exempt: Vec::new(),
    }
}

/// Three lessons with an item and a red test each, and a runtime on which everything is as it should be.
struct Case {
    course: Course,
    evidence: Evidence,
}

impl Case {
    fn sound() -> Self {
        let lessons = [(1, "one"), (2, "two"), (3, "three")].map(|(number, item)| lesson(number, &[item]));
        let course = Course { root: PathBuf::new(), lessons: lessons.into(), drafts: Vec::new() };
        let mut case = Self { course, evidence: Evidence::default() };
        case.evidence.oracle = Some(Runtime { path: "/runc".into(), line: "runc version 1.1.5".to_owned() });
        for (number, item) in [(1, "one"), (2, "two"), (3, "three")] {
            case.evidence.programs.insert(number);
            case.says(Variant::Reference, number, Outcome::Pass, None);
            case.says(Variant::Oracle, number, Outcome::Pass, None);
            case.says(Variant::Without(item.to_owned()), number, Outcome::Fail, Some(Class::Assertion));
            for starter in 1..=3 {
                let (outcome, class) = match starter > number {
                    true => (Outcome::Pass, None),
                    false => (Outcome::Fail, Some(Class::Assertion)),
                };
                case.says(Variant::Snapshot(starter), number, outcome, class);
            }
        }
        case
    }

    /// Sets the verdict of `test_N`, lesson N's red test.
    fn says(&mut self, variant: Variant, lesson: u32, verdict: Outcome, class: Option<Class>) {
        self.kind_says(Kind::Red, &format!("test_{lesson}"), variant, lesson, verdict, class);
    }

    fn kind_says(
        &mut self,
        kind: Kind,
        test: &str,
        variant: Variant,
        lesson: u32,
        verdict: Outcome,
        class: Option<Class>,
    ) {
        let message = Some("what it said\nand more".to_owned());
        let verdict = Verdict { test: test.to_owned(), kind, verdict, class, message };
        self.evidence.builds.entry(variant.clone()).or_insert(Build::Built { warnings: Vec::new() });
        let ran = self.evidence.runs.entry((variant, lesson)).or_insert_with(|| Ok(Default::default()));
        ran.as_mut().expect("verdicts of a broken program").insert(test.to_owned(), verdict);
    }

    fn judge(&self) -> Judgement {
        judge(&self.course, &[1, 2, 3].into(), &self.evidence, false)
    }

    #[track_caller]
    fn only_defect(&self, words: &[&str]) {
        let defects: Vec<String> = self.judge().defects.iter().map(ToString::to_string).collect();
        assert_eq!(defects.len(), 1, "{defects:#?}");
        for word in words {
            assert!(defects[0].contains(word), "`{word}` is not in: {}", defects[0]);
        }
    }
}

const RED: (Outcome, Option<Class>) = (Outcome::Fail, Some(Class::Assertion));

#[test]
fn a_sound_course_has_no_defect_and_no_note() {
    let judgement = Case::sound().judge();
    assert_eq!(judgement.defects, []);
    assert_eq!(judgement.notes, Vec::<String>::new());
}

#[test]
fn what_needs_a_later_item_names_it_and_where_it_turns_green() {
    let mut case = Case::sound();
    case.says(Variant::Snapshot(2), 1, RED.0, RED.1);
    case.evidence.needs.insert((1, "test_1".to_owned()), vec!["two".to_owned()]);
    case.only_defect(&[
        "lesson 01: needs a later item: `test_1` fails on the starter of lesson 02",
        "(it said: what it said)",
        "it is green only on the starter of lesson 03",
        "It needs `two`: give that to lesson 01",
        "move the test to lesson 02",
    ]);
}

#[test]
fn what_a_later_lesson_breaks_is_told_apart() {
    let mut case = Case::sound();
    case.says(Variant::Snapshot(3), 1, RED.0, RED.1);
    case.only_defect(&[
        "lesson 01: lost again",
        "green on the starter of lesson 02, but not on the starter of lesson 03",
    ]);
}

#[test]
fn a_test_that_is_never_green_proves_no_item() {
    let mut case = Case::sound();
    case.says(Variant::Reference, 3, Outcome::Fail, Some(Class::Deadline));
    let defects = case.judge().defects;
    assert_eq!(defects.len(), 2, "{defects:#?}");
    assert!(defects[0].text.starts_with("never green: `test_3`"));
    assert!(defects[1].text.contains("no test of the lesson fails when `three` is blanked"));
}

#[test]
fn a_failure_without_a_class_is_the_harness_s() {
    let mut case = Case::sound();
    case.says(Variant::Snapshot(1), 1, Outcome::Fail, None);
    case.only_defect(&["red for the wrong reason: `test_1`", "a failure of the harness"]);
}

#[test]
fn lost_evidence_notices_an_item_but_is_no_way_to_be_red() {
    let mut case = Case::sound();
    case.says(Variant::Without("one".to_owned()), 1, Outcome::Fail, Some(Class::NoEvidence));
    assert_eq!(case.judge().defects, []);
    case.says(Variant::Snapshot(1), 1, Outcome::Fail, Some(Class::NoEvidence));
    case.only_defect(&[
        "red for the wrong reason: `test_1`",
        "missing evidence",
        "Assert on the exit status",
    ]);
}

#[test]
fn a_deadline_notices_nothing() {
    let mut case = Case::sound();
    case.says(Variant::Without("two".to_owned()), 2, Outcome::Fail, Some(Class::Deadline));
    case.only_defect(&[
        "blanking `two`",
        "is noticed by no assertion: `test_2` fails, but by the outer deadline",
    ]);
}

#[test]
fn an_item_that_only_an_ignored_test_could_notice_is_not_proven_here() {
    let mut case = Case::sound();
    for variant in
        [Variant::Reference, Variant::Snapshot(1), Variant::Without("one".to_owned()), Variant::Oracle]
    {
        case.says(variant, 1, Outcome::Ignored, None);
    }
    let judgement = case.judge();
    assert_eq!(judgement.defects, []);
    assert!(
        judgement
            .notes
            .iter()
            .any(|note| note.contains("`one` is blanked") && note.contains("1 of its tests"))
    );
    assert!(judge(&case.course, &[1].into(), &case.evidence, true).defects.len() >= 3);
}

#[test]
fn a_guard_may_be_green_on_the_starter_but_not_on_its_wrong_body() {
    let mut case = Case::sound();
    case.course.lessons[0].guards =
        vec![Guard { test: "guard".to_owned(), item: "one".to_owned(), body: "1".to_owned() }];
    let wrong = Variant::Wrong { lesson: 1, test: "guard".to_owned() };
    let mut all = vec![Variant::Reference, Variant::Oracle, Variant::Without("one".to_owned())];
    all.extend([1, 2, 3].map(Variant::Snapshot));
    for variant in all {
        case.kind_says(Kind::Guard, "guard", variant, 1, Outcome::Pass, None);
    }
    case.kind_says(Kind::Guard, "guard", wrong.clone(), 1, RED.0, RED.1);
    assert_eq!(case.judge().defects, []);
    case.kind_says(Kind::Guard, "guard", wrong.clone(), 1, Outcome::Fail, Some(Class::RuntimePanic));
    case.only_defect(&[
        "red for the wrong reason: guard `guard` fails on the wrong body of `one` by a panic",
    ]);
    case.kind_says(Kind::Guard, "guard", wrong.clone(), 1, Outcome::Pass, None);
    case.only_defect(&["unnoticed wrong body: guard `guard` stays green when the body of `one` is `1`"]);
    case.evidence.runs.insert((wrong, 1), Ok(Default::default()));
    case.only_defect(&["no verdict: guard `guard` gave none on the finished runtime with the wrong body"]);
}

#[test]
fn the_oracle_s_failure_needs_an_exemption_and_its_absence_is_told() {
    let mut case = Case::sound();
    case.says(Variant::Oracle, 2, RED.0, RED.1);
    case.only_defect(&["lesson 02: fails on runc: `test_2` (it said: what it said)"]);
    case.course.lessons[1].exempt = vec![Exempt {
        test: "test_2".to_owned(),
        runtime: "runc".to_owned(),
        before: None,
        reason: "no".to_owned(),
    }];
    assert_eq!(case.judge().defects, []);
    case.evidence.oracle = None;
    assert!(case.judge().notes.iter().any(|note| note.starts_with("runc is not installed here")));
}

#[test]
fn one_broken_body_is_one_defect_wherever_it_was_met() {
    let mut case = Case::sound();
    let error = |line: u32, item: Option<&str>| Diagnostic {
        message: "error[E0308]: mismatched types".to_owned(),
        place: format!("crates/coracle/src/three.rs:{line}"),
        item: item.map(str::to_owned),
    };
    for (variant, line) in [(1, 8), (2, 9), (3, 9)].map(|(lesson, line)| (Variant::Snapshot(lesson), line)) {
        case.evidence
            .builds
            .insert(variant.clone(), Build::Broken { errors: vec![error(line, Some("three"))] });
        case.evidence.runs.retain(|(ran, _), _| *ran != variant);
    }
    case.only_defect(&[
        "lesson 03: does not compile: the neutral body of `three`",
        "the starter of lesson 01, the starter of lesson 02 and 1 more",
        "three.rs:8",
    ]);
}

#[test]
fn a_sandbox_that_never_runs_is_the_machine_s() {
    let mut case = Case::sound();
    for variant in [Variant::Reference, Variant::Cut(1)] {
        case.evidence.sandboxes.insert(variant, Err("clone: EPERM".to_owned()));
    }
    let judgement = case.judge();
    assert_eq!(judgement.defects, []);
    assert!(
        judgement.notes.iter().any(|note| note.contains("`sandbox` does not run") && note.contains("EPERM"))
    );
    assert_eq!(judge(&case.course, &[1].into(), &case.evidence, true).defects.len(), 1);
    case.evidence.sandboxes.insert(Variant::Reference, Ok(()));
    case.only_defect(&["lesson 01: sandbox does not run on the cut at lesson 01: clone: EPERM"]);
}

#[test]
fn a_silent_test_is_a_defect() {
    let mut case = Case::sound();
    case.evidence.runs.insert((Variant::Snapshot(2), 2), Ok(Default::default()));
    case.only_defect(&["lesson 02: no verdict: `test_2` gave none on the starter of lesson 02"]);
}
