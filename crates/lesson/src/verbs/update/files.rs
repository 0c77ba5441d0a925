//! All files but the runtime's sources, merged line by line.

use std::collections::BTreeSet;

use anyhow::Result;

use super::Prefer;
use crate::verbs::git::{Change, Entry, Git, SOURCE};

/// What becomes of the learner's files.
#[derive(Default)]
pub(super) struct Merged {
    /// What differs from the learner's commit.
    pub(super) changes: Vec<Change>,
    /// The files of which both sides changed the same lines.
    pub(super) conflicts: Vec<String>,
}

/// The one of three versions that counts, where lines need not be looked at: where at most one side changed something.
pub(super) fn simple<T: PartialEq>([base, mine, theirs]: [&T; 3]) -> Option<&T> {
    if theirs == base || theirs == mine {
        Some(mine)
    } else if mine == base {
        Some(theirs)
    } else {
        None
    }
}

/// Merges the commits `base`, `mine` and `theirs`.
pub(super) fn merge(git: &Git, commits: [&str; 3], prefer: Option<Prefer>) -> Result<Merged> {
    let [base, mine, theirs] = [git.files(commits[0])?, git.files(commits[1])?, git.files(commits[2])?];
    let source = |path: &str| path.starts_with(&format!("{SOURCE}/")) && path.ends_with(".rs");
    let paths: BTreeSet<&String> = base.keys().chain(theirs.keys()).filter(|path| !source(path)).collect();
    let mut merged = Merged::default();
    for path in paths {
        let three = [base.get(path), mine.get(path), theirs.get(path)];
        let outcome = match simple([&three[0], &three[1], &three[2]]) {
            Some(outcome) => outcome.cloned(),
            None => match both(git, three, prefer)? {
                Some(outcome) => outcome,
                None => {
                    merged.conflicts.push(path.clone());
                    continue;
                }
            },
        };
        if outcome.as_ref() != three[1] {
            merged.changes.push((path.clone(), outcome));
        }
    }
    Ok(merged)
}

/// A file that both sides changed: its lines are merged where all three are files; else one side must be preferred.
fn both(git: &Git, three: [Option<&Entry>; 3], prefer: Option<Prefer>) -> Result<Option<Option<Entry>>> {
    if let [Some(base), Some(mine), Some(theirs)] = three
        && three.iter().flatten().all(|entry| entry.is_file())
    {
        let texts = git.contents(&[&base.object, &mine.object, &theirs.object])?;
        let texts = [texts[0].as_slice(), &texts[1], &texts[2]];
        if let Some(text) = git.merge_texts(texts, prefer.map(Prefer::flag))? {
            return Ok(Some(Some(Entry { mode: mine.mode.clone(), ..git.store(&text)? })));
        }
    }
    let chosen = match prefer {
        Some(Prefer::Mine) => three[1],
        Some(Prefer::Upstream) => three[2],
        None => return Ok(None),
    };
    Ok(Some(chosen.cloned()))
}
