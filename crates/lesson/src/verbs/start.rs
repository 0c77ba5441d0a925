//! `cargo lesson start`: a branch on which every lesson's functions are emptied.

use anyhow::{Context, Result, bail};
use course::{Course, Tree, snapshot};

use super::git::{BASE, Git};

/// Makes the branch and goes to it; goes to it where it is there already.
///
/// The order keeps everything safe at every moment: the branch begins as what is there, the emptied sources are one
/// commit on it, and whatever is interrupted is finished by starting again.
///
/// # Errors
/// Where there is no git history, or there are changes that are not committed.
pub fn start(course: &Course, branch: &str) -> Result<()> {
    let git = Git::open(&course.root)?;
    let changed = git.run(&["status", "--porcelain", "--untracked-files=no"])?;
    let there = git.succeeds(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")])?;
    let started = git.succeeds(&["rev-parse", "--verify", "--quiet", BASE])?;
    let here = git.branch()? == branch;
    if there && started && here && course.first_open()?.is_some() {
        println!("You are on {branch} already: go on. (cargo lesson shows where you stand.)");
        return Ok(());
    }
    if !changed.is_empty() {
        bail!(
            "there are changes that no commit holds:\n{changed}\nCommit them or set them aside (git stash), then try again"
        );
    }
    if there && !here {
        git.run(&["checkout", "--quiet", branch])?;
        if !Course::load(&course.root)?.open_items()?.is_empty() || started {
            println!("Your branch {branch} is there already: you are on it again.");
            return Ok(());
        }
    } else if !there {
        if let Some((lesson, item)) = course.open_items()?.first() {
            bail!(
                "{} of lesson {} is empty here: go to the finished runtime first (git checkout main)",
                item.path,
                lesson.number
            );
        }
        git.run(&["update-ref", BASE, "HEAD"])?;
        git.run(&["checkout", "--quiet", "-b", branch])?;
    }
    let source = course.source();
    let reference = Tree::read(&source)?;
    snapshot(course, &reference, 0)?.write(&source).context("emptying the lessons' functions")?;
    git.run(&["add", "--", "crates/coracle/src"])?;
    git.commit("The starter: every lesson's functions are empty")?;
    let items: usize = course.lessons.iter().map(|lesson| lesson.items.len()).sum();
    println!("You are on the branch {branch} now. {items} functions are empty, and waiting for you.");
    println!("The finished runtime is where it was: git checkout - goes back to it.\n");
    super::status::next(&Course::load(&course.root)?)
}
