//! `cargo lesson solve`, `reset` and `catch-up`: the verbs that write the learner's sources. They write the work tree
//! and leave the commit to the learner.

use anyhow::{Context, Result};
use course::{Course, Item, Lesson, State, Tree};

use super::desk::Desk;
use super::git::SOURCE;
use super::ink::Ink;

/// Gives the items of lesson `number`, or the one called `name`, the reference's text.
///
/// # Errors
/// Fails on the reference, where there is no such item, and where a source file does not parse.
pub fn solve(course: &Course, number: u32, name: Option<&str>) -> Result<()> {
    let lesson = course.lesson(number)?;
    let desk = Desk::open(course)?;
    let chosen: Vec<&Item> = match name {
        Some(name) => vec![lesson.item(name)?],
        None => lesson.items.iter().collect(),
    };
    let mut tree = desk.mine.clone();
    put_back(&desk.reference, &mut tree, lesson, &chosen)?;
    let verb = format!("solve {number}{}", name.map(|name| format!(" {name}")).unwrap_or_default());
    finish(&desk, tree, &verb)
}

/// Gives the items of lesson `number` the form they have in the starter.
///
/// # Errors
/// As [`solve`].
pub fn reset(course: &Course, number: u32) -> Result<()> {
    let lesson = course.lesson(number)?;
    let desk = Desk::open(course)?;
    let mut tree = desk.mine.clone();
    for item in &lesson.items {
        restore(&desk.reference, &mut tree, &item.path)?;
        lesson.blank(&mut tree, item)?;
    }
    for helper in &lesson.private {
        if tree.locate(helper).is_ok() {
            tree.remove(helper)?;
        }
    }
    finish(&desk, tree, &format!("reset {number}"))
}

/// Solves what is open in the lessons before `number`.
///
/// # Errors
/// As [`solve`].
pub fn catch_up(course: &Course, number: u32) -> Result<()> {
    course.lesson(number)?;
    let desk = Desk::open(course)?;
    let mut tree = desk.mine.clone();
    let states = course.states_in(&desk.mine);
    for lesson in course.lessons.iter().filter(|lesson| lesson.number < number) {
        let open = states.iter().filter(|(of, _, state)| of.number == lesson.number && *state != State::Done);
        put_back(&desk.reference, &mut tree, lesson, &open.map(|(_, item, _)| *item).collect::<Vec<_>>())?;
    }
    finish(&desk, tree, &format!("catch-up {number}"))
}

/// Restores the items, and those private helpers of the lesson that their text uses. A helper that only other items
/// of the reference use stays away: the learner may do without it.
pub(super) fn put_back(reference: &Tree, tree: &mut Tree, lesson: &Lesson, items: &[&Item]) -> Result<()> {
    let mut wanted: Vec<&str> = items.iter().map(|item| item.path.as_str()).collect();
    let mut next = 0;
    while let Some(path) = wanted.get(next).copied() {
        restore(reference, tree, path)?;
        let text = reference.source_of(path)?;
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let used = |helper: &&str| helper.rsplit("::").next().is_some_and(|name| words.contains(&name));
        let helpers = lesson.private.iter().map(String::as_str).filter(used).collect::<Vec<_>>();
        wanted.extend(helpers.into_iter().filter(|helper| !wanted.contains(helper)).collect::<Vec<_>>());
        next += 1;
    }
    Ok(())
}

fn restore(reference: &Tree, tree: &mut Tree, path: &str) -> Result<()> {
    tree.restore(reference, path).with_context(|| {
        format!(
            "{path} cannot be put in place: mend its file, or go back to your last commit with git checkout"
        )
    })
}

/// Shows what changes, keeps what was there in git, and writes.
fn finish(desk: &Desk, mut tree: Tree, verb: &str) -> Result<()> {
    let left = desk.course.states_in(&tree).iter().filter(|(_, _, state)| *state != State::Done).count();
    tree.set_allow(left > 0);
    if tree == desk.mine {
        println!("Nothing to change: it is so already.");
        return Ok(());
    }
    let backup = desk.git.backup(verb).context("keeping your version, before anything is written")?;
    // Written before it is shown: whoever reads only the head of it has the whole change all the same.
    tree.write(&desk.course.source())?;
    let ink = Ink::new();
    for (file, new) in &tree.files {
        let old = desk.mine.files.get(file).map_or("", String::as_str);
        let name = format!("{SOURCE}/{}", file.display());
        print!("{}", ink.diff((&name, old), (&name, new)));
    }
    println!("\nYour version is kept. To have it back: git checkout {backup} -- {SOURCE}");
    println!();
    super::status::next(desk.course)
}
