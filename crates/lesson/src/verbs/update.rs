//! `cargo lesson update`: what the project changed since the course began, brought into a learner's branch.
//!
//! Three versions meet: the reference this branch knows (the *base*), the learner's, and the reference as it is now.
//! The runtime's functions are merged one by one (`items`), all other text line by line (`files`). The outcome is a
//! commit with both as its parents: it names the new base, a clone of the branch has all it needs, and `git reset` goes
//! back. Nothing is written before all of it is known to fit.

mod files;
mod items;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use course::Course;

use super::desk::{Desk, listed};
use super::git::{BASE, Git, SOURCE};
use items::{Merged, Reference};

/// Whose lines count where both sides changed the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Prefer {
    /// Yours
    Mine,
    /// The project's
    Upstream,
}

impl Prefer {
    /// As `git merge-file` calls it.
    fn flag(self) -> &'static str {
        match self {
            Prefer::Mine => "--ours",
            Prefer::Upstream => "--theirs",
        }
    }
}

/// Brings the reference at `from` into the branch that is checked out. Without `from`: at the first of the remote's
/// default branch and the local `main` that has something new. `fetch` asks the remote first.
///
/// # Errors
/// Fails on the reference, on a work tree with changes, and where both sides changed the same lines and `prefer` does
/// not say whose count. The tree is as it was then.
pub fn update(course: &Course, from: Option<&str>, fetch: bool, prefer: Option<Prefer>) -> Result<()> {
    let git = Git::open(&course.root)?;
    let head = git.commit("HEAD").context("HEAD is gone")?;
    if let Some(to) =
        git.interrupted("update").filter(|to| git.commit(&format!("{to}^1")).as_ref() == Some(&head))
    {
        return go_on(&git, &head, &to);
    }
    let desk = Desk::open(course)?;
    let branch = git
        .branch()
        .context("HEAD is on no branch, so nothing would hold the update. Try: git switch my-coracle")?;
    if git.commit("MERGE_HEAD").is_some() {
        bail!("a merge is under way. End it first: git commit, or git merge --abort");
    }
    if fetch {
        git.fetch()?;
    }
    let Some((name, theirs)) = upstream(&git, &desk.base, &branch, from)? else {
        println!("Nothing new. (To ask the project's server first: cargo lesson update --fetch)");
        return Ok(());
    };

    let changed = git.uncommitted()?;
    if !changed.is_empty() {
        bail!(
            "files have changes that are not committed:\n{changed}\n\
             Commit them (git commit -a), or put them aside (git stash), and update again"
        );
    }
    let old = Reference { course: git.course(&desk.base)?, tree: desk.reference.clone() };
    let new = Reference { course: read_course(&git, &theirs)?, tree: git.tree(&theirs)? };
    let merged = items::merge(&git, &old, &new, &desk.mine, prefer)?;
    let other = files::merge(&git, [&desk.base, &head, &theirs], prefer)?;
    let conflicts: BTreeSet<&String> = merged.conflicts.iter().chain(&other.conflicts).collect();
    if !conflicts.is_empty() {
        bail!(
            "you and the project changed the same lines of\n{}\nNothing was written. See what you changed: git diff {} -- FILE. \
             Then say whose lines count there:\n  cargo lesson update --prefer upstream   (yours stay in git's history)\n  \
             cargo lesson update --prefer mine",
            listed(conflicts),
            short(&desk.base),
        );
    }
    let mut changes = git.changes(&desk.mine, &merged.tree)?;
    changes.extend(other.changes);
    let what = format!("Update the course to {} of {name}", short(&theirs));
    let commit = git.commit_with(&[&head, &theirs], &changes, &Git::message(&what, &theirs))?;
    let lost = git.at_stake(&head, &commit)?;
    if !lost.is_empty() {
        bail!(
            "the update brings files that would take the place of yours:\n{}\nCommit yours, or move them out of the way, \
             and update again",
            listed(&lost)
        );
    }
    let backup = git.backup("update").context("keeping your version, before anything is written")?;
    arrive(&git, &head, &commit, &theirs)?;
    println!("{}", report(&git, &merged, &desk.base, &theirs, &name, changes.len())?);
    println!("All of it: git diff {} HEAD", short(&head));
    println!("Your version is kept. To undo the update: git reset --keep {backup}^");
    println!();
    super::status::next(&Course::load(&course.root)?)
}

fn arrive(git: &Git, head: &str, commit: &str, theirs: &str) -> Result<()> {
    git.travel("update", [head, commit], || {
        git.read(&["update-ref", "-m", "cargo lesson update", "HEAD", commit, head])?;
        git.read(&["update-ref", BASE, theirs]).map(|_| ())
    })
}

/// The update was killed on its way. All that is there is either old or new, or it is the learner's and in the way.
fn go_on(git: &Git, head: &str, to: &str) -> Result<()> {
    let lost = git.at_stake(head, to)?;
    if !lost.is_empty() {
        bail!(
            "an update was interrupted, and these files were changed since:\n{}\nPut your versions aside (copy them out of \
             the clone), go back with git checkout HEAD -- FILE, and update again",
            listed(&lost)
        );
    }
    let theirs = git.commit(&format!("{to}^2")).context("the interrupted update has lost its commit")?;
    arrive(git, head, to, &theirs)?;
    println!("The update that was interrupted is finished. All of it: git diff {} HEAD", short(head));
    Ok(())
}

/// The commit to update to, with the name of the branch it was found at; `None` where there is nothing new.
fn upstream(git: &Git, base: &str, branch: &str, from: Option<&str>) -> Result<Option<(String, String)>> {
    if let Some(name) = from {
        let commit = git.commit(name).with_context(|| {
            format!("git knows no {name} here. Is it the project's? git remote -v, git fetch")
        })?;
        if git.base_of(&commit)?.is_some() {
            bail!(
                "{name} is a learner's branch too. Name the one that holds the finished runtime: --from main"
            );
        }
        return Ok((!git.contains(base, &commit)?).then(|| (name.to_owned(), commit)));
    }
    for name in ["origin/HEAD", "origin/main", "main"] {
        let Some(commit) = git.commit(name).filter(|_| name != branch) else { continue };
        // The branch may have been pushed under the name `main`; and what does not contain the base is another project's.
        if commit != base && git.contains(&commit, base)? && git.base_of(&commit)?.is_none() {
            return Ok(Some((name.to_owned(), commit)));
        }
    }
    Ok(None)
}

/// The manifests as the project has them now may know more than this program does.
fn read_course(git: &Git, theirs: &str) -> Result<Course> {
    git.course(theirs).with_context(|| {
        let commit = short(theirs);
        format!(
            "this version of cargo lesson can't read the lessons of {commit}. Theirs can:\n  \
             git worktree add ../coracle-{commit} {commit}\n  \
             cargo run --manifest-path ../coracle-{commit}/Cargo.toml --package lesson -- update --from {commit}\n"
        )
    })
}

fn report(
    git: &Git,
    merged: &Merged,
    base: &str,
    theirs: &str,
    name: &str,
    changed: usize,
) -> Result<String> {
    let count = git.read(&["rev-list", "--count", &format!("{base}..{theirs}")])?;
    let mut text =
        format!("Updated to {} of {name}; new commits: {count}, changed files: {changed}\n", short(theirs));
    let mut say = |what: &str, names: &[String]| {
        if !names.is_empty() {
            text += &format!("{what}:\n{}\n", listed(names));
        }
    };
    say("New to write", &merged.opened);
    say("Yours, and as you wrote them", &merged.kept);
    say("Yours, but the contract above them is new; does your body still fit?", &merged.contract);
    say(
        "Yours, though the contract that both changed is the project's elsewhere; compare with cargo lesson diff",
        &merged.disputed,
    );
    say("Mended in the reference, from where you had them", &merged.solved);
    say(&format!("No part of the runtime any more; what you wrote stays in {SOURCE}"), &merged.orphaned);
    Ok(text.trim_end().to_owned())
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
