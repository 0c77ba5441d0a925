//! Manifests are read as written, and what contradicts is refused.

mod common;

use std::path::Path;

use common::{MANIFEST, course, reference};
use course::{Course, Tree, cut, item, snapshot};

fn refused(more: &[(&str, &str)]) -> String {
    let (_root, course) = course(more);
    format!("{:#}", course.expect_err("a wrong manifest"))
}

#[test]
fn a_manifest_is_read_in_its_own_order() {
    let (root, course) = course(&[]);
    let course = course.expect("a course");
    assert_eq!(course.lessons.iter().map(|lesson| lesson.number).collect::<Vec<_>>(), [0, 1]);
    let lesson = course.lesson(1).expect("lesson 1");
    assert_eq!((lesson.folder().as_str(), lesson.target().as_str()), ("01-boats", "lesson-01"));
    assert_eq!((lesson.title.as_str(), lesson.minutes, lesson.stars), ("Boats", 30, 1));
    assert_eq!(lesson.learns, "to float");
    assert_eq!(course.lesson(0).expect("lesson 0").learns, "", "nobody has to say it");
    assert_eq!(lesson.dir, root.path().join("lessons/01-boats"));
    let paths: Vec<_> = lesson.items.iter().map(|item| item.path.as_str()).collect();
    let order =
        ["steer", "inline::inner", "boat::launch", "boat::Boat::row", "boat::Boat::fmt", "deep::hold::stow"];
    assert_eq!(paths, order);
    assert_eq!(lesson.guards[0].body, "1");
    let exempt = lesson.exempt.iter().map(|e| (e.test.as_str(), e.runtime.as_str(), e.before.as_deref()));
    let raft = ("another_test", "raft", Some("1.2"));
    let another = ["runc", "crun"].map(|runtime| ("another_test", runtime, None));
    assert_eq!(exempt.collect::<Vec<_>>(), [another[0], another[1], raft, ("a_third_test", "runc", None)]);
    assert!(course.open_items().expect("the reference").is_empty());
    assert_eq!(course.first_open().expect("the reference"), None);
    assert_eq!(
        course.lesson(7).expect_err("no lesson").to_string(),
        "there is no lesson 7. There is: 0 (Set-up), 1 (Boats)"
    );
}

/// A lesson in the making, and its room.
const DRAFT: [(&str, &str); 2] = [
    (
        "lessons/02-ropes/lesson.toml",
        "title = \"Ropes\"\nminutes = 1\nstars = 1\nprivate = [\"deep::rope::turns\"]\n[items]\n\"deep::rope::coil\" = \"2\"\n",
    ),
    (
        "crates/coracle/src/deep/rope.rs",
        "//! Ropes.\n\n/// Coils.\npub fn coil() -> u32 {\n    turns()\n}\n\nfn turns() -> u32 {\n    3\n}\n",
    ),
];

#[test]
fn a_manifest_without_tests_is_a_draft_that_learners_do_not_meet() {
    let (_root, course) = course(&DRAFT);
    let course = course.expect("a course");
    let numbers = |lessons: &[course::Lesson]| lessons.iter().map(|lesson| lesson.number).collect::<Vec<_>>();
    // Lesson 00 is no draft: it has nothing to test.
    assert_eq!((numbers(&course.lessons), numbers(&course.drafts)), (vec![0, 1], vec![2]));
    assert_eq!(course.with_drafts().iter().map(|lesson| lesson.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(
        course.lesson(2).expect_err("no lesson").to_string(),
        "there is no lesson 2. There is: 0 (Set-up), 1 (Boats)"
    );
    assert_eq!(course.states().expect("states").len(), 6);
}

#[test]
fn drafts_stay_in_a_snapshot_and_are_blank_in_the_cut() {
    let (_root, course) = course(&DRAFT);
    let course = course.expect("a course");
    let reference = reference(&course);
    let rope = |tree: &Tree| tree.files[Path::new("deep/rope.rs")].clone();
    assert_eq!(rope(&snapshot(&course, &reference, 0).expect("a starter")), DRAFT[1].1);
    assert_eq!(snapshot(&course, &reference, 2).expect("the end"), reference);
    let blank = rope(&cut(&course, &reference, 0).expect("a cut"));
    assert!(blank.contains("    2\n") && !blank.contains("turns"), "{blank}");
    let last = cut(&course, &reference, 2).expect("a cut");
    assert_eq!(rope(&last), blank);
    assert_eq!(last.files[Path::new("boat.rs")], reference.files[Path::new("boat.rs")]);
    assert_eq!(cut(&course, &reference, 3).expect("the end"), reference);
}

/// On a learner's branch as well: a draft's functions are as they were.
#[test]
fn the_drafts_of_this_repository_name_functions_that_are_there_and_do_something() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let course = Course::load(&root).expect("the course");
    let tree = Tree::read(&course.source()).expect("the sources");
    for draft in &course.drafts {
        for item in &draft.items {
            let empty = item::body_is(&course.source(), &item.path, &item.neutral).expect("an item");
            assert!(!empty, "the neutral body of {} is what the reference does", item.path);
        }
        for helper in &draft.private {
            tree.locate(helper).expect("a private helper");
        }
    }
}

#[test]
fn an_item_is_found_by_the_end_of_its_path() {
    let (_root, course) = course(&[]);
    let course = course.expect("a course");
    let lesson = course.lesson(1).expect("lesson 1");
    assert_eq!(lesson.item("row").expect("row").path, "boat::Boat::row");
    assert_eq!(lesson.item("hold::stow").expect("stow").path, "deep::hold::stow");
    let error = lesson.item("sink").expect_err("no item").to_string();
    assert!(error.starts_with("lesson 1: no item is called sink. Its items are: steer, "), "{error}");
}

#[test]
fn a_course_is_found_from_below() {
    let (root, _course) = course(&[]);
    let found = Course::find(&root.path().join("crates/coracle/src")).expect("a course");
    assert_eq!(found.root, root.path());
    let outside = tempfile::tempdir().expect("a folder");
    let error = Course::find(outside.path()).expect_err("no course").to_string();
    assert!(error.contains("is not inside a course"), "{error}");
}

#[test]
fn wrong_manifests_are_refused_by_name() {
    let lesson = |text: &str| format!("title = \"Two\"\nminutes = 1\nstars = 1\n{text}");
    let two = "lessons/02-two/lesson.toml";
    let cases = [
        ("colour = 1\n", "unknown field `colour`"),
        ("[items]\n\"boat::launch\" = \"1\"\n", "boat::launch belongs to lesson 01 already"),
        ("private = [\"boat::calm\"]\n", "boat::calm belongs to lesson 01 already"),
        ("[guards.g]\nitem = \"boat::sink\"\nbody = \"1\"\n", "guard g names boat::sink, which is no item"),
        ("[items]\n\"boat::sink\" = \"1 +\"\n", "is not the body of a function"),
        ("needs = [\"luck\"]\n", "the tiers are userns"),
        ("stars = 4\n", "duplicate key"),
    ];
    for (text, expected) in cases {
        let error = refused(&[(two, &lesson(text))]);
        assert!(error.contains(expected) && error.contains("02-two/lesson.toml"), "{expected}: {error}");
    }
    assert!(refused(&[("lessons/01-again/lesson.toml", &lesson(""))]).contains("two folders are lesson 01"));
    assert!(refused(&[("lessons/03-none/tests.rs", "")]).contains("03-none/lesson.toml"));
}

#[test]
fn an_item_that_would_always_be_open_is_refused() {
    let (_root, course) =
        course(&[("lessons/01-boats/lesson.toml", &MANIFEST.replace("\"course\"", "\"course % 360\""))]);
    let course = course.expect("a course");
    let error = snapshot(&course, &reference(&course), 0).expect_err("no absence").to_string();
    assert!(error.contains("the neutral body of steer is what the reference does"), "{error}");
}
