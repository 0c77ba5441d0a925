//! `cargo lesson diff`: mine against the reference.

use anyhow::Result;
use course::item::body_is;
use course::{Course, Tree};
use similar::TextDiff;

use super::git::Git;
use super::reference;

/// Prints the differences of a lesson's finished functions from the reference; with `reveal`, of the open ones too.
///
/// # Errors
/// Where the course was not started, or the sources do not parse.
pub fn diff(course: &Course, number: u32, reveal: bool) -> Result<()> {
    let lesson = course.lesson(number)?;
    let reference = reference::read(course, &Git::open(&course.root)?)?;
    let mine = Tree::read(&course.source())?;
    for item in &lesson.items {
        if !reveal && body_is(&course.source(), &item.path, &item.neutral)? {
            println!("{}: still open (--reveal shows the reference)", item.path);
            continue;
        }
        let text = between(
            &mine.source_of(&item.path)?,
            &reference.source_of(&item.path)?,
            ("yours", "reference"),
            30,
        );
        match text.is_empty() {
            true => println!("{}: the same", item.path),
            false => println!("{}\n{text}", item.path),
        }
    }
    Ok(())
}

/// A unified diff with `context` lines around each change; empty where there is no difference.
pub(super) fn between(old: &str, new: &str, (old_name, new_name): (&str, &str), context: usize) -> String {
    let (old, new) = (old.trim_end().to_owned() + "\n", new.trim_end().to_owned() + "\n");
    if old == new {
        return String::new();
    }
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .context_radius(context)
        .header(old_name, new_name)
        .to_string()
}
