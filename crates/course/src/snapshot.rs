//! The tree as a learner meets it at the start of a lesson.

use anyhow::{Context, Result, bail};

use crate::{Course, Item, Lesson, Tree, body};

/// The reference with the items of lessons >= `n` blanked, their private helpers removed, and [`crate::ALLOW`] on if
/// that was any. `n` = 0 is the starter; an `n` behind the last lesson is the reference itself.
///
/// # Errors
/// Fails where an item or a private helper is not in the reference, or where an item's neutral body is what the
/// reference has: such an item would always be open.
pub fn snapshot(course: &Course, reference: &Tree, n: u32) -> Result<Tree> {
    blanked(reference, course.lessons.iter().filter(|lesson| lesson.number >= n))
}

/// As [`snapshot`], with the items of drafts >= `n` blanked as well: the tree that learners will meet there once the
/// drafts are lessons.
///
/// # Errors
/// As [`snapshot`].
pub fn cut(course: &Course, reference: &Tree, n: u32) -> Result<Tree> {
    blanked(reference, course.with_drafts().into_iter().filter(|lesson| lesson.number >= n))
}

fn blanked<'a>(reference: &Tree, lessons: impl Iterator<Item = &'a Lesson>) -> Result<Tree> {
    let mut tree = reference.clone();
    let mut blank = false;
    for lesson in lessons {
        for item in &lesson.items {
            if body::Cache::default().body_is(reference, &item.path, &item.neutral)? {
                bail!(
                    "lesson {}: the neutral body of {} is what the reference does",
                    lesson.number,
                    item.path
                );
            }
            lesson.blank(&mut tree, item)?;
            blank = true;
        }
        for helper in &lesson.private {
            tree.remove(helper)
                .with_context(|| format!("lesson {}: private helper {helper}", lesson.number))?;
        }
    }
    if blank {
        tree.set_allow(true);
    }
    Ok(tree)
}

impl Lesson {
    /// Gives `item` its neutral body under the comment line that says what it is.
    ///
    /// # Errors
    /// Fails where the item is not in the tree.
    pub fn blank(&self, tree: &mut Tree, item: &Item) -> Result<()> {
        tree.set_body(&item.path, &item.neutral, Some(&self.marker(item)))
            .with_context(|| format!("lesson {}: item {}", self.number, item.path))
    }

    /// The comment line of a blanked item: which one it is, and where help is.
    pub fn marker(&self, item: &Item) -> String {
        let place = self.items.iter().position(|other| other == item).map_or(0, |index| index + 1);
        format!(
            "Lesson {:02}, item {place} of {}. Stuck? cargo lesson hint {} {}",
            self.number,
            self.items.len(),
            self.number,
            self.short_name(item)
        )
    }
}
