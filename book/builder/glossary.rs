//! The glossary: `glossary.toml` beside `src/`, one table a term. Which chapters use a term is found out here.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use course::Lesson;
use serde::Deserialize;

use crate::{Book, Defect, markdown, show, trouble};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    term: Vec<Term>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    name: String,
    /// Other forms in which chapters use it.
    #[serde(default)]
    also: Vec<String>,
    /// One or two sentences, as Markdown.
    means: String,
    /// The man page, or the section of the specification.
    see: String,
    /// The lesson whose chapter explains it.
    taught: u32,
}

/// The terms as a page shows them.
pub(crate) fn show(book: &Book<'_>) -> Result<String> {
    let mut text = String::new();
    let chapters = chapters(book);
    for term in read(book)?.0.term {
        let mut places = format!("{}. Taught in {}", term.see, chapter(book, term.taught)?);
        let others =
            chapters.iter().filter(|(lesson, prose)| lesson.number != term.taught && term.is_in(prose));
        let others: Vec<_> =
            others.map(|(lesson, _)| format!("[{:02}]({}.md)", lesson.number, lesson.folder())).collect();
        if !others.is_empty() {
            let _ = write!(places, "; used in {}", others.join(", "));
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "### {} {{#{}}}\n\n{}\n\n<div class=\"places\">\n\n{places}.\n\n</div>\n",
            show::escape(&term.name),
            anchor(&term.name),
            term.means.trim()
        );
    }
    Ok(text)
}

/// Terms out of order, there twice, or taught in a chapter that never says them.
pub(crate) fn check(book: &Book<'_>) -> Result<Vec<Defect>> {
    if !path(book).is_file() {
        return Ok(Vec::new());
    }
    let (file, text) = read(book)?;
    let chapters = chapters(book);
    let mut defects = Vec::new();
    let mut wrong = |nth: usize, what: String| {
        let line = trouble::line(&text, "name", nth);
        defects.push(Defect { file: book.display(&path(book)), line, what });
    };
    for (nth, pair) in file.term.windows(2).enumerate() {
        let (before, name) = (&pair[0].name, &pair[1].name);
        if order(before) >= order(name) {
            wrong(nth + 1, format!("{name:?} stands behind {before:?}: terms go by the alphabet"));
        }
    }
    for (nth, term) in file.term.iter().enumerate() {
        let Term { name, taught, .. } = term;
        if !book.course.with_drafts().iter().any(|lesson| lesson.number == *taught) {
            wrong(nth, format!("{name:?} is taught in lesson {taught}, and there is none"));
        }
        let chapter = chapters.iter().find(|(lesson, _)| lesson.number == *taught);
        if let Some((lesson, _)) = chapter.filter(|(_, prose)| !term.is_in(prose)) {
            wrong(nth, format!("the chapter {}.md does not say {name:?}", lesson.folder()));
        }
    }
    Ok(defects)
}

impl Term {
    fn is_in(&self, prose: &str) -> bool {
        [&self.name].into_iter().chain(&self.also).any(|form| says(prose, &form.to_lowercase()))
    }
}

/// Whether `form` stands in `text` as a word of its own, or as more than one.
fn says(text: &str, form: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(form).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + form.len()..]);
        // A plural is the same word.
        let after = after.strip_prefix('s').filter(|rest| !rest.starts_with(part)).unwrap_or(after);
        !before.ends_with(part) && !after.starts_with(part)
    })
}

/// The chapters there are, each with its prose in lower case and on one line.
fn chapters<'a>(book: &'a Book<'_>) -> Vec<(&'a Lesson, String)> {
    let lessons = book.course.lessons.iter();
    let read = lessons.filter_map(|lesson| {
        let text = fs::read_to_string(book.src().join(format!("{}.md", lesson.folder()))).ok()?;
        Some((lesson, markdown::prose(&text).to_lowercase()))
    });
    read.collect()
}

fn chapter(book: &Book<'_>, number: u32) -> Result<String> {
    if let Ok(lesson) = book.course.lesson(number) {
        return Ok(format!("[{number:02} · {}]({}.md)", show::escape(&lesson.title), lesson.folder()));
    }
    match book.course.drafts.iter().find(|draft| draft.number == number) {
        Some(draft) => Ok(format!("{number:02} · {} (in the making)", show::escape(&draft.title))),
        None => bail!("there is no lesson {number}"),
    }
}

fn anchor(name: &str) -> String {
    let letters = name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-");
    letters.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// The alphabet does not mind capitals, nor a slash in front.
fn order(name: &str) -> String {
    name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "")
}

fn path(book: &Book<'_>) -> PathBuf {
    book.dir.join("glossary.toml")
}

fn read(book: &Book<'_>) -> Result<(File, String)> {
    let path = path(book);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let file = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok((file, text))
}
