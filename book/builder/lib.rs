//! The book: pages written by people, everything countable generated, everything checkable checked.
//!
//! [`Book::pages`] reads `src/`, expands the directives and orders the pages by the lessons; [`render::html`] hands
//! them to mdBook; [`check::run`] builds into a scratch directory and looks for defects. What authors need to know
//! stands at the head of `main.rs`.

pub mod check;
pub mod cli;
mod directive;
mod document;
mod glossary;
mod markdown;
mod matrix;
mod page;
pub mod publish;
pub mod readme;
pub mod render;
pub mod serve;
mod show;
mod source;
mod summary;
mod testlist;
mod trouble;
mod workshop;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use course::Course;

pub use document::against::against;
pub use page::Page;

/// Something wrong with the book, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// The file, relative to the repository where it lies inside.
    pub file: PathBuf,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        write!(f, " {}", self.what)
    }
}

/// The folder of a book beside the course it belongs to.
#[derive(Debug)]
pub struct Book<'a> {
    course: &'a Course,
    dir: PathBuf,
    sources: source::Sources,
    version: Option<String>,
}

/// The pages in reading order, and what is wrong with them so far.
#[derive(Debug, Default)]
pub struct Pages {
    /// The pages in reading order.
    pub pages: Vec<Page>,
    /// Directives that could not be resolved, and wrong headings: the built book has holes there.
    pub defects: Vec<Defect>,
    /// What is not written yet: chapters, and the parts every chapter has. Only the check minds.
    pub gaps: Vec<Defect>,
    /// mdBook's table of contents, as the text of a SUMMARY.md.
    pub summary: String,
}

impl<'a> Book<'a> {
    /// The book in `dir` (its book.toml and src/), about `course`.
    ///
    /// # Errors
    /// Fails where the runtime's sources cannot be read.
    pub fn open(course: &'a Course, dir: &Path) -> Result<Self> {
        let sources = source::Sources::read(course)?;
        Ok(Self { course, dir: std::path::absolute(dir)?, sources, version: None })
    }

    /// The same book as one of the published versions.
    #[must_use]
    pub fn with_version(self, version: &str) -> Self {
        Self { version: Some(version.to_string()), ..self }
    }

    /// Where the pages are.
    pub fn src(&self) -> PathBuf {
        self.dir.join("src")
    }

    /// Reads and orders the pages and expands their directives.
    ///
    /// # Errors
    /// Fails where the pages cannot be read. What is wrong in a page is in [`Pages::defects`].
    pub fn pages(&self) -> Result<Pages> {
        let mut found = Pages::default();
        for name in page::names(&self.src())? {
            let text = std::fs::read_to_string(self.src().join(&name))?;
            let file = self.display(&self.src().join(&name));
            let lesson =
                self.course.lessons.iter().find(|l| name == Path::new(&format!("{}.md", l.folder())));
            directive::expand(self, &mut found, Page::new(name, file, lesson), lesson, &text);
        }
        summary::order(self, &mut found);
        Ok(found)
    }

    /// `path` as people name it: relative to the repository.
    fn display(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.course.root).unwrap_or(path).to_path_buf()
    }
}
