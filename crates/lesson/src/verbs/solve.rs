//! `solve`, `reset`, `catch-up`: functions to the reference's form, or back to the starter's. What they replace is
//! shown, and kept in git.

use anyhow::Result;
use course::item::body_is;
use course::{Course, Item, Lesson, Tree};

use super::diff::between;
use super::git::Git;
use super::reference;

/// Puts the reference in the place of a lesson's functions, or of one of them.
///
/// # Errors
/// Where the course was not started, or the sources do not parse.
pub fn solve(course: &Course, number: u32, name: Option<&str>) -> Result<()> {
    let lesson = course.lesson(number)?;
    let items = match name {
        Some(name) => vec![lesson.item(name)?],
        None => lesson.items.iter().collect(),
    };
    change(course, |tree, reference| items.iter().try_for_each(|item| restore(lesson, item, tree, reference)))
}

/// Empties a lesson's functions again.
///
/// # Errors
/// As [`solve`].
pub fn reset(course: &Course, number: u32) -> Result<()> {
    let lesson = course.lesson(number)?;
    change(course, |tree, reference| {
        for item in &lesson.items {
            // The docs come back as well, if they were changed.
            tree.restore(reference, &item.path)?;
            lesson.blank(tree, item)?;
        }
        for helper in lesson.private.iter().filter(|helper| tree.locate(helper).is_ok()).collect::<Vec<_>>() {
            tree.remove(helper)?;
        }
        Ok(())
    })
}

/// Solves what is still open in the lessons before `number`, and leaves the learner's own functions alone.
///
/// # Errors
/// As [`solve`].
pub fn catch_up(course: &Course, number: u32) -> Result<()> {
    course.lesson(number)?;
    let open: Vec<_> =
        course.open_items()?.into_iter().filter(|(lesson, _)| lesson.number < number).collect();
    change(course, |tree, reference| {
        open.iter().try_for_each(|(lesson, item)| restore(lesson, item, tree, reference))
    })
}

fn restore(lesson: &Lesson, item: &Item, tree: &mut Tree, reference: &Tree) -> Result<()> {
    tree.restore(reference, &item.path)?;
    // The reference's function may use them, and nobody can tell which ones.
    lesson.private.iter().try_for_each(|helper| tree.restore(reference, helper))
}

/// Changes the sources: keeps them, says what is replaced, and writes.
fn change(course: &Course, edit: impl FnOnce(&mut Tree, &Tree) -> Result<()>) -> Result<()> {
    let git = Git::open(&course.root)?;
    let reference = reference::read(course, &git)?;
    let before = Tree::read(&course.source())?;
    let mut after = before.clone();
    edit(&mut after, &reference)?;
    after.set_allow(still_open(course, &after)?);
    if after == before {
        println!("Nothing to change: it is so already.");
        return Ok(());
    }
    for (file, text) in &after.files {
        let name = format!("crates/coracle/src/{}", file.display());
        let old = before.files.get(file).map_or("", String::as_str);
        print!("{}", between(old, text, (&name, &name), 3));
    }
    if let Some(back) = git.keep()? {
        println!("\nWhat was there is kept. To get it back: {back}");
    } else {
        println!("\nWhat was there is in your last commit.");
    }
    after.write(&course.source())?;
    super::status::next(course)
}

/// Whether any item of the course is open in `tree`.
fn still_open(course: &Course, tree: &Tree) -> Result<bool> {
    let scratch = tempfile::tempdir()?;
    tree.write(scratch.path())?;
    for item in course.lessons.iter().flat_map(|lesson| &lesson.items) {
        if body_is(scratch.path(), &item.path, &item.neutral)? {
            return Ok(true);
        }
    }
    Ok(false)
}
