//! What the verbs that compare or change work on: the course, the learner's sources, and the reference's.

use anyhow::{Context, Result, bail};
use course::{Course, State, Tree};

use super::git::{BASE, Git};

pub(super) struct Desk<'c> {
    pub(super) course: &'c Course,
    pub(super) git: Git,
    /// The commit of the reference.
    pub(super) base: String,
    pub(super) reference: Tree,
    pub(super) mine: Tree,
}

impl<'c> Desk<'c> {
    /// # Errors
    /// Fails where this is no course branch: there is nothing to compare with. Fails as well where a verb was
    /// interrupted between two commits.
    pub(super) fn open(course: &'c Course) -> Result<Self> {
        let git = Git::open(&course.root)?;
        git.arrived()?;
        let Some(base) = base(course, &git)? else {
            bail!(
                "nothing to do here: this is the finished runtime. Begin the course with: cargo lesson start"
            );
        };
        // A clone has the branch and not the ref; and an update may have been killed between the two.
        if git.commit(BASE).as_ref() != Some(&base) {
            git.read(&["update-ref", BASE, &base])?;
        }
        let reference = git.tree(&base).context("reading the reference")?;
        Ok(Self { course, git, base, reference, mine: Tree::read(&course.source())? })
    }
}

/// The commit this course branch began from, or was last updated to; `None` on the reference. The branch's own history
/// says it. Where that was rewritten, an open item shows that this is a course, and `refs/coracle/base` where it began.
pub(super) fn base(course: &Course, git: &Git) -> Result<Option<String>> {
    if let Some(base) = git.base_of("HEAD")? {
        return Ok(Some(base));
    }
    let open = course.states()?.iter().any(|(_, _, state)| *state == State::Open);
    Ok(if open { git.commit(BASE) } else { None })
}

/// Names one below the other.
pub(super) fn listed<S: std::fmt::Display>(names: impl IntoIterator<Item = S>) -> String {
    names.into_iter().map(|name| format!("  {name}")).collect::<Vec<_>>().join("\n")
}
