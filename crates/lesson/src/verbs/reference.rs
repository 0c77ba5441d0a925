//! The reference: the runtime's sources as they were when the course was started.

use std::path::PathBuf;

use anyhow::{Result, bail};
use course::{Course, Tree};

use super::git::{BASE, Git};

const SOURCE: &str = "crates/coracle/src";

/// Reads the reference out of git.
///
/// # Errors
/// Where the course was not started yet.
pub(super) fn read(course: &Course, git: &Git<'_>) -> Result<Tree> {
    if !git.succeeds(&["rev-parse", "--verify", "--quiet", BASE])? {
        bail!(
            "you have not started yet, so this is the finished runtime: nothing to do here. Type: cargo lesson start"
        );
    }
    if course.lessons.iter().all(|lesson| lesson.items.is_empty()) {
        bail!("this course has no lessons with functions to write");
    }
    let mut tree = Tree::default();
    for path in git.run(&["ls-tree", "-r", "--name-only", BASE, "--", SOURCE])?.lines() {
        if let Some(name) = path.strip_prefix(SOURCE).and_then(|name| name.strip_prefix('/'))
            && name.ends_with(".rs")
        {
            tree.files.insert(PathBuf::from(name), git.file(BASE, path)?);
        }
    }
    Ok(tree)
}
