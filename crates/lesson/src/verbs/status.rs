//! `cargo lesson` without a verb: where the learner stands, and the next thing to do.

use anyhow::Result;
use course::{ALLOW, Course, Item, Lesson, State, Tree};

use super::desk;
use super::git::{Git, SOURCE};
use super::ink::Ink;
use crate::first;

/// Shows the lessons with how far each is, and the next step; on the finished runtime, runs the first container
/// before.
///
/// # Errors
/// Fails where the sources cannot be read, or where the first container does not run.
pub fn status(course: &Course) -> Result<()> {
    let states = course.states()?;
    let learner = learner(course)?;
    if states.iter().all(|(_, _, state)| *state == State::Done) && !learner {
        first::container(course)?;
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
            let line = tree.files[&at.file][..at.body.start].lines().count();
            format!("write  {} in {SOURCE}/{}:{line}", item.path, at.file.display())
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
