//! The hints of the real course: every function of every lesson has its three steps.

use std::path::Path;

use lesson::verbs::Hints;

#[test]
fn every_item_has_three_hints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let course = course::Course::load(&root).expect("the course");
    for lesson in course.lessons.iter().filter(|lesson| !lesson.items.is_empty()) {
        Hints::load(lesson).expect("hints");
    }
}
