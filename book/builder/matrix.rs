//! The matrix lesson x test x item: what `cargo lesson prove` found out on this machine, or else what the manifests
//! promise.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail, ensure};
use course::Lesson;
use serde::Deserialize;

use crate::testlist::{self, Kind};
use crate::{Book, page, show};

/// Where a full proof writes what it found.
const PROOF: &str = "target/prove/matrix.json";

/// What the builder reads of a proof.
#[derive(Deserialize)]
struct Proof {
    lessons: Vec<Row>,
    oracle: Option<String>,
    defects: Vec<String>,
}

#[derive(Deserialize)]
struct Row {
    number: u32,
    items: Vec<String>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    name: String,
    starter: Option<String>,
    green: Option<String>,
    wrong: Option<String>,
    notices: Vec<String>,
    oracle: Option<String>,
    exempt: Option<String>,
}

/// The tables of all lessons, and a word on where they come from.
pub(crate) fn show(book: &Book<'_>) -> Result<String> {
    let proof = proof(book);
    let mut text = match &proof {
        Ok(proof) => {
            let (tests, items) = proof
                .lessons
                .iter()
                .fold((0, 0), |(tests, items), row| (tests + row.tests.len(), items + row.items.len()));
            let oracle = proof.oracle.as_deref().unwrap_or("no other runtime: runc was not installed there");
            format!(
                "What follows is the result of `cargo lesson prove` on the sources that this book was built from: {} \
                 lessons, {tests} tests, {items} functions. The last column is {oracle}.\n",
                proof.lessons.len()
            )
        }
        Err(error) => format!(
            "<div class=\"unproved\">\n\n**Not proved here.** {error:#}. So the tables only list what there is to prove. \
             This fills them in, and takes its time when it runs first:\n\n```sh\ncargo lesson \
             prove\ncargo run -p book\n```\n\n</div>\n"
        ),
    };
    for lesson in book.course.lessons.iter().filter(|lesson| !lesson.items.is_empty()) {
        let row = proof
            .as_ref()
            .ok()
            .and_then(|proof| proof.lessons.iter().find(|row| row.number == lesson.number));
        text += &table(book, lesson, row)?;
    }
    Ok(text)
}

/// Whether there is a proof of just these sources, or why not.
pub(crate) fn proved(book: &Book<'_>) -> Result<()> {
    proof(book).map(drop)
}

fn table(book: &Book<'_>, lesson: &Lesson, row: Option<&Row>) -> Result<String> {
    let mut text = format!(
        "\n## [{:02} · {}]({}.md) {{#lesson-{:02}}}\n\n",
        lesson.number,
        show::escape(&lesson.title),
        lesson.folder(),
        lesson.number
    );
    for (nth, item) in lesson.items.iter().enumerate() {
        let _ = writeln!(text, "{}. `{}`", nth + 1, item.path);
    }
    text += "\n<div class=\"matrix\">\n\n| Test | Starter | Solved |";
    for nth in 1..=lesson.items.len() {
        let _ = write!(text, " −{nth} |");
    }
    let _ = write!(text, " runc |\n|---|---|---|{}---|\n", ":-:|".repeat(lesson.items.len()));
    for test in testlist::read(book.course, lesson)? {
        let (kind, sentence) = (test.kind, show::escape(&test.sentence()));
        let found = row.and_then(|row| row.tests.iter().find(|other| other.name == test.name));
        if row.is_some() && found.is_none() {
            // It repeats others elsewhere, and is no part of the proof.
            continue;
        }
        let _ = write!(text, "| <span class=\"{kind}\">{kind}</span> {sentence} |");
        // A guard is judged on a wrong body in place of the starter.
        let starter = found.and_then(|found| match kind {
            Kind::Guard => found.wrong.as_deref().map(|wrong| format!("{wrong}, on a wrong body")),
            _ => found.starter.clone(),
        });
        let green = found.and_then(|found| found.green.clone());
        let _ = write!(text, " {} | {} |", starter.unwrap_or("?".into()), green.unwrap_or("?".into()));
        for nth in 0..lesson.items.len() {
            let notice = found.and_then(|found| found.notices.get(nth)).map_or("unknown", String::as_str);
            let _ = write!(text, " {} |", mark(notice));
        }
        let oracle = found.and_then(|found| found.oracle.as_deref());
        let _ = writeln!(text, " {} |", oracle.unwrap_or(if row.is_some() { "not run" } else { "?" }));
    }
    text += "\n</div>\n";
    for exempt in
        row.iter().flat_map(|row| &row.tests).filter(|test| test.oracle.as_deref() == Some("exempt"))
    {
        let reason = exempt.exempt.as_deref().unwrap_or_default();
        let _ = writeln!(text, "\n`{}` is not asked of runc: {}.", exempt.name, show::escape(reason));
    }
    Ok(text)
}

/// Whether a test noticed that an item was taken away, in a sign and in words.
fn mark(notice: &str) -> String {
    let (sign, words) = match notice {
        "yes" => ("●", "fails without it"),
        "no" => ("·", "stays green without it"),
        "fails" => ("!", "fails without it, but sees nothing"),
        _ => ("?", "not known"),
    };
    format!("<span role=\"img\" aria-label=\"{words}\" title=\"{words}\">{sign}</span>")
}

/// The proof, if it is one of these sources.
fn proof(book: &Book<'_>) -> Result<Proof> {
    let root = &book.course.root;
    let file = root.join(PROOF);
    let text = fs::read(&file).map_err(|_| anyhow!("There is no {PROOF}"))?;
    let proof: Proof = serde_json::from_slice(&text).with_context(|| PROOF.to_string())?;
    let written = fs::metadata(&file)?.modified()?;
    let folders = ["crates/coracle/src", "crates/testkit/src", "crates/probe/src", "lessons"];
    if let Some(younger) = younger(root, written, &folders)? {
        return Err(anyhow!("{} has changed since the last proof", younger.display()));
    }
    ensure!(proof.defects.is_empty(), "The last proof found {} defects", proof.defects.len());
    for lesson in book.course.lessons.iter().filter(|lesson| !lesson.items.is_empty()) {
        let row = proof.lessons.iter().find(|row| row.number == lesson.number);
        let items = lesson.items.iter().map(|item| &item.path);
        ensure!(
            row.is_some_and(|row| items.eq(&row.items)),
            "The last proof was one of another lesson {}",
            lesson.number
        );
    }
    if let Some(hole) = proof.lessons.iter().find_map(Row::hole) {
        bail!("The last proof has a hole: {hole}");
    }
    Ok(proof)
}

impl Row {
    /// A function that no test misses, or a test that misses none. What was ignored there says nothing.
    fn hole(&self) -> Option<String> {
        let ran: Vec<_> = self
            .tests
            .iter()
            .filter(|test| test.green.as_deref().is_some_and(|green| green != "ignored"))
            .collect();
        let misses = |test: &Test, nth: usize| test.notices.get(nth).is_some_and(|notice| notice == "yes");
        let item =
            (0..self.items.len()).find(|nth| !ran.is_empty() && !ran.iter().any(|test| misses(test, *nth)));
        let test = ran.iter().find(|test| {
            test.wrong.as_deref() != Some("red") && !(0..self.items.len()).any(|nth| misses(test, nth))
        });
        let item = item.map(|nth| format!("no test of lesson {} misses {}", self.number, self.items[nth]));
        item.or_else(|| {
            test.map(|test| format!("{} of lesson {} misses no function", test.name, self.number))
        })
    }
}

/// A file of those `folders` that is younger than what was found out about them.
pub(crate) fn younger(root: &Path, than: SystemTime, folders: &[&str]) -> Result<Option<PathBuf>> {
    for folder in folders.iter().map(Path::new) {
        for name in page::files(&root.join(folder)).unwrap_or_default() {
            let name = folder.join(name);
            if fs::metadata(root.join(&name))?.modified()? > than {
                return Ok(Some(name));
            }
        }
    }
    Ok(None)
}
