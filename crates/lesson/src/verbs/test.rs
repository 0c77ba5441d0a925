//! `cargo lesson test`: a lesson's tests, then those of all before it.

use std::process::Command;

use anyhow::{Context, Result, bail};
use course::{Course, Lesson};

/// Runs them. Without a number: those of the lesson the learner is in.
///
/// # Errors
/// Where a test fails, or one was locked: what did not run is not green.
pub fn test(course: &Course, number: Option<u32>) -> Result<()> {
    let with_tests = |lesson: &&Lesson| !lesson.items.is_empty();
    // Code that does not parse is for the compiler to speak of.
    let open = course.first_open().ok().flatten();
    let last = course.lessons.iter().rfind(with_tests).map(|lesson| lesson.number);
    let number = number.or(open).or(last).context("this course has no lessons with tests")?;
    let lesson = course.lesson(number)?;
    if lesson.items.is_empty() {
        bail!("lesson {number} has no tests: it is for reading, {}", super::status::chapter(lesson));
    }
    if let Some(open) = open.filter(|open| *open < number) {
        bail!(
            "lesson {number} is locked: lesson {open} is not finished. Finish it, or: cargo lesson catch-up {number}"
        );
    }
    let before = course.lessons.iter().filter(with_tests).filter(|other| other.number < number);
    for one in std::iter::once(lesson).chain(before.rev()) {
        println!("Lesson {:02}: {}", one.number, one.title);
        let status = Command::new("cargo")
            .args(["test", "--quiet", "--package", "lessons", "--test", &one.target()])
            .current_dir(&course.root)
            .status()
            .context("cargo can't be started")?;
        if !status.success() {
            bail!("lesson {:02} is not green", one.number);
        }
    }
    println!("Lesson {number:02} is green, and so is all before it.");
    super::status::next(course)
}
