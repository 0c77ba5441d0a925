//! Manifests are read as written, and what contradicts is refused.

mod common;

use common::{MANIFEST, course, reference};
use course::{Course, snapshot};

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
    assert_eq!(lesson.dir, root.path().join("lessons/01-boats"));
    let paths: Vec<_> = lesson.items.iter().map(|item| item.path.as_str()).collect();
    let order =
        ["steer", "inline::inner", "boat::launch", "boat::Boat::row", "boat::Boat::fmt", "deep::hold::stow"];
    assert_eq!(paths, order);
    assert_eq!(lesson.guards[0].body, "1");
    assert_eq!(lesson.exempt[0].runtime, "runc");
    assert!(course.open_items().expect("the reference").is_empty());
    assert_eq!(course.first_open().expect("the reference"), None);
    assert_eq!(
        course.lesson(7).expect_err("no lesson").to_string(),
        "there is no lesson 7. There is: 0 (Set-up), 1 (Boats)"
    );
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
