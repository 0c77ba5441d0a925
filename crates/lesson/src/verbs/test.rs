//! `cargo lesson test`.

mod lints;

use anyhow::{Context, Result, bail};
use course::{Course, Lesson, State};
use serde::Serialize;

use crate::cargo::cargo;
use crate::programs::Programs;
use crate::verdict::{Outcome, Verdict};
use lints::Lint;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    lesson: u32,
    green: bool,
    /// How many functions of the lesson are not written yet.
    open: usize,
    lessons: Vec<Tested>,
    /// What the compiler thinks of the functions that are written; empty until all is green.
    lints: Vec<Lint>,
}

#[derive(Serialize)]
struct Tested {
    lesson: u32,
    /// How the test program itself failed, if it did; there are no tests then.
    broke: Option<String>,
    tests: Vec<Verdict>,
}

/// Runs the tests of lesson `number`, then those of every lesson before it. Without a number: of the first open
/// lesson, or of the last one. `json`: for a program.
///
/// # Errors
/// Fails where a test fails, or where the lesson is locked because an earlier one is open.
pub fn test(course: &Course, number: Option<u32>, json: bool) -> Result<()> {
    let states = course.states()?;
    let open = states.iter().find(|(_, _, state)| *state != State::Done).map(|(lesson, ..)| lesson.number);
    let tested = |lesson: &&Lesson| !lesson.items.is_empty();
    let last = course.lessons.iter().rfind(tested).context("this course has no tests")?.number;
    let number = number.or(open).unwrap_or(last);
    let lesson = course.lesson(number)?;
    if !tested(&lesson) {
        let text =
            format!("lesson {number} has no tests: it is for reading, {}", super::status::chapter(lesson));
        // A program asked for verdicts, and there are none.
        anyhow::ensure!(!json, text);
        println!("{text}");
        return Ok(());
    }
    let unlocked = std::env::var_os("CORACLE_UNLOCK").is_some_and(|value| value == "all");
    if let Some(open) = open.filter(|open| *open < number && !unlocked) {
        bail!(
            "lesson {number} is locked: lesson {open} has open functions. Finish it (cargo lesson), or let the \
             reference do it: cargo lesson catch-up {number}"
        );
    }
    let left = states.iter().filter(|(of, _, state)| of.number == number && *state != State::Done).count();
    let before: Vec<_> = course.lessons.iter().filter(tested).filter(|other| other.number < number).collect();
    if json {
        return report(course, lesson, &before, left);
    }
    run(course, &[lesson])?;
    if !before.is_empty() {
        run(course, &before).context("this lesson is green, but an earlier one is not any more")?;
    }
    match lints::of_finished(course, number) {
        Ok(lints) => lints::print(&lints),
        // They are an extra: the tests have spoken.
        Err(error) => println!("\nThe compiler could not be asked for its lints: {error:#}"),
    }
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

/// As a learner would type it.
fn run(course: &Course, lessons: &[&Lesson]) -> Result<()> {
    let mut command = cargo();
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

fn report(course: &Course, lesson: &Lesson, before: &[&Lesson], open: usize) -> Result<()> {
    let all = [&[lesson], before].concat();
    let programs = Programs::build(course, &all)?;
    let mut report =
        Report { lesson: lesson.number, green: true, open, lessons: Vec::new(), lints: Vec::new() };
    for lesson in all {
        let (broke, tests) = match programs.run(lesson.number, None, None)? {
            Ok(verdicts) => (None, verdicts.into_values().collect::<Vec<_>>()),
            Err(broke) => (Some(broke), Vec::new()),
        };
        report.green &= broke.is_none() && tests.iter().all(|test| test.verdict != Outcome::Fail);
        report.lessons.push(Tested { lesson: lesson.number, broke, tests });
    }
    if report.green {
        report.lints = lints::of_finished(course, lesson.number)?;
    }
    println!("{}", serde_json::to_string_pretty(&report)?);
    if !report.green {
        bail!("not green yet");
    }
    Ok(())
}
