//! `cargo lesson start`.

use anyhow::{Context, Result, bail};
use course::{Course, snapshot};

use super::desk;
use super::git::{BASE, Git};

/// Makes `branch`, on which every lesson's items are blank, and switches to it. A branch that is there is only
/// switched to.
///
/// The commit is made complete before the branch exists, and git writes the files: wherever this is interrupted,
/// the next call goes on, and nothing of the learner's is touched.
///
/// # Errors
/// Fails where git has no history, where work is not committed, or where the branch is something else.
pub fn start(course: &Course, branch: &str) -> Result<()> {
    let git = Git::open(&course.root)?;
    let head = format!("refs/heads/{branch}");
    if git.branch().as_deref() == Some(branch) && git.base_of("HEAD")?.is_some() {
        println!("You are on {branch} already. Where you stand: cargo lesson");
        return Ok(());
    }
    let changed = git.read(&["status", "--porcelain", "--untracked-files=no"])?;
    if !changed.is_empty() {
        bail!(
            "files have changes that are not committed, and `start` switches branches:\n{changed}\n\
             Commit them (git commit -a), or put them aside (git stash), and start again"
        );
    }
    if git.commit(&head).is_some() {
        if git.base_of(&head)?.is_none() {
            bail!(
                "{branch} is a branch of something else. Choose a name: cargo lesson start --branch my-course"
            );
        }
        git.read(&["switch", branch])?;
        println!(
            "Welcome back: {branch} was there already, with your work on it. Where you stand: cargo lesson"
        );
        return Ok(());
    }

    // From a course branch another one begins where the first did.
    let base = match desk::base(course, &git)? {
        Some(base) => base,
        None => git.commit("HEAD").context("HEAD is gone")?,
    };
    let starter = snapshot(course, &git.tree(&base)?, 0)?;
    let commit = git.commit_with(&base, &starter, &Git::start_message(&base))?;
    git.read(&["update-ref", BASE, &base])?;
    git.read(&["branch", branch, &commit])?;
    git.read(&["switch", branch])?;

    let items: usize = course.lessons.iter().map(|lesson| lesson.items.len()).sum();
    println!("You are on your own branch, {branch}. {items} functions of the runtime are yours to write.");
    if !git.knows_who() {
        println!(
            "\nGit does not know you yet. Before your first commit:\n  \
             git config user.name \"Your Name\"\n  git config user.email you@example.com"
        );
    }
    println!("The finished runtime is where it was: git switch - goes back to it.\n");
    super::status::next(&Course::load(&course.root)?)
}
