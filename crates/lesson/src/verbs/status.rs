//! `cargo lesson` without a verb: where the learner stands, and the next thing to do.

use anyhow::Result;
use course::{ALLOW, Course, Item, Lesson, Located, State, Tree};
use serde::Serialize;

use super::desk;
use super::git::{Git, SOURCE};
use super::ink::Ink;
use crate::first;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// Whether this is a learner's branch; false on the finished runtime.
    course: bool,
    lessons: Vec<Row<'a>>,
    /// The first function that is not written yet.
    next: Option<Next<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    lesson: u32,
    title: &'a str,
    minutes: u32,
    stars: u32,
    items: Vec<Written<'a>>,
}

#[derive(Serialize)]
struct Written<'a> {
    item: &'a str,
    /// `open`, `done` or `unreadable`.
    state: &'static str,
}

#[derive(Serialize)]
struct Next<'a> {
    lesson: u32,
    item: &'a str,
    /// From the repository's root; `null` where it can't be found.
    file: Option<String>,
    line: Option<usize>,
}

/// Where the learner stands, for a program. Runs nothing.
///
/// # Errors
/// Fails where the sources cannot be read.
pub fn status_as_json(course: &Course) -> Result<()> {
    let tree = Tree::read(&course.source())?;
    let states = course.states_in(&tree);
    let rows = course.lessons.iter().map(|lesson| Row {
        lesson: lesson.number,
        title: &lesson.title,
        minutes: lesson.minutes,
        stars: lesson.stars,
        items: states
            .iter()
            .filter(|(of, ..)| of.number == lesson.number)
            .map(|(_, item, state)| Written {
                item: &item.path,
                state: match state {
                    State::Open => "open",
                    State::Done => "done",
                    State::Unreadable(_) => "unreadable",
                },
            })
            .collect(),
    });
    let next = states.iter().find(|(_, _, state)| *state != State::Done).map(|(lesson, item, _)| {
        let at = tree.locate(&item.path).ok();
        Next {
            lesson: lesson.number,
            item: &item.path,
            file: at.as_ref().map(|at| format!("{SOURCE}/{}", at.file.display())),
            line: at.as_ref().map(|at| line_of(&tree, at)),
        }
    });
    let report = Report { course: learner(course)?, lessons: rows.collect(), next };
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// The line that a function's body begins in.
fn line_of(tree: &Tree, at: &Located) -> usize {
    tree.files[&at.file][..at.body.start].lines().count()
}

/// Shows the lessons with how far each is, and the next step; on the finished runtime, runs the first container
/// before.
///
/// # Errors
/// Fails where the sources cannot be read, or on the finished runtime where the first container does not run.
pub fn status(course: &Course) -> Result<()> {
    let states = course.states()?;
    let learner = learner(course)?;
    if states.iter().all(|(_, _, state)| *state == State::Done) && !learner {
        first::container(course)?;
    } else if let Err(error) = first::root_filesystem(course) {
        // Where the learner stands is told all the same.
        eprintln!("The root filesystem for the chapters' commands was not made: {error:#}\n");
    }
    println!("{}", map(course, &states, learner));
    next(course)
}

/// Whether this is a course branch. Without git there is none: status only wants to know which text fits.
fn learner(course: &Course) -> Result<bool> {
    let git = Git::open(&course.root).ok();
    Ok(git.map_or(Ok(None), |git| desk::base(course, &git))?.is_some())
}

/// One line a lesson.
fn map(course: &Course, states: &[(&Lesson, &Item, State)], learner: bool) -> String {
    let ink = Ink::new();
    let width = course.lessons.iter().map(|lesson| lesson.title.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for lesson in &course.lessons {
        let mine = states.iter().filter(|(other, ..)| other.number == lesson.number);
        let progress = match (mine.filter(|(_, _, state)| *state == State::Done).count(), lesson.items.len())
        {
            (_, 0) => "to read".to_owned(),
            (done, all) if done == all && learner => ink.green("done"),
            // On the reference nobody has done anything yet.
            (done, all) if done == all => format!("{all} functions to write"),
            (done, all) => format!("{done} of {all}"),
        };
        let (number, title, minutes) = (lesson.number, &lesson.title, lesson.minutes);
        text.push_str(&format!("  {number:02}  {title:<width$}  {minutes:>3} min  {progress}\n"));
    }
    text
}

/// Says what to do next.
///
/// # Errors
/// Fails where the sources cannot be read.
pub(super) fn next(course: &Course) -> Result<()> {
    let tree = Tree::read(&course.source())?;
    let states = course.states_in(&tree);
    let Some((lesson, item, state)) = states.iter().find(|(_, _, state)| *state != State::Done) else {
        return end(course, &tree);
    };
    let number = lesson.number;
    println!("{}", Ink::new().bold(&format!("Next: lesson {number:02}, {}", lesson.title)));
    println!("  read   {}", chapter(lesson));
    println!("  {}", place(&tree, item, state));
    println!("  test   cargo lesson test {number}");
    println!("  stuck? cargo lesson hint {number} {}", lesson.short_name(item));
    Ok(())
}

/// Where an item is to be written, or what has to be mended before.
pub(super) fn place(tree: &Tree, item: &Item, state: &State) -> String {
    match (state, tree.locate(&item.path)) {
        (State::Unreadable(why), _) => format!("mend   {SOURCE}/{why}"),
        (_, Ok(at)) => {
            format!("write  {} in {SOURCE}/{}:{}", item.path, at.file.display(), line_of(tree, &at))
        }
        (_, Err(error)) => format!("mend   {SOURCE}/{error:#}"),
    }
}

/// Nothing is open: the finished runtime of the project, or of a learner.
fn end(course: &Course, tree: &Tree) -> Result<()> {
    if !learner(course)? {
        println!("Next: read book/src/00-setup.md, then begin with lesson 01:\n  cargo lesson start");
        return Ok(());
    }
    println!("Every function is written. All tests: cargo test");
    if tree.files.values().any(|text| text.contains(ALLOW)) {
        println!(
            "One line is left over from the start; take it out of {SOURCE}/lib.rs:\n  {}",
            ALLOW.trim_end()
        );
    }
    Ok(())
}

/// The chapter's file, from the repository's root.
pub(super) fn chapter(lesson: &Lesson) -> String {
    format!("book/src/{}.md", lesson.folder())
}
