//! The runtime's sources, merged by function.
//!
//! Each function that belongs to a lesson, before or after, is decided on its own. A line of comment then stands in its
//! place in all three versions, so that the lines around it can be merged as text, and moves with them into another
//! file if need be; at last the function takes the line's place again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Result, bail};
use course::{Course, Item, Lesson, Located, State, Tree, snapshot};

use super::Prefer;
use super::files::simple;
use crate::verbs::change::put_back;
use crate::verbs::git::{Git, SOURCE};

/// The finished runtime at one commit, and how the lessons cut it there.
pub(super) struct Reference {
    pub(super) course: Course,
    pub(super) tree: Tree,
}

impl Reference {
    fn item(&self, path: &str) -> Option<(&Lesson, &Item)> {
        let find = |lesson: &'_ Lesson| lesson.items.iter().position(|item| item.path == path);
        self.course.lessons.iter().find_map(|lesson| Some((lesson, &lesson.items[find(lesson)?])))
    }

    fn is_private(&self, path: &str) -> bool {
        self.course.lessons.iter().any(|lesson| lesson.private.iter().any(|helper| helper == path))
    }

    /// The functions that the lessons take away, wholly or but for their contract.
    fn owned(&self) -> impl Iterator<Item = &String> {
        let lessons = self.course.lessons.iter();
        lessons.flat_map(|lesson| lesson.items.iter().map(|item| &item.path).chain(&lesson.private))
    }
}

/// The merged sources, and what became of the functions.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) tree: Tree,
    /// Written by the learner, and left alone.
    pub(super) kept: Vec<String>,
    /// Written by the learner, under the project's new docs or signature.
    pub(super) contract: Vec<String>,
    /// As `kept`; docs or signature were changed by both sides, and the learner's stay.
    pub(super) disputed: Vec<String>,
    /// The reference's own text, which the project changed.
    pub(super) solved: Vec<String>,
    /// Given before, or new: now the learner's to write.
    pub(super) opened: Vec<String>,
    /// Written by the learner, and gone from the project's runtime.
    pub(super) orphaned: Vec<String>,
    /// The files of which both sides changed the same lines.
    pub(super) conflicts: Vec<String>,
}

/// # Errors
/// Fails where a file of the learner's does not parse, or one of their items is gone.
pub(super) fn merge(
    git: &Git,
    old: &Reference,
    new: &Reference,
    mine: &Tree,
    prefer: Option<Prefer>,
) -> Result<Merged> {
    let mut bench = Bench {
        git,
        prefer,
        old,
        new,
        starter: snapshot(&new.course, &new.tree, 0)?,
        // Base, the learner's, the project's: on the way to texts without the lessons' functions.
        three: [old.tree.clone(), mine.clone(), Tree::default()],
        open: BTreeSet::new(),
        decided: BTreeMap::new(),
        merged: Merged::default(),
    };
    bench.three[2] = bench.starter.clone();
    bench.three.iter_mut().for_each(|tree| tree.set_allow(false));
    for (_, item, state) in old.course.states_in(mine) {
        match state {
            State::Done => {}
            State::Open => drop(bench.open.insert(item.path.clone())),
            State::Unreadable(why) => {
                bail!("{}: {why}. Mend it first, below {SOURCE}: what is yours can't be told", item.path)
            }
        }
    }
    let owned: BTreeSet<&String> = old.owned().chain(new.owned()).collect();
    for path in owned {
        bench.decide(path, mine)?;
    }
    bench.assemble()
}

struct Bench<'a> {
    git: &'a Git,
    prefer: Option<Prefer>,
    old: &'a Reference,
    new: &'a Reference,
    starter: Tree,
    three: [Tree; 3],
    /// What the learner has not written yet.
    open: BTreeSet<String>,
    /// The text that each function will have.
    decided: BTreeMap<String, String>,
    merged: Merged,
}

impl Bench<'_> {
    /// What the function becomes. Where that is nothing, it goes from the trees; else from those that lack it it
    /// must not look taken away.
    fn decide(&mut self, path: &str, mine: &Tree) -> Result<()> {
        let was = self.old.item(path);
        let before = self.old.tree.source_of(path).ok();
        let after = self.new.tree.source_of(path).ok();
        let Ok(text) = mine.source_of(path) else {
            // A helper that the learner does without, or what is only coming.
            if before.is_some() {
                self.three[0].remove(path)?;
            }
            if after.is_some() && was.is_none() && self.new.item(path).is_some() {
                self.merged.opened.push(path.to_owned());
            }
            return Ok(());
        };
        let untouched = before.as_ref() == Some(&text);
        let open = self.open.contains(path);
        let given = was.is_none() && !self.old.is_private(path);
        let Some(after) = after else {
            self.three[0].remove(path)?;
            if open || untouched {
                self.three[1].remove(path)?;
            } else {
                self.merged.orphaned.push(path.to_owned());
            }
            return Ok(());
        };
        let outcome = if open || (given && untouched) {
            if self.new.is_private(path) {
                self.three[0].remove(path)?;
                self.three[1].remove(path)?;
                return Ok(());
            }
            if given && self.new.item(path).is_some() {
                self.merged.opened.push(path.to_owned());
            }
            self.starter.source_of(path)?
        } else if untouched {
            if after != text {
                self.merged.solved.push(path.to_owned());
            }
            after
        } else {
            self.yours(path, mine)?
        };
        self.decided.insert(path.to_owned(), outcome);
        if self.three[2].locate(path).is_err() {
            self.three[2].restore(&self.new.tree, path)?;
        }
        Ok(())
    }

    /// The learner's own text, under the contract of whichever side changed that.
    fn yours(&mut self, path: &str, mine: &Tree) -> Result<String> {
        let located = mine.locate(path)?;
        let body = &mine.files[&located.file][located.body.clone()];
        let [before, here, after] =
            [&self.old.tree, mine, &self.new.tree].map(|tree| tree.locate(path).map(|at| head(tree, &at)));
        let (before, here, after) = (before.unwrap_or_default(), here?, after?);
        let whole = |head: &str| format!("{head}{body}");
        if let Some(head) = simple([&before, &here, &after]) {
            let list = if *head == here { &mut self.merged.kept } else { &mut self.merged.contract };
            list.push(path.to_owned());
            return Ok(whole(head));
        }
        let texts = [before.as_bytes(), here.as_bytes(), after.as_bytes()];
        match self.git.merge_texts(texts, self.prefer.map(Prefer::flag))? {
            Some(head) => {
                self.merged.contract.push(path.to_owned());
                Ok(whole(&String::from_utf8(head)?))
            }
            None => {
                self.merged.disputed.push(path.to_owned());
                Ok(whole(&here))
            }
        }
    }

    /// Merges what is around the functions, and puts them in.
    fn assemble(mut self) -> Result<Merged> {
        for path in self.decided.keys() {
            for tree in &mut self.three {
                if let Ok(at) = tree.locate(path)
                    && let Some(text) = tree.files.get_mut(&at.file)
                {
                    text.replace_range(at.span, &placeholder(path));
                }
            }
        }
        let names: BTreeSet<&PathBuf> = self.three.iter().flat_map(|tree| tree.files.keys()).collect();
        let mut tree = Tree::default();
        for name in names {
            let three = self.three.each_ref().map(|tree| tree.files.get(name));
            let text = match (simple([&three[0], &three[1], &three[2]]), three) {
                (Some(text), _) => text.cloned(),
                (None, [Some(base), Some(mine), Some(theirs)]) => {
                    let texts = [base.as_bytes(), mine.as_bytes(), theirs.as_bytes()];
                    match self.git.merge_texts(texts, self.prefer.map(Prefer::flag))? {
                        Some(text) => Some(String::from_utf8(text)?),
                        None => {
                            self.merged.conflicts.push(format!("{SOURCE}/{}", name.display()));
                            three[1].cloned()
                        }
                    }
                }
                (None, [_, mine, theirs]) => match self.prefer {
                    Some(Prefer::Mine) => mine.cloned(),
                    Some(Prefer::Upstream) => theirs.cloned(),
                    None => {
                        self.merged.conflicts.push(format!("{SOURCE}/{}", name.display()));
                        None
                    }
                },
            };
            tree.files.extend(text.map(|text| (name.clone(), text)));
        }
        if !self.merged.conflicts.is_empty() {
            return Ok(self.merged);
        }
        for (path, text) in &self.decided {
            let place = placeholder(path);
            let mut there = tree.files.values_mut().filter(|text| text.contains(&place));
            match (there.next(), there.next()) {
                (Some(file), None) if file.matches(&place).count() == 1 => {
                    *file = file.replacen(&place, text, 1)
                }
                _ => bail!(
                    "{path} was moved by you and by the project. Put it back where it was in the starter, commit, and \
                     update again"
                ),
            }
        }
        self.finish(tree)
    }

    fn finish(mut self, mut tree: Tree) -> Result<Merged> {
        // The reference's new text of a function may use a helper that its old one did not.
        for lesson in &self.new.course.lessons {
            let solved = lesson.items.iter().filter(|item| self.merged.solved.contains(&item.path));
            put_back(&self.new.tree, &mut tree, lesson, &solved.collect::<Vec<_>>())?;
        }
        let opened = std::mem::take(&mut self.merged.opened);
        let mut open = false;
        for (lesson, item, state) in self.new.course.states_in(&tree) {
            if opened.contains(&item.path) {
                self.merged.opened.push(format!("lesson {:02}: {}", lesson.number, item.path));
            }
            match state {
                State::Done => {}
                State::Open => open = true,
                State::Unreadable(why) => bail!("the update does not fit: {}: {why}", item.path),
            }
        }
        tree.set_allow(open);
        self.merged.tree = tree;
        Ok(self.merged)
    }
}

/// All of a function above its body: comments, attributes, declaration.
fn head(tree: &Tree, at: &Located) -> String {
    tree.files[&at.file][at.span.start..at.body.start].to_owned()
}

fn placeholder(path: &str) -> String {
    format!("// {path}: this line stands for the function while what is around it is merged")
}
