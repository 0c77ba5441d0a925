//! What a lesson is: its manifest, and the items of the runtime it owns.
//!
//! A course lives in one repository: `lessons/NN-slug/lesson.toml` lists *items*, functions of the crate below
//! `crates/coracle/src`, each with its neutral body: what the function does while the capability is absent. An item
//! is *open* while its body still equals that neutral body. Nothing else records progress.
//!
//! A folder whose manifest has items but no `tests.rs` beside it is a *draft*, a lesson in the making. Learners see
//! nothing of it, and its functions stay as they are; only the prover takes them away, so that the cut stays right.

mod body;
mod edit;
pub mod item;
mod manifest;
mod parse;
mod snapshot;
mod tree;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

pub use item::Located;
pub use snapshot::{cut, snapshot};
pub use tree::{ALLOW, Tree};

/// A course: the lessons of a repository, in order.
#[derive(Clone, Debug)]
pub struct Course {
    /// The repository's root.
    pub root: PathBuf,
    /// The lessons by number, lowest first.
    pub lessons: Vec<Lesson>,
    /// The lessons in the making, by number: nothing that learners meet knows of them.
    pub drafts: Vec<Lesson>,
}

/// One lesson: `lessons/NN-slug/lesson.toml`.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// The number in the folder's name.
    pub number: u32,
    /// The folder's name behind the number: `pivot-root` of `03-pivot-root`.
    pub slug: String,
    /// The lesson's folder.
    pub dir: PathBuf,
    /// The title for people.
    pub title: String,
    /// What the runtime can do after it, in a few words for README's table; empty where nobody has said it yet.
    pub learns: String,
    /// How long it takes.
    pub minutes: u32,
    /// How hard it is: one, two or three.
    pub stars: u32,
    /// The tiers its tests need, such as `userns`.
    pub needs: Vec<String>,
    /// The functions the learner writes, in the manifest's order.
    pub items: Vec<Item>,
    /// Helpers that vanish from the starter; a learner may do without them.
    pub private: Vec<String>,
    /// The guard tests, each with the wrong body that must turn it red.
    pub guards: Vec<Guard>,
    /// The tests that a named other runtime does not pass.
    pub exempt: Vec<Exempt>,
}

/// A function that belongs to a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it is: `rootfs::pivot_root`, or `plan::Plan::mounts` for a method.
    pub path: String,
    /// Its body while the capability is absent, without the braces.
    pub neutral: String,
}

/// A test that may be green before the lesson is solved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The test's name.
    pub test: String,
    /// The item whose body is replaced.
    pub item: String,
    /// The wrong body that must turn the test red.
    pub body: String,
}

/// A test that another runtime is excused from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exempt {
    /// The test's name.
    pub test: String,
    /// The runtime's name, such as `runc`: the first word of what its `--version` prints.
    pub runtime: String,
    /// The first version that needs no excuse. `None`: every version does.
    pub before: Option<String>,
    /// Why it is excused.
    pub reason: String,
}

/// How far the learner is with one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The body is still the neutral one.
    Open,
    /// Somebody wrote a body.
    Done,
    /// The item cannot be read: its file does not parse, or the function is gone. The text says which.
    Unreadable(String),
}

impl Course {
    /// Loads the course around `start`: climbs to the folder that holds `lessons/` and `crates/coracle/`.
    ///
    /// # Errors
    /// Fails where no folder above is a course, or where a manifest is wrong.
    pub fn find(start: &Path) -> Result<Self> {
        let start = std::path::absolute(start)?;
        for folder in start.ancestors() {
            if folder.join("lessons").is_dir() && folder.join("crates/coracle").is_dir() {
                return Self::load(folder);
            }
        }
        bail!(
            "{} is not inside a course: no folder above it holds lessons/ and crates/coracle/. Go to your clone first",
            start.display()
        )
    }

    /// Loads and validates `root/lessons/NN-slug/lesson.toml`, in the order of their numbers.
    ///
    /// # Errors
    /// Fails where a manifest cannot be read or contradicts itself or another one; the text names the file.
    pub fn load(root: &Path) -> Result<Self> {
        let (drafts, lessons) = manifest::load(root)?.into_iter().partition(Lesson::is_draft);
        Ok(Self { root: root.to_path_buf(), lessons, drafts })
    }

    /// The lessons and the drafts by number.
    pub fn with_drafts(&self) -> Vec<&Lesson> {
        let mut all: Vec<_> = self.lessons.iter().chain(&self.drafts).collect();
        all.sort_by_key(|lesson| lesson.number);
        all
    }

    /// The sources that the items live in.
    pub fn source(&self) -> PathBuf {
        self.root.join("crates/coracle/src")
    }

    /// The lesson with that number.
    ///
    /// # Errors
    /// Fails where there is none; the text lists what there is.
    pub fn lesson(&self, number: u32) -> Result<&Lesson> {
        if let Some(lesson) = self.lessons.iter().find(|lesson| lesson.number == number) {
            return Ok(lesson);
        }
        let known: Vec<_> =
            self.lessons.iter().map(|lesson| format!("{} ({})", lesson.number, lesson.title)).collect();
        bail!("there is no lesson {number}. There is: {}", known.join(", "))
    }

    /// Every item of the course with its state, in the course's order. Never fails for a file that does not parse:
    /// that is the state of its items.
    ///
    /// # Errors
    /// Fails where the sources cannot be read at all.
    pub fn states(&self) -> Result<Vec<(&Lesson, &Item, State)>> {
        Ok(self.states_in(&Tree::read(&self.source())?))
    }

    /// As [`Course::states`], for sources that were read already.
    pub fn states_in(&self, tree: &Tree) -> Vec<(&Lesson, &Item, State)> {
        let mut parsed = body::Cache::default();
        let mut states = Vec::new();
        for lesson in &self.lessons {
            for item in &lesson.items {
                let state = match parsed.body_is(tree, &item.path, &item.neutral) {
                    Ok(true) => State::Open,
                    Ok(false) => State::Done,
                    Err(error) => State::Unreadable(format!("{error:#}")),
                };
                states.push((lesson, item, state));
            }
        }
        states
    }

    /// The items whose body equals their neutral body, in the course's order.
    ///
    /// # Errors
    /// Fails where an item's file does not parse or the function is gone.
    pub fn open_items(&self) -> Result<Vec<(&Lesson, &Item)>> {
        let mut open = Vec::new();
        for (lesson, item, state) in self.states()? {
            match state {
                State::Open => open.push((lesson, item)),
                State::Done => {}
                State::Unreadable(why) => bail!("cannot tell whether {} is finished: {why}", item.path),
            }
        }
        Ok(open)
    }

    /// The lowest lesson number that has an open item; `None` on the reference and at the end of the course.
    ///
    /// # Errors
    /// As [`Course::open_items`].
    pub fn first_open(&self) -> Result<Option<u32>> {
        Ok(self.open_items()?.first().map(|(lesson, _)| lesson.number))
    }
}

impl Lesson {
    /// The folder's name: `03-pivot-root`. The chapter has the same name.
    pub fn folder(&self) -> String {
        format!("{:02}-{}", self.number, self.slug)
    }

    /// Whether it is a lesson in the making: it has items, and no tests yet.
    fn is_draft(&self) -> bool {
        !self.items.is_empty() && !self.dir.join("tests.rs").is_file()
    }

    /// The name of the test target: `lesson-03`.
    pub fn target(&self) -> String {
        format!("lesson-{:02}", self.number)
    }

    /// The item called `name`: its whole path, or the last segments of it.
    ///
    /// # Errors
    /// Fails where no item or more than one has that name; the text lists the lesson's items.
    pub fn item(&self, name: &str) -> Result<&Item> {
        let tail = format!("::{name}");
        let found: Vec<_> =
            self.items.iter().filter(|item| item.path == name || item.path.ends_with(&tail)).collect();
        match found.as_slice() {
            [item] => Ok(item),
            _ => {
                let known: Vec<_> = self.items.iter().map(|item| item.path.as_str()).collect();
                let wrong =
                    if found.is_empty() { "no item is called" } else { "more than one item is called" };
                bail!("lesson {}: {wrong} {name}. Its items are: {}", self.number, known.join(", "))
            }
        }
    }

    /// The shortest name that [`Lesson::item`] finds this item by.
    pub fn short_name<'a>(&self, item: &'a Item) -> &'a str {
        let last = item.path.rsplit("::").next().unwrap_or(&item.path);
        if self.item(last).is_ok() { last } else { &item.path }
    }
}
