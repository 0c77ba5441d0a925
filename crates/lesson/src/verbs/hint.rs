//! `cargo lesson hint`, and the form of a lesson's hints.md.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use course::{Course, Item, Lesson, State};
use serde::Serialize;

use super::git::Git;
use super::ink::Ink;

/// The steps of an item's hints: what each one is.
const STEPS: [&str; 3] = ["a question", "the calls", "an outline"];

/// The hints of a lesson: `hints.md` has a section `## item::path` for each item, with `### 1`, `### 2` and `### 3`.
#[derive(Debug)]
pub struct Hints(BTreeMap<String, [String; 3]>);

impl Hints {
    /// Reads `hints.md` of `lesson`, and checks that every item has its three steps and nothing else has any.
    ///
    /// # Errors
    /// Fails where the file cannot be read or is not of that form; the text names the section.
    pub fn load(lesson: &Lesson) -> Result<Self> {
        let file = lesson.dir.join("hints.md");
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let hints = Self::parse(&text).with_context(|| format!("{}", file.display()))?;
        for path in hints.0.keys() {
            ensure!(lesson.items.iter().any(|i| i.path == *path), "{}: ## {path} is no item", file.display());
        }
        for item in &lesson.items {
            ensure!(hints.0.contains_key(&item.path), "{}: no section ## {}", file.display(), item.path);
        }
        Ok(hints)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut sections: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut current: Option<String> = None;
        let mut fenced = false;
        for line in text.lines() {
            fenced ^= line.starts_with("```");
            let heading = |mark| line.strip_prefix(mark).filter(|_| !fenced).map(str::trim);
            if let Some(step) = heading("### ") {
                let steps = current.as_ref().and_then(|path| sections.get_mut(path));
                let steps = steps.with_context(|| format!("### {step} before the first ## item"))?;
                steps.push(String::new());
                ensure!(step == steps.len().to_string(), "### {step} where ### {} belongs", steps.len());
            } else if let Some(path) = heading("## ") {
                ensure!(sections.insert(path.to_owned(), Vec::new()).is_none(), "## {path} twice");
                current = Some(path.to_owned());
            } else if let Some(step) = current.as_ref().and_then(|path| sections.get_mut(path)?.last_mut()) {
                step.push_str(line);
                step.push('\n');
            }
        }
        let sections = sections.into_iter().map(|(path, steps)| {
            let steps: Vec<String> = steps.iter().map(|step| step.trim().to_owned()).collect();
            ensure!(steps.iter().all(|step| !step.is_empty()), "## {path} has an empty step");
            let count = steps.len();
            match <[String; 3]>::try_from(steps) {
                Ok(steps) => Ok((path, steps)),
                Err(_) => bail!("## {path} has {count} steps, not three"),
            }
        });
        Ok(Self(sections.collect::<Result<_>>()?))
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    lesson: u32,
    item: &'a str,
    /// Those that are shown by now, the first one first.
    hints: Vec<&'a str>,
    /// How many there are.
    steps: usize,
}

/// Prints the hints of an item up to `step`; without a step, one more than the last time. The item is the named one,
/// or the lesson's first open one; the lesson is the first open one where `number` is not given.
///
/// # Errors
/// Fails where nothing is open and nothing named, or where the lesson or the item does not exist.
pub fn hint(
    course: &Course,
    number: Option<u32>,
    name: Option<&str>,
    step: Option<u8>,
    json: bool,
) -> Result<()> {
    let states = course.states()?;
    let mut open = states.iter().filter(|(_, _, state)| *state != State::Done);
    let lesson = match (number, open.clone().next()) {
        (Some(number), _) => course.lesson(number)?,
        (None, Some((lesson, ..))) => lesson,
        (None, None) => bail!("nothing is open. Name a lesson and a function: cargo lesson hint 1 ITEM"),
    };
    let item = match (name, open.find(|(other, ..)| other.number == lesson.number)) {
        (Some(name), _) => lesson.item(name)?,
        (None, Some((_, item, _))) => item,
        (None, None) => {
            let names: Vec<_> = lesson.items.iter().map(|item| lesson.short_name(item)).collect();
            bail!("nothing is open in lesson {}. Name a function of it: {}", lesson.number, names.join(", "));
        }
    };
    let hints = Hints::load(lesson)?;
    let last = usize::from(step.unwrap_or_else(|| one_more(course, item))).clamp(1, STEPS.len());
    if json {
        let hints = hints.0[&item.path].iter().take(last).map(String::as_str).collect();
        let report = Report { lesson: lesson.number, item: &item.path, hints, steps: STEPS.len() };
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for (step, text) in hints.0[&item.path].iter().enumerate().take(last) {
        let head = format!("{}: hint {} of {}, {}", item.path, step + 1, STEPS.len(), STEPS[step]);
        println!("{}\n{text}\n", Ink::new().bold(&head));
    }
    let (number, name) = (lesson.number, lesson.short_name(item));
    if last == STEPS.len() {
        println!(
            "Still stuck? cargo lesson solve {number} {name} puts the reference in its place; yours is kept."
        );
    } else {
        println!("More: cargo lesson hint {number} {name}");
    }
    Ok(())
}

/// The step after the one that was shown last. Git's own configuration remembers it: the tree stays as it is.
fn one_more(course: &Course, item: &Item) -> u8 {
    let Ok(git) = Git::open(&course.root) else { return 1 };
    let key = format!("coracle.{}.hint", item.path);
    let last = git.read(&["config", "--local", "--get", &key]).ok().and_then(|text| text.parse().ok());
    let step = last.map_or(1, |last: u8| last.saturating_add(1).clamp(1, STEPS.len() as u8));
    // Where it cannot be remembered, the first hint comes again.
    let _ = git.read(&["config", "--local", &key, &step.to_string()]);
    step
}
