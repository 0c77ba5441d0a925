//! Looking for defects: everything the book says that a machine can try.

mod before;
mod cli;
mod documents;
mod html;
mod manual;
mod printed;
mod prose;
mod session;
mod shell;
mod template;
mod tools;
pub(crate) mod transcript;
pub(crate) mod trouble;
mod walk;

use std::path::{Path, PathBuf};

use anyhow::Result;
use course::Course;

use crate::{Book, Defect, Page, glossary, readme, render};

pub use tools::Tools;
pub use walk::{Verdict, Walked, walk};

/// A transcript that was not run, and why.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The page.
    pub file: PathBuf,
    /// The line of its first command.
    pub line: usize,
    /// Why it was not run.
    pub reason: String,
    /// Whether its author wants it so (`norun`); otherwise this machine lacks something.
    pub wanted: bool,
}

/// What the check found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong, page by page.
    pub defects: Vec<Defect>,
    /// How many commands of transcripts were run.
    pub ran: usize,
    /// The transcripts that were not run.
    pub skipped: Vec<Skipped>,
    /// How many words of each chapter a reader sees who opens no fold.
    pub words: Vec<(PathBuf, usize)>,
}

/// Checks the book in `dir` about `course`: its directives, links, images and HTML, the commands, paths and names in
/// its prose, and its transcripts, with the programs of `tools`.
///
/// # Errors
/// Fails where the check itself cannot be done. What is wrong with the book is in [`Findings::defects`].
pub fn run(course: &Course, dir: &Path, tools: &Tools) -> Result<Findings> {
    let book = Book::open(course, dir)?;
    let out = tempfile::tempdir()?;
    let mut pages = book.pages()?;
    let mut findings = Findings { defects: std::mem::take(&mut pages.defects), ..Findings::default() };
    findings.defects.append(&mut pages.gaps);
    for what in render::html(&book, &pages, out.path())? {
        findings.defects.push(Defect { file: book.display(&book.src()), line: 0, what });
    }
    findings.defects.extend(html::check(&pages, out.path())?);
    let mut prose = prose::Prose::new(&book, tools);
    let mut before = before::Before::new(&book);
    let manual = manual::Manual::read(&book)?;
    for page in pages.pages.iter().chain(&readme_page(&book)?) {
        findings.defects.extend(prose.check(page));
        findings.defects.extend(manual.check(page));
        findings.defects.extend(template::check(&book, page));
        if page.lesson.is_some() {
            let source = std::fs::read_to_string(book.src().join(&page.name))?;
            findings.words.push((page.file.clone(), template::words(&source)));
        }
        transcript::check(&book, page, tools, &mut before, &mut findings)?;
    }
    findings.defects.extend(readme::check(&book)?);
    findings.defects.extend(glossary::check(&book)?);
    findings.defects.extend(documents::check(&book)?);
    trouble::check(&book, tools, &mut before, &mut findings)?;
    let strict = findings.skipped.iter().filter_map(transcript::strict);
    findings.defects.extend(strict);
    findings.defects.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    findings.defects.dedup();
    Ok(findings)
}

/// README as a page, where the book is the course's own.
fn readme_page(book: &Book<'_>) -> Result<Option<Page>> {
    let file = book.course.root.join("README.md");
    if book.dir != book.course.root.join("book") || !file.is_file() {
        return Ok(None);
    }
    let mut page = Page::new("README.md".into(), "README.md".into(), None);
    for (number, line) in std::fs::read_to_string(file)?.lines().enumerate() {
        page.push(number + 1, &format!("{line}\n"));
    }
    Ok(Some(page))
}
