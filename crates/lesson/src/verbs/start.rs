//! `cargo lesson start`.

use anyhow::{Context, Result, bail};
use course::{Course, snapshot};

use super::desk;
use super::git::{BASE, Git};

/// Makes `branch`, on which every lesson's items are blank, and switches to it. A branch that is there is only
/// switched to.
///
/// The commit is made complete before the branch exists, and HEAD moves last: wherever this is interrupted, the next
/// call goes on, and nothing of the learner's is touched.
///
/// # Errors
/// Fails where git has no history, where work is not committed, or where the branch is something else.
pub fn start(course: &Course, branch: &str) -> Result<()> {
    let git = Git::open(&course.root)?;
    let name = format!("refs/heads/{branch}");
    if git.branch().as_deref() == Some(branch) && git.base_of("HEAD")?.is_some() {
        git.arrived()?;
        println!("You are on {branch} already. Where you stand: cargo lesson");
        return Ok(());
    }
    let head = git.commit("HEAD").context("HEAD is gone")?;
    // Interrupted before, this branch is there, and what looks changed is its own.
    let under_way = git.interrupted("start").filter(|to| git.commit(&name).as_deref() == Some(to));
    let changed = git.uncommitted()?;
    if !changed.is_empty() && under_way.is_none() {
        bail!(
            "files have changes that are not committed, and `start` switches branches:\n{changed}\n\
             Commit them (git commit -a), or put them aside (git stash), and start again"
        );
    }
    let there = git.commit(&name);
    if there.is_some() && git.base_of(&name)?.is_none() {
        bail!("{branch} is a branch of something else. Choose a name: cargo lesson start --branch my-course");
    }
    let to = match &there {
        Some(tip) => tip.clone(),
        None => {
            // From a course branch another one begins where the first did.
            let base = desk::base(course, &git)?.unwrap_or_else(|| head.clone());
            let reference = git.tree(&base)?;
            let starter = git.changes(&reference, &snapshot(course, &reference, 0)?)?;
            let what = "Start the course: the functions of every lesson are open";
            let commit = git.commit_with(&[&base], &starter, &Git::message(what, &base))?;
            git.read(&["update-ref", BASE, &base])?;
            commit
        }
    };
    let lost = git.at_stake(&head, &to)?;
    if !lost.is_empty() {
        bail!(
            "{branch} brings files that would take the place of yours:\n{}\nCommit yours, or move them out of the way, \
             and start again",
            desk::listed(&lost)
        );
    }
    if there.is_none() {
        git.read(&["branch", branch, &to])?;
    }
    // Nothing is left to write for `switch`: it moves HEAD, and remembers where from.
    git.travel("start", [&head, &to], || git.read(&["switch", "--quiet", branch]).map(|_| ()))?;
    if there.is_some() && under_way.is_none() {
        println!(
            "Welcome back: {branch} was there already, with your work on it. Where you stand: cargo lesson"
        );
        return Ok(());
    }

    let course = Course::load(&course.root)?;
    let items: usize = course.lessons.iter().map(|lesson| lesson.items.len()).sum();
    println!("You are on your own branch, {branch}. {items} functions of the runtime are yours to write.");
    if !git.knows_who() {
        println!(
            "\nGit does not know you yet. Before your first commit:\n  \
             git config user.name \"Your Name\"\n  git config user.email you@example.com"
        );
    }
    println!("The finished runtime is where it was: git switch - goes back to it.\n");
    super::status::next(&course)
}
