//! `cargo lesson test`.

use std::process::Command;

use anyhow::{Context, Result, bail};
use course::{Course, Lesson, State};

/// Runs the tests of lesson `number`, then those of every lesson before it. Without a number: of the first open
/// lesson, or of the last one.
///
/// # Errors
/// Fails where a test fails, or where the lesson is locked because an earlier one is open.
pub fn test(course: &Course, number: Option<u32>) -> Result<()> {
    let states = course.states()?;
    let open = states.iter().find(|(_, _, state)| *state != State::Done).map(|(lesson, ..)| lesson.number);
    let tested = |lesson: &&Lesson| !lesson.items.is_empty();
    let last = course.lessons.iter().rfind(tested).context("this course has no tests")?.number;
    let number = number.or(open).unwrap_or(last);
    let lesson = course.lesson(number)?;
    if !tested(&lesson) {
        println!("Lesson {number} has no tests: it is for reading, {}", super::status::chapter(lesson));
        return Ok(());
    }
    let unlocked = std::env::var_os("CORACLE_UNLOCK").is_some_and(|value| value == "all");
    if let Some(open) = open.filter(|open| *open < number && !unlocked) {
        bail!(
            "lesson {number} is locked: lesson {open} has open functions. Finish it (cargo lesson), or let the \
             reference do it: cargo lesson catch-up {number}"
        );
    }
    cargo(course, &[lesson])?;
    let before: Vec<_> = course.lessons.iter().filter(tested).filter(|other| other.number < number).collect();
    if !before.is_empty() {
        cargo(course, &before).context("this lesson is green, but an earlier one is not any more")?;
    }
    let left = states.iter().filter(|(of, _, state)| of.number == number && *state != State::Done).count();
    if left > 0 {
        println!("\nGreen, with {left} functions of lesson {number} still open.");
    } else if number == last {
        println!("\nGreen: lesson {number} and every lesson before it.");
    } else {
        println!("\nGreen: lesson {number} and every lesson before it.\n");
        return super::status::next(course);
    }
    Ok(())
}

fn cargo(course: &Course, lessons: &[&Lesson]) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&course.root).args(["test", "--quiet", "--no-fail-fast", "--package", "lessons"]);
    for lesson in lessons {
        command.args(["--test", &lesson.target()]);
    }
    let status = command.status().context("cargo does not start")?;
    if !status.success() {
        let names: Vec<_> = lessons.iter().map(|lesson| lesson.target()).collect();
        bail!("not green yet: {}. Read the first failure above; help: cargo lesson hint", names.join(", "));
    }
    Ok(())
}
