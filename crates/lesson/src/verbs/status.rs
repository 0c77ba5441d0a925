//! `cargo lesson` without a verb: where the learner stands, and the next thing to do.

use anyhow::Result;
use course::{Course, Lesson, State};

use super::git::{BASE, Git};
use crate::first;

/// Shows the lessons with how far each is, and the next step; on the finished runtime, runs the first container
/// before.
///
/// # Errors
/// Those of the first container.
pub fn show(course: &Course) -> Result<()> {
    let states = course.states()?;
    let open = states.iter().any(|(_, _, state)| *state != State::Done);
    let started = Git::open(&course.root)
        .is_ok_and(|git| git.succeeds(&["rev-parse", "--verify", "--quiet", BASE]).unwrap_or(false));
    if !open && !started {
        first::container(course)?;
    }
    for lesson in &course.lessons {
        let of_lesson: Vec<_> = states.iter().filter(|(other, ..)| other.number == lesson.number).collect();
        let done = of_lesson.iter().filter(|(_, _, state)| *state == State::Done).count();
        let progress = match (done, of_lesson.len()) {
            (_, 0) => "read".to_owned(),
            (done, all) if done == all => "done".to_owned(),
            (done, all) => format!("{done} of {all}"),
        };
        println!("  {:02}  {:<44} {:>3} min  {progress}", lesson.number, lesson.title, lesson.minutes);
    }
    println!();
    for (lesson, item, state) in &states {
        if let State::Unreadable(why) = state {
            println!("Lesson {:02}, {}: {why}", lesson.number, item.path);
        }
    }
    next(course)
}

/// Says what to do next.
pub(super) fn next(course: &Course) -> Result<()> {
    let states = course.states()?;
    let Some((lesson, item, _)) = states.iter().find(|(_, _, state)| *state != State::Done) else {
        let git = Git::open(&course.root).ok();
        let begun =
            git.is_some_and(|git| git.succeeds(&["rev-parse", "--verify", "--quiet", BASE]).unwrap_or(false));
        println!("{}", if begun { DONE } else { BEGIN });
        return Ok(());
    };
    println!("Next: lesson {:02}, {}", lesson.number, lesson.title);
    println!("  read   {}", chapter(lesson));
    println!("  write  {} in {}", item.path, file(course, item));
    println!("  test   cargo lesson test {}", lesson.number);
    println!("  stuck? cargo lesson hint {} {}", lesson.number, lesson.short_name(item));
    Ok(())
}

const BEGIN: &str = "Next: read book/src/00-setup.md, then begin with lesson 01:\n  cargo lesson start";
const DONE: &str = "Every function is written. All tests: cargo test";

/// The chapter's file, from the repository's root.
pub(super) fn chapter(lesson: &Lesson) -> String {
    format!("book/src/{}.md", lesson.folder())
}

/// The file of an item, from the repository's root.
fn file(course: &Course, item: &course::Item) -> String {
    let found = course::item::locate(&course.source(), &item.path);
    let name =
        found.map_or_else(|_| item.path.replace("::", "/"), |located| located.file.display().to_string());
    format!("crates/coracle/src/{name}")
}
